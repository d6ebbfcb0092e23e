// SPDX-License-Identifier: MIT
// tests/slot_manager_test.cpp — the everywhere verbs on the simulated machine, each beside its refusals.
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace bookend;
using machine = mock::machine<3, 4>;
using mask = machine::slot_manager::mask;

/// A kernel breakpoint that remembers its hits.
struct watch : machine::kernel_breakpoint {
  explicit watch(const char* name = "watch")
      : kernel_breakpoint(name, [](const machine::hit& h) {
          auto& self = static_cast<watch&>(h.kernel());
          self.cpus.push_back(h.here.cpu());
          self.watched = h.watched();
          self.generation = h.generation;
          self.slot = h.slot;
        }) {}
  std::vector<cpu_id> cpus;
  request watched;
  std::uint32_t generation = 0;
  slot_id slot = 99;
  unsigned hits() const { return static_cast<unsigned>(cpus.size()); }
};

/// The whole shelf as text: two equal strings are two equal states.
std::string shelf(machine& m) {
  std::string s;
  for (cpu_id cpu = 0; cpu < machine::max_cpus; ++cpu) print(m.slots.snapshot(cpu), [&](char c) { s += c; });
  for (unsigned k = 0; k < 3; ++k)
    for (cpu_id cpu : m.slots.full()) s += "full " + std::to_string(cpu) + "\n";
  return s;
}

/// A refusal with its reason that wrote no register and changed nothing.
template <class Verb>
refusal refuses(machine& m, Verb verb) {
  const std::string before = shelf(m);
  m.forget_log();
  const refusal no = verb();
  CHECK(no);
  CHECK(m.log().empty());
  CHECK(shelf(m) == before);
  CHECK(m.consistent());
  return no;
}

struct fixture {
  machine m;
  alignas(8) long x[8]{};
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "a kernel breakpoint hits on every CPU unless a mask is given") {
  watch everywhere("everywhere"), some("some");
  REQUIRE(!m.slots.register_breakpoint(everywhere, write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(some, write_to(&x[1]), mask::of(0, 2)));
  for (cpu_id cpu = 0; cpu < 3; ++cpu) {
    m.write(cpu, &x[0]);
    m.write(cpu, &x[1]);
  }
  CHECK(everywhere.cpus == std::vector<cpu_id>{0, 1, 2});
  CHECK(some.cpus == std::vector<cpu_id>{0, 2});
  CHECK(some.cpus.size() == 2);
  CHECK(m.consistent());
  CHECK(!m.slots.unregister_breakpoint(everywhere));
  CHECK(!m.slots.unregister_breakpoint(some));
}

TEST_CASE_FIXTURE(fixture, "the kernel takes slots from the top, users from the bottom, and both fill the shelf") {
  watch k[2];
  machine::task t;
  machine::user_breakpoint u[2];
  REQUIRE(!m.slots.register_breakpoint(k[0], write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(k[1], write_to(&x[1])));
  REQUIRE(!m.slots.register_breakpoint(u[0], t, write_to(&x[2])));
  REQUIRE(!m.slots.register_breakpoint(u[1], t, write_to(&x[3])));
  REQUIRE(!m.run(1, t));
  const auto s = m.slots.snapshot(1);
  CHECK(s.slots[3].state == slot_state::kernel);
  CHECK(s.slots[3].watched == write_to(&x[0]));
  CHECK(s.slots[2].watched == write_to(&x[1]));
  CHECK(s.slots[0].state == slot_state::user);
  CHECK(s.slots[0].watched == write_to(&x[2]));
  CHECK(s.slots[1].watched == write_to(&x[3]));
  CHECK(m.slots.snapshot(0).slots[0].state == slot_state::free);

  watch fifth("fifth");
  const refusal no = refuses(m, [&] { return m.slots.register_breakpoint(fifth, write_to(&x[4])); });
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 0);
  CHECK(no.kernel_held == 2);
  CHECK(no.user_held == 2);
  machine::user_breakpoint third;
  const refusal also = refuses(m, [&] { return m.slots.register_breakpoint(third, t, write_to(&x[4])); });
  CHECK(also.why == reason::no_slot);
  CHECK(also.kernel_held == 2);
  CHECK(also.user_held == 2);
  for (auto& b : k) CHECK(!m.slots.unregister_breakpoint(b));
  m.slots.on_exit(t);
}

TEST_CASE_FIXTURE(fixture, "a refused registration says why and changes nothing") {
  watch b, taken;
  REQUIRE(!m.slots.register_breakpoint(taken, write_to(&x[0])));
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(taken, write_to(&x[1])); }).why == reason::already_registered);
  machine::task owner;
  machine::user_breakpoint of_task;
  REQUIRE(!m.slots.register_breakpoint(of_task, owner, write_to(&x[0])));
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(of_task, owner, write_to(&x[1])); }).why ==
        reason::already_registered);
  m.slots.on_exit(owner);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b, write_to(&x[1]), mask{}); }).why == reason::empty_mask);
  CHECK(refuses(m, [&] {
          return m.slots.register_breakpoint(b, {reinterpret_cast<std::uint64_t>(x) + 1, 4, access::write});
        }).why == reason::misaligned);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b, {0x1000, 3, access::write}); }).why == reason::bad_length);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b, {0x80, 1, access::io}); }).why == reason::unsupported);
  m.system().deny({0x7000, 16});
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b, {0x7008, 8, access::write}); }).why == reason::forbidden);
  machine::task t;
  machine::user_breakpoint u;
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(u, t, {0x1000, 8, access::write}, pinned{3}); }).why ==
        reason::bad_cpu);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(u, t, {0x1000, 8, access::write}, pinned{~0U}); }).why ==
        reason::bad_cpu);
  m.system().user_space_ends_at(0x8000);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(u, t, {0x8000, 1, access::write}); }).why == reason::forbidden);
  CHECK(b.idle());
  CHECK(u.idle());
  CHECK(!m.slots.unregister_breakpoint(taken));
}

