// SPDX-License-Identifier: MIT
// tests/cpumask_test.cpp — mirrors include/bookend/cpumask.hpp: every operation against std::set, at and around word
// boundaries.
#include <doctest/doctest.h>

#include <bookend/cpumask.hpp>
#include <conformance/ends_the_program.hpp>
#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <vector>

namespace {
using bookend::cpu_id;
using bookend::cpumask;
using conformance::ends_the_program;
using cpu_set = std::set<cpu_id>;

template <unsigned Size>
cpumask<Size> mask_of(const cpu_set& cpus) {
  cpumask<Size> m;
  for (cpu_id cpu : cpus) m.set(cpu);
  return m;
}
/// Read through the iterator, which is itself checked against test() below.
template <unsigned Size>
cpu_set set_of(const cpumask<Size>& m) {
  cpu_set s;
  for (cpu_id cpu : m) s.insert(s.end(), cpu);
  return s;
}
template <unsigned Size>
cpu_set random_set(std::mt19937& random) {
  cpu_set s;
  const unsigned one_in = 1 + static_cast<unsigned>(random() % 8);
  for (cpu_id cpu = 0; cpu < Size; ++cpu)
    if (random() % one_in == 0) s.insert(cpu);
  return s;
}

TEST_CASE_TEMPLATE("a mask answers as a set does, whatever its size", Mask, cpumask<1>, cpumask<2>, cpumask<63>, cpumask<64>,
                   cpumask<65>, cpumask<128>, cpumask<130>) {
  constexpr unsigned size = Mask::size;
  std::mt19937 random(size);
  for (int round = 0; round < 200; ++round) {
    const cpu_set a = random_set<size>(random);
    const cpu_set b = random_set<size>(random);
    const Mask x = mask_of<size>(a);
    const Mask y = mask_of<size>(b);
    const auto same = [](const Mask& m, const cpu_set& s) {
      return set_of(m) == s && m == mask_of<size>(s) && m.count() == s.size();
    };
    bool good = same(x, a) && x.any() == !a.empty() && x.none() == a.empty() && (x == y) == (a == b);
    for (cpu_id cpu = 0; cpu < size; ++cpu) {
      good = good && x.test(cpu) == (a.count(cpu) != 0);
      const auto next = a.lower_bound(cpu);
      good = good && x.first(cpu) == (next == a.end() ? size : *next);
    }
    good = good && x.first(size) == size && x.first(size + 100) == size;
    cpu_set expected;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::inserter(expected, expected.end()));
    good = good && same(x | y, expected);
    expected.clear();
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(expected, expected.end()));
    good = good && same(x & y, expected);
    expected.clear();
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(expected, expected.end()));
    good = good && same(x - y, expected);
    Mask without = x;
    for (cpu_id cpu : b) without.clear(cpu);
    good = good && without == x - y;
    REQUIRE(good);
  }
}

TEST_CASE_TEMPLATE("all() is every CPU and not one bit more, since kernels read the words", Mask, cpumask<1>, cpumask<63>,
                   cpumask<64>, cpumask<65>, cpumask<130>) {
  const Mask all = Mask::all();
  CHECK(all.count() == Mask::size);
  unsigned bits = 0;
  for (unsigned i = 0; i < Mask::word_count; ++i) bits += bookend::detail::count_bits(all.words()[i]);
  CHECK(bits == Mask::size);
  for (cpu_id cpu = 0; cpu < Mask::size; ++cpu) CHECK((all.words()[cpu / 64] >> (cpu % 64) & 1) == 1);
}

TEST_CASE("iteration is in ascending order, across words, and ends") {
  const auto m = cpumask<200>::of(199, 0, 64, 63, 128, 127);
  std::vector<cpu_id> seen;
  for (cpu_id cpu : m) seen.push_back(cpu);
  CHECK(seen == std::vector<cpu_id>{0, 63, 64, 127, 128, 199});
  for (cpu_id cpu : cpumask<200>{}) FAIL("the empty mask names CPU ", cpu);
}

TEST_CASE("a CPU outside the mask is the caller's bug, and stops there") {
  CHECK(ends_the_program([] { (void)cpumask<5>{}.test(5); }));
  CHECK(ends_the_program([] { cpumask<64>{}.set(64); }));
  CHECK(ends_the_program([] { cpumask<64>{}.clear(~0U); }));
  CHECK_FALSE(ends_the_program([] { (void)cpumask<5>{}.test(4); }));
}

static_assert(cpumask<64>::word_count == 1);
static_assert(cpumask<65>::word_count == 2);
static_assert(sizeof(cpumask<64>) == 8);
static_assert(cpumask<8>::of(0, 3).words()[0] == 0b1001);
static_assert(cpumask<130>::of(128).words()[2] == 1);
static_assert(cpumask<130>{}.none() && cpumask<130>::all().count() == 130);
static_assert((cpumask<70>::all() - cpumask<70>::of(69)).first(69) == 70);
}  // namespace
