// SPDX-License-Identifier: MIT
// tests/request_test.cpp — mirrors include/bookend/request.hpp: ranges at both ends of the address space, and requests from
// objects.
#include <doctest/doctest.h>

#include <bookend/request.hpp>

namespace {
using bookend::access;
using bookend::range;
using bookend::request;
constexpr std::uint64_t top = ~std::uint64_t{0};

// defect 33: address 0, ranges that wrap, ranges of which only the end is somewhere else.
static_assert(range{0, 8}.last() == 7);
static_assert(range{0, 1}.last() == 0 && !range{0, 1}.wraps());
static_assert(range{top, 1}.last() == top && !range{top, 1}.wraps());
static_assert(range{top - 7, 8}.last() == top && !range{top - 7, 8}.wraps());
static_assert(range{top - 6, 8}.wraps());
static_assert(range{top, 2}.wraps());
static_assert(request{0x1000, 4, access::write}.bytes().last() == 0x1003);
static_assert(request{} == request{0, 1, access::write});

TEST_CASE("two ranges overlap exactly when they share a byte") {
  for (std::uint64_t a = 0; a < 12; ++a)
    for (std::uint64_t la = 1; la <= 8; ++la)
      for (std::uint64_t b = 0; b < 12; ++b)
        for (std::uint64_t lb = 1; lb <= 8; ++lb) {
          bool shared = false;
          for (std::uint64_t byte = a; byte < a + la; ++byte) shared = shared || (byte >= b && byte < b + lb);
          REQUIRE(range{a, la}.overlaps({b, lb}) == shared);
          // The same at the end of the address space, where one past the end is no address.
          if (a + la <= 12 && b + lb <= 12) REQUIRE(range{top - 11 + a, la}.overlaps({top - 11 + b, lb}) == shared);
        }
}

void callee(int) {}

TEST_CASE("a request made from an object watches all of it, and from a function its first instruction") {
  static long object = 0;
  const auto at = reinterpret_cast<std::uint64_t>(&object);
  CHECK(bookend::write_to(&object) == request{at, sizeof object, access::write});
  CHECK(bookend::access_to(&object) == request{at, sizeof object, access::read_write});
  const volatile char byte = 0;
  CHECK(bookend::write_to(&byte).length == 1);
  CHECK(bookend::access_to(&byte).length == 1);
  CHECK(bookend::execution_of(&callee) == request{reinterpret_cast<std::uint64_t>(&callee), 1, access::execute});
}

TEST_CASE("requests are equal when address, length and access are") {
  const request r{0x1000, 4, access::write};
  CHECK(r == request{0x1000, 4, access::write});
  CHECK(r != request{0x1001, 4, access::write});
  CHECK(r != request{0x1000, 8, access::write});
  CHECK(r != request{0x1000, 4, access::read_write});
}
}  // namespace