TEST_CASE_FIXTURE(fixture, "check says of a request what registering would, room apart") {
  m.system().deny({0x7000, 16});
  m.system().user_space_ends_at(0x8000);
  CHECK(refuses(m, [&] { return m.slots.check(side::kernel, {0x1000, 3, access::write}); }).why == reason::bad_length);
  CHECK(refuses(m, [&] { return m.slots.check(side::kernel, {0x7008, 8, access::write}); }).why == reason::forbidden);
  CHECK(refuses(m, [&] { return m.slots.check(side::user, {0x8000, 1, access::write}); }).why == reason::forbidden);
  const auto self = reinterpret_cast<std::uint64_t>(&m.slots);
  CHECK(refuses(m, [&] { return m.slots.check(side::kernel, {self, 8, access::write}); }).why == reason::forbidden);
  watch b[5];
  for (unsigned i = 0; i < 4; ++i) REQUIRE(!m.slots.register_breakpoint(b[i], write_to(&x[i])));
  CHECK(!m.slots.check(side::kernel, {0x8000, 1, access::write}));
  CHECK(!m.slots.check(side::user, {0x1000, 8, access::write}));
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b[4], write_to(&x[4])); }).why == reason::no_slot);
  for (unsigned i = 0; i < 4; ++i) CHECK(!m.slots.unregister_breakpoint(b[i]));
}

TEST_CASE_FIXTURE(fixture, "verbs on a breakpoint that is not registered are refused") {
  watch b;
  machine::user_breakpoint u;
  CHECK(refuses(m, [&] { return m.slots.unregister_breakpoint(b); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.enable(b); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.disable(b); }).why == reason::not_registered);
  // defect 8: modify returned 0 for a breakpoint that was never registered
  CHECK(refuses(m, [&] { return m.slots.modify(b, write_to(&x[0])); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.move(b, mask::all()); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.unregister_breakpoint(u); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.enable(u); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.disable(u); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.modify(u, write_to(&x[0])); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.on(0).enable(b); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.on(0).disable(b); }).why == reason::not_registered);
  CHECK(refuses(m, [&] { return m.slots.on(0).modify(b, write_to(&x[0])); }).why == reason::not_registered);
}

TEST_CASE_FIXTURE(fixture, "the manager cannot be made to watch itself") {
  watch b;
  const auto at = reinterpret_cast<std::uint64_t>(&m.slots);
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(b, {at, 8, access::read_write}); }).why == reason::forbidden);
  CHECK(refuses(m, [&] {
          return m.slots.register_breakpoint(b, {(at + sizeof m.slots - 1) & ~7ULL, 8, access::read_write});
        }).why == reason::forbidden);
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  CHECK(refuses(m, [&] { return m.slots.modify(b, {at, 8, access::read_write}); }).why == reason::forbidden);
  CHECK(refuses(m, [&] { return m.slots.on(1).modify(b, {at, 8, access::read_write}); }).why == reason::forbidden);
  CHECK(!m.slots.unregister_breakpoint(b));
}

