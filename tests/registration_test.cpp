// SPDX-License-Identifier: MIT
// tests/registration_test.cpp — mirrors include/bookend/registration.hpp: breakpoints that leave with their scope; and that a
// registration that fails, or ends, leaves nothing behind.
#include <bookend/mock/machine.hpp>
#include <conformance/ends_the_program.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace {
using namespace bookend;
using bookend::access;  // not <unistd.h>'s
using conformance::ends_the_program;
using machine = mock::machine<2, 4>;
using kernel_breakpoint = machine::kernel_breakpoint;
using user_breakpoint = machine::user_breakpoint;
using mask = machine::slot_manager::mask;

constexpr request at(std::uint64_t address) { return {address, 8, access::write}; }
void ignore(const machine::hit&) {}

/// No slot of any CPU is held: a breakpoint of 4 slots' worth fits everywhere, and the registers say so, too.
template <class Machine>
bool shelf_is_empty(Machine& m) {
  typename Machine::kernel_breakpoint all[4] = {{"", [](auto&) {}}, {"", [](auto&) {}}, {"", [](auto&) {}}, {"", [](auto&) {}}};
  bool fits = true;
  for (auto& b : all) fits = !m.slots.register_breakpoint(b, at(0x10)) && fits;
  for (auto& b : all) (void)m.slots.unregister_breakpoint(b);
  for (cpu_id cpu = 0; cpu < Machine::max_cpus; ++cpu) {
    const auto s = m.slots.snapshot(cpu);
    for (const auto& slot : s.slots) fits = fits && slot.state == slot_state::free;
    fits = fits && m.system().bank(cpu).control().on == 0;
  }
  return fits && m.consistent();
}

TEST_CASE("a registration unregisters at the end of its scope, whatever kind of breakpoint it guards") {
  machine m;
  machine::task t;
  kernel_breakpoint k{"k", ignore};
  user_breakpoint u{"u"};
  m.run(0, t);
  {
    const registration guard_k{m.slots, k};
    const registration guard_u{m.slots, u};
    REQUIRE(!m.slots.register_breakpoint(k, at(0x1000)));
    REQUIRE(!m.slots.register_breakpoint(u, t, at(0x2000)));
    CHECK(m.write(0, 0x1000, 1) == 1);
    CHECK(m.write(0, 0x2000, 1) == 1);
    CHECK_FALSE(k.idle());
  }
  CHECK(k.idle());
  CHECK(u.idle());
  CHECK(m.write(0, 0x1000, 1) == 0);
  CHECK(m.write(0, 0x2000, 1) == 0);
  CHECK(shelf_is_empty(m));
}

TEST_CASE("a registration of what was never registered, was refused or is gone already does nothing") {
  machine m;
  kernel_breakpoint never{"never", ignore}, refused{"refused", ignore}, gone{"gone", ignore};
  m.forget_log();
  {
    const registration a{m.slots, never};
    const registration b{m.slots, refused};
    const registration c{m.slots, gone};
    CHECK(m.slots.register_breakpoint(refused, at(0x1001)).why == reason::misaligned);
    REQUIRE(!m.slots.register_breakpoint(gone, at(0x1000)));
    REQUIRE(!m.slots.unregister_breakpoint(gone));
    m.forget_log();
  }
  CHECK(m.log().empty());
  CHECK(shelf_is_empty(m));
}

TEST_CASE("several registrations leave in the reverse order, and the last one out leaves an empty shelf") {
  machine m;
  {
    kernel_breakpoint a{"a", ignore}, b{"b", ignore};
    const registration guard_a{m.slots, a};
    const registration guard_b{m.slots, b};
    REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
    REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
  }
  CHECK(shelf_is_empty(m));
}

TEST_CASE("a breakpoint that is destroyed while registered is the caller's bug, and stops there") {
  CHECK(ends_the_program([] {
    machine m;
    kernel_breakpoint b{"b", ignore};
    (void)m.slots.register_breakpoint(b, at(0x1000));
  }));
  CHECK(ends_the_program([] {
    machine m;
    machine::task t;
    user_breakpoint b{"b"};
    (void)m.slots.register_breakpoint(b, t, at(0x1000));
  }));
  CHECK_FALSE(ends_the_program([] {
    machine m;
    kernel_breakpoint b{"b", ignore};
    (void)m.slots.register_breakpoint(b, at(0x1000));
    (void)m.slots.unregister_breakpoint(b);
  }));
}

// What a registration must not leave behind.

