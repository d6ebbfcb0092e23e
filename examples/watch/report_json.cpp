// SPDX-License-Identifier: MIT
// examples/watch/report_json.cpp — the report for programs: one JSON object a line, each with an "event".
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "console.hpp"
#include "report.hpp"

namespace watch {
namespace {

using json = nlohmann::ordered_json;

json to_json(const thread_name& t) { return {{"tid", t.tid}, {"name", t.name}}; }

/// Addresses are strings: JSON's numbers are doubles to many readers, which lose the low bits of a 64-bit address.
std::string address(std::uint64_t a) { return fmt::format("{:#x}", a); }

json to_json(const code_place& p) {
  json j{{"pc", address(p.pc)}};
  if (!p.function.empty()) j.update({{"function", p.function}, {"offset", p.offset}});
  if (p.line != 0) j.update({{"file", p.file}, {"line", p.line}});
  if (!p.module.empty()) j.update({{"module", p.module}, {"module_pc", address(p.module_pc)}});
  return j;
}

const char* word(bookend::access on) {
  return on == bookend::access::write ? "write" : on == bookend::access::execute ? "execute" : "read_write";
}

json to_json(const std::vector<thread_slots>& threads) {
  json all = json::array();
  for (const thread_slots& t : threads) {
    json j = to_json(t.thread);
    j["ended"] = t.ended;
    j["slots"] = json::array();
    for (const slot_seen& s : t.slots) {
      json one{{"holder", s.holder}};
      if (!s.name.empty()) one.update({{"name", s.name}, {"enabled", s.enabled}});
      j["slots"].push_back(one);
    }
    all.push_back(j);
  }
  return all;
}

json to_json(std::optional<std::uint64_t> value) { return value ? json(*value) : json(nullptr); }

class programs final : public report {
 public:
  explicit programs(console& out) : out_(out) {}

  void begins(pid_t pid, const std::string& program, const std::vector<watched>& watches) override {
    json list = json::array();
    for (std::size_t i = 0; i < watches.size(); ++i) {
      const watched& w = watches[i];
      json one{{"watch", i + 1},
               {"name", w.text},
               {"address", address(w.what.address)},
               {"length", w.what.length},
               {"on", word(w.what.on)}};
      one["side"] = w.thread.empty() ? "kernel" : "user";
      one["thread"] = w.thread.empty() ? json(nullptr) : json(w.thread);
      one["enabled"] = w.enabled;
      list.push_back(one);
    }
    print({{"event", "begin"}, {"pid", pid}, {"program", program}, {"watches", list}});
  }
  void thread_started(const thread_name& t, double seconds) override {
    print({{"event", "thread"}, {"time", seconds}, {"thread", to_json(t)}});
  }
  void hit(const watched& w, const hit_seen& h) override {
    json j{{"event", "hit"}, {"time", h.seconds}, {"watch", h.watch + 1}, {"name", w.text}, {"thread", to_json(h.thread)}};
    if (w.what.on != bookend::access::execute) j.update({{"old", to_json(h.before)}, {"new", to_json(h.now)}});
    j["at"] = to_json(h.where);
    print(j);
  }
  void toggled(const watched& w, std::size_t watch, double seconds) override {
    print({{"event", "toggled"}, {"time", seconds}, {"watch", watch + 1}, {"name", w.text}, {"enabled", w.enabled}});
  }
  void slots(const std::vector<thread_slots>& threads) override { print({{"event", "slots"}, {"threads", to_json(threads)}}); }
  void ends(const ending& e) override {
    json touched = json::array();
    for (const touch& t : e.touched)
      touched.push_back({{"watch", t.watch + 1},
                         {"name", e.watches[t.watch].text},
                         {"thread", to_json(t.thread)},
                         {"at", to_json(t.where)},
                         {"hits", t.hits}});
    print({{"event", "end"},
           {"why", e.why},
           {"time", e.seconds},
           {"hits", e.hits},
           {"touched", touched},
           {"threads", to_json(e.threads)}});
  }

 private:
  // A thread's name may be any bytes: what is not UTF-8 is replaced.
  void print(const json& j) { out_.line(j.dump(-1, ' ', false, json::error_handler_t::replace)); }
  console& out_;
};

}  // namespace

std::unique_ptr<report> report_as_json(console& out) { return std::make_unique<programs>(out); }

}  // namespace watch