// defect 7: disable done as unregister lost the address, or the slot to somebody else in between
TEST_CASE_FIXTURE(fixture, "disabled is silent and keeps its slot; enabling is one control write") {
  watch b, others[3], late;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  CHECK(!m.slots.disable(b));
  for (auto& o : others) REQUIRE(!m.slots.register_breakpoint(o, write_to(&x[1])));
  CHECK(refuses(m, [&] { return m.slots.register_breakpoint(late, write_to(&x[2])); }).why == reason::no_slot);
  CHECK(m.write(0, &x[0]) == 0);
  CHECK(b.hits() == 0);
  CHECK(m.slots.snapshot(0).slots[3].state == slot_state::kernel);
  CHECK(!m.slots.snapshot(0).slots[3].on);
  m.forget_log();
  CHECK(!m.slots.enable(b));
  REQUIRE(m.log().size() == 3);
  for (const auto& w : m.log()) CHECK(w.which == mock::reg::control);
  m.write(2, &x[0]);
  CHECK(b.cpus == std::vector<cpu_id>{2});
  m.forget_log();
  CHECK(!m.slots.enable(b));  // it was: nothing to write
  CHECK(m.log().empty());
  CHECK(!m.slots.unregister_breakpoint(b));
  for (auto& o : others) CHECK(!m.slots.unregister_breakpoint(o));
}

TEST_CASE_FIXTURE(fixture, "registered disabled, it holds its slot and its address and never hits until enabled") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0]), mask::all(), start::disabled));
  CHECK(m.write(0, &x[0]) == 0);
  CHECK(m.system().bank(0).address(3) == reinterpret_cast<std::uint64_t>(&x[0]));
  CHECK(m.consistent());
  CHECK(!m.slots.enable(b));
  CHECK(m.write(0, &x[0]) == 1);
  CHECK(b.hits() == 1);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "disabling on one CPU silences that CPU only, and enabling everywhere ends it") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  CHECK(!m.guarded(1, [&](auto here) { return here.disable(b); }));
  for (cpu_id cpu = 0; cpu < 3; ++cpu) m.write(cpu, &x[0]);
  CHECK(b.cpus == std::vector<cpu_id>{0, 2});
  CHECK(!m.slots.enable(b));
  m.write(1, &x[0]);
  CHECK(b.cpus == std::vector<cpu_id>{0, 2, 1});
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "modify re-aims in place, in the same slot, and the next generation says so") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  m.write(0, &x[0]);
  const auto first = b.generation;
  m.forget_log();
  REQUIRE(!m.slots.modify(b, access_to(&x[1])));
  CHECK(m.log().size() == 3 * 3);  // off, address, on: on each CPU
  CHECK(m.write(0, &x[0]) == 0);
  CHECK(m.read(0, &x[1]) == 1);
  CHECK(b.watched == access_to(&x[1]));
  CHECK(later(b.generation, first));
  CHECK(b.slot == 3);
  m.forget_log();
  REQUIRE(!m.slots.modify(b, write_to(&x[1])));  // only the kind changes: the address register stays
  CHECK(m.log().size() == 3);
  CHECK(m.read(0, &x[1]) == 0);
  CHECK(m.consistent());
  CHECK(!m.slots.unregister_breakpoint(b));
}

