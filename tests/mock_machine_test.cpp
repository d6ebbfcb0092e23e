// SPDX-License-Identifier: MIT
// tests/mock_machine_test.cpp — the simulated machine: accesses that trap, tasks, interruptions, faults, and what it can tell.
#include <bookend/mock/machine.hpp>
#include <doctest/doctest.h>
#include <string_view>

namespace {

using namespace bookend;
using mock::fault;
using mock::reg;
using two = mock::machine<2, 4>;
using poor = mock::machine<3, 4, 1, true>;

/// A breakpoint that counts its hits and then does what it is told.
template <class Machine>
struct counting : Machine::kernel_breakpoint {
  explicit counting(const char* name = "counting")
      : Machine::kernel_breakpoint(name, [](const typename Machine::hit& h) {
          auto& self = static_cast<counting&>(h.kernel());
          ++self.hits;
          self.last_cpu = h.here.cpu();
          if (self.then) self.then(h);
        }) {}
  unsigned hits = 0;
  cpu_id last_cpu = 99;
  std::function<void(const typename Machine::hit&)> then;
};

TEST_CASE("a watched write reaches its handler on the CPU that wrote") {
  two m;
  long x = 0;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, write_to(&x)));
  CHECK(m.write(1, &x) == 1);
  CHECK(w.hits == 1);
  CHECK(w.last_cpu == 1);
  CHECK(m.read(1, &x) == 0);
  CHECK(m.write(0, reinterpret_cast<std::uint64_t>(&x) + 7, 1) == 1);
  CHECK(m.write(0, reinterpret_cast<std::uint64_t>(&x) + 8, 1) == 0);
  CHECK(m.last_trap(0).handled == 0b1000);
  CHECK(w.hits == 2);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
  CHECK(m.write(1, &x) == 0);
}

TEST_CASE("a data breakpoint comes after the access: its handler finds the new value") {
  two m;
  long x = 1;
  long found = 0;
  counting<two> w;
  w.then = [&](const auto&) { found = x; };
  REQUIRE_FALSE(m.slots.register_breakpoint(w, write_to(&x)));
  m.write(0, &x, 5);
  CHECK(found == 5);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("an execution breakpoint comes before the instruction, once each time it runs") {
  two m;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x4000, 1, access::execute}));
  CHECK(m.execute(0, 0x4000) == 1);
  CHECK(m.execute(0, 0x4000) == 1);
  CHECK(m.execute(0, 0x4001) == 0);
  CHECK(m.write(0, 0x4000, 8) == 0);
  CHECK(w.hits == 2);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

/// Forgets to let the instruction pass.
struct careless_system : mock::system<1, 4> {
  static void step_past(mock::frame&) noexcept {}
};

TEST_CASE("an execution breakpoint that nobody steps past comes again and again, and is reported") {
  using careless = mock::machine_of<careless_system>;
  careless m;
  counting<careless> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x4000, 1, access::execute}));
  m.collect_violations();
  CHECK(m.execute(0, 0x4000) == careless::patience);
  REQUIRE(m.violations().size() == 1);
  CHECK(std::string_view(m.violations()[0]).starts_with("an execution breakpoint comes again and again"));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("a single step on to a watched instruction: the step's trap, then the breakpoint's") {
  two m;
  counting<two> w;
  CHECK(m.step(0, 0x4000) == 1);
  CHECK(m.last_trap(0).rest == mock::status_step);
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x4000, 1, access::execute}));
  std::uint64_t shown = 0;  // by the first status that is taken
  m.before_write(2, [&](const auto& write) { shown = m.system().bank(write.cpu).status(); });
  CHECK(m.step(0, 0x4000) == 2);
  CHECK(shown == (mock::status_reset | mock::status_step | 0b1000));
  CHECK(w.hits == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("a user hit is delivered to the task that runs, on whatever CPU, and nobody else's run is stopped") {
  two m;
  two::task a, b;
  two::user_breakpoint u{"u", 42};
  REQUIRE_FALSE(m.slots.register_breakpoint(u, a, {0x1000, 4, access::write}));
  CHECK(m.write(0, 0x1000, 4) == 0);
  REQUIRE_FALSE(m.run(0, a));
  CHECK(m.current(0) == &a);
  CHECK(m.write(0, 0x1000, 4) == 1);
  CHECK(m.write(1, 0x1000, 4) == 0);
  REQUIRE(m.delivered().size() == 1);
  CHECK(m.delivered()[0].to == &a);
  CHECK(m.delivered()[0].cpu == 0);
  CHECK(m.delivered()[0].hit.cookie == 42);
  CHECK(m.last_trap(0).user == 1);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.run(0, b));
  CHECK(m.write(0, 0x1000, 4) == 0);
  REQUIRE_FALSE(m.run(1, a));
  CHECK(m.write(1, 0x1000, 4) == 1);
  REQUIRE_FALSE(m.idle(1));
  CHECK(m.current(1) == nullptr);
  CHECK(m.write(1, 0x1000, 4) == 0);
  m.slots.on_exit(a);
}

