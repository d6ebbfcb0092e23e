// SPDX-License-Identifier: MIT
// tests/lend_test.cpp — mirrors lend, restore and silence of include/bookend/here.hpp: registers that are somebody else's
// for a while.
#include <bookend/mock/machine.hpp>
#include <conformance/ends_the_program.hpp>
#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace {
using namespace bookend;
using bookend::access;  // not <unistd.h>'s
using machine = mock::machine<2, 4>;
using task = machine::task;
using kernel_breakpoint = machine::kernel_breakpoint;
using user_breakpoint = machine::user_breakpoint;
using mask = machine::slot_manager::mask;
using mock::reg;

constexpr request at(std::uint64_t address) { return {address, 8, access::write}; }
void ignore(const machine::hit&) {}

template <class Machine>
void lend(Machine& m, cpu_id cpu) {
  (void)m.guarded(cpu, [](auto view) { return view.lend(); });
}
template <class Machine>
refusal restore(Machine& m, cpu_id cpu) {
  return m.guarded(cpu, [](auto view) { return view.restore(); });
}
template <class Machine>
void silence(Machine& m, cpu_id cpu) {
  m.guarded(cpu, [](auto view) { view.silence(); });
}
/// What a guest makes of the registers, all of them: addresses, control, status.
template <class Machine>
void guest_runs(Machine& m, cpu_id cpu) {
  auto& bank = m.system().bank(cpu);
  for (slot_id i = 0; i < 4; ++i) bank.set_address(i, 0xdead0000 + 8 * i);
  mock::control<4> on{.on = 0b1111};
  for (auto& kind : on.kind) kind = mock::kind_of(3, 7);
  bank.set_control(on);
  bank.set_status(mock::status_reset | 0b0011);
}
template <class Machine>
unsigned writes_to(const Machine& m, cpu_id cpu) {
  unsigned n = 0;
  for (const auto& w : m.log()) n += w.cpu == cpu;
  return n;
}

TEST_CASE("lending turns everything off in one write, and none if nothing is on") {
  machine m;
  kernel_breakpoint a{"a", ignore}, b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
  m.forget_log();
  lend(m, 0);
  REQUIRE(m.log().size() == 1);
  CHECK(m.log()[0].cpu == 0);
  CHECK(m.log()[0].value == 0);
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(m.write(1, 0x1000, 8) == 1);  // the other CPU's are not lent
  REQUIRE(!restore(m, 0));
  CHECK(!m.slots.disable(a));
  CHECK(!m.slots.disable(b));
  m.forget_log();
  lend(m, 0);
  CHECK(m.log().empty());
  CHECK(!restore(m, 0));
  for (auto* each : {&a, &b}) CHECK(!m.slots.unregister_breakpoint(*each));
}

