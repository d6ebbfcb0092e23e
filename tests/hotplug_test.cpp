// SPDX-License-Identifier: MIT
// tests/hotplug_test.cpp — mirrors the CPUs' part of include/bookend/slot_manager.hpp: cpu_online, cpu_offline, withhold.
#include <bookend/mock/machine.hpp>
#include <conformance/ends_the_program.hpp>
#include <doctest/doctest.h>

#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {
using namespace bookend;
using bookend::access;  // not <unistd.h>'s
using machine = mock::machine<3, 4>;
using task = machine::task;
using kernel_breakpoint = machine::kernel_breakpoint;
using user_breakpoint = machine::user_breakpoint;
using mask = machine::slot_manager::mask;

constexpr request at(std::uint64_t address) { return {address, 8, access::write}; }
void ignore(const machine::hit&) {}

/// Everything that a caller can see of a machine.
template <class Machine>
std::string all_of(Machine& m) {
  std::string s;
  for (cpu_id cpu = 0; cpu < Machine::max_cpus; ++cpu) {
    const auto shelf = m.slots.snapshot(cpu);
    s += "\ncpu " + std::to_string(cpu) + (shelf.online ? " on" : " off");
    for (const auto& slot : shelf.slots)
      s += " [" + std::to_string(static_cast<int>(slot.state)) + slot.name + (slot.on ? "+" : "-") +
           std::to_string(slot.watched.address) + "]";
    for (unsigned i = 0; i < std::size(shelf.slots); ++i) s += " " + std::to_string(m.system().bank(cpu).address(i));
    s += " " + std::to_string(m.system().bank(cpu).control().on);
  }
  for (cpu_id cpu : m.slots.full()) s += " full" + std::to_string(cpu);
  return s;
}
template <class Machine>
void hostile_registers(Machine& m, cpu_id cpu) {
  auto& bank = m.system().bank(cpu);
  for (slot_id i = 0; i < 4; ++i) bank.set_address(i, 0xdead0000 + 8 * i);
  mock::control<4> on{.on = 0b1111};
  for (auto& kind : on.kind) kind = mock::kind_of(3, 7);
  bank.set_control(on);
  bank.set_status(mock::status_reset | 0b1111 | mock::status_step);
}

TEST_CASE("a new manager drives no CPU: what is registered is armed when the first one comes") {
  slot_manager<mock::system<2, 4>> slots;
  slot_manager<mock::system<2, 4>>::kernel_breakpoint b{"b", [](auto&) {}};
  CHECK(slots.online().none());
  REQUIRE(!slots.register_breakpoint(b, at(0x1000)));
  for (cpu_id cpu : {0U, 1U}) CHECK(slots.system().bank(cpu).control().on == 0);
  slots.system().set_online(1, true);
  REQUIRE(!slots.cpu_online(1));
  CHECK(slots.online() == cpumask<2>::of(1));
  CHECK(slots.system().bank(1).control().on == 0b1000);
  CHECK(slots.system().bank(0).control().on == 0);
  CHECK(!slots.unregister_breakpoint(b));
  CHECK(slots.system().bank(1).control().on == 0);
}

