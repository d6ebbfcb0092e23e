// SPDX-License-Identifier: MIT
// examples/kernel/kernel/system_call.hpp — INT 0x80, and what is done on the way back to ring 3.
#pragma once
#include "../machine/frame.hpp"

namespace kernel {

/// Thread context, interrupts on. What is asked and the answer are in the frame (user/abi.hpp).
void system_call(trap_frame& frame) noexcept;

}  // namespace kernel
