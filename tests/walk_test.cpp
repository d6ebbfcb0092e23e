// SPDX-License-Identifier: MIT
// tests/walk_test.cpp — long random walks over every verb against a naive model: accepted exactly when it fits, refused with
// nothing changed, every hit told once to the right one, and nothing left at the end.
#include <conformance/random_walk.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;

/// All slots of all CPUs are there again, to the last one.
template <class Walk>
void all_is_free(Walk& w) {
  w.clear();
  std::vector<std::unique_ptr<typename decltype(w.m)::kernel_breakpoint>> all;
  for (unsigned pool = 0; pool < Walk::pools; ++pool) {
    const request q{0x1000, 1, Walk::pools == 2 && pool == 0 ? access::execute : access::write};
    for (cpu_id cpu = 0; cpu < Walk::cpus; ++cpu) {
      const unsigned room = w.model.size_of(pool) - w.model.kernel_held(cpu, pool);
      for (unsigned i = 0; i <= room; ++i) {
        CHECK(w.m.slots.full(Walk::mask::of(cpu), pool).any() == (i == room));
        all.push_back(std::make_unique<typename decltype(w.m)::kernel_breakpoint>("all", [](const auto&) {}));
        CHECK(w.m.slots.register_breakpoint(*all.back(), q, Walk::mask::of(cpu)).why ==
              (i == room ? reason::no_slot : reason::granted));
      }
    }
  }
  CHECK(w.m.consistent());
  for (auto& b : all)
    if (!b->idle()) (void)w.m.slots.unregister_breakpoint(*b);
  for (cpu_id cpu = 0; cpu < Walk::cpus; ++cpu) CHECK(w.m.system().bank(cpu).control().on == 0);
}

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
    all_is_free(w);
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
TEST_CASE("a machine that could fail, and does not, has the same shelf") { walks<fallible>(4, 2500); }
