// SPDX-License-Identifier: MIT
// tests/walk_test.cpp — long random walks over every verb against a naive model: accepted exactly when it fits, refused with
// nothing changed, every hit told once to the right one, and nothing left at the end.
#include <conformance/random_walk.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;

template <class Walk>
void walks(unsigned seeds, unsigned steps) {
  unsigned granted = 0, refused = 0, hits = 0;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Walk w(seed);
    for (unsigned i = 0; i < steps; ++i) {
      CAPTURE(i);
      w.step();
      REQUIRE(w.check() == "");
    }
    REQUIRE(w.check_empty() == "");
    granted += w.granted, refused += w.refused, hits += w.hits;
  }
  MESSAGE(granted << " granted, " << refused << " refused, " << hits << " hits");
  CHECK(granted > steps * seeds / 6);
  CHECK(refused > steps * seeds / 10);
  CHECK(hits > steps * seeds / 40);
}

using conformance::random_walk;
using small = random_walk<mock::machine<1, 2>, 4, 2, 6>;
using usual = random_walk<mock::machine<3, 4>, 6, 5, 16>;
using pooled = random_walk<mock::machine<2, 8, 2>, 8, 4, 16>;
using many = random_walk<mock::machine<70, 4>, 8, 6, 20>;
using knows_tasks = random_walk<mock::machine_of<mock::system_with_tasks<3, 4>>, 6, 5, 16>;
using fallible = random_walk<mock::machine<2, 4, 2, true>, 6, 4, 12>;

}  // namespace

TEST_CASE("a small shelf does what the naive model does") { walks<small>(8, 2500); }
TEST_CASE("three CPUs and five tasks do what the naive model does") { walks<usual>(8, 2500); }
TEST_CASE("two pools do what the naive model does") { walks<pooled>(8, 2500); }
TEST_CASE("seventy CPUs do what the naive model does") { walks<many>(2, 600); }
TEST_CASE("a kernel that says which task is current has the same shelf") { walks<knows_tasks>(8, 2500); }
TEST_CASE("a machine whose writes fail now and then has the same shelf") { walks<fallible>(4, 2500); }
