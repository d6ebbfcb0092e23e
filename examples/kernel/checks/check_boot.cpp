// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_boot.cpp — the kernel itself: CPUs, GS, the timer.
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../machine/apic.hpp"
#include "check.hpp"

namespace kernel {

namespace {

/// A thread pinned to each CPU says whether GS is that CPU's.
void look_at_gs(void* argument) {
  auto& right = *static_cast<unsigned*>(argument);
  const bool were_on = save_interrupts();
  const cpu& c = here();
  const bool good = &c == &cpus[c.id] && c.apic_id == own_apic_id() &&
                    read_msr(0xc000'0101) == reinterpret_cast<std::uint64_t>(&c) && current().allowed == cpu_mask::of(c.id);
  restore_interrupts(were_on);
  if (good) __atomic_fetch_add(&right, 1, __ATOMIC_RELAXED);
}

/// Two threads on one CPU; neither ever yields. Each waits until the other has moved.
struct race {
  volatile std::uint64_t steps[2];
};
template <unsigned Me>
void take_turns(void* argument) {
  auto& r = *static_cast<race*>(argument);
  for (unsigned i = 0; i < 20; ++i) {
    const std::uint64_t seen = r.steps[1 - Me];
    r.steps[Me] = r.steps[Me] + 1;
    while (r.steps[1 - Me] == seen && r.steps[1 - Me] < 20) {
    }
  }
  r.steps[Me] = 20;
}

}  // namespace

void check_boot(const options& asked) noexcept {
  check(cpus_up() == all_cpus() && cpu_count == asked.number("cpus", cpu_count), "all CPUs are up");
  check(slots.online() == all_cpus(), "bookend is on all of them");

  unsigned right = 0;
  for (const unsigned c : all_cpus()) join(start_thread("gs", look_at_gs, &right, cpu_mask::of(c)));
  check(right == cpu_count, "GS is each CPU's own, and a pinned thread runs where it is pinned");

  bool preempted = true;
  for (const unsigned c : all_cpus()) {
    race r{};
    thread* a = start_thread("turns 0", take_turns<0>, &r, cpu_mask::of(c));
    thread* b = start_thread("turns 1", take_turns<1>, &r, cpu_mask::of(c));
    join(a);
    join(b);
    preempted = preempted && cpus[c].count.ticks != 0;
  }
  check(preempted, "the timer takes the CPU from threads that do not give it, on each CPU");
}

}  // namespace kernel