/// Every way in which registering is refused before the registers are touched.
template <class Register>
void refused_for_each_reason(machine& m, Register try_to) {
  m.system().deny({0x7000, 0x1000});
  CHECK(try_to(request{0x1001, 8, access::write}).why == reason::misaligned);
  CHECK(try_to(request{0x1000, 3, access::write}).why == reason::bad_length);
  CHECK(try_to(request{0x1000, 0, access::write}).why == reason::bad_length);
  CHECK(try_to(request{0x1000, 8, access::io}).why == reason::unsupported);
  CHECK(try_to(request{0x7ff8, 8, access::write}).why == reason::forbidden);
  CHECK(try_to(request{reinterpret_cast<std::uint64_t>(&m.slots) & ~std::uint64_t{7}, 8, access::write}).why ==
        reason::forbidden);
}

// defect 11: a slot was not given back when the request turned out to be invalid; and, reserved before it was looked at, an
// invalid request took the last slot away from a valid one.
TEST_CASE("an invalid request takes no slot, not even for a moment: on a full shelf it is still told what is wrong with it") {
  machine m;
  machine::task t;
  kernel_breakpoint k{"k", ignore};
  user_breakpoint u{"u"};
  const auto kernel_tries = [&](const request& r) { return m.slots.register_breakpoint(k, r); };
  const auto user_tries = [&](const request& r) { return m.slots.register_breakpoint(u, t, r); };
  const auto pinned_tries = [&](const request& r) { return m.slots.register_breakpoint(u, t, r, pinned{1}); };
  m.run(0, t);
  m.forget_log();
  for (int i = 0; i < 5; ++i) {  // more often than there are slots
    refused_for_each_reason(m, kernel_tries);
    refused_for_each_reason(m, user_tries);
    refused_for_each_reason(m, pinned_tries);
    CHECK(m.slots.register_breakpoint(k, at(0x1000), mask{}).why == reason::empty_mask);
    CHECK(m.slots.register_breakpoint(u, t, at(0x1000), pinned{2}).why == reason::bad_cpu);
  }
  CHECK(m.log().empty());
  CHECK(k.idle());
  CHECK(u.idle());
  CHECK(shelf_is_empty(m));

  kernel_breakpoint full[4] = {{"0", ignore}, {"1", ignore}, {"2", ignore}, {"3", ignore}};
  for (auto& b : full) REQUIRE(!m.slots.register_breakpoint(b, at(0x100)));
  refused_for_each_reason(m, kernel_tries);
  refused_for_each_reason(m, user_tries);
  refused_for_each_reason(m, pinned_tries);
  for (auto& b : full) CHECK(!m.slots.unregister_breakpoint(b));
}

// defect 14: Linux 2022: an event that had failed stayed in a table that the next trap looked into, after its memory was gone.
TEST_CASE("after a refusal nobody knows the breakpoint: its memory may go at once") {
  mock::machine<2, 4, 1, true> m;
  using fallible = decltype(m);
  fallible::task t;
  m.run(0, t);
  for (unsigned k = 1; k <= 4;
       ++k) {  // an address and a control write on each CPU; another address each time, so that it must be written
    auto b = std::make_unique<fallible::kernel_breakpoint>("short-lived", [](auto&) { FAIL("a handler that is gone"); });
    m.system().faults().fail(k);
    REQUIRE(m.slots.register_breakpoint(*b, at(0x1000 * k)).why == reason::hardware);
    b.reset();
    for (cpu_id cpu : {0U, 1U}) {
      CHECK(m.write(cpu, 0x1000 * k, 8) == 0);
      for (const auto& slot : m.slots.snapshot(cpu).slots) CHECK(slot.state == slot_state::free);
    }
  }
  for (unsigned k = 1; k <= 2; ++k) {
    auto b = std::make_unique<fallible::user_breakpoint>("short-lived");
    m.system().faults().fail(k);
    REQUIRE(m.slots.register_breakpoint(*b, t, at(0x1000 * k)).why == reason::hardware);
    b.reset();
    CHECK(t.first() == nullptr);
    CHECK(m.write(0, 0x1000 * k, 8) == 0);
    CHECK(m.delivered().empty());
  }
  m.system().faults().fail_none();
  CHECK(shelf_is_empty(m));
}

// defect 15: counts were raised before a step that could fail, and not lowered when it did.
TEST_CASE("whatever write fails, on whatever CPU, the slots of the refused breakpoint are free again") {
  mock::machine<2, 4, 1, true> m;
  using fallible = decltype(m);
  fallible::task t;
  m.run(1, t);
  for (const auto how : {mock::fault::refused, mock::fault::dropped, mock::fault::late})
    for (unsigned k = 1; k <= 4; ++k) {
      fallible::kernel_breakpoint b{"b", [](auto&) {}};
      fallible::user_breakpoint u{"u"};
      m.system().faults().fail(k, how);
      REQUIRE(m.slots.register_breakpoint(b, at(0x1000 * k)).why == reason::hardware);
      CHECK(b.idle());
      m.system().faults().fail(1 + k % 2, how);
      REQUIRE(m.slots.register_breakpoint(u, t, at(0x1008 * k)).why == reason::hardware);
      CHECK(u.idle());
      m.system().faults().fail_none();
      REQUIRE(shelf_is_empty(m));
    }
}