// defect 25: a breakpoint for every CPU covered those only that were online when it was registered.
TEST_CASE("a breakpoint that is registered while a CPU is offline is armed there when the CPU comes, and not before") {
  machine m;
  static int hits;
  hits = 0;
  kernel_breakpoint everywhere{"everywhere", [](auto& h) { hits += h.here.cpu() == 1; }};
  kernel_breakpoint only_there{"only there", ignore}, disabled{"disabled", ignore};
  REQUIRE(!m.offline(1));
  m.forget_log();
  REQUIRE(!m.slots.register_breakpoint(everywhere, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(only_there, at(0x2000), mask::of(1)));
  REQUIRE(!m.slots.register_breakpoint(disabled, at(0x3000), mask::of(1), start::disabled));
  for (const auto& w : m.log()) CHECK(w.cpu != 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  REQUIRE(!m.online(1));
  CHECK(m.consistent());
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(hits == 1);
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(1, 0x3000, 8) == 0);
  CHECK(!m.slots.enable(disabled));
  CHECK(m.write(1, 0x3000, 8) == 1);
  for (auto* b : {&everywhere, &only_there, &disabled}) CHECK(!m.slots.unregister_breakpoint(*b));
}

TEST_CASE("what is registered counts on CPUs that are offline, so that none comes online overcommitted") {
  machine m;
  REQUIRE(!m.offline(2));
  kernel_breakpoint b[5] = {{"0", ignore}, {"1", ignore}, {"2", ignore}, {"3", ignore}, {"4", ignore}};
  for (int i = 0; i < 4; ++i) REQUIRE(!m.slots.register_breakpoint(b[i], at(0x1000), mask::of(2)));
  const auto before = all_of(m);
  const refusal no = m.slots.register_breakpoint(b[4], at(0x1000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 2);
  CHECK(no.kernel_held == 4);
  CHECK(all_of(m) == before);
  CHECK(!m.slots.register_breakpoint(b[4], at(0x1000), mask::of(0, 1)));
  CHECK(!m.online(2));
  CHECK(m.consistent());
  for (auto& each : b) CHECK(!m.slots.unregister_breakpoint(each));
}

TEST_CASE("a CPU that goes is off and stays untouched; its slots are kept, and what here-verbs had changed there is, too") {
  machine m;
  kernel_breakpoint quiet_there{"quiet there", ignore}, aimed_there{"aimed there", ignore};
  REQUIRE(!m.slots.register_breakpoint(quiet_there, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(aimed_there, at(0x2000)));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(quiet_there); }));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.modify(aimed_there, at(0x2100)); }));
  m.forget_log();
  REQUIRE(!m.offline(1));
  CHECK(m.log().size() == 1);
  CHECK(m.write(1, 0x2100, 8) == 0);
  CHECK(m.slots.online() == mask::of(0, 2));
  hostile_registers(m, 1);  // whoever has it meanwhile
  m.forget_log();
  REQUIRE(!m.online(1));
  CHECK(m.consistent());
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(m.write(1, 0x2000, 8) == 0);
  CHECK(m.write(1, 0x2100, 8) == 1);
  CHECK(m.last_trap(1).rest == 0);  // nothing stale in the status
  CHECK(m.write(0, 0x1000, 8) == 1);
  for (auto* b : {&quiet_there, &aimed_there}) CHECK(!m.slots.unregister_breakpoint(*b));
}

TEST_CASE("coming online costs the status, one control write off, the addresses that are held and one control write on") {
  machine m;
  kernel_breakpoint a{"a", ignore}, b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(b, at(0x2000), mask::all(), start::disabled));
  REQUIRE(!m.offline(1));
  hostile_registers(m, 1);
  m.forget_log();
  REQUIRE(!m.online(1));
  std::vector<mock::reg> order;
  for (const auto& w : m.log()) {
    CHECK(w.cpu == 1);
    order.push_back(w.which);
  }
  using mock::reg;
  CHECK(order == std::vector<reg>{reg::status, reg::control, reg::address, reg::address, reg::control});
  CHECK(m.log()[1].value == 0);
  CHECK(m.log()[4].value == 0b1000);
  for (auto* each : {&a, &b}) CHECK(!m.slots.unregister_breakpoint(*each));
}

