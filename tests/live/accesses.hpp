// SPDX-License-Identifier: MIT
// tests/live/accesses.hpp — one access, one instruction: so that a trap's address says whether it came before or after.
#pragma once
#include <cstdint>

namespace live {

// The first instruction of each is the access.
[[gnu::naked, gnu::noinline, maybe_unused]] inline void store1([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov %sil, (%rdi)\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void store2([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov %si, (%rdi)\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void store4([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov %esi, (%rdi)\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void store8([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov %rsi, (%rdi)\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void load1([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov (%rdi), %al\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void load2([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov (%rdi), %ax\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void load4([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov (%rdi), %eax\n ret");
}
[[gnu::naked, gnu::noinline, maybe_unused]] inline void load8([[maybe_unused]] void* at, [[maybe_unused]] std::uint64_t value) {
  asm("mov (%rdi), %rax\n ret");
}
/// Adds one to *at: what to run. The instruction at its address is 8 bytes long and does nothing else.
[[gnu::naked, gnu::noinline, gnu::aligned(16), maybe_unused]] inline void run_me([[maybe_unused]] void* at,
                                                                                 [[maybe_unused]] std::uint64_t value) {
  asm(".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n incq (%rdi)\n ret");
}

inline constexpr int run_me_bytes = 12;

using access_function = void (*)(void* at, std::uint64_t value);

inline access_function store_of(std::uint64_t length) {
  return length == 1 ? store1 : length == 2 ? store2 : length == 4 ? store4 : store8;
}
inline access_function load_of(std::uint64_t length) {
  return length == 1 ? load1 : length == 2 ? load2 : length == 4 ? load4 : load8;
}
inline std::uint64_t address_of(access_function f) { return reinterpret_cast<std::uint64_t>(f); }

}  // namespace live
