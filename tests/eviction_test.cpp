// SPDX-License-Identifier: MIT
// tests/eviction_test.cpp — by_priority where it is pushed: as many numbers as a hit has, storage that goes while evicted, CPUs
// that are lent, offline or without some of their slots, and forks of pinned and wide ones.
#include <bookend/by_priority.hpp>
#include <bookend/mock/machine.hpp>
#include <csignal>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace bookend;

template <unsigned Cpus, unsigned Slots>
struct world {
  using os = mock::system<Cpus, Slots>;
  using slots_type = by_priority<os>;
  using machine = mock::machine_of<os, slots_type>;
  using kernel = typename slots_type::kernel_breakpoint;
  using user = typename slots_type::user_breakpoint;
  using task = typename slots_type::task;
  static void handler(const typename slots_type::hit&) {}
  static void kernel_told(kernel&, seat) {}
  static void user_told(user&, seat) {}
};
constexpr request at(std::uint64_t address) { return {address, 8, access::write}; }

/// Runs f in a child; true if it ended by a signal.
template <class F>
bool dies(F f) {
  const pid_t child = fork();
  if (child == 0) {
    for (int s : {SIGILL, SIGTRAP, SIGABRT}) std::signal(s, SIG_DFL);  // not the runner's
    f();
    _exit(0);
  }
  int how = 0;
  waitpid(child, &how, 0);
  return WIFSIGNALED(how);
}

}  // namespace

TEST_CASE("a task has at most 64 breakpoints, those evicted among them, each with a number of its own") {
  using w = world<1, 4>;
  w::machine m;
  w::task t;
  (void)m.run(0, t);
  std::vector<std::unique_ptr<w::user>> all;
  std::uint64_t numbers = 0;
  for (int i = 0; i < 64; ++i) {
    all.push_back(std::make_unique<w::user>("mine", i / 4, &w::user_told));
    REQUIRE_FALSE(m.slots.register_breakpoint(*all.back(), t, at(0x1000 + 16 * static_cast<unsigned>(i))));
    numbers |= std::uint64_t{1} << all.back()->index();
  }
  CHECK(numbers == ~std::uint64_t{0});
  w::user next{"next", 100, &w::user_told};
  const refusal no = m.slots.register_breakpoint(next, t, at(0x8000));
  CHECK(no.why == reason::no_slot);
  CHECK((no.kernel_held == 0 && no.user_held == 0));
  CHECK((next.idle() && all.back()->seated()));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(*all[17]));
  REQUIRE_FALSE(m.slots.register_breakpoint(next, t, at(0x8000)));
  CHECK(m.write(0, 0x8000, 8) == 1);
  CHECK(m.last_trap(0).user == std::uint64_t{1} << next.index());
  CHECK(next.index() == 17);
  m.slots.on_exit(t);
  CHECK(all.front()->idle());
  (void)m.idle(0);
}

TEST_CASE("whose storage goes while it is evicted has broken a promise") {
  using w = world<1, 1>;
  const auto evicted = [](bool leaves) {
    static w::machine m;
    static w::task t;
    static w::kernel high{"high", &w::handler, 5};
    std::optional<w::user> mine;
    mine.emplace("mine", 1, &w::user_told);
    if (m.slots.register_breakpoint(*mine, t, at(0x1000)) || m.slots.register_breakpoint(high, at(0x2000)) || mine->seated())
      std::abort();
    if (leaves) (void)m.slots.unregister_breakpoint(*mine);
    mine.reset();
    _exit(0);
  };
  CHECK(dies([&] { evicted(false); }));
  CHECK_FALSE(dies([&] { evicted(true); }));
}

