// SPDX-License-Identifier: MIT
// examples/kernel/kernel/upcall.hpp — how a task is told of its hits: its handler is called as if between two of its
// instructions.
#pragma once
#include "../machine/frame.hpp"

namespace kernel {

/// The system call at the end of the handler: back to what was interrupted.
void end_upcall(trap_frame& frame) noexcept;

}  // namespace kernel
