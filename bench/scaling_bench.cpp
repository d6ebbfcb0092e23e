// SPDX-License-Identifier: MIT
// bench/scaling_bench.cpp — what do many CPUs pay each other that register for tasks of their own at once, and what does the
// kernel pay for that? DR0-DR7 are memory, no task runs anywhere, so that nothing is left but reserving. The locks are real.
#include "memory_machine.hpp"
#include "peers/linux.hpp"
#include "rows.hpp"
#include <mutex>
#include <thread>

namespace {

using benchmark::DoNotOptimize;
constexpr unsigned cpu_count = 64;
thread_local unsigned my_cpu = 0;

/// One owner lock: what a platform has that does not ask for more.
struct one_lock : bookend::x86::backend<bench::image<cpu_count>> {
  struct frame {};
  static constexpr unsigned max_cpus = cpu_count;
  void lock() noexcept { owner.lock(); }
  void unlock() noexcept { owner.unlock(); }
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  static void run_on(const bookend::cpumask<cpu_count>& mask, bookend::call f, void* argument) noexcept {
    for (bookend::cpu_id cpu : mask) f(argument, cpu);
  }
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
  template <class Task>
  static Task* current_task(bookend::cpu_id) noexcept {
    return nullptr;
  }
  template <class Task>
  static bookend::cpumask<cpu_count> cpus_of(const Task&) noexcept {
    return {};
  }
  alignas(64) std::mutex owner;
};
/// The same with a shared side.
template <unsigned Stripes>
struct shared_side : one_lock {
  static constexpr unsigned stripes = Stripes;
  static unsigned stripe() noexcept { return my_cpu % stripes; }
  static void relax() noexcept { std::this_thread::yield(); }
};

template <class Os>
struct many {
  using slot_manager = bookend::slot_manager<Os>;
  struct alignas(64) one {
    typename slot_manager::task task;
    alignas(64) typename slot_manager::user_breakpoint watch;
  };
  slot_manager slots;
  one each[bench::most_threads];
  typename slot_manager::kernel_breakpoint k{"k", [](const typename slot_manager::hit&) {}};
  many() {
    for (unsigned c = 0; c < cpu_count; ++c) (void)slots.cpu_online(c);
  }
};
/// One for all threads and repetitions of a row.
template <class Os>
many<Os>& common() {
  static many<Os> all;
  return all;
}

ASKS(many_tasks,
     "register and unregister for a task of one's own, so many threads at once; of all threads together, by the clock");
template <class Os>
void tasks(bench::state& state) {
  auto& all = common<Os>();
  auto& mine = all.each[state.thread()];
  my_cpu = state.thread();
  std::uint64_t i = 0;
  for (auto _ : state) {
    if (all.slots.register_breakpoint(mine.watch, mine.task, bench::at(++i & 1023))) break;
    all.slots.unregister_breakpoint(mine.watch);
  }
}
void BM_many_tasks(bench::state& state) { tasks<shared_side<cpu_count>>(state); }
void BM_many_tasks_peer_one_lock(bench::state& state) { tasks<one_lock>(state); }
/// Each thread checks the request, its own task against what the kernel has most of anywhere, and counts for itself.
void BM_many_tasks_by_hand(bench::state& state) {
  static unsigned most_of_kernel = 0;
  struct alignas(64) {
    unsigned wide = 0, tasks_with[5]{};
    bookend::request watched[4]{};
  } mine;
  DoNotOptimize(&most_of_kernel);
  DoNotOptimize(&mine);
  std::uint64_t i = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    const auto r = bench::at(++i & 1023);
    if (by_hand::kind_of(r) == ~0u || most_of_kernel + mine.wide + 1 > 4) break;
    mine.watched[mine.wide] = r;
    --mine.tasks_with[mine.wide];
    ++mine.tasks_with[++mine.wide];
    benchmark::ClobberMemory();
    --mine.tasks_with[mine.wide];
    ++mine.tasks_with[--mine.wide];
  }
}
/// One mutex around its accounting: no breakpoint is placed anywhere.
void BM_many_tasks_peer_linux(bench::state& state) {
  using peer = peers::linux_today<4, cpu_count>;
  static peer ledger;
  static std::mutex owner;
  struct alignas(64) {
    peer::task task;
    peer::breakpoint watch;
  } mine;
  for (auto _ : state) {
    {
      const std::lock_guard lock(owner);
      if (!ledger.take_task(mine.watch, mine.task)) break;
    }
    const std::lock_guard lock(owner);
    ledger.release_task(mine.watch);
  }
}
ROW_BY_THREADS(BM_many_tasks);
ROW_BY_THREADS(BM_many_tasks_by_hand);
ROW_BY_THREADS(BM_many_tasks_peer_one_lock);
ROW_BY_THREADS(BM_many_tasks_peer_linux);

