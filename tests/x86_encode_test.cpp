// SPDX-License-Identifier: MIT
// tests/x86_encode_test.cpp — mirrors arch/x86/include/bookend/x86/encode.hpp: what is accepted, what is refused, and why.
#include <bookend/x86/encode.hpp>
#include <doctest/doctest.h>
#include <initializer_list>

namespace {
namespace x86 = bookend::x86;
using bookend::access;
using bookend::reason;
using bookend::request;
using x86::limits;

constexpr limits plain{};                              // 48 bits, CR4.DE clear, no masks
constexpr limits la57{.linear_address_bits = 57};      // five-level paging
constexpr limits ports{.io_allowed = true};            // CR4.DE set
constexpr limits masks{.address_mask_bits = 12};       // AMD with DataBkptExt
constexpr limits wide_masks{.address_mask_bits = 32};  // and AddrMaskExt
constexpr limits everything{.linear_address_bits = 57, .io_allowed = true, .address_mask_bits = 32};

constexpr reason why(request r, limits l = plain) { return x86::encode(r, l).why(); }

using lengths = std::initializer_list<std::uint64_t>;
constexpr access data[] = {access::write, access::read_write};
constexpr access all_accesses[] = {access::write, access::read_write, access::read, access::execute, access::io};

static_assert(x86::encode({0x1000, 8, access::write}, plain).value() ==
              x86::setting{.address = 0x1000, .mask = 0, .kind = 0b1001});
static_assert(x86::encode({0x1003, 1, access::execute}, plain).value() == x86::setting{.address = 0x1003, .mask = 0, .kind = 0});
static_assert(x86::encode({0x1000, 4096, access::write}, masks).value() ==
              x86::setting{.address = 0x1000, .mask = 0xFFF, .kind = 1});
static_assert(x86::encode({0x60, 1, access::io}, ports).value() == x86::setting{.address = 0x60, .mask = 0, .kind = 0b0010});
static_assert(why({0x1000, 3, access::write}) == reason::bad_length);
static_assert(sizeof(x86::setting) == 16);
static_assert(noexcept(x86::encode({}, plain)) && noexcept(x86::decode({})));
}  // namespace

