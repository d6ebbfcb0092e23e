// SPDX-License-Identifier: MIT
// tests/watch/value_test.cpp — mirrors examples/watch/value.hpp.
#include <doctest/doctest.h>
#include <unistd.h>

#include "examples/watch/value.hpp"

TEST_CASE("a value is read with its own length only") {
  const std::uint64_t memory = 0x1122'3344'5566'7788;
  const auto at = reinterpret_cast<std::uint64_t>(&memory);
  CHECK(watch::read_value(getpid(), {at, 8}) == 0x1122'3344'5566'7788);
  CHECK(watch::read_value(getpid(), {at, 4}) == 0x5566'7788);
  CHECK(watch::read_value(getpid(), {at + 7, 1}) == 0x11);
}

TEST_CASE("what cannot be read is not a value") {
  CHECK_FALSE(watch::read_value(getpid(), {0, 4}));
  CHECK_FALSE(watch::read_value(0x7ffffff, {0x1000, 4}));
  CHECK_FALSE(watch::read_value(getpid(), {reinterpret_cast<std::uint64_t>(&getpid), 9}));
}

TEST_CASE("counts are decimal, addresses and patterns hexadecimal, the unknown a question mark") {
  CHECK(watch::to_text(41) == "41");
  CHECK(watch::to_text(0x7fff12345678) == "0x7fff12345678");
  CHECK(watch::to_text(std::nullopt) == "?");
}

TEST_CASE("a change shows both ends, an access that changed nothing shows the value") {
  CHECK(watch::change_text(41, 42) == "41 -> 42");
  CHECK(watch::change_text(42, 42) == "= 42");
  CHECK(watch::change_text(std::nullopt, 1) == "? -> 1");
}
