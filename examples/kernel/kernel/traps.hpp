// SPDX-License-Identifier: MIT
// examples/kernel/kernel/traps.hpp — what happens at an interrupt, and who else may want a debug trap.
#pragma once
#include "platform.hpp"

namespace kernel {

/// #DB, from either ring. Interrupts off.
extern "C" void debug_trap(trap_frame* frame) noexcept;

/// The kernel's own users of #DB: causes that are not a breakpoint's (`rest`, in DR6's positions: bookend::x86::dr6_single_step
/// and others), or no cause at all (0: INT1, or a breakpoint that has just been removed). Runs in the trap, interrupts off. Null,
/// the default: they are counted (cpu::count, process::steps), and single stepping in ring 0 ends.
using debug_listener = void (*)(trap_frame& frame, std::uint64_t rest) noexcept;
extern debug_listener on_other_debug_trap;

/// Runs at each timer tick, interrupts off. Null: nothing.
extern void (*on_tick)() noexcept;

/// Runs in each NMI, with this CPU's breakpoints quiet. Posts are all it may use of bookend. Null: they are counted.
extern void (*on_nmi)(trap_frame& frame) noexcept;

}  // namespace kernel
