// SPDX-License-Identifier: MIT
// tests/fail/backend_with_33_slots.cpp — a slot_mask has 32 bits.
// EXPECT: B::slots > 0 && B::slots <= 32|'slots <= 32'|33U? <= 32
#include <bookend/mock/backend.hpp>

struct wide : bookend::mock::backend<1, 32> {
#ifndef CURED
  static constexpr unsigned slots = 33;
#endif
};
static_assert(bookend::backend<wide>);
