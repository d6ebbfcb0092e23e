// SPDX-License-Identifier: MIT
// tests/exactness_test.cpp — every verb from every state of small machines: granted exactly when a search finds places, refused
// with the right CPU and counts and not a byte changed, every slot as placed, nothing left at the end. The ledger alone is in
// ledger_test. BOOKEND_DEEP=1 takes more breakpoints and more lives.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <oracle/explore.hpp>

namespace {

using namespace oracle;
template <unsigned Cpus, unsigned Slots, unsigned Pools = 1>
using os = bookend::mock::system<Cpus, Slots, Pools>;

const bool deep = std::getenv("BOOKEND_DEEP") != nullptr;

void told(const std::string& machine, const tally& n) {
  MESSAGE(machine, ": ", n.states, " states, ", n.transitions, " transitions, ", n.refusals, " refusals");
  MESSAGE("counted: ", n.states, " states of the shelf");
  MESSAGE("counted: ", n.transitions, " verbs from them");
  CHECK(n.wrong == "");
  CHECK(n.refusals > 100);
}
/// Every state with at most so many breakpoints.
template <unsigned Cpus, unsigned Slots, unsigned Pools, unsigned Kernels, unsigned Users, unsigned Tasks>
void every_state(bool with_disabled) {
  const auto number = [](unsigned n, const char* what) { return std::to_string(n) + ' ' + what; };
  const tally n = explore<world<os<Cpus, Slots, Pools>, Kernels, Users, Tasks>>(with_disabled, 1'000'000);
  told(number(Cpus, "CPUs, ") + number(Slots, "slots, ") + number(Pools, "pools, ") + number(Tasks, "tasks, ") +
           number(Kernels, "kernel and ") + number(Users, "user breakpoints") + (with_disabled ? ", on and off" : ""),
       n);
}

}  // namespace

TEST_CASE("one CPU: every state there can be, with two slots") { every_state<1, 2, 1, 2, 4, 2>(true); }
TEST_CASE("one CPU: two pools of two slots") { every_state<1, 4, 2, 2, 2, 2>(true); }
TEST_CASE("two CPUs: every kernel row there can be, with two slots") { every_state<2, 2, 1, 4, 3, 2>(false); }
TEST_CASE("two CPUs: on and off") { every_state<2, 2, 1, 1, 2, 2>(true); }
TEST_CASE("two CPUs: three slots, one task that may have three") { every_state<2, 3, 1, 2, 3, 1>(false); }
TEST_CASE("two CPUs: two pools of two slots") { every_state<2, 4, 2, 1, 2, 2>(false); }
TEST_CASE("three CPUs: two slots") { every_state<3, 2, 1, 1, 2, 2>(false); }
TEST_CASE("the same where the kernel says which task is current") {
  told("2 CPUs, 2 slots, current_task()", explore<world<bookend::mock::system_with_tasks<2, 2>, 2, 2, 2>>(false, 1'000'000));
}

TEST_CASE("larger machines, long lives") {
  const unsigned seeds = deep ? 200 : 4, length = 2000;
  told("3 CPUs, 4 slots, 3 tasks, at random", wander<world<os<3, 4>, 8, 10, 3>>(seeds, length));
  told("3 CPUs, 8 slots, 2 pools, 3 tasks, at random", wander<world<os<3, 8, 2>, 8, 10, 3>>(seeds, length));
}

TEST_CASE("deep: more breakpoints on small machines" * doctest::skip(!deep)) {
  every_state<1, 3, 1, 3, 3, 2>(true);
  every_state<1, 4, 1, 4, 4, 2>(false);
  every_state<2, 2, 1, 2, 2, 2>(true);
  every_state<2, 4, 2, 2, 2, 2>(false);
  every_state<3, 2, 1, 1, 2, 3>(false);
  every_state<2, 3, 1, 3, 3, 2>(false);
}