TEST_CASE("a task is on one CPU at a time") {
  two m;
  two::task a;
  REQUIRE_FALSE(m.run(0, a));
  m.collect_violations();
  REQUIRE_FALSE(m.run(1, a));
  REQUIRE(m.violations().size() == 1);
  CHECK(m.violations()[0] == "a task that runs on two CPUs");
}

TEST_CASE("in kernel mode a handler may touch what is watched; in user mode the entry is not quiet, and it traps again") {
  two m;
  long x = 0;
  counting<two> w;
  w.then = [&](const auto& h) {
    if (w.hits < 3) m.write(h.here.cpu(), &x);
  };
  REQUIRE_FALSE(m.slots.register_breakpoint(w, write_to(&x)));
  m.write(0, &x);
  CHECK(w.hits == 1);
  m.set_mode(0, mock::mode::user);
  w.hits = 0;
  m.write(0, &x);
  CHECK(w.hits == 3);

  w.then = [&](const auto& h) { m.write(h.here.cpu(), &x); };
  w.hits = 0;
  m.collect_violations();
  m.write(0, &x);
  CHECK(w.hits == two::patience);
  CHECK(m.violations().size() == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("an NMI is quiet, and its end is not") {
  two m;
  long x = 0;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, write_to(&x)));
  m.nmi(0, [&] {
    CHECK(m.write(0, &x) == 0);
    CHECK(m.write(1, &x) == 1);
  });
  CHECK(m.write(0, &x) == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("the log has every register write in order, and a refused verb leaves none") {
  two m;
  CHECK(m.log().empty());
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}, cpumask<2>::of(1)));
  REQUIRE(m.log().size() == 2);
  CHECK(m.log()[0].which == reg::address);
  CHECK(m.log()[0].cpu == 1);
  CHECK(m.log()[0].slot == 3);
  CHECK(m.log()[0].value == 0x1000);
  CHECK(m.log()[1].which == reg::control);
  CHECK(m.log()[1].value == 0b1000);
  m.forget_log();
  CHECK(m.slots.register_breakpoint(w, {0x1000, 4, access::write}).why == reason::already_registered);
  CHECK(m.slots.modify(w, {0x1001, 4, access::write}).why == reason::misaligned);
  CHECK(m.log().empty());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("a register that somebody else has changed is found") {
  two m;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  REQUIRE(m.consistent());
  auto& bank = m.system().bank(1);
  const auto good = bank.control();
  const auto differs = [&](std::string_view what) {
    const auto d = m.difference();
    CHECK(d.cpu == 1);
    CHECK(std::string_view(d.what) == what);
  };
  bank.set_control({});
  differs("is off, and should be on");
  auto bad = good;
  bad.on |= 0b0001;
  bank.set_control(bad);
  differs("is on, and should be off");
  bad = good;
  bad.kind[0] = mock::kind_of(0, 1);
  bank.set_control(bad);
  differs("is off, with a kind left over");
  bad = good;
  bad.kind[3] = mock::kind_of(0, 1);
  bank.set_control(bad);
  differs("has another kind than its holder's");
  bank.set_control(good);
  bank.set_address(3, 0x1004);
  differs("has another address than its holder's");
  bank.set_address(3, 0x1000);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("an interruption comes before the k-th write, once, and its own writes do not count") {
  two m;
  counting<two> w, other;
  REQUIRE_FALSE(m.slots.register_breakpoint(other, {0x2000, 1, access::write}));
  unsigned times = 0;
  m.forget_log();
  m.before_write(2, [&](const auto& write) {
    ++times;
    CHECK(write.which == reg::control);
    CHECK(m.log().size() == 1);
    CHECK(m.write(write.cpu, 0x2000, 1) == 1);
  });
  CHECK_FALSE(m.interrupted());
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  CHECK(m.interrupted());
  CHECK(times == 1);
  CHECK(other.hits == 1);
  CHECK(m.consistent());

  // Its own writes do not interrupt it, whichever they are.
  times = 0;
  other.hits = 0;
  m.before_each_write([&](const auto& write) {
    if (++times <= 2) m.write(write.cpu, 0x2000, 1);
  });
  REQUIRE_FALSE(m.slots.disable(w));
  CHECK(times >= 2);
  CHECK(other.hits == 2);
  m.before_each_write(nullptr);

  m.forget_log();
  m.after_write(1, [&](const auto& write) {
    CHECK(m.log().size() == 1);
    CHECK((m.system().bank(write.cpu).control().on & 0b0100) != 0);
  });
  REQUIRE_FALSE(m.slots.enable(w));
  CHECK(m.interrupted());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(other));
}