TEST_CASE("a CPU that is reset in the middle of a trap comes online without it") {
  machine m;
  int hits = 0;
  struct counted : kernel_breakpoint {
    explicit counted(int& n)
        : kernel_breakpoint("b", [](const machine::hit& h) { ++static_cast<counted&>(h.kernel()).count; }), count(n) {}
    int& count;
  } b{hits};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.offline(1));
  // An NMI on the CPU while it is away, cut off by INIT: its scope never ends.
  alignas(quiet_scope<mock::system<3, 4>>) static unsigned char storage[sizeof(quiet_scope<mock::system<3, 4>>)];
  {
    const auto place = m.system().enter_trap(1);
    ::new (storage) auto(m.slots.on(1).quiet());
    m.system().leave_trap(place);
  }
  REQUIRE(!m.online(1));
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(hits == 1);
  CHECK(m.consistent());
  m.system().migrate(1);
  CHECK(!m.slots.disable(b));  // by a thread of that CPU, which is in no trap
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("online twice, or offline twice, does nothing; a CPU that there is not is refused") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.forget_log();
  CHECK(!m.slots.cpu_online(1));
  CHECK(m.log().empty());
  REQUIRE(!m.offline(1));
  m.forget_log();
  CHECK(!m.slots.cpu_offline(1));
  CHECK(m.log().empty());
  const auto before = all_of(m);
  for (cpu_id cpu : {3U, 64U, ~0U}) {
    CHECK(m.slots.cpu_online(cpu).why == reason::bad_cpu);
    CHECK(m.slots.cpu_online(cpu).cpu == cpu);
    CHECK(m.slots.cpu_offline(cpu).why == reason::bad_cpu);
    CHECK(m.slots.withhold(cpu, 1).why == reason::bad_cpu);
  }
  CHECK(all_of(m) == before);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("every verb reaches the row of an offline CPU, and the CPU comes back with the outcome") {
  machine m;
  kernel_breakpoint enabled{"enabled", ignore}, disabled{"disabled", ignore}, modified{"modified", ignore},
      moved{"moved", ignore};
  REQUIRE(!m.slots.register_breakpoint(enabled, at(0x1000), mask::all(), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(disabled, at(0x2000)));
  REQUIRE(!m.slots.register_breakpoint(modified, at(0x3000)));
  REQUIRE(!m.slots.register_breakpoint(moved, at(0x4000), mask::of(0)));
  REQUIRE(!m.offline(1));
  CHECK(!m.slots.enable(enabled));
  CHECK(!m.slots.disable(disabled));
  CHECK(!m.slots.modify(modified, at(0x3100)));
  CHECK(!m.slots.move(moved, mask::of(1)));
  REQUIRE(!m.online(1));
  CHECK(m.consistent());
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.write(1, 0x2000, 8) == 0);
  CHECK(m.write(1, 0x3000, 8) == 0);
  CHECK(m.write(1, 0x3100, 8) == 1);
  CHECK(m.write(1, 0x4000, 8) == 1);
  CHECK(m.write(0, 0x4000, 8) == 0);
  REQUIRE(!m.offline(1));
  for (auto* b : {&enabled, &disabled, &modified, &moved}) CHECK(!m.slots.unregister_breakpoint(*b));
  REQUIRE(!m.online(1));
  CHECK(m.system().bank(1).control().on == 0);
  CHECK(m.consistent());
}

TEST_CASE_TEMPLATE("user breakpoints go with the CPU and come back with their task", Machine, machine,
                   mock::machine_of<mock::system_with_tasks<3, 4>>) {
  Machine m;
  typename Machine::task t;
  typename Machine::user_breakpoint wide{"wide"}, there{"there"};
  REQUIRE(!m.slots.register_breakpoint(wide, t, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(there, t, at(0x2000), pinned{1}));
  REQUIRE(!m.run(1, t));
  REQUIRE(!m.idle(1));
  REQUIRE(!m.offline(1));
  REQUIRE(!m.run(0, t));
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.write(0, 0x2000, 8) == 0);
  REQUIRE(!m.idle(0));
  REQUIRE(!m.online(1));
  CHECK(m.write(1, 0x1000, 8) == 0);
  REQUIRE(!m.run(1, t));
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.write(1, 0x2000, 8) == 1);
  REQUIRE(!m.offline(1));  // while it is loaded
  CHECK(m.write(1, 0x1000, 8) == 0);
  REQUIRE(!m.run(1, t));  // on its way out, the CPU switches once more, and loads nothing
  CHECK(m.slots.snapshot(1).slots[0].state == slot_state::free);
  REQUIRE(!m.online(1));
  CHECK(m.write(1, 0x1000, 8) == 0);  // not before its next switch
  REQUIRE(!m.run(1, t));
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.consistent());
  REQUIRE(!m.offline(1));
  m.slots.on_exit(t);  // the row of the CPU that is gone must not remember it
  REQUIRE(!m.online(1));
  CHECK(m.system().bank(1).control().on == 0);
  CHECK(m.slots.snapshot(1).slots[0].state == slot_state::free);
}