// Intel SDM vol. 3, "System Flags and Fields in the EFLAGS Register".
TEST_CASE("the resume flag is bit 16 of RFLAGS") { CHECK(x86::resume_flag == 0x1'0000); }

TEST_CASE("data is watched in lengths 1, 2, 4 and 8, and comes back as it was asked for") {
  for (const access on : data)
    for (const std::uint64_t length : lengths{1, 2, 4, 8}) {
      const request r{0x7000'1000, length, on};
      const auto encoded = x86::encode(r, plain);
      REQUIRE(encoded);
      CHECK(encoded.value().address == 0x7000'1000);
      CHECK(encoded.value().mask == 0);
      CHECK(x86::decode(encoded.value()) == r);
    }
  CHECK(x86::encode({0x1000, 1, access::write}, plain).value().kind == 0b0001);
  CHECK(x86::encode({0x1000, 2, access::write}, plain).value().kind == 0b0101);
  CHECK(x86::encode({0x1000, 4, access::write}, plain).value().kind == 0b1101);
  CHECK(x86::encode({0x1000, 8, access::write}, plain).value().kind == 0b1001);
  CHECK(x86::encode({0x1000, 1, access::read_write}, plain).value().kind == 0b0011);
  CHECK(x86::encode({0x1000, 2, access::read_write}, plain).value().kind == 0b0111);
  CHECK(x86::encode({0x1000, 4, access::read_write}, plain).value().kind == 0b1111);
  CHECK(x86::encode({0x1000, 8, access::read_write}, plain).value().kind == 0b1011);
}

TEST_CASE("any other length is refused") {
  for (const access on : data)
    for (const std::uint64_t length : lengths{0, 3, 5, 6, 7, 9, 12, 16, 4096, 1ull << 32, 1ull << 63, ~0ull})
      CHECK(why({0, length, on}) == reason::bad_length);
}

TEST_CASE("data that is not aligned to its length is refused, not watched somewhere else") {
  for (const access on : data)
    for (const std::uint64_t length : lengths{1, 2, 4, 8})
      for (std::uint64_t at = 0x1000; at < 0x1010; ++at)
        CHECK(why({at, length, on}) == (at % length == 0 ? reason::granted : reason::misaligned));
}

TEST_CASE("execution is watched at any address, with length 1 and LEN 00 only") {
  for (std::uint64_t at = 0x1000; at < 0x1010; ++at) {
    const auto encoded = x86::encode({at, 1, access::execute}, everything);
    REQUIRE(encoded);
    CHECK(encoded.value() == x86::setting{.address = at, .mask = 0, .kind = 0b0000});
  }
  for (const std::uint64_t length : lengths{0, 2, 3, 4, 8, 16, 4096})
    CHECK(why({0x1000, length, access::execute}, everything) == reason::bad_length);
}

TEST_CASE("reads alone cannot be watched, and are not widened to reads and writes") {
  for (const limits& l : {plain, la57, ports, masks, everything})
    for (const std::uint64_t length : lengths{1, 2, 4, 8}) CHECK(why({0x1000, length, access::read}, l) == reason::unsupported);
  CHECK(why({0x1000, 4, access::read_write}) == reason::granted);
}

TEST_CASE("an access that the request's type does not name is refused") {
  for (unsigned number = 5; number < 256; ++number)  // from C, say
    CHECK(why({0x1000, 4, static_cast<access>(number)}, everything) == reason::unsupported);
}

TEST_CASE("I/O is refused unless CR4.DE is promised") {
  for (const std::uint64_t length : lengths{1, 2, 4}) {
    CHECK(why({0x60, length, access::io}, plain) == reason::unsupported);
    CHECK(why({0x60, length, access::io}, masks) == reason::unsupported);
    CHECK(why({0x60, length, access::io}, ports) == reason::granted);
    CHECK(x86::decode(x86::encode({0x60, length, access::io}, ports).value()) == request{0x60, length, access::io});
  }
}

TEST_CASE("I/O ports are 0 to 0xFFFF, in lengths 1, 2 and 4, aligned") {
  CHECK(why({0, 4, access::io}, ports) == reason::granted);
  CHECK(why({0xFFFF, 1, access::io}, ports) == reason::granted);
  CHECK(why({0xFFFE, 2, access::io}, ports) == reason::granted);
  CHECK(why({0xFFFC, 4, access::io}, ports) == reason::granted);
  CHECK(why({0xFFFF, 2, access::io}, ports) == reason::misaligned);
  CHECK(why({0xFFFE, 4, access::io}, ports) == reason::misaligned);
  CHECK(why({0x1'0000, 1, access::io}, ports) == reason::unsupported);
  CHECK(why({0x1'0060, 1, access::io}, ports) == reason::unsupported);
  CHECK(why({0xFFFF'FFFF'FFFF'FFFF, 1, access::io}, ports) == reason::unsupported);
  for (const std::uint64_t length : lengths{0, 3, 8, 16})
    CHECK(why({0x60, length, access::io}, everything) == reason::bad_length);
}

TEST_CASE("address 0 is an address like any other") {
  CHECK(why({0, 8, access::write}) == reason::granted);
  CHECK(why({0, 1, access::execute}) == reason::granted);
  CHECK(why({0, 1, access::io}, ports) == reason::granted);
  CHECK(x86::decode(x86::encode({0, 8, access::write}, plain).value()) == request{0, 8, access::write});
}

TEST_CASE("a range that wraps is refused, and one that ends at the last byte is not") {
  CHECK(why({0xFFFF'FFFF'FFFF'FFFF, 1, access::write}) == reason::granted);
  CHECK(why({0xFFFF'FFFF'FFFF'FFFE, 2, access::write}) == reason::granted);
  CHECK(why({0xFFFF'FFFF'FFFF'FFF8, 8, access::write}) == reason::granted);
  CHECK(why({0xFFFF'FFFF'FFFF'FFFF, 2, access::write}) == reason::bad_length);
  CHECK(why({0xFFFF'FFFF'FFFF'FFFD, 4, access::write}) == reason::bad_length);
  CHECK(why({0xFFFF'FFFF'FFFF'FFFC, 8, access::write}) == reason::bad_length);
  CHECK(why({0xFFFF'FFFF'FFFF'F800, 4096, access::write}, masks) == reason::bad_length);
  CHECK(why({0xFFFF'FFFF'FFFF'F000, 4096, access::write}, masks) == reason::granted);
}

TEST_CASE("an address that is not canonical is refused: the CPU would take it and never hit") {
  CHECK(why({0x0000'7FFF'FFFF'FFF8, 8, access::write}) == reason::granted);
  CHECK(why({0x0000'8000'0000'0000, 8, access::write}) == reason::unsupported);
  CHECK(why({0x1234'5678'9ABC'DEF0, 8, access::write}) == reason::unsupported);
  CHECK(why({0xFFFF'7FFF'FFFF'FFF8, 8, access::write}) == reason::unsupported);
  CHECK(why({0xFFFF'8000'0000'0000, 8, access::write}) == reason::granted);
  CHECK(why({0x0000'7FFF'FFFF'FFFF, 1, access::execute}) == reason::granted);
  CHECK(why({0x0000'8000'0000'0000, 1, access::execute}) == reason::unsupported);
}

TEST_CASE("with five-level paging canonical means 57 bits") {
  CHECK(why({0x0000'8000'0000'0000, 8, access::write}, la57) == reason::granted);
  CHECK(why({0x00FF'FFFF'FFFF'FFF8, 8, access::write}, la57) == reason::granted);
  CHECK(why({0x0100'0000'0000'0000, 8, access::write}, la57) == reason::unsupported);
  CHECK(why({0xFEFF'FFFF'FFFF'FFF8, 8, access::write}, la57) == reason::unsupported);
  CHECK(why({0xFF00'0000'0000'0000, 8, access::write}, la57) == reason::granted);
}

TEST_CASE("no accepted range wraps or has its ends on two sides of the hole") {
  unsigned accepted = 0;
  for (const limits& l : {plain, la57, masks, wide_masks, everything}) {
    const std::uint64_t low_end = std::uint64_t{1} << (l.linear_address_bits - 1);
    for (const std::uint64_t edge : {std::uint64_t{0}, low_end, ~low_end + 1})
      for (std::uint64_t power = 1; power != 0 && power <= std::uint64_t{1} << 33; power *= 2)
        for (std::uint64_t distance = 0; distance < 16; ++distance)
          for (const std::uint64_t at :
               {edge + distance, edge - distance, edge - power, edge - power + distance, edge - power / 2})
            for (const access on : data) {
              const request r{at, power, on};
              if (!x86::encode(r, l)) continue;
              ++accepted;
              CHECK_FALSE(r.bytes().wraps());
              CHECK(x86::canonical(r.address, l.linear_address_bits));
              CHECK(x86::canonical(r.bytes().last(), l.linear_address_bits));
              CHECK((r.address >> 63) == (r.bytes().last() >> 63));
            }
  }
  CHECK(accepted > 1000);
}

TEST_CASE("longer powers of two need address masks, up to what the masks hold") {
  CHECK(why({0x1000, 16, access::write}, plain) == reason::bad_length);
  for (const access on : data) {
    for (std::uint64_t length = 16; length <= 4096; length *= 2) CHECK(why({0x1'0000, length, on}, masks) == reason::granted);
    CHECK(why({0x1'0000, 8192, on}, masks) == reason::bad_length);
    CHECK(why({0x1'0000'0000, 1ull << 32, on}, wide_masks) == reason::granted);
    CHECK(why({0x2'0000'0000, 1ull << 33, on}, wide_masks) == reason::bad_length);
    for (const std::uint64_t length : lengths{24, 48, 100, 4095, 4097})
      CHECK(why({0, length, on}, wide_masks) == reason::bad_length);
  }
  const auto longest = x86::encode({0x1'0000'0000, 1ull << 32, access::write}, wide_masks);
  CHECK(longest.value().mask == 0xFFFF'FFFF);
  CHECK(x86::decode(longest.value()) == request{0x1'0000'0000, 1ull << 32, access::write});
}

TEST_CASE("a masked range covers the bytes asked for and not one more") {
  for (std::uint64_t length = 16; length <= 4096; length *= 2) {
    CHECK(why({0x1'0000 + length / 2, length, access::write}, masks) == reason::misaligned);
    CHECK(why({0x1'0001, length, access::write}, masks) == reason::misaligned);
    const x86::setting s = x86::encode({0x1'0000 + length, length, access::write}, masks).value();
    CHECK(s.kind == 0b0001);  // LEN 00 beside a mask
    CHECK((s.address & s.mask) == 0);
    CHECK(s.mask == length - 1);
  }
}

TEST_CASE("lengths that need no mask have none, also where there are mask registers") {
  for (const std::uint64_t length : lengths{1, 2, 4, 8})
    CHECK(x86::encode({0x1000, length, access::write}, masks).value().mask == 0);
  CHECK(x86::encode({0x1000, 1, access::execute}, masks).value().mask == 0);
}

TEST_CASE("of several faults the first in the documented order is named") {
  CHECK(why({0x0000'8000'0000'0001, 3, access::read}) == reason::unsupported);  // kind before length
  CHECK(why({0xFFFF'FFFF'FFFF'FFFF, 3, access::io}) == reason::unsupported);
  CHECK(why({0x0000'8000'0000'0001, 3, access::write}) == reason::bad_length);  // length before alignment
  CHECK(why({0xFFFF'FFFF'FFFF'FFFF, 2, access::write}) == reason::bad_length);  // wrap before alignment
  CHECK(why({0x0000'8000'0000'0001, 2, access::write}) == reason::misaligned);  // alignment before the address
  CHECK(why({0x0000'7FFF'FFFF'FFFF, 2, access::write}) == reason::misaligned);
  CHECK(why({0x1'0001, 2, access::io}, ports) == reason::misaligned);
}

TEST_CASE("whatever is accepted decodes to the request that was made") {
  unsigned accepted = 0;
  for (const limits& l : {plain, la57, ports, masks, wide_masks, everything})
    for (const access on : all_accesses)
      for (const std::uint64_t base :
           {0ull, 0x60ull, 0xFFF0ull, 0x7FFF'FFFF'F000ull, 0xFFFF'8000'0000'0000ull, 0xFFFF'FFFF'FFFF'F000ull})
        for (std::uint64_t at = base; at < base + 16; ++at)
          for (const std::uint64_t length : lengths{1, 2, 3, 4, 8, 16, 64, 4096}) {
            const request r{at, length, on};
            const auto encoded = x86::encode(r, l);
            if (!encoded) continue;
            ++accepted;
            CHECK(x86::decode(encoded.value()) == r);
          }
  CHECK(accepted > 1000);
}
