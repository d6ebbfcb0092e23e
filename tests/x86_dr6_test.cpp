// SPDX-License-Identifier: MIT
// tests/x86_dr6_test.cpp — mirrors arch/x86/include/bookend/x86/dr6.hpp: what a DR6 value says. Literals from Intel SDM vol. 3,
// "Debug Status Register (DR6)", and "Processor States Following Power-up, Reset, or INIT" for the reset value.
#include <bookend/x86/dr6.hpp>
#include <doctest/doctest.h>

namespace {
namespace x86 = bookend::x86;
using x86::status_of;

constexpr bool says(bookend::status s, bookend::slot_mask hits, bool step, std::uint64_t rest) {
  return s.hits == hits && s.step == step && s.rest == rest;
}

static_assert(x86::dr6_reset == 0xFFFF'0FF0);
static_assert(says(status_of(0xFFFF'0FF0), 0, false, 0));
static_assert(says(status_of(0xFFFF'4FF3), 0b0011, true, 0x4000));
static_assert(noexcept(status_of(0)));
}  // namespace

TEST_CASE("the reset value reports nothing") { CHECK(says(status_of(0xFFFF'0FF0), 0, false, 0)); }

TEST_CASE("B0 to B3 are hits, each its own slot's, in every combination") {
  CHECK(status_of(0xFFFF'0FF1).hits == 0b0001);
  CHECK(status_of(0xFFFF'0FF2).hits == 0b0010);
  CHECK(status_of(0xFFFF'0FF4).hits == 0b0100);
  CHECK(status_of(0xFFFF'0FF8).hits == 0b1000);
  for (std::uint64_t b = 0; b < 16; ++b) CHECK(says(status_of(0xFFFF'0FF0 | b), static_cast<bookend::slot_mask>(b), false, 0));
}

TEST_CASE("BD, BS and BT are reported when they are 1") {
  CHECK(says(status_of(0xFFFF'2FF0), 0, false, 0x2000));
  CHECK(says(status_of(0xFFFF'4FF0), 0, true, 0x4000));
  CHECK(says(status_of(0xFFFF'8FF0), 0, false, 0x8000));
  CHECK(x86::dr6_debug_register == 0x2000);
  CHECK(x86::dr6_single_step == 0x4000);
  CHECK(x86::dr6_task_switch == 0x8000);
}

TEST_CASE("the bus lock and the transaction are reported when their bits are 0, and come out as 1") {
  CHECK(says(status_of(0xFFFF'07F0), 0, false, 0x0800));
  CHECK(says(status_of(0xFFFE'0FF0), 0, false, 0x1'0000));
  CHECK(says(status_of(0xFFFE'07F0), 0, false, 0x1'0800));
  CHECK(x86::dr6_bus_lock == 0x0800);
  CHECK(x86::dr6_transaction == 0x1'0000);
}

TEST_CASE("everything at once: each gets exactly its share") {
  CHECK(says(status_of(0xFFFE'E7FF), 0b1111, true, 0x1'E800));
  for (std::uint64_t i = 0; i < 1u << 17; ++i) {  // every value of the bits in use, active low and high
    const bookend::status s = status_of(0xFFFE'0000 | i);
    if (s.hits != (i & 0xF) || s.step != ((i & 0x4000) != 0) || s.rest != ((i ^ 0x1'0FF0) & 0x1'FFF0)) {
      CAPTURE(i);
      FAIL_CHECK("a bit went to the wrong place");
      break;
    }
  }
}

TEST_CASE("a zeroed DR6 would read as a bus lock and a transaction, and so 0 is not its reset value") {
  CHECK((status_of(0).rest & x86::dr6_bus_lock) != 0);
  CHECK((status_of(0).rest & x86::dr6_transaction) != 0);
  CHECK(status_of(x86::dr6_reset).rest == 0);
}

TEST_CASE("a reserved bit that a later CPU clears is somebody's event and is not lost") {
  CHECK(says(status_of(0xFFFF'0BF0), 0, false, 0x400));
  CHECK(says(status_of(0xFFFD'0FF0), 0, false, 0x2'0000));
}

TEST_CASE("the upper half of DR6 does not exist") { CHECK(says(status_of(0xABCD'0000'FFFF'0FF2), 0b0010, false, 0)); }
