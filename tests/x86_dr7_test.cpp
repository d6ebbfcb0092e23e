// SPDX-License-Identifier: MIT
// tests/x86_dr7_test.cpp — mirrors arch/x86/include/bookend/x86/dr7.hpp: which bits switch what on. Literals from Intel SDM
// vol. 3, "Debug Control Register (DR7)", and "Processor States Following Power-up, Reset, or INIT" for the reset value.
#include <bookend/x86/dr7.hpp>
#include <doctest/doctest.h>
#include <initializer_list>

namespace {
namespace x86 = bookend::x86;
using bookend::access;
using x86::dr7_decode;
using x86::dr7_of;
using x86::kind_of;

/// The twelve kinds that encode() hands out.
constexpr x86::dr7_kind every_kind[] = {0b0000, 0b0001, 0b0101, 0b1101, 0b1001, 0b0011,
                                        0b0111, 0b1111, 0b1011, 0b0010, 0b0110, 0b1110};

static_assert(x86::dr7_reset == 0x400);
static_assert(dr7_of(0xFFFF, 0) == 0x400);
static_assert(dr7_of(0x9999, 0b1111) == 0x9999'06AA);
static_assert(dr7_of(0x1999, 0b1111) == 0x1999'06AA);
static_assert(dr7_of(0xD713, 0b1111) == 0xD713'06AA);  // the set-up of the manual's table "Breakpoint Examples"
static_assert(dr7_of(0x0001, 0b0001) == 0x0001'0602);
static_assert(dr7_of(0x9000, 0b1000) == 0x9000'0680);
static_assert(dr7_decode(0xD713'06AA).on() == 0b1111);
static_assert(noexcept(dr7_of(0, 0)) && noexcept(dr7_decode(0)));
}  // namespace

TEST_CASE("nothing on is the reset value, whatever the slots hold, and never 0") {
  CHECK(dr7_of(0, 0) == 0x0000'0400);
  CHECK(dr7_of(0xFFFF, 0) == 0x0000'0400);
}

TEST_CASE("a slot's enable bit is G, in bits 1, 3, 5 and 7") {
  CHECK(dr7_of(0, 0b0001) == 0x0000'0602);
  CHECK(dr7_of(0, 0b0010) == 0x0000'0608);
  CHECK(dr7_of(0, 0b0100) == 0x0000'0620);
  CHECK(dr7_of(0, 0b1000) == 0x0000'0680);
}

TEST_CASE("a slot's RW and LEN are in its own four bits from bit 16 up") {
  CHECK(dr7_of(0x0009, 0b0001) == 0x0009'0602);
  CHECK(dr7_of(0x0090, 0b0010) == 0x0090'0608);
  CHECK(dr7_of(0x0900, 0b0100) == 0x0900'0620);
  CHECK(dr7_of(0x9000, 0b1000) == 0x9000'0680);
}

TEST_CASE("LEN: 1 is 00, 2 is 01, 4 is 11, 8 is 10") {
  CHECK(x86::len_of(1) == 0b00);
  CHECK(x86::len_of(2) == 0b01);
  CHECK(x86::len_of(4) == 0b11);
  CHECK(x86::len_of(8) == 0b10);
  for (unsigned rw = 0; rw < 4; ++rw) {
    CHECK(x86::length_of(static_cast<x86::dr7_kind>(0b0000 | rw)) == 1);
    CHECK(x86::length_of(static_cast<x86::dr7_kind>(0b0100 | rw)) == 2);
    CHECK(x86::length_of(static_cast<x86::dr7_kind>(0b1100 | rw)) == 4);
    CHECK(x86::length_of(static_cast<x86::dr7_kind>(0b1000 | rw)) == 8);
  }
}

TEST_CASE("RW: execution is 00, a write 01, I/O 10, an access 11") {
  CHECK(x86::rw_of(access::execute) == 0b00);
  CHECK(x86::rw_of(access::write) == 0b01);
  CHECK(x86::rw_of(access::io) == 0b10);
  CHECK(x86::rw_of(access::read_write) == 0b11);
  for (unsigned len = 0; len < 16; len += 4) {
    CHECK(x86::access_of(static_cast<x86::dr7_kind>(len | 0b00)) == access::execute);
    CHECK(x86::access_of(static_cast<x86::dr7_kind>(len | 0b01)) == access::write);
    CHECK(x86::access_of(static_cast<x86::dr7_kind>(len | 0b10)) == access::io);
    CHECK(x86::access_of(static_cast<x86::dr7_kind>(len | 0b11)) == access::read_write);
  }
}

// Linux 89e45aac42d: a constant of the interface was used for the register's field.
TEST_CASE("the numbers of a request are not the numbers of the register") {
  CHECK(static_cast<unsigned>(access::write) != x86::rw_of(access::write));
  CHECK(static_cast<unsigned>(access::read_write) != x86::rw_of(access::read_write));
  CHECK(static_cast<unsigned>(access::execute) != x86::rw_of(access::execute));
  CHECK(kind_of(access::write, 1) == 0b0001);
  CHECK(kind_of(access::write, 2) == 0b0101);
  CHECK(kind_of(access::write, 4) == 0b1101);
  CHECK(kind_of(access::write, 8) == 0b1001);
  CHECK(kind_of(access::read_write, 1) == 0b0011);
  CHECK(kind_of(access::read_write, 2) == 0b0111);
  CHECK(kind_of(access::read_write, 4) == 0b1111);
  CHECK(kind_of(access::read_write, 8) == 0b1011);
  CHECK(kind_of(access::io, 1) == 0b0010);
  CHECK(kind_of(access::io, 2) == 0b0110);
  CHECK(kind_of(access::io, 4) == 0b1110);
  CHECK(kind_of(access::execute, 1) == 0b0000);
}

// Linux 2c31b7958fd: removing one breakpoint dropped GE for the others.
TEST_CASE("GE stays while any slot is on, and goes with the last") {
  for (bookend::slot_mask on = 1; on < 16; ++on) CHECK((dr7_of(0x9999, on) & 0x200) != 0);
  CHECK(dr7_of(0x0011, 0b0011) == 0x0011'060A);
  CHECK(dr7_of(0x0011, 0b0010) == 0x0010'0608);  // slot 0 left
  CHECK((dr7_of(0x0011, 0b0000) & 0x200) == 0);
}

// Stale LEN and RW bits OR-ed into DR7: 0x9999... where 0x1999... is right.
TEST_CASE("length 8 and then length 1 in the same slot leaves no bit of the 8") {
  CHECK(dr7_of(0x9999, 0b1111) == 0x9999'06AA);
  CHECK(dr7_of(0x1999, 0b1111) == 0x1999'06AA);
  CHECK(dr7_of(0x9991, 0b1111) == 0x9991'06AA);
  CHECK(dr7_of(0x9999, 0b0111) == 0x0999'062A);  // slot 3 off: its LEN and RW are gone too
}

// LLDB's two-bit mask for "slot i is on" also covered the local bit of slot i+1.
TEST_CASE("no bit of a slot reaches into the next slot's") {
  for (unsigned i = 0; i < 4; ++i) {
    const auto mine = (0b11u << (2 * i)) | (0xFu << (16 + 4 * i));
    CHECK((dr7_of(0xFFFF, 1u << i) & ~mine) == 0x600);
    // A neighbour that somebody switched on with its L bit does not make this one look on.
    for (unsigned bit = 0; bit < 8; ++bit) CHECK(((dr7_decode(1u << bit).on() >> i & 1) != 0) == (bit / 2 == i));
  }
  CHECK(dr7_decode(0b0100).local == 0b0010);  // L1
  CHECK(dr7_decode(0b0100).global == 0);
  CHECK(dr7_decode(0b0010).global == 0b0001);  // G0
  CHECK(dr7_decode(0b0010).local == 0);
}

TEST_CASE("for every set of slots and every kind: these slots, their LEN and RW, GE, bit 10, and not one bit more") {
  unsigned wrong = 0;
  for (x86::dr7_kind a : every_kind)
    for (x86::dr7_kind b : every_kind)
      for (x86::dr7_kind c : every_kind)
        for (x86::dr7_kind d : every_kind)
          for (unsigned on = 0; on < 16; ++on) {
            const unsigned kind[] = {a, b, c, d};
            unsigned expected = 0x400;
            for (unsigned i = 0; i < 4; ++i)
              if ((on & (1u << i)) != 0) expected |= 0x200 | (2u << (i * 2)) | (kind[i] << (16 + i * 4));
            const unsigned kinds = a | unsigned{b} << 4 | unsigned{c} << 8 | unsigned{d} << 12;
            wrong += dr7_of(kinds, on) != expected;
            wrong += (dr7_of(kinds, on) & ~x86::dr7_used) != 0;
          }
  CHECK(wrong == 0);
}

TEST_CASE("GD, the L bits, LE, RTM and reserved bits stay 0 even for input that breaks the contract") {
  CHECK(x86::dr7_used == 0xFFFF'06AA);
  for (const bookend::slot_mask on : {0x10u, 0x2000u, 0xFFFF'FFF0u, 0xFFFF'FFFFu})
    for (const std::uint32_t kinds : {0u, 0xFFFFu, 0xFFFF'FFFFu}) CHECK((dr7_of(kinds, on) & ~x86::dr7_used) == 0);
  CHECK(dr7_of(0xFFFF'FFFF, 0xFFFF'FFF0) == 0x400);
}

TEST_CASE("decoding gives back the slots and kinds that were encoded") {
  for (unsigned on = 0; on < 16; ++on) {
    const x86::dr7_fields f = dr7_decode(dr7_of(0xD713, on));
    CHECK(f.global == on);
    CHECK(f.on() == on);
    CHECK(f.local == 0);
    CHECK(f.exact == (on != 0));
    CHECK_FALSE(f.general_detect);
    for (unsigned i = 0; i < 4; ++i) CHECK(f.kind[i] == ((on >> i & 1) != 0 ? 0xD713u >> (4 * i) & 0xF : 0u));
  }
}

TEST_CASE("decoding reads what others write: L bits, LE, GD, kinds of slots that are off") {
  CHECK(dr7_decode(0x0000'0455).local == 0b1111);
  CHECK(dr7_decode(0x0000'0501).exact);
  CHECK(dr7_decode(0x0000'0601).exact);
  CHECK(dr7_decode(0x0000'2400).general_detect);
  CHECK_FALSE(dr7_decode(0xFFFF'D7FF).general_detect);
  CHECK(dr7_decode(0x0D00'0400).on() == 0);
  CHECK(dr7_decode(0x0D00'0400).kind[2] == 0b1101);
  CHECK(dr7_decode(0x400) == x86::dr7_fields{});
}

TEST_CASE("what DR7 may have, and what it says of one slot, are the same while it runs as for the compiler") {
  volatile unsigned from = 0;
  const auto table = x86::detail::dr7_table();
  for (unsigned on = from; on < 16; ++on) CHECK(table.of[on] == x86::detail::dr7_allowed.of[on]);
  volatile std::uint32_t dr7 = 0xD000'0480;
  CHECK(x86::dr7_slot(dr7, 3) == 0x1D);
  CHECK(x86::dr7_slot(dr7, 2) == 0);
  CHECK(x86::dr7_slot(0x0000'0401, 0) == 0x10);  // L0, by somebody else
}