TEST_CASE("taking them back writes what is held and what is on, whatever the guest has left there: off first, then addresses") {
  machine m;
  task t;
  kernel_breakpoint on{"on", ignore}, off{"off", ignore};
  user_breakpoint u;
  REQUIRE(!m.slots.register_breakpoint(on, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(off, at(0x2000), mask::all(), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(u, t, at(0x3000)));
  REQUIRE(!m.run(0, t));
  lend(m, 0);
  guest_runs(m, 0);
  m.forget_log();
  REQUIRE(!restore(m, 0));
  std::vector<reg> order;
  for (const auto& w : m.log()) order.push_back(w.which);
  CHECK(order == std::vector<reg>{reg::control, reg::address, reg::address, reg::address, reg::control});
  CHECK(m.log().front().value == 0);
  CHECK(m.log().back().value == 0b1001);
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.write(0, 0x2000, 8) == 0);
  CHECK(m.write(0, 0x3000, 8) == 1);
  m.slots.on_exit(t);
  for (auto* each : {&on, &off}) CHECK(!m.slots.unregister_breakpoint(*each));
}

TEST_CASE("no verb writes to a CPU whose registers are lent; when they come back, they hold the outcome") {
  machine m;
  task before, meanwhile;
  kernel_breakpoint gone{"gone", ignore}, enabled{"enabled", ignore}, disabled{"disabled", ignore}, aimed{"aimed", ignore};
  kernel_breakpoint fresh{"fresh", ignore};
  user_breakpoint of_before, of_meanwhile;
  REQUIRE(!m.slots.register_breakpoint(gone, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(enabled, at(0x2000), mask::of(0), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(disabled, at(0x3000), mask::of(0)));
  REQUIRE(!m.slots.register_breakpoint(of_before, before, at(0x5000)));
  REQUIRE(!m.run(0, before));
  lend(m, 0);
  guest_runs(m, 0);
  const mock::bank<4> guests = m.system().bank(0);
  m.forget_log();

  CHECK(!m.slots.unregister_breakpoint(gone));
  CHECK(!m.slots.register_breakpoint(aimed, at(0x4000)));
  CHECK(!m.slots.enable(enabled));
  CHECK(!m.slots.disable(disabled));
  CHECK(!m.slots.modify(aimed, at(0x4100)));
  CHECK(!m.slots.unregister_breakpoint(of_before));
  CHECK(!m.slots.register_breakpoint(of_meanwhile, meanwhile, at(0x6000)));
  REQUIRE(!m.run(0, meanwhile));
  CHECK(!m.slots.modify(of_meanwhile, at(0x6100)));
  CHECK(!m.guarded(0, [&](auto view) { return view.modify(aimed, at(0x4200)); }));
  CHECK(!m.guarded(0, [&](auto view) { return view.disable(enabled); }));
  CHECK(!m.guarded(0, [&](auto view) { return view.enable(enabled); }));
  CHECK(m.slots.register_breakpoint(fresh, at(0x7000), mask::of(0)).why == reason::no_slot);
  CHECK(!m.slots.move(aimed, mask::of(0)));
  CHECK(writes_to(m, 0) == 0);
  bool untouched = m.system().bank(0).control() == guests.control() && m.system().bank(0).status() == guests.status();
  for (slot_id i = 0; i < 4; ++i) untouched = untouched && m.system().bank(0).address(i) == guests.address(i);
  CHECK(untouched);

  REQUIRE(!restore(m, 0));
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(m.write(0, 0x2000, 8) == 1);
  CHECK(m.write(0, 0x3000, 8) == 0);
  CHECK(m.write(0, 0x4000, 8) == 0);
  CHECK(m.write(0, 0x4200, 8) == 1);
  CHECK(m.write(0, 0x5000, 8) == 0);
  CHECK(m.write(0, 0x6100, 8) == 1);
  for (auto* each : {&enabled, &disabled, &aimed}) CHECK(!m.slots.unregister_breakpoint(*each));
  m.slots.on_exit(meanwhile);
}

TEST_CASE("a quiet scope while they are lent writes nothing, neither at its start nor at its end") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  lend(m, 0);
  guest_runs(m, 0);
  m.forget_log();
  m.nmi(0, [] {});
  m.nmi(0, [&] { m.nmi(0, [] {}); });
  CHECK(writes_to(m, 0) == 0);
  CHECK(!restore(m, 0));
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE(
    "lent inside a quiet scope and taken back after it, or the other way round: what is wanted is on at the end, and never "
    "before") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  {
    const auto quiet = m.slots.on(0).quiet();
    (void)m.slots.on(0).lend();
    guest_runs(m, 0);
  }
  CHECK(m.system().bank(0).control().on == 0b1111);  // the guest's own
  REQUIRE(!restore(m, 0));
  CHECK(m.consistent());
  {
    const auto quiet = m.slots.on(0).quiet();
    (void)m.slots.on(0).lend();
    guest_runs(m, 0);
    CHECK(!m.slots.on(0).restore());
    CHECK(m.system().bank(0).control().on == 0);  // quiet, the guest's too
  }
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 1);
  lend(m, 0);
  guest_runs(m, 0);
  {
    const auto quiet = m.slots.on(0).quiet();
    CHECK(!m.slots.on(0).restore());
    CHECK(m.system().bank(0).control().on == 0);
  }
  CHECK(m.consistent());
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("an NMI at any write of lend and restore leaves what they were to leave") {
  for (unsigned k = 1; k <= 5; ++k) {
    machine m;
    kernel_breakpoint a{"a", ignore}, b{"b", ignore};
    REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
    REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
    m.before_write(k, [&](const auto& w) { m.nmi(w.cpu, [&] { (void)m.slots.on(0).disable(a); }); });
    lend(m, 0);
    CHECK(m.system().bank(0).control().on == 0);
    guest_runs(m, 0);
    REQUIRE(!restore(m, 0));
    CHECK(m.interrupted() == (k <= 5));
    CHECK(m.consistent());
    CHECK(m.write(0, 0x1000, 8) == 0);
    CHECK(m.write(0, 0x2000, 8) == 1);
    for (auto* each : {&a, &b}) CHECK(!m.slots.unregister_breakpoint(*each));
  }
}

TEST_CASE("lending what is lent already is the caller's bug, and stops there") {
  CHECK(conformance::ends_the_program([] {
    machine m;
    lend(m, 0);
    lend(m, 0);
  }));
  CHECK_FALSE(conformance::ends_the_program([] {
    machine m;
    lend(m, 0);
    (void)restore(m, 0);
    lend(m, 0);
  }));
}

TEST_CASE(
    "when a write fails while registers are taken back, the refusal says so, and the next verb there, or the next try, "
    "succeeds") {
  using fallible = mock::machine<1, 4, 1, true>;
  for (const auto how : {mock::fault::refused, mock::fault::dropped, mock::fault::late})
    for (unsigned k = 1; k <= 4; ++k) {
      CAPTURE(k);
      CAPTURE(static_cast<int>(how));
      fallible m;
      fallible::kernel_breakpoint a{"a", [](auto&) {}}, b{"b", [](auto&) {}};
      REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
      REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
      lend(m, 0);
      m.system().faults().fail(k, how);
      const refusal no = restore(m, 0);
      CHECK(no.why == reason::hardware);
      CHECK(no.cpu == 0);
      if (how != mock::fault::late) CHECK(m.system().bank(0).control().on == 0);  // late: written after all
      m.system().faults().fail_none();
      if (k % 2 == 0)
        CHECK(!restore(m, 0));
      else
        CHECK(!m.slots.enable(a));
      CHECK(m.consistent());
      CHECK(m.write(0, 0x1000, 8) == 1);
      CHECK(m.write(0, 0x2000, 8) == 1);
      CHECK(!m.slots.unregister_breakpoint(a));
      CHECK(!m.slots.unregister_breakpoint(b));
    }
}

TEST_CASE("lending a CPU that is offline, and taking it back, writes nothing") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.offline(0));
  m.forget_log();
  lend(m, 0);
  CHECK(!restore(m, 0));
  CHECK(m.log().empty());
  lend(m, 0);
  REQUIRE(!m.online(0));  // the CPU's registers are the manager's from then on
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("registers that cannot be switched off are lent all the same, and the refusal says so") {
  using fallible = mock::machine<1, 4, 1, true>;
  fallible m;
  fallible::kernel_breakpoint b{"b", [](auto&) {}};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.system().faults().fail(1);
  const refusal no = m.guarded(0, [](auto view) { return view.lend(); });
  CHECK(no.why == reason::hardware);
  CHECK(no.cpu == 0);
  CHECK(m.slots.snapshot(0).away);
  m.forget_log();
  CHECK(!m.slots.disable(b));
  CHECK(m.log().empty());
  CHECK(!restore(m, 0));
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(!m.slots.unregister_breakpoint(b));
}

// silence

TEST_CASE("silence is one control write, from any context, and nothing is written after it") {
  machine m;
  task t;
  kernel_breakpoint b{"b", ignore}, late{"late", ignore};
  user_breakpoint u;
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(u, t, at(0x2000)));
  m.forget_log();
  m.slots.on(0).silence();  // thread
  REQUIRE(m.log().size() == 1);
  CHECK(m.log()[0] == mock::register_write<4>{.cpu = 0, .which = reg::control, .slot = 0, .value = 0, .control = {}});
  m.nmi(1, [&] { m.slots.on(1).silence(); });
  CHECK(m.system().bank(1).control().on == 0);
  m.forget_log();
  REQUIRE(!m.run(0, t));
  CHECK(!m.slots.register_breakpoint(late, at(0x3000)));
  CHECK(!m.slots.disable(b));
  CHECK(!m.slots.enable(b));
  CHECK(!m.slots.modify(b, at(0x1100)));
  m.nmi(0, [] {});
  CHECK(m.log().empty());
  CHECK(m.write(0, 0x1100, 8) == 0);

  CHECK(!restore(m, 0));  // one way back
  REQUIRE(!m.online(1));  // the other
  CHECK(m.consistent());
  for (cpu_id cpu : {0U, 1U}) {
    CHECK(m.write(cpu, 0x1100, 8) == 1);
    CHECK(m.write(cpu, 0x3000, 8) == 1);
  }
  CHECK(m.write(0, 0x2000, 8) == 1);
  m.slots.on_exit(t);
  for (auto* each : {&b, &late}) CHECK(!m.slots.unregister_breakpoint(*each));
}

