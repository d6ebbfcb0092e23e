// SPDX-License-Identifier: MIT
// tests/pools_test.cpp — a machine whose execution and data slots are not interchangeable, as on arm64.
#include <bookend/mock/machine.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;
using machine = mock::machine<2, 4, 2>;  // slots 0 and 1 execute, 2 and 3 data
constexpr request data(std::uint64_t a) { return {a, 8, access::write}; }
constexpr request code(std::uint64_t a) { return {a, 1, access::execute}; }

struct fixture {
  machine m;
  machine::kernel_breakpoint k[4] = {{"k0", h}, {"k1", h}, {"k2", h}, {"k3", h}};
  machine::task t;
  machine::user_breakpoint u[2];
  static void h(const machine::hit&) {}
  ~fixture() {
    for (auto& b : k)
      if (!b.idle()) CHECK(!m.slots.unregister_breakpoint(b));
    m.slots.on_exit(t);
    for (unsigned p = 0; p < 2; ++p) CHECK(m.slots.full(machine::slot_manager::mask::all(), p).none());
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "each pool is full on its own") {
  REQUIRE(!m.slots.register_breakpoint(k[0], data(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(k[1], data(0x2000)));
  const refusal no = m.slots.register_breakpoint(k[2], data(0x3000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.pool == 1);
  CHECK(no.kernel_held == 2);
  CHECK(m.slots.full(machine::slot_manager::mask::all(), 0).none());
  CHECK(m.slots.full(machine::slot_manager::mask::all(), 1).count() == 2);
  REQUIRE(!m.slots.register_breakpoint(k[2], code(0x3000)));
  REQUIRE(!m.run(0, t));
  REQUIRE(!m.slots.register_breakpoint(u[0], t, code(0x4000)));
  CHECK(m.slots.register_breakpoint(u[1], t, code(0x5000)).pool == 0);
  const auto s = m.slots.snapshot(0);
  CHECK(s.slots[3].watched == data(0x1000));
  CHECK(s.slots[2].watched == data(0x2000));
  CHECK(s.slots[1].watched == code(0x3000));
  CHECK(s.slots[0].watched == code(0x4000));
  CHECK(m.consistent());
}

TEST_CASE_FIXTURE(fixture, "modify to the other pool takes its slot first and gives the old one back") {
  REQUIRE(!m.slots.register_breakpoint(k[0], data(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(k[1], data(0x2000)));
  REQUIRE(!m.slots.modify(k[0], code(0x3000)));
  CHECK(m.execute(1, 0x3000) == 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  REQUIRE(!m.slots.register_breakpoint(k[2], data(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(k[3], code(0x4000)));
  const refusal no = m.slots.modify(k[2], code(0x5000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.pool == 0);
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.consistent());
}

TEST_CASE_FIXTURE(fixture, "a disabled breakpoint stays disabled across pools") {
  REQUIRE(!m.slots.register_breakpoint(k[0], data(0x1000)));
  CHECK(!m.slots.disable(k[0]));
  REQUIRE(!m.slots.modify(k[0], code(0x3000)));
  CHECK(m.execute(0, 0x3000) == 0);
  CHECK(!m.slots.enable(k[0]));
  CHECK(m.execute(0, 0x3000) == 1);
}

TEST_CASE_FIXTURE(fixture,
                  "a user breakpoint changes pool too, wide or pinned, and is refused with nothing changed when it is full") {
  REQUIRE(!m.run(1, t));
  REQUIRE(!m.slots.register_breakpoint(u[0], t, data(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(u[1], t, data(0x2000), pinned{1}));
  REQUIRE(!m.slots.modify(u[0], code(0x3000)));
  REQUIRE(!m.slots.modify(u[1], code(0x4000)));
  CHECK(m.execute(1, 0x3000) == 1);
  CHECK(m.execute(1, 0x4000) == 1);
  REQUIRE(!m.slots.register_breakpoint(k[0], data(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(k[1], data(0x1000)));
  CHECK(m.slots.modify(u[0], data(0x1000)).why == reason::no_slot);
  CHECK(m.slots.modify(u[1], data(0x1000)).why == reason::no_slot);
  CHECK(m.execute(1, 0x3000) == 1);
  CHECK(m.execute(1, 0x4000) == 1);
  CHECK(m.consistent());
}

TEST_CASE_FIXTURE(fixture, "a modify here cannot change the pool: that takes the ledger") {
  REQUIRE(!m.slots.register_breakpoint(k[0], data(0x1000)));
  CHECK(m.slots.on(0).modify(k[0], code(0x3000)).why == reason::unsupported);
  CHECK(m.write(0, 0x1000, 8) == 1);
}
