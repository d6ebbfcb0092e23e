// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/follow.hpp — what every debugger does between its tracees' system and its manager.
#pragma once
#include <bookend/linux/event.hpp>
#include <bookend/linux/frame.hpp>
#include <bookend/refusal.hpp>

namespace bookend::lnx {

/// Traps go to `slots` and its handlers, and nowhere else. Precondition: `slots` outlives the tracing.
template <class Slots>
void connect(Slots& slots) noexcept {
  slots.system().on_trap([](void* argument, cpu_id cpu, frame& f) { return static_cast<Slots*>(argument)->on(cpu).trap(f).rest; },
                         &slots);
}

/// From now on the thread runs as a task: the task's breakpoints are in its registers, those of the task before are not. For a
/// thread in any state; one that is gone is left alone. (A thread that comes online has no task; so exec takes it away.)
template <class Slots>
refusal run_as(Slots& slots, int tid, const typename Slots::task& next) noexcept {
  auto& tracee = slots.system();
  struct context {
    Slots& slots;
    const typename Slots::task& next;
    refusal no;
  } c{slots, next, {}};
  const cpu_id cpu = tracee.cpu_of(tid);
  if (cpu == Slots::mask::size) return {};
  tracee.with_stopped(
      Slots::mask::of(cpu),
      [](void* p, cpu_id at) noexcept {
        auto& k = *static_cast<context*>(p);
        k.no = k.slots.on(at).switch_to(k.next, k.next);
      },
      &c);
  return c.no;
}

/// What an event asks of the manager: a thread that started comes online, one that ended goes offline, one whose program was
/// replaced does both, since its registers are clean and what was registered still holds. Nothing for other events.
template <class Slots>
refusal follow(Slots& slots, const event& e) noexcept {
  refusal no;
  if (e.what == happened::exited || e.what == happened::exec) no = slots.cpu_offline(e.cpu);
  if (!no && (e.what == happened::started || e.what == happened::exec)) no = slots.cpu_online(e.cpu);
  return no;
}

}  // namespace bookend::lnx
