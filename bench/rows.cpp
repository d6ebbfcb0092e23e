// SPDX-License-Identifier: MIT
// bench/rows.cpp — main() of every benchmark: times the rows, counts them (--count, under callgrind),
// describes them (--describe), or says which lack their floor (--check).
#include "rows.hpp"
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

namespace bench {
namespace {

struct row {
  std::string name;
  work f;
  std::int64_t argument;
  figure which;
  int threads = 0;  // 0: one, and its own time
};
struct target {
  const char *row, *against;
  double at_most;
};
struct question {
  const char *work, *text;
};
auto& rows() {
  static std::vector<row> all;
  return all;
}
auto& targets() {
  static std::vector<target> all;
  return all;
}
auto& questions() {
  static std::vector<question> all;
  return all;
}

/// Runs each row n and 2n times; the difference over n is the cost of one, without what is done once. table.py divides.
void count() {
  for (const row& r : rows())
    if (r.which == figure::processor || r.threads == 1)
      for (std::int64_t n : {32, 64}) {
        state s(n, r.argument, nullptr);
        r.f(s);
        const std::string title = r.name + ' ' + std::to_string(n);
        CALLGRIND_DUMP_STATS_AT(title.c_str());
      }
}
void describe() {
  for (const question& q : questions()) std::printf("asks\t%s\t%s\n", q.work, q.text);
  for (const target& t : targets()) std::printf("target\t%s\t%s\t%.17g\n", t.row, t.against, t.at_most);
  for (const row& r : rows()) std::printf("row\t%s\t%s\n", r.name.c_str(), r.which == figure::wall ? "wall" : "processor");
}

/// What is missing: a row without its floor, a work that nobody asked for, a target of no row. The number of such.
int check() {
  const auto has = [](const std::string& name) {
    for (const row& r : rows())
      if (r.name == name) return true;
    return false;
  };
  int missing = 0;
  const auto lacks = [&](const std::string& what, const std::string& name) {
    std::printf("%s: %s\n", name.c_str(), what.c_str());
    ++missing;
  };
  for (const row& r : rows()) {
    const std::string function = r.name.substr(0, r.name.find('/')), argument = r.name.substr(function.size());
    const bool floor = function.size() > 8 && function.compare(function.size() - 8, 8, "_by_hand") == 0;
    if (floor || function.find("_peer_") != std::string::npos) continue;
    if (!has(function + "_by_hand" + argument)) lacks("no row " + function + "_by_hand" + argument, r.name);
    bool asked = false;
    for (const question& q : questions()) asked = asked || function == std::string("BM_") + q.work;
    if (!asked) lacks("no ASKS", r.name);
  }
  for (const target& t : targets()) {
    const std::string name = std::string("BM_") + t.row, function = name.substr(0, name.find('/'));
    if (!has(name) || !has(function + '_' + t.against + name.substr(function.size())))
      lacks("a target without its two rows", name);
  }
  return missing;
}

}  // namespace

bool add(const char* name, work f, const char* argument, std::initializer_list<std::int64_t> values, figure which) {
  if (argument == nullptr)
    rows().push_back({name, f, 0, which});
  else
    for (auto v : values) rows().push_back({std::string(name) + '/' + argument + ':' + std::to_string(v), f, v, which});
  return true;
}
bool add_threads(const char* name, work f, std::initializer_list<unsigned> threads) {
  for (unsigned n : threads)
    rows().push_back({std::string(name) + "/threads:" + std::to_string(n), f, 0, figure::wall, static_cast<int>(n)});
  return true;
}
bool ask(const char* what, const char* text) {
  questions().push_back({what, text});
  return true;
}
bool aim(const char* row, const char* against, double at_most) {
  targets().push_back({row, against, at_most});
  return true;
}

void state::skip(const char* why) {
  skipped_ = true;
  if (timed_ != nullptr) timed_->SkipWithError(why);
}
void state::start() {
  if (skipped_) return;
  if (timed_ != nullptr) {
    (void)timed_->KeepRunningBatch(n_);
  } else {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
  }
}
void state::finish() {
  if (skipped_) return;
  if (timed_ != nullptr) {
    (void)timed_->KeepRunningBatch(n_);
  } else {
    CALLGRIND_STOP_INSTRUMENTATION;
  }
}

}  // namespace bench

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--count") == 0) return bench::count(), 0;
  if (argc == 2 && std::strcmp(argv[1], "--describe") == 0) return bench::describe(), 0;
  if (argc == 2 && std::strcmp(argv[1], "--check") == 0) return bench::check() == 0 ? 0 : 1;
  for (const auto& r : bench::rows()) {
    // Google Benchmark says the number of threads itself.
    const std::string name = r.threads == 0 ? r.name : r.name.substr(0, r.name.find('/'));
    auto* const row = benchmark::RegisterBenchmark(name.c_str(), [&r](benchmark::State& timed) {
      bench::state s(timed.max_iterations, r.argument, &timed);
      r.f(s);
    });
    if (r.threads != 0) row->Threads(r.threads)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