ASKS(kernel_stripes, "register and unregister a kernel breakpoint on one CPU of 64, beside so many stripes that nobody is in");
template <class Os>
void kernel(bench::state& state) {
  auto& all = common<Os>();
  std::uint64_t i = 0;
  for (auto _ : state) {
    if (all.slots.register_breakpoint(all.k, bench::at(++i & 1023), bookend::cpumask<cpu_count>::of(3))) break;
    all.slots.unregister_breakpoint(all.k);
  }
}
/// The floor: the lock, a look into each stripe, and one CPU's highest free slot.
template <unsigned Stripes>
void kernel_by_hand(bench::state& state) {
  struct alignas(64) stripe {
    volatile unsigned taken = 0, tasks = 0;
  };
  static stripe stripes[Stripes];
  static std::mutex owner;
  bench::image<1> regs;
  by_hand::cpu cpu;
  by_hand::breakpoint b;
  unsigned held = 0, widest = 0;
  DoNotOptimize(&cpu);
  DoNotOptimize(&held);
  DoNotOptimize(&widest);
  const auto closed = [&] {
    for (auto& s : stripes) {
      while (s.taken != 0) std::this_thread::yield();
      if (s.tasks != 0) widest = s.tasks;
    }
  };
  std::uint64_t i = 0;
  for (auto _ : state) {
    const auto r = bench::at(++i & 1023);
    const std::uint32_t kind = by_hand::kind_of(r);
    {
      const std::lock_guard lock(owner);
      closed();
      if (kind == ~0u || held + widest + 1 > 4) break;
      ++held;
      cpu.holders[3] = &b;
      cpu.kind[3] = kind;
      regs.write_address(0, 3, cpu.address[3] = r.address);
      regs.write_dr7(0, cpu.dr7 |= by_hand::armed(3, kind));
    }
    const std::lock_guard lock(owner);
    closed();
    cpu.holders[cpu.slot_of(b)] = nullptr;
    regs.write_dr7(0, cpu.dr7 = cpu.without(3));
    --held;
  }
}
[[maybe_unused]] const bool rows_by_stripes = bench::add("BM_kernel_stripes/stripes:1", kernel<shared_side<1>>) &&
                                              bench::add("BM_kernel_stripes/stripes:8", kernel<shared_side<8>>) &&
                                              bench::add("BM_kernel_stripes/stripes:64", kernel<shared_side<64>>) &&
                                              bench::add("BM_kernel_stripes/stripes:512", kernel<shared_side<512>>) &&
                                              bench::add("BM_kernel_stripes_by_hand/stripes:1", kernel_by_hand<1>) &&
                                              bench::add("BM_kernel_stripes_by_hand/stripes:8", kernel_by_hand<8>) &&
                                              bench::add("BM_kernel_stripes_by_hand/stripes:64", kernel_by_hand<64>) &&
                                              bench::add("BM_kernel_stripes_by_hand/stripes:512", kernel_by_hand<512>) &&
                                              bench::add("BM_kernel_stripes_peer_one_lock/stripes:1", kernel<one_lock>);

}  // namespace
