// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_perf.cpp — the events of examples/perf_pmu, scheduled in and out by this kernel's own scheduler on
// all CPUs at once: every count is exact.
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../kernel/traps.hpp"
#include "../machine/instructions.hpp"
#include "check.hpp"
// Behind this kernel's own bookend.hpp: its assertions are the kernel's panic.
#include "../../perf_pmu/pmu.hpp"

namespace kernel {

namespace {

struct manager {
  slot_manager& slots;
  template <class F>
  void on_cpu(bookend::cpu_id c, F f) const noexcept {
    if (!all_cpus().test(c)) return;
    run_on(cpu_mask::of(c), [](void* g, bookend::cpu_id) noexcept { (*static_cast<F*>(g))(); }, &f);
  }
};
constinit manager all_slots{slots};
constinit perf::pmu<manager, os> pmu{all_slots};

constexpr unsigned tasks = 6, writes = 500;
struct words {
  volatile long own[tasks], common, there, anybody;  // of two watches that one store hits QEMU shows one
};
WATCHED words watched;

/// A task, what it has written, and where.
struct worker {
  perf::context events;
  unsigned number = 0;
  unsigned there[max_cpus] = {};
  std::uint64_t switches = 0;
};
constinit worker workers[tasks];

void work(void* self) {
  auto& me = *static_cast<worker*>(self);
  for (unsigned n = 0; n < writes; ++n) {
    watched.own[me.number] = n;
    watched.common = n;
    const bool were_on = save_interrupts();
    watched.there = n;
    watched.anybody = n;
    ++me.there[this_cpu()];
    restore_interrupts(were_on);
    if (n % 2 == me.number % 2) yield();
  }
  me.switches = current().switches;
}
worker* worker_of(const thread& t) noexcept { return t.run == work ? static_cast<worker*>(t.argument) : nullptr; }
void switched(const thread& prev, const thread& next) noexcept {
  const unsigned c = this_cpu();
  if (worker* w = worker_of(prev)) pmu.schedule_out(w->events, c);
  if (worker* w = worker_of(next)) pmu.schedule_in(w->events, c);
}

}  // namespace

void check_perf(const options&) noexcept {
  using bookend::write_to;
  const unsigned last = cpu_count - 1;
  perf::event own[tasks], common{.what = write_to(&watched.common), .inherit = true}, childs,
      there{.what = write_to(&watched.there), .cpu = last}, anybody{.what = write_to(&watched.anybody), .cpu = last};
  bool granted = true;
  for (unsigned i = 0; i < tasks; ++i) {
    workers[i].number = i;
    own[i].what = write_to(&watched.own[i]);
    granted = !pmu.open(own[i], workers[i].events) && granted;
  }
  granted = !pmu.open(common, workers[0].events) && !pmu.open(there, workers[0].events) && !pmu.open(anybody) && granted;
  check(granted, "events of tasks, of a task on one CPU, and of a CPU are opened; their slots are reserved");
  // The last task is a child of the first. Its own event is open; what it inherits comes besides.
  pmu.fork(workers[0].events, workers[tasks - 1].events, [&](const perf::event& e) { return &e == &common ? &childs : nullptr; });

  thread* threads[tasks];
  for (unsigned i = 0; i < tasks; ++i) threads[i] = new_thread("counted", work, &workers[i], cpu_mask::all());
  on_switch = switched;
  for (thread* t : threads) make_ready(*t);
  for (thread* t : threads) join(t);
  __atomic_store_n(&on_switch, nullptr, __ATOMIC_RELEASE);

  bool exact = true;
  unsigned by_anybody = 0;
  std::uint64_t switches = 0;
  for (unsigned i = 0; i < tasks; ++i) {
    exact = exact && own[i].count == writes;
    by_anybody += workers[i].there[last];
    switches += workers[i].switches;
  }
  check(switches > 1000, "six tasks are switched in more than a thousand times");
  check(exact, "each task's event counts its writes, every one, and nobody else's");
  check(common.count == writes && childs.count == writes && pmu.read(common) == std::uint64_t{2} * writes,
        "a child's inherited event counts the child's, and is added when the parent's is read");
  check(there.count == workers[0].there[last], "a task's event of one CPU counts what the task writes there");
  check(anybody.count == by_anybody, "a CPU's event counts what anybody writes there");

  for (worker& w : workers) pmu.exit(w.events);
  pmu.close(anybody);
  check(slots.full().none() && slots.snapshot(0).slots[os::slots - 1].state == bookend::slot_state::free,
        "and all slots are given back");
}

}  // namespace kernel