TEST_CASE("evicting and coming back do not touch a CPU that is lent or offline, and it has what it should afterwards") {
  using w = world<3, 2>;
  w::machine m;
  w::kernel low{"low", &w::handler, 1, &w::kernel_told}, high[] = {{"high", &w::handler, 5}, {"high", &w::handler, 5}};
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x1000)));
  m.guarded(1, [](const auto& here) { CHECK_FALSE(here.lend()); });
  REQUIRE_FALSE(m.offline(2));
  m.forget_log();
  for (auto& b : high) REQUIRE_FALSE(m.slots.register_breakpoint(b, at(0x2000)));
  CHECK_FALSE(low.seated());
  for (const auto& write : m.log()) CHECK(write.cpu == 0);
  m.guarded(1, [](const auto& here) { CHECK_FALSE(here.restore()); });
  CHECK((m.write(1, 0x2000, 8) == 1 && m.write(1, 0x1000, 8) == 0));
  m.guarded(1, [](const auto& here) { CHECK_FALSE(here.lend()); });
  REQUIRE_FALSE(m.slots.unregister_breakpoint(high[0]));
  CHECK(low.seated());
  m.guarded(1, [](const auto& here) { CHECK_FALSE(here.restore()); });
  REQUIRE_FALSE(m.online(2));
  for (unsigned cpu = 0; cpu < 3; ++cpu) CHECK(m.write(cpu, 0x1000, 8) == 1);
  CHECK(m.consistent());
  for (auto* b : {&low, &high[1]}) REQUIRE_FALSE(m.slots.unregister_breakpoint(*b));
}

TEST_CASE("slots that are taken off the shelf while somebody is evicted are not there when it asks") {
  using w = world<2, 2>;
  w::machine m;
  w::kernel low{"low", &w::handler, 1, &w::kernel_told}, high[] = {{"high", &w::handler, 5}, {"high", &w::handler, 5}};
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x1000)));
  const auto one = cpumask<2>::of(1);
  for (auto& b : high) REQUIRE_FALSE(m.slots.register_breakpoint(b, at(0x2000), one));
  CHECK_FALSE(low.seated());
  REQUIRE_FALSE(m.slots.withhold(0, 3));
  for (auto& b : high) REQUIRE_FALSE(m.slots.unregister_breakpoint(b));
  CHECK_FALSE(low.seated());
  CHECK(m.slots.move(low, cpumask<2>::all()).why == reason::no_slot);
  REQUIRE_FALSE(m.slots.move(low, one));
  CHECK(low.seated());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(low));
}

TEST_CASE("of a task's pinned and wide ones each goes and comes back where it was, and so do the child's") {
  using w = world<2, 2>;
  w::machine m;
  w::task parent, child;
  w::user wide{"wide", 2, &w::user_told}, here{"here", 1, &w::user_told}, there{"there", 1, &w::user_told};
  w::user heirs[] = {w::user{"wide", 2, &w::user_told}, w::user{"here", 1, &w::user_told}, w::user{"there", 1, &w::user_told}};
  w::kernel high{"high", &w::handler, 5}, higher{"higher", &w::handler, 6};
  (void)m.run(0, parent);
  REQUIRE_FALSE(m.slots.register_breakpoint(wide, parent, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(here, parent, at(0x2000), pinned{0}));
  REQUIRE_FALSE(m.slots.register_breakpoint(there, parent, at(0x3000), pinned{1}));
  CHECK(here.index() == there.index());
  REQUIRE_FALSE(m.slots.register_breakpoint(high, at(0x4000), cpumask<2>::of(0)));
  CHECK((wide.seated() && !here.seated() && there.seated()));
  m.slots.on_fork(parent, child, [&](const w::user& b) { return &b == &wide ? &heirs[0] : &b == &here ? &heirs[1] : &heirs[2]; });
  CHECK((heirs[0].seated() && !heirs[1].seated() && heirs[2].seated()));
  REQUIRE_FALSE(m.slots.register_breakpoint(higher, at(0x5000), cpumask<2>::of(0)));
  CHECK((!wide.seated() && !heirs[0].seated() && there.seated()));
  m.slots.on_exit(parent);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(higher));
  CHECK((heirs[0].seated() && !heirs[1].seated()));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(high));
  CHECK(heirs[1].seated());
  (void)m.run(0, child);
  for (const auto address : {0x1000U, 0x2000U}) CHECK(m.write(0, address, 8) == 1);
  CHECK(m.write(0, 0x3000, 8) == 0);
  m.slots.on_exit(child);
  (void)m.idle(0);
  CHECK(m.slots.full().none());
}
