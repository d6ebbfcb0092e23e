// SPDX-License-Identifier: MIT
// tests/cpu_slots_test.cpp — mirrors include/bookend/cpu_slots.hpp: the two tenants on one CPU, exhaustively.
#include <doctest/doctest.h>

#include <bookend/cpu_slots.hpp>
#include <conformance/ends_the_program.hpp>
#include <vector>

namespace {
using bookend::each_slot;
using bookend::kernel_slot;
using bookend::next_user_slot;
using bookend::slot_id;
using bookend::slot_mask;
using conformance::ends_the_program;

TEST_CASE("the kernel takes the highest slot of the pool that it does not hold, for every pool and holding of 8 slots") {
  for (slot_mask pool = 1; pool < 256; ++pool)
    for (slot_mask held = 0; held < 256; ++held) {
      int highest = -1;
      for (int s = 0; s < 8; ++s)
        if ((pool >> s & 1) != 0 && (held >> s & 1) == 0) highest = s;
      if (highest >= 0) REQUIRE(kernel_slot(pool, held) == static_cast<slot_id>(highest));
    }
}

TEST_CASE("a task takes the lowest slots of the pool that the kernel does not hold, in order, each once") {
  for (slot_mask pool = 1; pool < 256; ++pool)
    for (slot_mask held = 0; held < 256; ++held) {
      slot_mask left = ~held;
      for (slot_id s = 0; s < 8; ++s)
        if ((pool >> s & 1) != 0 && (held >> s & 1) == 0) REQUIRE(next_user_slot(pool, left) == s);
      REQUIRE((left & pool & 0xff) == 0);
      REQUIRE(left == ~(held | pool));
    }
}

TEST_CASE("as long as the shelf is not overcommitted, a kernel arrival takes a slot that no task's breakpoint is in") {
  // The reason why a kernel arrival moves nobody: 8 slots, any kernel holding, any number of users that leaves one slot.
  for (slot_mask held = 0; held < 256; ++held) {
    const unsigned free = 8 - bookend::detail::count_bits(held);
    for (unsigned users = 0; users + 1 <= free; ++users) {
      slot_mask left = ~held & 0xff;
      slot_mask taken = 0;
      for (unsigned i = 0; i < users; ++i) taken |= slot_mask{1} << next_user_slot(0xff, left);
      REQUIRE((taken >> kernel_slot(0xff, held) & 1) == 0);
    }
  }
}

TEST_CASE("slots 31 and 0 are slots like any other") {
  CHECK(kernel_slot(~slot_mask{0}, 0) == 31);
  CHECK(kernel_slot(~slot_mask{0}, ~slot_mask{1}) == 0);
  slot_mask left = 0x8000'0000;
  CHECK(next_user_slot(~slot_mask{0}, left) == 31);
  CHECK(left == 0);
}

TEST_CASE("each slot of a set is visited once, lowest first") {
  for (slot_mask slots = 0; slots < 256; ++slots) {
    std::vector<slot_id> seen, expected;
    each_slot(slots, [&](slot_id s) { seen.push_back(s); });
    for (slot_id s = 0; s < 8; ++s)
      if ((slots >> s & 1) != 0) expected.push_back(s);
    REQUIRE(seen == expected);
  }
  slot_mask seen = 0;
  each_slot(~slot_mask{0}, [&](slot_id s) { seen |= slot_mask{1} << s; });
  CHECK(seen == ~slot_mask{0});
}

TEST_CASE("asking for a slot that the ledger did not promise is the caller's bug, and stops there") {
  CHECK(ends_the_program([] { (void)kernel_slot(0b0011, 0b0111); }));
  CHECK(ends_the_program([] {
    slot_mask left = 0b1100;
    (void)next_user_slot(0b0011, left);
  }));
}

// The kernel holds 3 and 1, so its next is 2; a task with two has 0 and 2.
static_assert(kernel_slot(0b1111, 0b1010) == 2);
constexpr slot_id second_of_two() {
  slot_mask left = ~slot_mask{0b1010};
  (void)next_user_slot(0b1111, left);
  return next_user_slot(0b1111, left);
}
static_assert(second_of_two() == 2);
}  // namespace
