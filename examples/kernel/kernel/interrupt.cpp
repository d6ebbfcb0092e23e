// SPDX-License-Identifier: MIT
// examples/kernel/kernel/interrupt.cpp — where entry.S goes with everything but #DB from ring 0, NMI and what ends the kernel.
#include "../machine/apic.hpp"
#include "process.hpp"
#include "scheduler.hpp"
#include "system_call.hpp"
#include "traps.hpp"

namespace kernel {

void (*on_tick)() noexcept;

namespace {
void preempt_task() noexcept {
  cpu& c = here();
  const thread& t = *c.current;
  const std::uint64_t turns = t.switches;
  schedule();
  if (t.switches != turns) __atomic_fetch_add(&c.count.preempted, 1, __ATOMIC_RELAXED);
}
}  // namespace

// Interrupts off. In the entry code so that #DB from ring 3 gets to its status register without anything that may be watched.
extern "C" [[gnu::section(".entry.text")]] void interrupt(trap_frame* frame) noexcept {
  switch (frame->vector) {
    case vector_debug:
      return debug_trap(frame);
    case vector_timer:
      end_of_interrupt();
      ++here().count.ticks;
      if (on_tick != nullptr) on_tick();
      if (!frame->from_user()) return schedule();
      return preempt_task();
    case vector_reschedule:
      end_of_interrupt();
      return schedule();
    case vector_call:
      end_of_interrupt();
      return serve_calls();
    case vector_post:
      end_of_interrupt();
      return serve_post();
    case vector_system_call:
      interrupts_on();
      system_call(*frame);
      return interrupts_off();
    case vector_spurious:
      ++here().count.spurious;  // has no end
      return;
    default:
      if (!frame->from_user()) panic("an exception in the kernel", *frame);
      interrupts_on();
      exit_thread(ended_by_exception - static_cast<std::int64_t>(frame->vector));
  }
}

}  // namespace kernel