TEST_CASE("a CPU whose registers do not take a write stays offline, whichever write it is; everybody else sees nothing of it") {
  using fallible = mock::machine<2, 4, 1, true>;
  for (const auto how : {mock::fault::refused, mock::fault::dropped, mock::fault::late})
    for (unsigned k = 1; k <= 4; ++k) {
      CAPTURE(k);
      fallible m;
      fallible::kernel_breakpoint a{"a", [](auto&) {}}, b{"b", [](auto&) {}};
      REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
      REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
      REQUIRE(!m.offline(1));
      for (slot_id i = 0; i < 4; ++i) m.system().bank(1).set_address(i, 0xdead0);
      m.forget_log();
      m.system().faults().fail(k, how);
      const refusal no = m.online(1);
      CHECK(no.why == reason::hardware);
      CHECK(no.cpu == 1);
      CHECK(m.slots.online() == cpumask<2>::of(0));
      CHECK_FALSE(m.slots.snapshot(1).online);
      CHECK(m.system().bank(1).control().on == 0);  // nothing half armed is left behind
      for (const auto& w : m.log()) CHECK(w.cpu == 1);
      CHECK(m.write(0, 0x1000, 8) == 1);
      m.system().faults().fail_none();
      REQUIRE(!m.online(1));
      CHECK(m.consistent());
      CHECK(m.write(1, 0x1000, 8) == 1);
      CHECK(m.write(1, 0x2000, 8) == 1);
      CHECK(!m.slots.unregister_breakpoint(a));
      CHECK(!m.slots.unregister_breakpoint(b));
    }
}

TEST_CASE("a CPU that goes while its registers take no writes says so, is gone all the same, and comes back clean") {
  using fallible = mock::machine<2, 4, 1, true>;
  fallible m;
  fallible::kernel_breakpoint b{"b", [](auto&) {}};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.system().faults().fail(1, mock::fault::refused, mock::faults<true>::forever);
  const refusal no = m.offline(1);
  CHECK(no.why == reason::hardware);
  CHECK(no.cpu == 1);
  CHECK(m.slots.online() == cpumask<2>::of(0));
  m.system().faults().fail_none();
  CHECK(!m.slots.unregister_breakpoint(b));
  REQUIRE(!m.online(1));
  CHECK(m.system().bank(1).control().on == 0);
  CHECK(m.consistent());
}

// withhold

TEST_CASE("a CPU with fewer slots: the shelf there is smaller from the top, and elsewhere it is not") {
  machine m;
  m.system().bank(1).set_address(3, 0xF1F0);  // somebody's own
  REQUIRE(!m.slots.withhold(1, 0b1100));
  kernel_breakpoint b[3] = {{"0", ignore}, {"1", ignore}, {"2", ignore}};
  REQUIRE(!m.slots.register_breakpoint(b[0], at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(b[1], at(0x2000)));
  const auto before = all_of(m);
  const refusal no = m.slots.register_breakpoint(b[2], at(0x3000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(no.kernel_held == 4);  // the missing ones are taken
  CHECK(all_of(m) == before);
  CHECK(m.slots.full() == mask::of(1));
  CHECK(!m.slots.register_breakpoint(b[2], at(0x3000), mask::of(0, 2)));
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.slots.snapshot(1).slots[3].state == slot_state::withheld);
  CHECK(std::string(m.slots.snapshot(1).slots[1].name) == "0");
  for (auto& each : b) CHECK(!m.slots.unregister_breakpoint(each));
  CHECK(m.slots.snapshot(1).slots[3].state == slot_state::withheld);  // for good
  REQUIRE(!m.offline(1));
  REQUIRE(!m.online(1));
  CHECK(m.system().bank(1).address(3) == 0xF1F0);  // whatever happened
}

TEST_CASE("withholding a slot moves the running task's breakpoints out of it, in the same go") {
  machine m;
  task t;
  user_breakpoint a{"a", 1}, b{"b", 2};
  REQUIRE(!m.slots.register_breakpoint(a, t, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(b, t, at(0x2000)));
  REQUIRE(!m.run(1, t));
  REQUIRE(!m.slots.withhold(1, 0b0001));
  CHECK(m.consistent());
  CHECK(m.slots.snapshot(1).slots[0].state == slot_state::withheld);
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.last_trap(1).user_hits[0].slot == 1);
  CHECK(m.last_trap(1).user == 1);  // its own number is what it was
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.last_trap(1).user_hits[0].slot == 2);
  CHECK(m.system().bank(1).control().on == 0b0110);
  REQUIRE(!m.idle(1));
  REQUIRE(!m.run(0, t));
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.last_trap(0).user_hits[0].slot == 0);
  m.slots.on_exit(t);
}

