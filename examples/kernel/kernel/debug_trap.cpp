// SPDX-License-Identifier: MIT
// examples/kernel/kernel/debug_trap.cpp — #DB and NMI: bookend's half, then the kernel's own. README.md says why it is so.
#include "../machine/serial.hpp"
#include "process.hpp"
#include "scheduler.hpp"
#include "traps.hpp"

namespace kernel {

debug_listener on_other_debug_trap;
void (*on_nmi)(trap_frame&) noexcept;

namespace {

void other_debug_trap(trap_frame& frame, std::uint64_t rest) noexcept {
  if (on_other_debug_trap != nullptr) return on_other_debug_trap(frame, rest);
  if ((rest & bookend::x86::dr6_single_step) != 0) {
    ++here().count.steps;
    if (frame.from_user())
      ++current().owner->steps;
    else
      frame.rflags &= ~flag_trap;
  } else if ((rest & bookend::x86::dr6_debug_register) != 0) {
    ++here().count.general_detects;  // the CPU has cleared GD: the access comes again and passes
  } else {
    ++here().count.unknown_debug_traps;
  }
}

/// Kernel hits go to their handlers, inside trap(); those of the running task wait for its return to ring 3, which is also where
/// they end up when the kernel touched the watched bytes on the task's behalf.
[[gnu::section(".entry.text"), gnu::noinline]] void rest_of_trap(trap_frame& frame,
                                                                 const slot_manager::trap_result& result) noexcept {
  if (process* const p = current().owner; result.user != 0 && p != nullptr) {
    note_hits(*p, result.user);
    current().registers.note_hits(result);
  }
  if (result.rest != 0 || result.handled == 0) other_debug_trap(frame, result.rest);
}

}  // namespace

// #DB. Anything may be watched but what the deny list names; that is all that is touched before quiet() has switched the
// breakpoints off, and after it has switched them on again. From ring 3 that is not needed: the trap interrupts nothing of the
// kernel's, and a breakpoint that it hit on its way would be a trap from ring 0 inside it. But one rule is simpler than two,
// handlers run under the same conditions wherever they were hit, and it sweeps QEMU's marks: it remembers per watch that it
// matched, reports all that are marked, and forgets when DR7 is written.
extern "C" [[gnu::section(".entry.text")]] void debug_trap(trap_frame* frame) noexcept {
  const auto quiet = slots.here().quiet();
  const auto result = quiet.trap(*frame);
  if ((result.user | result.rest) != 0 || result.handled == 0) rest_of_trap(*frame, result);
}

// NMI, double fault, machine check. An NMI comes between any two instructions, those of bookend included. Nothing in here may
// trap: its IRET would let in the next NMI, on the same stack. Quiet sees to breakpoints.
extern "C" [[gnu::section(".entry.text")]] void own_stack_trap(trap_frame* frame) noexcept {
  if (frame->vector != vector_nmi) panic("the kernel is broken", *frame);
  const auto quiet = slots.here().quiet();
  ++here().count.nmis;
  if (on_nmi != nullptr) on_nmi(*frame);
}

}  // namespace kernel
