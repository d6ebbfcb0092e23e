// SPDX-License-Identifier: MIT
// tests/here_test.cpp — the view of this CPU: it takes the guard where it says so, and only there; and what an observer is told.
#include <bookend/mock/machine.hpp>
#include <conformance/ends_the_program.hpp>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace bookend;
using bookend::access;  // not <unistd.h>'s
using conformance::ends_the_program;

/// A simulated kernel that counts its guards and writes down what an observer is told.
struct counting : mock::system<2, 4> {
  unsigned guards = 0;
  unsigned traps_off() noexcept {
    ++guards;
    return mock::system<2, 4>::traps_off();
  }
  std::vector<std::string> told;
  void on_verb(const event& e) {
    told.push_back(std::to_string(static_cast<int>(e.what)) + " " + e.name + " " + to_string(e.outcome.why));
  }
};
using machine = mock::machine_of<counting>;

struct fixture {
  machine m;
  alignas(8) long x[2]{};
  machine::kernel_breakpoint b{"b", [](const machine::hit&) {}};
  ~fixture() {
    if (!b.idle()) CHECK(!m.slots.unregister_breakpoint(b));
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "here() acts on the CPU that the thread is on, under the guard, and leaves it") {
  static_assert(has_this_cpu<counting>);
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  m.system().migrate(1);
  m.system().guards = 0;
  CHECK(!m.slots.here().disable(b));
  CHECK(m.system().guards == 1);
  CHECK(m.system().guard_depth(1) == 0);
  CHECK(m.write(1, &x[0]) == 0);
  CHECK(m.write(0, &x[0]) == 1);
  CHECK(!m.slots.here().modify(b, write_to(&x[1])));
  CHECK(!m.slots.here().enable(b));
  CHECK(m.write(1, &x[1]) == 1);
  CHECK(m.system().guards == 3);
  machine::kernel_breakpoint never{"never", [](const machine::hit&) {}};
  CHECK(m.slots.here().enable(never).why == reason::not_registered);
  CHECK(m.system().guard_depth(1) == 0);
}

TEST_CASE_FIXTURE(fixture, "the scheduler's and the trap's verbs take no guard of their own") {
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  machine::task t, idle;
  m.guarded(0, [&](auto) {
    m.system().guards = 0;
    const auto here = m.slots.here();
    CHECK(here.cpu() == 0);
    here.switch_to(idle, t);
    here.switch_to(t, idle);
    here.lend();
    CHECK(!here.restore());
    {
      const auto quiet = here.quiet();
      CHECK(m.system().bank(0).control().on == 0);
    }
    mock::frame f;
    CHECK(here.trap(f).handled == 0);
    CHECK(m.system().guards == 0);
  });
  CHECK(m.consistent());
  m.guarded(1, [&](auto) { m.slots.here().silence(); });
  CHECK(m.write(1, &x[0]) == 0);
}

TEST_CASE_FIXTURE(fixture, "an everywhere verb called from a handler is an assertion, not a deadlock") {
  static machine* machine_of_handler;
  machine_of_handler = &m;
  machine::kernel_breakpoint wrong{"wrong", [](const machine::hit& h) { (void)machine_of_handler->slots.disable(h.kernel()); }};
  REQUIRE(!m.slots.register_breakpoint(wrong, write_to(&x[0])));
  CHECK(ends_the_program([&] { m.write(0, &x[0]); }));
  m.set_mode(0, mock::mode::user);  // no quiet scope there
  CHECK(ends_the_program([&] { m.write(0, &x[0]); }));
  CHECK(!m.slots.unregister_breakpoint(wrong));
  CHECK(!ends_the_program([] {}));
}

TEST_CASE_FIXTURE(fixture, "an observer is told of every verb and its outcome, refusals too") {
  m.system().told.clear();
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  CHECK(m.slots.register_breakpoint(b, write_to(&x[0])).why == reason::already_registered);
  CHECK(!m.slots.try_disable(b));
  CHECK(!m.slots.unregister_breakpoint(b));
  CHECK(m.system().told == std::vector<std::string>{"0 b granted", "0 b already_registered", "3 b granted", "1 b granted"});
}

TEST_CASE_FIXTURE(fixture, "it is told of each verb by its own name") {
  machine::task t, child;
  machine::user_breakpoint u{"u"};
  const auto told = [&](auto verb) {
    m.system().told.clear();
    (void)verb();
    return m.system().told.empty() ? "" : m.system().told.back();
  };
  auto& slots = m.slots;
  CHECK(told([&] { return slots.register_breakpoint(u, t, write_to(&x[0])); }) == "0 u granted");
  CHECK(told([&] { return slots.register_breakpoint(b, write_to(&x[0])); }) == "0 b granted");
  CHECK(told([&] { return slots.enable(b); }) == "2 b granted");
  CHECK(told([&] { return slots.disable(b); }) == "3 b granted");
  CHECK(told([&] { return slots.modify(u, write_to(&x[1])); }) == "4 u granted");
  CHECK(told([&] { return slots.try_modify(b, {0, 3, access::write}); }) == "4 b bad_length");
  CHECK(told([&] { return slots.move(b, cpumask<2>::of(1)); }) == "5 b granted");
  CHECK(told([&] {
          slots.on_fork(t, child);
          return 0;
        }) == "6  granted");
  CHECK(told([&] {
          slots.on_exec(t);
          return 0;
        }) == "7  granted");
  CHECK(told([&] { return slots.cpu_online(2); }) == "8  bad_cpu");
  CHECK(told([&] { return slots.cpu_offline(2); }) == "9  bad_cpu");
  CHECK(told([&] { return slots.withhold(0, 1); }) == "10  granted");
}