TEST_CASE(
    "withholding is refused where the kernel holds one of the slots, or what is registered would no longer fit: nothing has "
    "changed") {
  machine m;
  task t;
  kernel_breakpoint k{"k", ignore};
  user_breakpoint u[2];
  REQUIRE(!m.slots.register_breakpoint(k, at(0x1000), mask::of(1)));
  for (auto& b : u) REQUIRE(!m.slots.register_breakpoint(b, t, at(0x2000)));
  REQUIRE(!m.run(1, t));
  const auto before = all_of(m);
  m.forget_log();
  for (const slot_mask slots : {0b1000U, 0b1001U, 0b1111U, 0b0011U, 0b0111U, 0b0101U}) {
    CAPTURE(slots);
    const refusal no = m.slots.withhold(1, slots);
    CHECK(no.why == reason::no_slot);
    CHECK(no.cpu == 1);
    CHECK(no.kernel_held == 1);
    CHECK(no.user_held == 2);
  }
  CHECK(m.slots.withhold(0, 0b1110).why == reason::no_slot);  // a task needs two wherever it may run
  CHECK(m.log().empty());
  CHECK(all_of(m) == before);
  CHECK(!m.slots.withhold(1, 0b0010));                        // the last free one
  CHECK(m.slots.withhold(1, 0b0010).why == reason::no_slot);  // it is gone already
  CHECK(!m.slots.withhold(0, 0b1100));
  CHECK(m.consistent());
  m.slots.on_exit(t);
  CHECK(!m.slots.unregister_breakpoint(k));
}

TEST_CASE("withholding slots that no CPU of the machine has is the caller's bug, and stops there") {
  CHECK(conformance::ends_the_program([] {
    machine m;
    (void)m.slots.withhold(1, ~slot_mask{0b0111});
  }));
  CHECK_FALSE(conformance::ends_the_program([] {
    machine m;
    (void)m.slots.withhold(1, 0b1111 & ~slot_mask{0b0111});
  }));
}

TEST_CASE("slots of two pools are withheld from each, or, where one pool is short, from none") {
  mock::machine<1, 4, 2> m;  // execution: slots 0 and 1; data: 2 and 3
  using two_pools = decltype(m);
  two_pools::kernel_breakpoint data{"data", [](auto&) {}}, code{"code", [](auto&) {}};
  REQUIRE(!m.slots.register_breakpoint(data, at(0x1000)));
  const refusal no = m.slots.withhold(0, 0b1101);
  CHECK(no.why == reason::no_slot);
  CHECK(no.pool == 1);
  REQUIRE(!m.slots.register_breakpoint(code, {0x2000, 1, access::execute}));
  CHECK(!m.slots.unregister_breakpoint(code));
  CHECK(!m.slots.withhold(0, 0b0101));
  REQUIRE(!m.slots.register_breakpoint(code, {0x2000, 1, access::execute}));
  CHECK(m.slots.snapshot(0).slots[1].state == slot_state::kernel);
  CHECK(m.slots.full(cpumask<1>::all(), 0).any());
  CHECK(m.slots.full(cpumask<1>::all(), 1).any());
  CHECK(!m.slots.unregister_breakpoint(code));
  CHECK(!m.slots.unregister_breakpoint(data));
}

