// SPDX-License-Identifier: MIT
// examples/kernel/kernel/panic.hpp — a broken promise: says so and ends the machine with a failing status. Any context.
#pragma once

namespace kernel {

struct trap_frame;

[[noreturn]] void panic(const char* text) noexcept;
[[noreturn]] void panic(const char* text, const char* file, int line) noexcept;
/// An exception that nobody expected, with its registers.
[[noreturn]] void panic(const char* text, const trap_frame& frame) noexcept;

}  // namespace kernel