// defect 13: Linux 2010 and 2019: what was released was computed from an object that had changed since it was taken.
TEST_CASE(
    "what is given back is what was taken, though the breakpoint has changed its kind, its CPUs or its address in between") {
  mock::machine<2, 4, 2> m;  // two pools of two: execution below, data above
  using two_pools = decltype(m);
  two_pools::task t;
  two_pools::kernel_breakpoint k{"k", [](auto&) {}};
  two_pools::user_breakpoint u{"u"}, p{"p"};
  const request data = at(0x1000);
  const request code{0x2000, 1, access::execute};
  m.run(0, t);
  REQUIRE(!m.slots.register_breakpoint(k, data, mask::of(0)));
  REQUIRE(!m.slots.register_breakpoint(u, t, data));
  CHECK(!m.slots.modify(k, code));
  CHECK(!m.slots.move(k, mask::of(1)));
  CHECK(!m.slots.modify(u, code));
  CHECK(!m.slots.unregister_breakpoint(k));
  REQUIRE(!m.slots.register_breakpoint(p, t, code, pinned{1}));
  CHECK(!m.slots.modify(p, data));
  CHECK(!m.slots.unregister_breakpoint(u));
  CHECK(!m.slots.unregister_breakpoint(p));
  for (unsigned pool : {0U, 1U}) {  // both of each pool's slots are there again
    two_pools::kernel_breakpoint both[2] = {{"", [](auto&) {}}, {"", [](auto&) {}}};
    for (auto& b : both) CHECK(!m.slots.register_breakpoint(b, pool == 0 ? code : data));
    CHECK(m.slots.full(mask::all(), pool) == mask::all());
    CHECK(m.slots.full(mask::all(), 1 - pool).none());
    for (auto& b : both) CHECK(!m.slots.unregister_breakpoint(b));
  }
}

// defect 1: Linux 2009: one boundary for the whole machine.
TEST_CASE(
    "a kernel breakpoint on one CPU takes nothing from tasks elsewhere, and a task that holds one high slot blocks nobody") {
  machine m;
  machine::task t;
  kernel_breakpoint k{"k", ignore};
  user_breakpoint u[4];
  REQUIRE(!m.slots.register_breakpoint(k, at(0x1000), mask::of(0)));
  for (auto& b : u) REQUIRE(!m.slots.register_breakpoint(b, t, at(0x2000), pinned{1}));
  kernel_breakpoint rest[3] = {{"0", ignore}, {"1", ignore}, {"2", ignore}};
  for (auto& b : rest) CHECK(!m.slots.register_breakpoint(b, at(0x1000), mask::of(0)));
  for (auto& b : rest) CHECK(!m.slots.unregister_breakpoint(b));
  for (auto* b : {&u[0], &u[1], &u[2]}) REQUIRE(!m.slots.unregister_breakpoint(*b));
  m.run(1, t);
  kernel_breakpoint three[3] = {{"0", ignore}, {"1", ignore}, {"2", ignore}};
  for (auto& b : three) CHECK(!m.slots.register_breakpoint(b, at(0x3000), mask::of(1)));
  kernel_breakpoint fourth{"fourth", ignore};
  const refusal no = m.slots.register_breakpoint(fourth, at(0x3000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(no.kernel_held == 3);
  CHECK(no.user_held == 1);
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.consistent());
  for (auto& b : three) CHECK(!m.slots.unregister_breakpoint(b));
  CHECK(!m.slots.unregister_breakpoint(k));
  m.slots.on_exit(t);
  CHECK(shelf_is_empty(m));
}

// defect 12: Linux 2009: a task's request was checked against the busiest other task.
TEST_CASE("tasks do not compete: each may have every slot that the kernel leaves") {
  machine m;
  machine::task busy, idle;
  kernel_breakpoint k{"k", ignore};
  user_breakpoint of_busy[3], of_idle[3], fourth;
  REQUIRE(!m.slots.register_breakpoint(k, at(0x1000)));
  for (auto& b : of_busy) REQUIRE(!m.slots.register_breakpoint(b, busy, at(0x2000)));
  for (auto& b : of_idle) CHECK(!m.slots.register_breakpoint(b, idle, at(0x3000)));
  const refusal no = m.slots.register_breakpoint(fourth, idle, at(0x3000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.kernel_held == 1);
  CHECK(no.user_held == 3);
  m.slots.on_exit(busy);
  m.slots.on_exit(idle);
  CHECK(!m.slots.unregister_breakpoint(k));
  CHECK(shelf_is_empty(m));
}
}  // namespace