TEST_CASE("withholding before the CPU is online, and where the registers fail, is all or nothing") {
  using fallible = mock::machine<2, 4, 1, true>;
  fallible m;
  fallible::task t;
  fallible::user_breakpoint u;
  REQUIRE(!m.offline(1));
  CHECK(!m.slots.withhold(1, 0b1000));
  REQUIRE(!m.online(1));
  REQUIRE(!m.slots.register_breakpoint(u, t, at(0x1000)));
  REQUIRE(!m.run(0, t));
  for (unsigned k = 1; k <= 2; ++k) {  // the address in its new place, control
    m.system().faults().fail(k);
    const refusal no = m.slots.withhold(0, 0b0001);
    CHECK(no.why == reason::hardware);
    CHECK(no.cpu == 0);
    CHECK(m.slots.snapshot(0).slots[0].state == slot_state::user);
    CHECK(m.slots.full().none());
    CHECK(m.write(0, 0x1000, 8) == 1);
    CHECK(m.consistent());
    CHECK(!m.slots.modify(u, at(0x1000 + 8 * k)));  // the slot can be used as before
    CHECK(m.write(0, 0x1000 + 8 * k, 8) == 1);
    CHECK(!m.slots.modify(u, at(0x1000)));
    CHECK(m.consistent());
  }
  m.system().faults().fail_none();
  CHECK(!m.slots.withhold(0, 0b0001));
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.last_trap(0).user_hits[0].slot == 1);
  m.slots.on_exit(t);
}

TEST_CASE("CPUs come and go at random: what hits where is what was asked for, and comes back as it went") {
  struct wish {
    bool registered = false;
    mask cpus{};
    bool on[3]{};
  };
  static unsigned hits[4];
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    machine m;
    kernel_breakpoint b[4] = {{"0", [](auto&) { ++hits[0]; }},
                              {"1", [](auto&) { ++hits[1]; }},
                              {"2", [](auto&) { ++hits[2]; }},
                              {"3", [](auto&) { ++hits[3]; }}};
    wish wishes[4];
    for (int step = 0; step < 60; ++step) {
      const unsigned i = below(4);
      wish& w = wishes[i];
      mask some;
      for (cpu_id cpu = 0; cpu < 3; ++cpu)
        if (below(2) == 0) some.set(cpu);
      const bool yes = below(2) == 0;
      const cpu_id cpu = below(3);
      switch (below(6)) {
        case 0:
          if (w.registered || some.none()) break;
          REQUIRE(!m.slots.register_breakpoint(b[i], at(0x1000 * (i + 1)), some, yes ? start::enabled : start::disabled));
          w = {true, some, {yes, yes, yes}};
          break;
        case 1:
          CHECK(static_cast<bool>(m.slots.unregister_breakpoint(b[i])) == !w.registered);
          w.registered = false;
          break;
        case 2:
          if (m.slots.online().test(cpu))
            (void)m.offline(cpu);
          else
            REQUIRE(!m.online(cpu));
          break;
        case 3:
          if (!m.slots.online().test(cpu)) break;
          if (!m.guarded(cpu, [&](auto view) { return yes ? view.enable(b[i]) : view.disable(b[i]); })) w.on[cpu] = yes;
          break;
        case 4:
          if (!(yes ? m.slots.enable(b[i]) : m.slots.disable(b[i])))
            for (bool& on : w.on) on = yes;
          break;
        default:
          if (m.slots.online().count() < 3) (void)m.online((mask::all() - m.slots.online()).first());
      }
      REQUIRE(m.consistent());
      for (unsigned j = 0; j < 4; ++j)
        for (cpu_id c = 0; c < 3; ++c) {
          hits[j] = 0;
          m.write(c, 0x1000 * (j + 1), 8);
          REQUIRE(hits[j] ==
                  (wishes[j].registered && wishes[j].cpus.test(c) && wishes[j].on[c] && m.slots.online().test(c) ? 1 : 0));
        }
    }
    for (unsigned i = 0; i < 4; ++i)
      if (wishes[i].registered) CHECK(!m.slots.unregister_breakpoint(b[i]));
  }
}
}  // namespace