// defects 9 and 10: a failed modify left the new address live; its fix then ignored modifies of disabled breakpoints
TEST_CASE_FIXTURE(fixture, "a refused modify leaves the old watch live, and a disabled one is changed and stays disabled") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  m.system().deny({0x7000, 16});
  CHECK(refuses(m, [&] { return m.slots.modify(b, {0x7000, 8, access::write}); }).why == reason::forbidden);
  CHECK(refuses(m, [&] { return m.slots.modify(b, {0x7001, 8, access::write}); }).why == reason::misaligned);
  CHECK(m.write(0, &x[0]) == 1);
  CHECK(!m.slots.disable(b));
  REQUIRE(!m.slots.modify(b, write_to(&x[1])));
  CHECK(m.write(0, &x[1]) == 0);
  CHECK(!m.slots.enable(b));
  CHECK(m.write(0, &x[1]) == 1);
  CHECK(b.watched == write_to(&x[1]));
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "modify here changes this CPU only, and the hit says what was installed there") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  CHECK(!m.guarded(1, [&](auto here) { return here.modify(b, write_to(&x[1])); }));
  CHECK(m.write(1, &x[0]) == 0);
  CHECK(m.write(1, &x[1]) == 1);
  CHECK(b.watched == write_to(&x[1]));
  CHECK(m.write(0, &x[0]) == 1);
  CHECK(b.watched == write_to(&x[0]));
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "move arms the new CPUs, frees those left out, and leaves the others alone") {
  watch b, other;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0]), mask::of(0, 1)));
  m.forget_log();
  REQUIRE(!m.slots.move(b, mask::of(1, 2)));
  for (const auto& w : m.log()) CHECK(w.cpu != 1);
  for (cpu_id cpu = 0; cpu < 3; ++cpu) m.write(cpu, &x[0]);
  CHECK(b.cpus == std::vector<cpu_id>{1, 2});
  CHECK(m.slots.snapshot(0).slots[3].state == slot_state::free);
  CHECK(refuses(m, [&] { return m.slots.move(b, mask{}); }).why == reason::empty_mask);
  watch fill[4];
  for (auto& f : fill) REQUIRE(!m.slots.register_breakpoint(f, write_to(&x[1]), mask::of(0)));
  const refusal no = refuses(m, [&] { return m.slots.move(b, mask::all()); });
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 0);
  CHECK(no.kernel_held == 4);
  for (auto& f : fill) CHECK(!m.slots.unregister_breakpoint(f));
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "a moved breakpoint that is disabled stays disabled on the new CPUs") {
  watch b;
  REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0]), mask::of(0)));
  CHECK(!m.slots.disable(b));
  REQUIRE(!m.slots.move(b, mask::of(1)));
  CHECK(m.write(1, &x[0]) == 0);
  CHECK(!m.slots.enable(b));
  CHECK(m.write(1, &x[0]) == 1);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE_FIXTURE(fixture, "unregistered, it never hits again and may be registered anew") {
  watch b;
  std::uint32_t last = 0;
  for (unsigned round = 1; round <= 3; ++round) {
    REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
    CHECK(m.write(0, &x[0]) == 1);
    CHECK(later(b.generation, last));
    last = b.generation;
    CHECK(!m.slots.unregister_breakpoint(b));
    CHECK(b.idle());
    CHECK(m.write(0, &x[0]) == 0);
  }
  CHECK(b.hits() == 3);
}

// defect 1: with one global boundary, a kernel breakpoint on CPU 2 took a slot from every task everywhere
TEST_CASE_FIXTURE(fixture, "a kernel breakpoint on one CPU leaves the other CPUs' slots to tasks pinned there") {
  watch k[4];
  for (auto& b : k) REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0]), mask::of(2)));
  machine::task t;
  machine::user_breakpoint u[4], wide;
  for (auto& b : u) REQUIRE(!m.slots.register_breakpoint(b, t, write_to(&x[1]), pinned{1}));
  const refusal no = refuses(m, [&] { return m.slots.register_breakpoint(wide, t, write_to(&x[1])); });
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(no.kernel_held == 0);
  CHECK(no.user_held == 4);
  for (auto& b : k) CHECK(!m.slots.unregister_breakpoint(b));
  m.slots.on_exit(t);
}

TEST_CASE_FIXTURE(fixture, "when a kernel slot is freed the running task's breakpoints move down at once") {
  watch k[4];
  for (auto& b : k) REQUIRE(!m.slots.register_breakpoint(b, write_to(&x[0])));
  for (unsigned i = 0; i < 2; ++i) CHECK(!m.slots.unregister_breakpoint(k[i]));  // slots 3 and 2 are free, 1 and 0 the kernel's
  machine::task t;
  machine::user_breakpoint u;
  REQUIRE(!m.run(0, t));
  REQUIRE(!m.slots.register_breakpoint(u, t, write_to(&x[1])));
  CHECK(m.slots.snapshot(0).slots[2].state == slot_state::user);
  CHECK(!m.slots.unregister_breakpoint(k[3]));
  CHECK(m.slots.snapshot(0).slots[0].state == slot_state::user);
  CHECK(m.slots.snapshot(0).slots[2].state == slot_state::free);
  CHECK(m.write(0, &x[1]) == 1);
  CHECK(m.delivered().size() == 1);
  CHECK(m.consistent());
  CHECK(!m.slots.unregister_breakpoint(k[2]));
  m.slots.on_exit(t);
}

