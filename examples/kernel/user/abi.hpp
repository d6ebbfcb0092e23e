// SPDX-License-Identifier: MIT
// examples/kernel/user/abi.hpp — what ring 3 and the kernel agree on: INT 0x80, the call in rax, arguments in rdi and rsi, the
// answer in rax; below 0 it is a refusal, an errno's negative.
#pragma once
#include <cstdint>

namespace user {

enum class call : std::uint64_t {
  exit,                ///< (status)
  yield,               ///< ()
  watch,               ///< (const watch_request*): the index that hits will be reported with
  unwatch,             ///< (index)
  rewatch,             ///< (index, const watch_request*): watches something else in place, enabled or not
  hits,                ///< (std::uint64_t counts[8]): by index, how often each watch hit, as the kernel counted
  on_hit,              ///< (handler): from now on hits are told to it; see hit_handler
  return_from_upcall,  ///< (where the interrupted context is)
  poke,                ///< (n, value): DRn, as a tracer writes it
  peek,                ///< (n): what DRn reads as
};

/// As a debugger asks: only these bytes, in this task, wherever it runs.
struct watch_request {
  std::uint64_t address;
  std::uint64_t length;
  std::uint8_t access;  ///< bookend::access: 0 write, 1 read or write, 3 execute
  bool enabled;
};

inline constexpr std::int64_t fault = -14, invalid = -22;  // EFAULT, EINVAL

}  // namespace user
