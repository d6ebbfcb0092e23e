// SPDX-License-Identifier: MIT
// examples/watch/report_text.cpp — the report for people.
#include <fmt/format.h>

#include <algorithm>

#include "arguments.hpp"
#include "console.hpp"
#include "report.hpp"
#include "value.hpp"

namespace watch {
namespace {

std::string text(const thread_name& t) { return fmt::format("{} ({})", t.name, t.tid); }

std::string text(const slot_seen& s) {
  if (s.name.empty()) return s.holder == "free" ? "-" : s.holder;
  return fmt::format("{} [{}{}]", s.name, s.holder, s.enabled ? "" : ", off");
}

/// "3 hits", "1 hit".
std::string counted(std::uint64_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

/// Rows of cells, padded to columns. The first row is the heading.
void print_table(console& out, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format(" {:<{}}", row[i], i + 1 == row.size() ? 0 : width[i] + 1);
    line.resize(line.find_last_not_of(' ') + 1);
    out.line(line);
  }
}

class people final : public report {
 public:
  explicit people(console& out) : out_(out) {}

  void begins(pid_t pid, const std::string& program, const std::vector<watched>& watches) override {
    out_.line(fmt::format("watching process {} ({})", pid, program));
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < watches.size(); ++i) {
      const watched& w = watches[i];
      rows.push_back({fmt::format("{}.", i + 1), w.text,
                      counted(w.what.length, "byte") + fmt::format(" at {:#x}", w.what.address), to_text(w.what.on),
                      w.thread.empty() ? "all threads (kernel side)" : "thread " + w.thread + " (user side)",
                      w.enabled ? "" : "disabled"});
      name_width_ = std::max(name_width_, w.text.size());
    }
    print_table(out_, rows);
  }
  void thread_started(const thread_name& t, double seconds) override {
    out_.line(fmt::format("{:11.6f}  {} started", seconds, text(t)));
  }
  void hit(const watched& w, const hit_seen& h) override {
    thread_width_ = std::max(thread_width_, text(h.thread).size());
    const bool executed = w.what.on == bookend::access::execute;
    out_.line(fmt::format("{:11.6f}  {:<{}}  {:<{}}  {:<{}}  {}", h.seconds, text(h.thread), thread_width_, w.text, name_width_,
                          executed ? "called" : change_text(h.before, h.now), 12, h.where.text()));
  }
  void toggled(const watched& w, std::size_t watch, double seconds) override {
    out_.line(fmt::format("{:11.6f}  watch {} ({}) is {}", seconds, watch + 1, w.text,
                          w.enabled ? "enabled" : "disabled: no stops, its slot is kept"));
  }
  void slots(const std::vector<thread_slots>& threads) override {
    if (threads.empty()) return;
    const bool all = threads.size() <= most_rows;
    std::size_t left_out = 0;
    std::vector<std::vector<std::string>> rows{{"debug registers of"}};
    for (std::size_t i = 0; i < threads[0].slots.size(); ++i) rows[0].push_back(fmt::format("slot {}", i));
    for (const thread_slots& t : threads) {
      if (t.ended && !all) {
        ++left_out;
        continue;
      }
      rows.push_back({text(t.thread) + (t.ended ? " ended" : "")});
      for (const slot_seen& s : t.slots) rows.back().push_back(text(s));
    }
    print_table(out_, rows);
    if (left_out != 0) out_.line(fmt::format("  and of {} that ended", counted(left_out, "thread")));
  }
  void ends(const ending& e) override {
    out_.line("");
    out_.line(fmt::format("{} in {:.3f} s; {}", counted(e.hits, "hit"), e.seconds, e.why));
    if (!e.touched.empty()) {
      std::vector<std::vector<std::string>> rows{{"hits", "of", "by thread", "at"}};
      for (const touch& t : e.touched)
        rows.push_back({fmt::format("{}", t.hits), e.watches[t.watch].text, text(t.thread), t.where.text()});
      print_table(out_, rows);
    }
    slots(e.threads);
  }

 private:
  static constexpr std::size_t most_rows = 24;  // more threads than that: only those that live
  console& out_;
  std::size_t thread_width_ = 0, name_width_ = 0;
};

}  // namespace

std::unique_ptr<report> report_for_people(console& out) { return std::make_unique<people>(out); }

}  // namespace watch