TEST_CASE("silence of a CPU that is offline writes nothing: its registers are somebody else's") {
  machine m;
  REQUIRE(!m.offline(1));
  m.forget_log();
  m.guarded(1, [](auto view) { view.silence(); });
  CHECK(m.log().empty());
}

TEST_CASE("silence from a handler: the trap ends, and its quiet scope does not turn anything on again") {
  machine m;
  static machine* here;
  here = &m;
  kernel_breakpoint b{"b", [](const auto& h) { here->slots.on(h.here.cpu()).silence(); }};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.system().bank(0).control().on == 0);
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(!restore(m, 0));
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("silence while the registers are lent turns the guest's off, too; taking them back ends both") {
  machine m;
  kernel_breakpoint b{"b", ignore};
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  lend(m, 0);
  guest_runs(m, 0);
  silence(m, 0);
  CHECK(m.system().bank(0).control().on == 0);
  CHECK(!restore(m, 0));
  CHECK(m.consistent());
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("silence that interrupts a verb between any two of its register writes has the last word") {
  const auto verbs = {
      +[](machine& m, kernel_breakpoint& a, kernel_breakpoint& b, task& t) {
        (void)a, (void)t;
        return m.slots.register_breakpoint(b, at(0x2000));
      },
      +[](machine& m, kernel_breakpoint& a, kernel_breakpoint&, task&) { return m.slots.modify(a, at(0x1100)); },
      +[](machine& m, kernel_breakpoint& a, kernel_breakpoint&, task&) { return m.slots.disable(a); },
      +[](machine& m, kernel_breakpoint& a, kernel_breakpoint&, task&) { return m.slots.unregister_breakpoint(a); },
      +[](machine& m, kernel_breakpoint&, kernel_breakpoint&, task& t) { return m.run(0, t); },
      +[](machine& m, kernel_breakpoint&, kernel_breakpoint&, task&) {
        lend(m, 0);
        return restore(m, 0);
      },
  };
  unsigned interruptions = 0;
  for (const auto verb : verbs)
    for (unsigned k = 1; k <= 6; ++k) {
      machine m;
      task t;
      kernel_breakpoint a{"a", ignore}, b{"b", ignore};
      user_breakpoint u;
      REQUIRE(!m.offline(1));  // one CPU's writes are counted
      REQUIRE(!m.slots.register_breakpoint(a, at(0x1000)));
      REQUIRE(!m.slots.register_breakpoint(u, t, at(0x3000)));
      bool silent = false;
      m.before_write(k, [&](const auto& w) {
        m.slots.on(w.cpu).silence();
        silent = true;
      });
      REQUIRE(!verb(m, a, b, t));
      CHECK(silent == m.interrupted());
      m.before_each_write(nullptr);
      interruptions += silent;
      // restore() itself ends a silence that came before it.
      const auto shelf = m.slots.snapshot(0);
      if (silent && shelf.away) REQUIRE(m.system().bank(0).control().on == 0);
      REQUIRE(m.consistent());
      REQUIRE(!restore(m, 0));
      REQUIRE(m.consistent());
      m.slots.on_exit(t);
      for (auto* each : {&a, &b})
        if (!each->idle()) REQUIRE(!m.slots.unregister_breakpoint(*each));
    }
  CHECK(interruptions >= 12);
}

TEST_CASE("registers lent, taken back and silenced at random, with verbs in between, are in the end what was asked for") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    machine m;
    task tasks[2];
    kernel_breakpoint b[3] = {{"0", ignore}, {"1", ignore}, {"2", ignore}};
    user_breakpoint u[2];
    bool lent[2]{}, silenced[2]{};
    for (int step = 0; step < 80; ++step) {
      const cpu_id cpu = below(2);
      auto& kb = b[below(3)];
      auto& ub = u[below(2)];
      m.forget_log();
      switch (below(10)) {
        case 0:
          if (lent[cpu]) break;
          lend(m, cpu);
          lent[cpu] = true;
          guest_runs(m, cpu);
          break;
        case 1:
          REQUIRE(!restore(m, cpu));
          lent[cpu] = silenced[cpu] = false;
          break;
        case 2:
          if (below(4) != 0) break;
          silence(m, cpu);
          silenced[cpu] = true;
          break;
        case 3:
          (void)m.slots.register_breakpoint(kb, at(8 * below(1000)), below(2) == 0 ? mask::all() : mask::of(cpu));
          break;
        case 4:
          (void)m.slots.unregister_breakpoint(kb);
          break;
        case 5:
          (void)(below(2) == 0 ? m.slots.enable(kb) : m.slots.disable(kb));
          break;
        case 6:
          (void)m.slots.modify(kb, at(8 * below(1000)));
          break;
        case 7:
          if (ub.idle())
            (void)m.slots.register_breakpoint(ub, tasks[below(2)], at(8 * below(1000)));
          else
            (void)m.slots.unregister_breakpoint(ub);
          break;
        case 8:
          (void)m.idle(0);
          (void)m.idle(1);
          (void)m.run(cpu, tasks[below(2)]);
          break;
        default:
          m.nmi(cpu, [&] { (void)m.slots.on(cpu).disable(kb); });
      }
      for (cpu_id c = 0; c < 2; ++c) {
        for (const auto& w : m.log())
          if (w.cpu == c && (lent[c] || silenced[c])) REQUIRE(w.value == 0);  // lend's and silence's own "off", at most
        if (!lent[c] && !silenced[c]) REQUIRE(!mock::difference(m.slots.snapshot(c), m.system().bank(c)));
      }
    }
    for (cpu_id c = 0; c < 2; ++c) REQUIRE(!restore(m, c));
    REQUIRE(m.consistent());
    for (auto& each : b)
      if (!each.idle()) REQUIRE(!m.slots.unregister_breakpoint(each));
    for (auto& t : tasks) m.slots.on_exit(t);
  }
}
}  // namespace