TEST_CASE("a handler that takes the owner lock is reported") {
  two m;
  counting<two> w;
  w.then = [&](const auto&) {
    m.system().lock();
    m.system().unlock();
  };
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  m.collect_violations();
  m.write(0, 0x1000, 4);
  REQUIRE(m.violations().size() == 1);
  CHECK(m.violations()[0] == "lock() outside thread context");
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("a register that fails on the second CPU is reported with its CPU, and the first one's is undone") {
  for (const fault kind : {fault::refused, fault::dropped, fault::late}) {
    poor m;
    counting<poor> w;
    m.system().faults().fail(1, kind, 1, 1);
    const refusal no = m.slots.register_breakpoint(w, {0x1000, 4, access::write});
    CHECK(no.why == reason::hardware);
    CHECK(no.cpu == 1);
    for (cpu_id cpu = 0; cpu < 3; ++cpu) CHECK(m.write(cpu, 0x1000, 4) == 0);
    CHECK(m.consistent());
    REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
    REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
  }
}

TEST_CASE("a CPU that goes is off, and has its breakpoints again when it comes back") {
  two m;
  CHECK(m.offline(2).why == reason::bad_cpu);
  CHECK(m.online(2).why == reason::bad_cpu);
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  REQUIRE_FALSE(m.offline(1));
  CHECK(m.system().online() == cpumask<2>::of(0));
  CHECK(m.write(1, 0x1000, 4) == 0);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.slots.modify(w, {0x2000, 4, access::write}));
  REQUIRE_FALSE(m.online(1));
  CHECK(m.write(1, 0x2000, 4) == 1);
  CHECK(m.write(1, 0x1000, 4) == 0);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("here-verbs run as an interrupt of a CPU, and lent registers are the guest's") {
  two m;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  REQUIRE_FALSE(m.guarded(1, [&](const auto& here) { return here.disable(w); }));
  CHECK(m.write(1, 0x1000, 4) == 0);
  CHECK(m.write(0, 0x1000, 4) == 1);
  REQUIRE_FALSE(m.guarded(0, [](const auto& here) { return here.lend(); }));
  CHECK(m.write(0, 0x1000, 4) == 0);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.guarded(0, [](const auto& here) { return here.restore(); }));
  CHECK(m.write(0, 0x1000, 4) == 1);
  CHECK(m.consistent());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("this CPU is the one where the thread is, and thread context may migrate") {
  two m;
  counting<two> w;
  REQUIRE_FALSE(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
  m.system().migrate(1);
  REQUIRE_FALSE(m.slots.here().disable(w));
  CHECK(m.write(0, 0x1000, 4) == 1);
  CHECK(m.write(1, 0x1000, 4) == 0);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(w));
}

TEST_CASE("a system that knows its tasks needs no cross-call to CPUs where the task is not") {
  using knowing = mock::machine_of<mock::system_with_tasks<3, 4>>;
  knowing m;
  knowing::task a;
  knowing::user_breakpoint u;
  REQUIRE_FALSE(m.run(2, a));
  REQUIRE_FALSE(m.slots.register_breakpoint(u, a, {0x1000, 4, access::write}));
  CHECK(m.write(2, 0x1000, 4) == 1);
  CHECK(m.system().cpus_of(a) == cpumask<3>::of(2));
  REQUIRE_FALSE(m.idle(2));
  CHECK(m.system().cpus_of(a).none());
  CHECK(m.write(2, 0x1000, 4) == 0);
  REQUIRE_FALSE(m.slots.modify(u, {0x2000, 4, access::write}));
  REQUIRE_FALSE(m.run(1, a));
  CHECK(m.write(1, 0x2000, 4) == 1);
  CHECK(m.consistent());
  m.slots.on_exit(a);
}

TEST_CASE("with two pools execution and data do not compete") {
  using split = mock::machine<1, 4, 2>;
  split m;
  counting<split> x[2], d[2], more;
  for (unsigned i = 0; i < 2; ++i) {
    REQUIRE_FALSE(m.slots.register_breakpoint(x[i], {0x4000 + 8 * i, 1, access::execute}));
    REQUIRE_FALSE(m.slots.register_breakpoint(d[i], {0x1000 + 8 * i, 1, access::write}));
  }
  const refusal no = m.slots.register_breakpoint(more, {0x3000, 1, access::write});
  CHECK(no.why == reason::no_slot);
  CHECK(no.pool == 1);
  CHECK(m.execute(0, 0x4008) == 1);
  CHECK(m.last_trap(0).handled == 0b0001);
  CHECK(m.write(0, 0x1008, 1) == 1);
  CHECK(m.last_trap(0).handled == 0b0100);
  for (unsigned i = 0; i < 2; ++i) {
    REQUIRE_FALSE(m.slots.unregister_breakpoint(x[i]));
    REQUIRE_FALSE(m.slots.unregister_breakpoint(d[i]));
  }
}

TEST_CASE("machines that show disabled slots, or the lowest hit only, call nobody wrongly") {
  two m;
  counting<two> low, high;
  REQUIRE_FALSE(m.slots.register_breakpoint(high, {0x1000, 4, access::write}));
  REQUIRE_FALSE(m.slots.register_breakpoint(low, {0x1000, 4, access::write}));
  REQUIRE_FALSE(m.slots.disable(high));
  m.shows.shows_disabled = true;
  m.write(0, 0x1000, 4);
  CHECK(low.hits == 1);
  CHECK(high.hits == 0);
  REQUIRE_FALSE(m.slots.enable(high));
  m.write(0, 0x1000, 4);
  CHECK(low.hits == 2);
  CHECK(high.hits == 1);
  m.shows.lowest_only = true;
  m.write(0, 0x1000, 4);
  CHECK(low.hits == 3);
  CHECK(high.hits == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(low));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(high));
}

}  // namespace
