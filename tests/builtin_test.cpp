// SPDX-License-Identifier: MIT
// tests/builtin_test.cpp — mirrors include/bookend/builtin.hpp: bit arithmetic against a loop over the bits.
#include <doctest/doctest.h>

#include <bookend/builtin.hpp>
#include <random>

namespace {
using namespace bookend::detail;

struct bits {
  unsigned lowest, highest, count;
  friend constexpr bool operator==(const bits&, const bits&) = default;
};
constexpr bits answered(std::uint64_t x) { return {lowest_bit(x), highest_bit(x), count_bits(x)}; }
constexpr bits counted(std::uint64_t x) {
  bits b{64, 0, 0};
  for (unsigned i = 0; i < 64; ++i)
    if ((x >> i & 1) != 0) {
      if (b.lowest == 64) b.lowest = i;
      b.highest = i;
      ++b.count;
    }
  return b;
}

TEST_CASE("lowest, highest and number of bits are exact for every word of one or two bits and every run of ones") {
  for (unsigned i = 0; i < 64; ++i)
    for (unsigned j = 0; j < 64; ++j) {
      const std::uint64_t two = std::uint64_t{1} << i | std::uint64_t{1} << j;
      CHECK(answered(two) == counted(two));
      const std::uint64_t run = (~std::uint64_t{0} >> i) << j;
      if (run != 0) CHECK(answered(run) == counted(run));
    }
  CHECK(count_bits(0) == 0);
}

TEST_CASE("lowest, highest and number of bits are exact for random words") {
  std::mt19937_64 random(1);
  unsigned wrong = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t x = random() >> (random() % 64) << (random() % 64);
    if (x != 0 && !(answered(x) == counted(x))) ++wrong;
  }
  CHECK(wrong == 0);
}

static_assert(answered(1) == bits{0, 0, 1});
static_assert(answered(0x8000'0000'0000'0000) == bits{63, 63, 1});
static_assert(answered(~std::uint64_t{0}) == bits{0, 63, 64});
static_assert(answered(0x0000'0001'8000'0000) == bits{31, 32, 2});

// Machines without an instruction for the lowest bit look it up. This one does so in constant evaluation, and nowhere else.
constexpr bool looked_up_exactly() {
  for (unsigned i = 0; i < 64; ++i)
    if (lowest_bit(std::uint64_t{1} << i) != i || lowest_bit(~std::uint64_t{0} << i) != i) return false;
  return true;
}
static_assert(looked_up_exactly());

constexpr unsigned stored() {
  unsigned x = 1;
  store_relaxed(x, load_relaxed(x) + 1);
  store_release(x, load_acquire(x) + 1);
  compiler_barrier();
  return x;
}
static_assert(stored() == 3);

TEST_CASE("loads and stores move values, at run time as in constant evaluation") {
  unsigned x = 40;
  store_relaxed(x, load_relaxed(x) + 1);
  CHECK(x == 41);
  store_release(x, load_acquire(x) + 1);
  compiler_barrier();
  CHECK(x == 42);
}
}  // namespace
