// SPDX-License-Identifier: MIT
// include/bookend/cpu_slots.hpp — placement on one CPU: the kernel from the top, users from the bottom.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/builtin.hpp>
#include <bookend/request.hpp>

namespace bookend {

/// Where a kernel breakpoint goes (P1): the highest slot of the pool that the kernel does not hold on this CPU. It does not move
/// while registered. Precondition: there is one, which the ledger has promised. Any context, constexpr.
constexpr slot_id kernel_slot(slot_mask pool, slot_mask kernel_held) noexcept {
  BOOKEND_ASSERT((pool & ~kernel_held) != 0, "the ledger promised a slot");
  return detail::highest_bit(pool & ~kernel_held);
}

/// Where the next breakpoint of the running task goes (P2): the lowest slot of the pool in `left`, which starts as "not held by
/// the kernel" and loses the slot. Disabled breakpoints take theirs too. Precondition: there is one. Any context, constexpr.
constexpr slot_id next_user_slot(slot_mask pool, slot_mask& left) noexcept {
  BOOKEND_ASSERT((pool & left) != 0, "the ledger promised a slot");
  const slot_id slot = detail::lowest_bit(pool & left);
  left &= ~(slot_mask{1} << slot);
  return slot;
}

/// Calls f(slot) for each slot of a set, lowest first.
template <class F>
constexpr void each_slot(slot_mask slots, F f) noexcept {
  for (; slots != 0; slots &= slots - 1) f(detail::lowest_bit(slots));
}

}  // namespace bookend
