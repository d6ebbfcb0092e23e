// SPDX-License-Identifier: MIT
// bench/task_ledger_bench.cpp — what does it cost to reserve a slot for a task and to release it, whoever else holds how many?
#include <bookend/ledger.hpp>
#include "peers/gdb.hpp"
#include "peers/linux.hpp"
#include "peers/linux2009.hpp"
#include "rows.hpp"
#include <memory>

namespace {

constexpr unsigned slots = 4;
constexpr auto no_pins = [](auto) {};
using benchmark::DoNotOptimize;

/// What the floor keeps: what exactness needs and no less. How many tasks have how many slots and the most that one has, so
/// that a kernel request can be judged, and the most that the kernel holds on a CPU.
struct counters {
  unsigned kernel_most = 0, widest = 0;
  unsigned tasks_with[slots + 1]{};

  bool take(unsigned char& wide) {
    if (kernel_most + wide + 1u > slots) return false;
    --tasks_with[wide];
    ++tasks_with[++wide];
    if (wide > widest) widest = wide;
    return true;
  }
  void release(unsigned char& wide) {
    --tasks_with[wide];
    ++tasks_with[--wide];
    while (widest != 0 && tasks_with[widest] == 0) --widest;
  }
};
/// A task as the ledger's caller keeps it.
bool take(auto& ledger, unsigned char& wide) {
  if (!ledger.fits_wide(wide + 1u, no_pins)) return false;
  ledger.change_wide(wide, wide + 1u, no_pins);
  ++wide;
  return true;
}
void release(auto& ledger, unsigned char& wide) {
  ledger.change_wide(wide, wide - 1u, no_pins);
  --wide;
}

// One task, which holds 0 to 3 already; one slot is the kernel's on every CPU. With 3 it is refused.

ASKS(task, "reserve and release a slot for a task that holds some already; the kernel has one everywhere");
TARGET("task/held:0", "by_hand", 2);
TARGET("task/held:2", "by_hand", 2);
TARGET("task/held:0", "peer_linux", 1 / 3.0);
TARGET("task/held:2", "peer_linux", 1 / 3.0);

void reserve_release(bench::state& state, auto& all, unsigned char wide) {
  for (auto _ : state) {
    DoNotOptimize(all);
    DoNotOptimize(wide);
    if (!take(all, wide)) continue;
    DoNotOptimize(all);
    DoNotOptimize(wide);
    release(all, wide);
  }
}
void by_hand(bench::state& state, unsigned char wide) {
  counters c;
  c.kernel_most = 1;
  c.widest = wide;
  c.tasks_with[wide] = 1;
  for (auto _ : state) {
    DoNotOptimize(c);
    DoNotOptimize(wide);
    if (!c.take(wide)) continue;
    DoNotOptimize(c);
    DoNotOptimize(wide);
    c.release(wide);
  }
}
void ours(bench::state& state, unsigned char wide) {
  bookend::ledger<slots, 64> l;
  l.take_kernel(bookend::cpumask<64>::all());
  l.change_wide(0, wide, no_pins);
  reserve_release(state, l, wide);
}
template <bool Atomic>
void linux_today(bench::state& state, unsigned held) {
  peers::linux_today<slots, 64, Atomic> l;
  typename decltype(l)::task t;
  typename decltype(l)::breakpoint b, others[slots];
  for (unsigned c = 0; c < 64; ++c) l.take_kernel(c);
  for (unsigned i = 0; i < held; ++i) l.take_task(others[i], t);
  for (auto _ : state) {
    DoNotOptimize(l);
    if (!l.take_task(b, t)) continue;
    DoNotOptimize(l);
    l.release_task(b);
  }
}
void linux2009(bench::state& state, unsigned held) {
  peers::linux2009<slots> l;
  decltype(l)::task t;
  l.take_kernel();
  for (unsigned i = 0; i < held; ++i) (void)l.take_task(t);
  for (auto _ : state) {
    DoNotOptimize(l);
    DoNotOptimize(t);
    const unsigned index = l.take_task(t);
    if (index == l.none) continue;
    DoNotOptimize(l);
    DoNotOptimize(t);
    l.release_task(t, index);
  }
}
void gdb(bench::state& state, unsigned held) {
  peers::gdb_mirror<slots> mirror;
  for (unsigned i = 0; i < held; ++i) (void)mirror.insert(0x1000 + 8 * i, 9);
  for (auto _ : state) {
    DoNotOptimize(mirror);
    if (mirror.insert(0x2000, 9) == mirror.none) continue;
    DoNotOptimize(mirror);
    mirror.remove(0x2000, 9);
  }
}

void BM_task(bench::state& state) { ours(state, static_cast<unsigned char>(state.range())); }
void BM_task_by_hand(bench::state& state) { by_hand(state, static_cast<unsigned char>(state.range())); }
void BM_task_peer_linux(bench::state& state) { linux_today<false>(state, static_cast<unsigned>(state.range())); }
void BM_task_peer_linux_atomic(bench::state& state) { linux_today<true>(state, static_cast<unsigned>(state.range())); }
void BM_task_peer_linux2009(bench::state& state) { linux2009(state, static_cast<unsigned>(state.range())); }
void BM_task_peer_gdb(bench::state& state) { gdb(state, static_cast<unsigned>(state.range())); }
ROW(BM_task, "held", {0, 1, 2});
ROW(BM_task_by_hand, "held", {0, 1, 2});
ROW(BM_task_peer_linux, "held", {0, 1, 2});
ROW(BM_task_peer_linux_atomic, "held", {0, 1, 2});
ROW(BM_task_peer_linux2009, "held", {0, 1, 2});
ROW(BM_task_peer_gdb, "held", {0, 1, 2});

ASKS(task_refused, "the same for a task that has all there is: refused");
TARGET("task_refused", "by_hand", 2);
void BM_task_refused(bench::state& state) { ours(state, 3); }
void BM_task_refused_by_hand(bench::state& state) { by_hand(state, 3); }
void BM_task_refused_peer_linux(bench::state& state) { linux_today<false>(state, 3); }
void BM_task_refused_peer_linux2009(bench::state& state) { linux2009(state, 3); }
void BM_task_refused_peer_gdb(bench::state& state) { gdb(state, 4); }
ROW(BM_task_refused);
ROW(BM_task_refused_by_hand);
ROW(BM_task_refused_peer_linux);
ROW(BM_task_refused_peer_linux2009);
ROW(BM_task_refused_peer_gdb);

// A machine of 8192 CPUs, on some of which the kernel has a slot: a task's request does not look at them one by one.

ASKS(task_kernel, "the same on a machine of 8192 CPUs, the kernel having a slot on some of them");
TARGET("task_kernel/cpus:8192", "by_hand", 2);
void BM_task_kernel(bench::state& state) {
  const auto l = std::make_unique<bookend::ledger<slots, 8192>>();
  bookend::cpumask<8192> m;
  for (unsigned c = 0; c < state.range(); ++c) m.set(c);
  if (m.any()) l->take_kernel(m);
  reserve_release(state, *l, 0);
}
void BM_task_kernel_by_hand(bench::state& state) { by_hand(state, 0); }
void BM_task_kernel_peer_linux(bench::state& state) {
  peers::linux_today<slots, 8192> l;
  decltype(l)::task t;
  decltype(l)::breakpoint b;
  for (unsigned c = 0; c < state.range(); ++c) l.take_kernel(c);
  for (auto _ : state) {
    DoNotOptimize(l);
    if (!l.take_task(b, t)) continue;
    DoNotOptimize(l);
    l.release_task(b);
  }
}
ROW(BM_task_kernel, "cpus", {0, 1, 64, 1024, 8192});
ROW(BM_task_kernel_by_hand, "cpus", {0, 1, 64, 1024, 8192});
ROW(BM_task_kernel_peer_linux, "cpus", {0, 1, 64, 1024, 8192});

// A random one of many tasks, each of which has a cache line of its own and holds 0 to 2 slots.

ASKS(task_random, "the same for a random one of so many tasks, which hold 0 to 2 slots each");
TARGET("task_random/tasks:1000000", "by_hand", 2);
TARGET("task_random/tasks:1000000", "peer_linux", 1 / 3.0);
/// A number below `n` that nobody foresees.
struct dice {
  std::uint64_t x = 1;
  std::uint64_t operator()(std::uint64_t n) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    return (x >> 32) * n >> 32;
  }
};
struct alignas(64) task {
  unsigned char wide;
};
auto tasks(std::int64_t n) {
  const auto count = static_cast<std::size_t>(n);
  auto all = std::make_unique<task[]>(count);
  for (std::size_t i = 0; i < count; ++i) all[i].wide = static_cast<unsigned char>(i % 3);
  return all;
}
void BM_task_random(bench::state& state) {
  const auto n = static_cast<std::uint64_t>(state.range());
  const auto all = tasks(state.range());
  bookend::ledger<slots, 64> l;
  l.take_kernel(bookend::cpumask<64>::all());
  for (unsigned i = 0; i < n; ++i) l.change_wide(0, all[i].wide, no_pins);
  dice d;
  for (auto _ : state) {
    auto& wide = all[d(n)].wide;
    if (!take(l, wide)) continue;
    DoNotOptimize(l);
    benchmark::ClobberMemory();
    release(l, wide);
    DoNotOptimize(l);
  }
}
void BM_task_random_by_hand(bench::state& state) {
  const auto n = static_cast<std::uint64_t>(state.range());
  const auto all = tasks(state.range());
  counters c;
  c.kernel_most = 1;
  for (unsigned i = 0; i < n; ++i) ++c.tasks_with[all[i].wide];
  c.widest = n >= 3 ? 2 : static_cast<unsigned>(n - 1);
  dice d;
  for (auto _ : state) {
    auto& wide = all[d(n)].wide;
    if (!c.take(wide)) continue;
    DoNotOptimize(c);
    benchmark::ClobberMemory();
    c.release(wide);
    DoNotOptimize(c);
  }
}
void BM_task_random_peer_linux(bench::state& state) {
  const auto n = static_cast<std::uint64_t>(state.range());
  using peer = peers::linux_today<slots, 64>;
  unsigned buckets = 64;
  while (buckets < n) buckets *= 2;
  peer l(buckets);
  struct alignas(64) with_name : peer::task {
    peer::breakpoint held[2];
  };
  const auto all = std::make_unique<with_name[]>(n);
  for (unsigned c = 0; c < 64; ++c) l.take_kernel(c);
  for (unsigned i = 0; i < n; ++i)
    for (unsigned k = 0; k < i % 3; ++k) l.take_task(all[i].held[k], all[i]);
  peer::breakpoint b;
  dice d;
  for (auto _ : state) {
    if (!l.take_task(b, all[d(n)])) continue;
    DoNotOptimize(l);
    benchmark::ClobberMemory();
    l.release_task(b);
    DoNotOptimize(l);
  }
}
void BM_task_random_peer_linux2009(bench::state& state) {
  const auto n = static_cast<std::uint64_t>(state.range());
  using peer = peers::linux2009<slots>;
  peer l;
  struct alignas(64) apart : peer::task {};
  const auto all = std::make_unique<apart[]>(n);
  l.take_kernel();
  for (unsigned i = 0; i < n; ++i)
    for (unsigned k = 0; k < i % 3; ++k) (void)l.take_task(all[i]);
  dice d;
  for (auto _ : state) {
    auto& t = all[d(n)];
    const unsigned index = l.take_task(t);
    if (index == l.none) continue;
    DoNotOptimize(l);
    benchmark::ClobberMemory();
    l.release_task(t, index);
    DoNotOptimize(l);
  }
}
ROW(BM_task_random, "tasks", {1, 100, 10'000, 1'000'000});
ROW(BM_task_random_by_hand, "tasks", {1, 100, 10'000, 1'000'000});
ROW(BM_task_random_peer_linux, "tasks", {1, 100, 10'000, 1'000'000});
ROW(BM_task_random_peer_linux2009, "tasks", {1, 100, 10'000, 1'000'000});

}  // namespace
