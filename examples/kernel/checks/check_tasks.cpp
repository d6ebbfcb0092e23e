// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_tasks.cpp — ring 3: a task's own watches, told to it by upcalls.
#include "../kernel/process.hpp"
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../machine/apic.hpp"
#include "../user/programs.hpp"
#include "check.hpp"

namespace kernel {

namespace {

/// Two at a time share the last CPU, which ticks five times as often, until they have lost it to each other often enough.
bool two_are_preempted() noexcept {
  const unsigned cpu = cpu_count - 1;
  const std::uint64_t before = __atomic_load_n(&cpus[cpu].count.preempted, __ATOMIC_RELAXED);
  const auto often = [&] { return __atomic_load_n(&cpus[cpu].count.preempted, __ATOMIC_RELAXED) - before >= 2000; };
  run_on(cpu_mask::of(cpu), [](void*, bookend::cpu_id) noexcept { start_timer(5); }, nullptr);
  bool good = true;
  for (unsigned round = 0; good && !often() && round < 50; ++round) {
    thread* two[2];
    for (auto& t : two) t = start_task("watcher", user::watches_its_words, 20'000, cpu_mask::of(cpu));
    for (auto* t : two) good = join_task(t) == 0 && good;
  }
  run_on(cpu_mask::of(cpu), [](void*, bookend::cpu_id) noexcept { start_timer(); }, nullptr);
  return good && often();
}

}  // namespace

void check_tasks(const options&) noexcept {
  const unsigned pages = free_pages();
  check(join_task(start_task("returns", user::returns_its_argument, 42)) == 42, "a ring-3 task runs and ends with its result");
  check(join_task(start_task("writes to the kernel", user::writes_to, 0xffff'ffff'8010'0000)) == ended_by_exception - 14,
        "one that writes to the kernel ends by a page fault");
  check(join_task(start_task("touches DR7", user::touches_dr7, 0)) == ended_by_exception - 13,
        "one that touches a debug register ends by a general protection fault");

  check(join_task(start_task("watcher", user::watches_its_words, 100)) == 0,
        "a task's own watch comes as an upcall, with its index, once a write");
  // Both have a CPU to share: watches come and go with each switch.
  thread* tasks[4];
  for (unsigned i = 0; i < 4; ++i) tasks[i] = start_task("watcher", user::watches_its_words, 2000 + i, cpu_mask::of(0));
  bool good = true;
  for (thread* t : tasks) good = join_task(t) == 0 && good;
  check(good, "four tasks that take turns on a CPU, each with four watches at the same addresses, get each its own hits");
  for (unsigned i = 0; i < 4; ++i) tasks[i] = start_task("watcher", user::watches_its_words, 2000 + i);
  for (thread* t : tasks) good = join_task(t) == 0 && good;
  check(good, "and on all CPUs");
  check(two_are_preempted(),
        "two tasks with four watches each, preempted two thousand times and more: no hit lost, none strayed");

  check(join_task(start_task("coder", user::watches_its_code, 100)) == 0,
        "a task's execution breakpoint is told once a call, and the call is made");
  check(
      join_task(start_task("refused", user::is_refused, 0)) == 0,
      "refused to a task: a kernel address, a range that reaches into the kernel or wraps, a fifth watch, a port, a bad pointer");
  for (unsigned i = 0; i < 4; ++i) tasks[i] = start_task("poker", user::pokes_registers, 100 + i, cpu_mask::of(0));
  good = true;
  for (thread* t : tasks) good = join_task(t) == 0 && good;
  check(good, "four tasks that take turns write DR0 to DR7 by number, and each reads its own, and DR6 of its own hits");
  check(join_task(start_task("MOV SS", user::loads_ss, 0)) == 0,
        "a hit of MOV SS, which may come as late as in the kernel's entry, is the task's all the same");
  check(join_task(start_task("stepper", user::steps_itself, 0)) == 0,
        "a task that single-steps itself goes on, and its watches with it");
  check(join_task(start_task("told by the kernel", user::has_the_kernel_write, 0)) == 0,
        "what the kernel writes into a task's watched words is a hit of the task's");
  check(free_pages() == pages, "no page is lost");
}

}  // namespace kernel
