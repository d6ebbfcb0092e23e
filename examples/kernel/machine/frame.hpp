// SPDX-License-Identifier: MIT
// examples/kernel/machine/frame.hpp — what entry.S leaves on the stack: the interrupted context.
#pragma once
#include <cstdint>

namespace kernel {

/// Lowest address first: pushed by entry.S, then (from rip on) by the CPU. Intel SDM vol. 3, "64-Bit Mode Stack Frame".
struct trap_frame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  std::uint64_t vector, error;
  std::uint64_t rip, cs, rflags, rsp, ss;

  [[nodiscard]] bool from_user() const noexcept { return (cs & 3) != 0; }
};
static_assert(sizeof(trap_frame) % 16 == 0, "a call from entry.S finds the stack aligned");

/// The vectors that we give a meaning; the first are the CPU's.
enum vector : std::uint8_t {
  vector_debug = 1,
  vector_nmi = 2,
  vector_double_fault = 8,
  vector_page_fault = 14,
  vector_timer = 0x40,
  vector_reschedule = 0x41,
  vector_post = 0x42,  ///< an asynchronous wish to sync this CPU's debug registers
  vector_call = 0x43,  ///< a cross-call that somebody waits for
  vector_system_call = 0x80,
  vector_spurious = 0xff,
};

}  // namespace kernel
