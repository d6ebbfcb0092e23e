// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/dr6.hpp — what each DR6 bit says after a debug exception. No instructions: every host builds it.
// Intel SDM vol. 3, "Debug Status Register (DR6)"; AMD APM vol. 2, "Software Debug Resources", "Debug-Status Register (DR6)".
#pragma once
#include <bookend/backend.hpp>

namespace bookend::x86 {

/// DR6 with nothing reported, and the value to write back. Not 0: bits 11 and 16 report by being 0, so that a zeroed DR6 reads
/// as a bus-lock trap and a transactional region from then on.
inline constexpr std::uint32_t dr6_reset = 0xFFFF'0FF0;

/// The names of the bits of status::rest: a 1 means reported, whatever the polarity of the register's own bit.
inline constexpr std::uint32_t dr6_bus_lock = 1u << 11;        ///< BLD, active low in the register
inline constexpr std::uint32_t dr6_debug_register = 1u << 13;  ///< BD: the next instruction touches a debug register (GD)
inline constexpr std::uint32_t dr6_single_step = 1u << 14;     ///< BS
inline constexpr std::uint32_t dr6_task_switch = 1u << 15;     ///< BT: the T flag of the new task's TSS
inline constexpr std::uint32_t dr6_transaction = 1u << 16;     ///< RTM, active low in the register

/// A DR6 value in positive logic. `hits` is B0-B3; they may name slots that are off but matched. `rest` is every other bit that
/// differs from the reset value, those that a later CPU gives a meaning included: bits reserved as 1 become active low. Pure.
constexpr status status_of(std::uint64_t dr6) noexcept {
  const std::uint32_t reported = static_cast<std::uint32_t>(dr6) ^ dr6_reset;
  return {.hits = reported & 0xF, .rest = reported & ~0xFu, .step = (reported & dr6_single_step) != 0};
}

}  // namespace bookend::x86
