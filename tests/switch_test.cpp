// SPDX-License-Identifier: MIT
// tests/switch_test.cpp — the context switch: each task finds its own watches, at the least register writes.
#include <bookend/mock/machine.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;
using machine = mock::machine<2, 4>;

struct fixture {
  machine m;
  machine::task none, a, b;
  machine::user_breakpoint wa[4], wb[4];
  alignas(8) long x[8]{};
  ~fixture() {
    m.slots.on_exit(a);
    m.slots.on_exit(b);
  }
  unsigned writes_of(machine::task& next) {
    m.forget_log();
    REQUIRE(!m.run(0, next));
    CHECK(m.consistent());
    return static_cast<unsigned>(m.log().size());
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "a watch hits in its own task only, on whatever CPU it runs") {
  REQUIRE(!m.slots.register_breakpoint(wa[0], a, write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(wb[0], b, write_to(&x[1])));
  for (cpu_id cpu = 0; cpu < 2; ++cpu) {
    REQUIRE(!m.run(cpu, a));
    CHECK(m.write(cpu, &x[0]) == 1);
    CHECK(m.write(cpu, &x[1]) == 0);
    CHECK(m.write(1 - cpu, &x[0]) == 0);
    REQUIRE(!m.run(cpu, b));
    CHECK(m.write(cpu, &x[0]) == 0);
    CHECK(m.write(cpu, &x[1]) == 1);
    REQUIRE(!m.idle(cpu));
    CHECK(m.write(cpu, &x[1]) == 0);
  }
  REQUIRE(m.delivered().size() == 4);
  CHECK(m.delivered()[0].to == &a);
  CHECK(m.delivered()[1].to == &b);
}

TEST_CASE_FIXTURE(fixture, "registers are written at the minimum") {
  CHECK(writes_of(none) == 0);
  CHECK(writes_of(a) == 0);
  REQUIRE(!m.run(0, none));
  for (unsigned i = 0; i < 2; ++i) REQUIRE(!m.slots.register_breakpoint(wa[i], a, write_to(&x[i])));
  REQUIRE(!m.slots.register_breakpoint(wb[0], b, write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(wb[1], b, write_to(&x[5])));
  CHECK(writes_of(a) == 3);  // two addresses, one control
  CHECK(writes_of(a) == 0);
  CHECK(writes_of(none) == 1);  // control
  CHECK(writes_of(a) == 1);     // the addresses are there still
  CHECK(writes_of(b) == 3);     // slot 0 stays; slot 1: off, address, on
  CHECK(!m.slots.disable(wb[1]));
  CHECK(writes_of(none) == 1);
  CHECK(writes_of(b) == 1);
}

TEST_CASE_FIXTURE(fixture, "a change to a running task's watches reaches it at once, to another task at its next switch") {
  REQUIRE(!m.run(0, a));
  REQUIRE(!m.slots.register_breakpoint(wa[0], a, write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(wb[0], b, write_to(&x[1])));
  CHECK(m.write(0, &x[0]) == 1);
  REQUIRE(!m.slots.modify(wa[0], write_to(&x[2])));
  CHECK(m.write(0, &x[0]) == 0);
  CHECK(m.write(0, &x[2]) == 1);
  CHECK(m.delivered()[1].hit.generation == m.delivered()[0].hit.generation + 1);
  CHECK(!m.slots.disable(wa[0]));
  CHECK(m.write(0, &x[2]) == 0);
  REQUIRE(!m.slots.modify(wa[0], write_to(&x[3])));
  CHECK(m.write(0, &x[3]) == 0);
  CHECK(!m.slots.enable(wa[0]));
  CHECK(m.write(0, &x[3]) == 1);
  REQUIRE(!m.slots.modify(wb[0], write_to(&x[4])));
  REQUIRE(!m.run(0, b));
  CHECK(m.write(0, &x[4]) == 1);
  CHECK(!m.slots.unregister_breakpoint(wb[0]));
  CHECK(m.write(0, &x[4]) == 0);
}

// defect 12: a task's request was checked against the busiest other task
TEST_CASE_FIXTURE(fixture, "tasks do not compete: each may use every slot the kernel leaves") {
  machine::kernel_breakpoint k{"k", [](const machine::hit&) {}};
  REQUIRE(!m.slots.register_breakpoint(k, write_to(&x[7])));
  for (unsigned i = 0; i < 3; ++i) {
    REQUIRE(!m.slots.register_breakpoint(wa[i], a, write_to(&x[i])));
    REQUIRE(!m.slots.register_breakpoint(wb[i], b, write_to(&x[i])));
  }
  const refusal no = m.slots.register_breakpoint(wa[3], a, write_to(&x[3]));
  CHECK(no.why == reason::no_slot);
  CHECK(no.kernel_held == 1);
  CHECK(no.user_held == 3);
  CHECK(wa[3].idle());
  CHECK(!m.slots.unregister_breakpoint(k));
}

// defect 2: a CPU that switched context before its cross-call armed a register it had not written
TEST_CASE_FIXTURE(fixture, "a kernel breakpoint that arrives between two switches is armed with its own address only") {
  REQUIRE(!m.slots.register_breakpoint(wa[0], a, write_to(&x[0])));
  machine::kernel_breakpoint k{"k", [](const machine::hit&) {}};
  REQUIRE(!m.run(0, a));
  m.before_each_write([&](const auto&) {
    for (cpu_id cpu = 0; cpu < 2; ++cpu) {
      const auto& bank = m.system().bank(cpu);
      for (slot_id s = 0; s < 4; ++s)
        if ((bank.control().on >> s & 1) != 0) CHECK(bank.address(s) == reinterpret_cast<std::uint64_t>(s == 0 ? &x[0] : &x[1]));
    }
  });
  REQUIRE(!m.slots.register_breakpoint(k, write_to(&x[1])));
  REQUIRE(!m.run(0, none));
  REQUIRE(!m.run(0, a));
  m.before_each_write(nullptr);
  CHECK(!m.slots.unregister_breakpoint(k));
}

// defect 4: compaction renumbered live kernel breakpoints while another CPU was in a trap. defect 30: removal moved the last
// slot's.
TEST_CASE_FIXTURE(fixture, "removing a kernel breakpoint leaves the other kernel breakpoints in their slots") {
  machine::kernel_breakpoint k[3] = {
      {"k0", [](const machine::hit&) {}}, {"k1", [](const machine::hit&) {}}, {"k2", [](const machine::hit&) {}}};
  for (unsigned i = 0; i < 3; ++i) REQUIRE(!m.slots.register_breakpoint(k[i], write_to(&x[i])));
  m.forget_log();
  CHECK(!m.slots.unregister_breakpoint(k[0]));
  CHECK(m.log().size() == 2);  // one control write a CPU
  const auto s = m.slots.snapshot(1);
  CHECK(s.slots[3].state == slot_state::free);
  CHECK(s.slots[2].watched == write_to(&x[1]));
  CHECK(s.slots[1].watched == write_to(&x[2]));
  CHECK(m.consistent());
  for (unsigned i = 1; i < 3; ++i) CHECK(!m.slots.unregister_breakpoint(k[i]));
}

namespace {
/// A platform that knows its current task, as a kernel does.
struct knowing : mock::backend<1, 4>, single_thread<1> {
  static bool may_watch(side, range) noexcept { return true; }
  template <class Task>
  Task* current_task(cpu_id) const noexcept {
    return static_cast<Task*>(running);
  }
  void* running = nullptr;
};
}  // namespace

TEST_CASE("a platform that knows the current task needs no store in the switch") {
  using manager = slot_manager<knowing>;
  static_assert(has_current_task<knowing, manager::task>);
  manager slots;
  REQUIRE(!slots.cpu_online(0));
  manager::task t, idle;
  manager::user_breakpoint u;
  slots.on(0).switch_to(idle, t);
  slots.system().running = &t;
  REQUIRE(!slots.register_breakpoint(u, t, {0x1000, 8, access::write}));
  CHECK(slots.system().bank(0).control().on == 1);
  slots.on(0).switch_to(t, idle);
  slots.system().running = &idle;
  CHECK(slots.system().bank(0).control().on == 0);
  slots.on_exit(t);
}
