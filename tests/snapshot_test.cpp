// SPDX-License-Identifier: MIT
// tests/snapshot_test.cpp — mirrors include/bookend/snapshot.hpp: what a copy of a CPU's shelf says about each slot.
#include <bookend/mock/machine.hpp>
#include <doctest/doctest.h>

#include <string>

namespace {
using namespace bookend;
using machine = mock::machine<2, 4>;
using kernel_breakpoint = machine::kernel_breakpoint;
using user_breakpoint = machine::user_breakpoint;

const request writes{0x1000, 8, access::write};
const request reads{0x2000, 4, access::read};
void ignore(const machine::hit&) {}

bool free_slot(const snapshot<mock::system<2, 4>>::slot& s) {
  return s.state == slot_state::free && !s.on && std::string(s.name).empty() && s.cookie == 0 && s.generation == 0 &&
         s.watched == request{};
}

TEST_CASE("a snapshot of an idle CPU: online, and every slot free") {
  machine m;
  const auto s = m.slots.snapshot(1);
  CHECK(s.cpu == 1);
  CHECK(s.online);
  CHECK_FALSE(s.away);
  CHECK_FALSE(s.broken);
  for (const auto& slot : s.slots) CHECK(free_slot(slot));
}

TEST_CASE("a snapshot says of each slot who holds it, what it watches, whether it is on and which registration it is of") {
  machine m;
  machine::task t;
  kernel_breakpoint on{"on", ignore}, off{"off", ignore}, elsewhere{"elsewhere", ignore};
  user_breakpoint wide{"wide", 0xc0ffee}, there{"there", 7};
  REQUIRE(!m.slots.withhold(0, 0b1000));
  REQUIRE(!m.slots.register_breakpoint(on, writes));
  REQUIRE(!m.slots.modify(on, reads));
  REQUIRE(!m.slots.register_breakpoint(off, writes, machine::slot_manager::mask::of(0), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(elsewhere, writes, machine::slot_manager::mask::of(1)));
  REQUIRE(!m.slots.register_breakpoint(wide, t, writes));
  m.run(0, t);

  const auto s = m.slots.snapshot(0);
  CHECK(s.slots[3].state == slot_state::withheld);
  CHECK(std::string(s.slots[3].name).empty());
  CHECK(s.slots[2].state == slot_state::kernel);
  CHECK(std::string(s.slots[2].name) == "on");
  CHECK(s.slots[2].on);
  CHECK(s.slots[2].watched == reads);
  CHECK(s.slots[2].generation == 4);  // registered, then re-aimed: two changes
  CHECK(s.slots[1].state == slot_state::kernel);
  CHECK(std::string(s.slots[1].name) == "off");
  CHECK_FALSE(s.slots[1].on);
  CHECK(s.slots[1].watched == writes);
  CHECK(s.slots[1].generation == 2);
  CHECK(s.slots[0].state == slot_state::user);
  CHECK(std::string(s.slots[0].name) == "wide");
  CHECK(s.slots[0].cookie == 0xc0ffee);
  CHECK(s.slots[0].on);

  const auto other = m.slots.snapshot(1);
  CHECK(std::string(other.slots[3].name) == "on");
  CHECK(std::string(other.slots[2].name) == "elsewhere");
  CHECK(free_slot(other.slots[1]));
  CHECK(free_slot(other.slots[0]));  // the task runs elsewhere

  m.idle(0);
  CHECK(free_slot(m.slots.snapshot(0).slots[0]));
  CHECK(std::string(s.slots[0].name) == "wide");  // a value: it stays as it was
  REQUIRE(!m.slots.register_breakpoint(there, t, reads, pinned{1}, start::disabled));
  m.run(1, t);
  CHECK(m.slots.snapshot(1).slots[1].cookie == 7);
  CHECK_FALSE(m.slots.snapshot(1).slots[1].on);
  for (auto* b : {&on, &off, &elsewhere}) CHECK(!m.slots.unregister_breakpoint(*b));
  m.slots.on_exit(t);
}

TEST_CASE("a snapshot shows what here-verbs have changed on that CPU alone") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, writes));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(b); }));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.modify(b, reads); }));
  CHECK(m.slots.snapshot(0).slots[3].on);
  CHECK(m.slots.snapshot(0).slots[3].watched == writes);
  CHECK_FALSE(m.slots.snapshot(1).slots[3].on);
  CHECK(m.slots.snapshot(1).slots[3].watched == reads);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("a snapshot says when a CPU is offline, or its registers are away, and what is registered all the same") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, writes));
  (void)m.guarded(0, [](auto view) { return view.lend(); });
  CHECK(m.slots.snapshot(0).away);
  CHECK(m.slots.snapshot(0).slots[3].on);
  CHECK(!m.guarded(0, [](auto view) { return view.restore(); }));
  CHECK_FALSE(m.slots.snapshot(0).away);
  m.guarded(0, [](auto view) { view.silence(); });
  CHECK(m.slots.snapshot(0).away);
  REQUIRE(!m.offline(1));
  CHECK_FALSE(m.slots.snapshot(1).online);
  CHECK(m.slots.snapshot(1).slots[3].state == slot_state::kernel);
  CHECK(m.slots.snapshot(1).slots[3].on);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("a snapshot says broken from a write that failed for good to the next one that works") {
  mock::machine<1, 2, 1, true> m;
  mock::machine<1, 2, 1, true>::kernel_breakpoint b{"b", [](auto&) {}};
  REQUIRE(!m.slots.register_breakpoint(b, writes));
  CHECK_FALSE(m.slots.snapshot(0).broken);
  m.system().faults().fail(1, mock::fault::refused, mock::faults<true>::forever);
  CHECK(m.slots.disable(b).why == reason::hardware);
  CHECK(m.slots.snapshot(0).broken);
  m.system().faults().fail_none();
  CHECK(!m.slots.disable(b));
  CHECK_FALSE(m.slots.snapshot(0).broken);
  CHECK(m.consistent());
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("taking a snapshot writes no register and needs one cross-call at most, none if the CPU is offline") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, writes));
  m.forget_log();
  (void)m.slots.snapshot(0);
  REQUIRE(m.log().empty());
  REQUIRE(!m.offline(1));  // the mock complains about a cross-call to it
  (void)m.slots.snapshot(1);
  CHECK(!m.slots.unregister_breakpoint(b));
}
}  // namespace
