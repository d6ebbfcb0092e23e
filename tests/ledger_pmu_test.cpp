// SPDX-License-Identifier: MIT
// tests/ledger_pmu_test.cpp — the ledger without debug registers: who may have the performance counters of a machine? Read
// it as an example of sharing any scarce per-CPU resource between the system and its tasks.
#include <doctest/doctest.h>

#include <bookend/ledger.hpp>
#include <map>

namespace {
using bookend::cpu_id;

constexpr unsigned counters = 8;  // of each CPU
constexpr unsigned cpus = 16;

/// A program that counts events: in each CPU it runs on (its groups), and some on one CPU only. A group is all or nothing.
struct profiled_task {
  unsigned everywhere = 0;
  std::map<cpu_id, unsigned> on_one{};
  auto pins() const {
    return [this](auto f) {
      for (const auto& [cpu, n] : on_one) f(cpu, n);
    };
  }
};

/// Who holds how many counters. Each request is asked first, so that what is refused changes nothing.
class counter_office {
 public:
  using mask = bookend::cpumask<cpus>;

  /// `n` counters on each CPU of `m` for the system itself: a watchdog, a system-wide profile.
  bool system_takes(const mask& m, unsigned n) {
    if (!held_.fits_kernel(m, n)) return false;
    held_.take_kernel(m, n);
    return true;
  }
  void system_returns(const mask& m, unsigned n) { held_.release_kernel(m, n); }

  /// A group of `n` events, counted wherever the task runs.
  bool task_opens(profiled_task& t, unsigned n) {
    if (!held_.fits_wide(t.everywhere + n, t.pins())) return false;
    held_.change_wide(t.everywhere, t.everywhere + n, t.pins());
    t.everywhere += n;
    return true;
  }
  /// A group that counts while the task runs on one CPU.
  bool task_opens_on(profiled_task& t, cpu_id cpu, unsigned n) {
    const unsigned before = t.on_one[cpu];
    if (!held_.fits_pinned(cpu, t.everywhere, before + n)) return false;
    held_.change_pinned(cpu, t.everywhere, before, before + n);
    t.on_one[cpu] += n;
    return true;
  }
  void task_exits(profiled_task& t) {
    held_.change_wide(t.everywhere, 0, t.pins());
    for (const auto& [cpu, n] : t.on_one) held_.change_pinned(cpu, 0, n, 0);
    t = {};
  }

  /// Where the system cannot have `n` more.
  mask full(unsigned n) const { return held_.full_kernel(mask::all(), n); }
  bool nobody_counts() const { return held_.empty(); }

 private:
  bookend::ledger<counters, cpus> held_;
};

TEST_CASE("counters: a watchdog, a profiler and three programs share them, and each refusal is one that had to be") {
  counter_office office;
  const auto all = counter_office::mask::all();
  const auto left_half = counter_office::mask::of(0, 1, 2, 3, 4, 5, 6, 7);

  // The hard-lockup watchdog counts cycles on every CPU, for ever.
  REQUIRE(office.system_takes(all, 1));

  // Programs do not compete: one runs at a time, and the counters are switched with it. 7 are left for each.
  profiled_task compiler, database, game;
  CHECK(office.task_opens(compiler, 4));
  CHECK(office.task_opens(database, 5));
  CHECK(office.task_opens(game, 7));
  CHECK_FALSE(office.task_opens(game, 1));

  // The system competes with the hungriest of them.
  CHECK_FALSE(office.system_takes(left_half, 1));
  CHECK(office.full(1) == all);
  office.task_exits(game);
  CHECK(office.system_takes(left_half, 2));  // 1 + 2 + 5 = 8
  CHECK(office.full(1) == left_half);
  CHECK(office.full(2) == left_half);
  CHECK(office.full(3) == all);

  // A group on one CPU does not care about the others.
  CHECK_FALSE(office.task_opens_on(database, 3, 1));  // there: 3 + 5
  CHECK(office.task_opens_on(database, 12, 2));       // there: 1 + 5 + 2
  CHECK_FALSE(office.task_opens_on(database, 12, 1));
  CHECK(office.task_opens_on(compiler, 12, 3));  // a task of its own: 1 + 4 + 3
  CHECK(office.full(1) == (left_half | counter_office::mask::of(12)));

  // The profile ends: its counters are whose who asks next, and nobody else has noticed.
  office.system_returns(left_half, 2);
  CHECK(office.task_opens_on(database, 3, 2));
  CHECK_FALSE(office.task_opens(database, 1));  // it has two more on CPUs 3 and 12

  office.task_exits(compiler);
  office.task_exits(database);
  office.system_returns(all, 1);
  CHECK(office.nobody_counts());
}

TEST_CASE("counters: an event that needs two of them is a weight, and its two need not be neighbours") {
  counter_office office;
  const auto all = counter_office::mask::all();
  profiled_task t;
  for (int i = 0; i < 3; ++i) REQUIRE(office.task_opens(t, 2));
  CHECK(office.system_takes(all, 1));
  CHECK_FALSE(office.task_opens(t, 2));  // one is left
  CHECK(office.task_opens(t, 1));
}
}  // namespace
