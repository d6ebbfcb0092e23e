// SPDX-License-Identifier: MIT
// examples/kernel/user/user.hpp — the system calls as ring 3 makes them. What is in this folder is linked at user addresses, sees
// nothing of the kernel's, and each task has its own copy of its code and variables.
#pragma once
#include "abi.hpp"

namespace user {

inline std::int64_t ask(call what, std::uint64_t first = 0, std::uint64_t second = 0) noexcept {
  std::int64_t answer;
  asm volatile("int $0x80" : "=a"(answer) : "a"(what), "D"(first), "S"(second) : "memory");
  return answer;
}
inline std::uint64_t address(const volatile void* p) noexcept { return reinterpret_cast<std::uint64_t>(p); }

enum access : std::uint8_t { on_write = 0, on_access = 1, on_execution = 3 };

/// The watch's index, or a refusal below 0.
inline std::int64_t watch(const volatile void* at, std::uint64_t length, access on = on_write, bool enabled = true) noexcept {
  const watch_request r{address(at), length, on, enabled};
  return ask(call::watch, address(&r));
}
inline std::int64_t rewatch(std::int64_t index, const volatile void* at, std::uint64_t length, access on, bool enabled) noexcept {
  const watch_request r{address(at), length, on, enabled};
  return ask(call::rewatch, static_cast<std::uint64_t>(index), address(&r));
}
inline std::int64_t unwatch(std::int64_t index) noexcept { return ask(call::unwatch, static_cast<std::uint64_t>(index)); }
inline std::int64_t hits(std::uint64_t (&counts)[8]) noexcept { return ask(call::hits, address(counts)); }
inline std::int64_t poke(unsigned n, std::uint64_t value) noexcept { return ask(call::poke, n, value); }
inline std::uint64_t peek(unsigned n) noexcept { return static_cast<std::uint64_t>(ask(call::peek, n)); }
inline void yield() noexcept { ask(call::yield); }

/// Called with the index of the watch that hit, and where the interrupted context is (machine/frame.hpp).
using hit_handler = void (*)(std::uint64_t index, void* context);
void on_hit(hit_handler handler) noexcept;

}  // namespace user