TEST_CASE_FIXTURE(fixture, "full() is every CPU where one more would not fit") {
  watch a[4], b;
  for (auto& w : a) REQUIRE(!m.slots.register_breakpoint(w, write_to(&x[0]), mask::of(0, 2)));
  CHECK(m.slots.full() == mask::of(0, 2));
  CHECK(m.slots.full(mask::of(1, 2)) == mask::of(2));
  for (auto& w : a) CHECK(!m.slots.unregister_breakpoint(w));
  CHECK(m.slots.full().none());
}

TEST_CASE_FIXTURE(fixture, "turning one on or off leaves the others as they are") {
  watch a, b;
  for (auto* w : {&a, &b}) REQUIRE(!m.slots.register_breakpoint(*w, write_to(&x[w == &b])));
  CHECK(!m.slots.disable(a));
  CHECK(m.write(0, &x[1]) == 1);
  CHECK(!m.slots.enable(a));
  CHECK(m.write(0, &x[1]) == 1);
  CHECK(m.write(0, &x[0]) == 1);
  for (auto* w : {&a, &b}) CHECK(!m.slots.unregister_breakpoint(*w));
}

TEST_CASE_FIXTURE(fixture,
                  "those pinned to different CPUs may share a number; a refusal there counts the task's wide ones, too") {
  machine::task t;
  machine::user_breakpoint wide, there, here[3], more;
  REQUIRE(!m.slots.register_breakpoint(wide, t, write_to(&x[0])));
  REQUIRE(!m.slots.register_breakpoint(there, t, write_to(&x[0]), pinned{1}));
  for (auto& b : here) REQUIRE(!m.slots.register_breakpoint(b, t, write_to(&x[0]), pinned{0}));
  CHECK(there.index() == 1);
  CHECK(here[0].index() == 1);
  const refusal no = m.slots.register_breakpoint(more, t, write_to(&x[0]), pinned{0});
  CHECK(no.why == reason::no_slot);
  CHECK(no.user_held == 4);
  m.slots.on_exit(t);
}

TEST_CASE_FIXTURE(fixture, "the try forms do the same when the lock is free, and would_block when it is not") {
  watch b;
  machine::task t;
  machine::user_breakpoint u, v;
  m.system().lock();
  CHECK(m.slots.try_register_breakpoint(b, write_to(&x[0])).why == reason::would_block);
  CHECK(m.slots.try_register_breakpoint(u, t, write_to(&x[0])).why == reason::would_block);
  CHECK(m.slots.try_unregister_breakpoint(b).why == reason::would_block);
  CHECK(m.slots.try_enable(b).why == reason::would_block);
  CHECK(m.slots.try_disable(b).why == reason::would_block);
  CHECK(m.slots.try_modify(b, write_to(&x[1])).why == reason::would_block);
  CHECK(m.slots.try_move(b, mask::of(0)).why == reason::would_block);
  m.system().unlock();
  CHECK(b.idle());
  CHECK(u.idle());
  REQUIRE(!m.slots.try_register_breakpoint(b, write_to(&x[0]), mask::of(0), start::disabled));
  REQUIRE(!m.slots.try_register_breakpoint(u, t, write_to(&x[1])));
  REQUIRE(!m.slots.try_register_breakpoint(v, t, write_to(&x[1]), pinned{1}));
  CHECK(!m.slots.try_enable(b));
  CHECK(m.write(0, &x[0]) == 1);
  CHECK(!m.slots.try_disable(b));
  CHECK(m.write(0, &x[0]) == 0);
  CHECK(!m.slots.try_modify(b, write_to(&x[2])));
  CHECK(!m.slots.try_move(b, mask::of(1)));
  CHECK(m.slots.snapshot(1).slots[3].watched == write_to(&x[2]));
  CHECK(!m.slots.try_unregister_breakpoint(b));
  CHECK(!m.slots.try_unregister_breakpoint(u));
  CHECK(!m.slots.try_unregister_breakpoint(v));
  CHECK(!m.system().locked());
}

TEST_CASE("a new manager is all zero bytes, so that it may live in .bss") {
  static constinit mock::machine<8, 4>::slot_manager slots;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&slots);
  unsigned nonzero = 0;
  for (std::size_t i = 0; i < sizeof slots; ++i) nonzero += bytes[i] != 0;
  CHECK(nonzero == 0);
}
