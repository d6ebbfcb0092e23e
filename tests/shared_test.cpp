// SPDX-License-Identifier: MIT
// tests/shared_test.cpp — mirrors include/bookend/shared.hpp: one slot for all who watch the same, and who leaves has left, on
// every CPU, while the others miss nothing. Meant for the thread sanitizer, too.
#include <bookend/mock/machine.hpp>
#include <bookend/shared.hpp>
#include <conformance/cpus_as_threads.hpp>
#include <conformance/ends_the_program.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {
using namespace bookend;
using machine = mock::machine<2, 4>;
using os = mock::system<2, 4>;
using mask = machine::slot_manager::mask;

std::string called;  // the letters of those whose handlers were called

struct letter : sharer<os> {
  explicit letter(char c)
      : sharer([](const machine::hit&, sharer& self) { called += static_cast<letter&>(self).name; }), name(c) {}
  char name;
};

constexpr request one{0x1000, 8, access::write}, other{0x2000, 4, access::write};

unsigned held(machine& m, cpu_id cpu) {
  unsigned n = 0;
  for (const auto& s : m.slots.snapshot(cpu).slots) n += s.state != slot_state::free;
  return n;
}
std::string calls_at(machine& m, cpu_id cpu, const request& r) {
  called.clear();
  m.write(cpu, r.address, 1);
  return called;
}

template <class T>
std::string bytes(const T& of) {
  return {reinterpret_cast<const char*>(&of), sizeof of};
}

}  // namespace

TEST_CASE("identical watches share a slot, and each handler is called once a hit, in the order of joining") {
  machine m;
  shared_watches<os> shared(m.slots, "together");
  letter a('a'), b('b'), c('c');
  CHECK(a.idle());
  REQUIRE(!shared.join(a, one));
  REQUIRE(!shared.join(b, one));
  REQUIRE(!shared.join(c, other));
  CHECK(!a.idle());
  CHECK(held(m, 0) == 2);
  CHECK(std::strcmp(m.slots.snapshot(0).slots[3].name, "together") == 0);
  CHECK(calls_at(m, 0, one) == "ab");
  CHECK(calls_at(m, 1, other) == "c");
  REQUIRE(!shared.leave(a));
  CHECK(a.idle());
  CHECK(calls_at(m, 1, one) == "b");
  REQUIRE(!shared.join(a, one));
  CHECK(calls_at(m, 1, one) == "ba");
  REQUIRE(!shared.leave(b));
  REQUIRE(!shared.leave(a));
  CHECK(held(m, 0) == 1);
  REQUIRE(!shared.leave(c));
  CHECK(held(m, 1) == 0);
  CHECK(m.consistent());
}

TEST_CASE("what differs in address, length, access or cpumask is not shared") {
  machine m;
  shared_watches<os> shared(m.slots);
  letter a('a'), b('b'), c('c'), d('d');
  REQUIRE(!shared.join(a, {0x1000, 4, access::write}));
  REQUIRE(!shared.join(b, {0x1000, 8, access::write}));
  REQUIRE(!shared.join(c, {0x1000, 4, access::read_write}));
  REQUIRE(!shared.join(d, {0x1000, 4, access::write}, mask::of(1)));
  CHECK(held(m, 0) == 3);
  CHECK(held(m, 1) == 4);
  for (auto* s : {&a, &b, &c, &d}) CHECK(!shared.leave(*s));
}

TEST_CASE("a refusal says why and changes not a byte") {
  machine m;
  shared_watches<os, 2> shared(m.slots);
  letter a('a'), b('b'), c('c');
  REQUIRE(!shared.join(a, one));
  const auto refuses = [&](auto verb) {
    const std::string before = bytes(m.slots) + bytes(shared) + bytes(a) + bytes(b) + bytes(c);
    m.forget_log();
    const refusal no = verb();
    CHECK(m.log().empty());
    CHECK(bytes(m.slots) + bytes(shared) + bytes(a) + bytes(b) + bytes(c) == before);
    return no;
  };
  CHECK(refuses([&] { return shared.join(a, one); }).why == reason::already_registered);
  CHECK(refuses([&] { return shared.join(a, other); }).why == reason::already_registered);
  CHECK(refuses([&] { return shared.join(b, {0x1001, 8, access::write}); }).why == reason::misaligned);
  CHECK(refuses([&] { return shared.join(b, one, mask{}); }).why == reason::empty_mask);
  CHECK(refuses([&] { return shared.leave(b); }).why == reason::not_registered);
  CHECK(refuses([&] { return shared.enable(b); }).why == reason::not_registered);
  CHECK(refuses([&] { return shared.disable(b); }).why == reason::not_registered);
  // Full by the kernel, or by the layer's own room: it says who is in the way.
  machine::kernel_breakpoint k[3] = {{"k", [](auto&) {}}, {"k", [](auto&) {}}, {"k", [](auto&) {}}};
  for (auto& one_more : k) REQUIRE(!m.slots.register_breakpoint(one_more, {0x3000, 8, access::write}, mask::of(1)));
  auto no = refuses([&] { return shared.join(b, other); });
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(no.kernel_held == 4);
  REQUIRE(!shared.join(b, one));  // needs no slot of its own
  REQUIRE(!shared.leave(b));
  REQUIRE(!shared.join(b, other, mask::of(0)));
  no = refuses([&] { return shared.join(c, {0x5000, 8, access::write}, mask::of(1)); });
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(no.kernel_held == 0);
  CHECK(refuses([&] { return shared.join(c, {0x5000, 8, access::write}, mask{}); }).why == reason::empty_mask);
  for (auto& one_more : k) CHECK(!m.slots.unregister_breakpoint(one_more));
  CHECK(!shared.leave(a));
  CHECK(!shared.leave(b));
}

TEST_CASE(
    "any order of verbs: one slot for each watch with a sharer, armed while one of them wants it, and their handlers called") {
  machine m;
  shared_watches<os, 6> shared(m.slots);
  struct member : letter {
    using letter::letter;
    unsigned of = 9;  // which watch; 9: none
    bool wanted = false;
  };
  std::vector<std::unique_ptr<member>> all;
  for (char c = 'a'; c < 'f'; ++c) all.push_back(std::make_unique<member>(c));
  std::vector<member*> joined;  // in order
  const request requests[] = {one, other};
  const mask masks[] = {mask::of(0), mask::of(1), mask::all()};
  std::mt19937 random(7);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  unsigned refusals = 0;
  for (unsigned step = 0; step < 4000; ++step) {
    member& s = *all[pick(5)];
    switch (pick(4)) {
      case 0: {
        const unsigned of = pick(6);
        const bool wants = pick(2) != 0;
        const refusal no = shared.join(s, requests[of % 2], masks[of / 2], wants ? start::enabled : start::disabled);
        if (s.of != 9) {
          REQUIRE(no.why == reason::already_registered);
        } else if (no) {
          REQUIRE(no.why == reason::no_slot);
          ++refusals;
        } else {
          s.of = of, s.wanted = wants;
          joined.push_back(&s);
        }
        break;
      }
      case 1:
        REQUIRE(shared.leave(s).why == (s.of == 9 ? reason::not_registered : reason::granted));
        std::erase(joined, &s);
        s.of = 9, s.wanted = false;
        break;
      case 2:
        REQUIRE(shared.enable(s).why == (s.of == 9 ? reason::not_registered : reason::granted));
        s.wanted = s.of != 9;
        break;
      default:
        REQUIRE(shared.disable(s).why == (s.of == 9 ? reason::not_registered : reason::granted));
        s.wanted = false;
        break;
    }
    REQUIRE(s.idle() == (s.of == 9));
    for (cpu_id cpu = 0; cpu < 2; ++cpu) {
      unsigned used = 0, armed = 0;
      for (unsigned of = 0; of < 6; ++of) {
        bool has = false, on = false;
        for (const member* j : joined) has = has || j->of == of, on = on || (j->of == of && j->wanted);
        used += has && masks[of / 2].test(cpu);
        armed += on && masks[of / 2].test(cpu);
      }
      REQUIRE(held(m, cpu) == used);
      REQUIRE(detail::count_bits(m.system().bank(cpu).control().on) == armed);
      for (unsigned r = 0; r < 2; ++r) {
        std::string seen = calls_at(m, cpu, requests[r]), expected;
        for (const member* j : joined)
          if (j->of % 2 == r && j->wanted && masks[j->of / 2].test(cpu)) expected += j->name;
        // Two watches of one address are in two slots: the order is between those of one watch.
        std::sort(seen.begin(), seen.end());
        std::sort(expected.begin(), expected.end());
        REQUIRE(seen == expected);
      }
    }
  }
  CHECK(refusals == 0);  // six watches of two requests need four slots at most: no request is refused
  for (member* j : joined) CHECK(!shared.leave(*j));
  CHECK(m.consistent());
}

TEST_CASE("where a write fails, a sharer is as it was; and one that leaves has left") {
  using poor_os = mock::system<2, 4, 1, true>;
  mock::machine_of<poor_os> m;
  shared_watches<poor_os> shared(m.slots);
  static unsigned hits;
  hits = 0;
  struct counted : sharer<poor_os> {
    counted() : sharer([](const bookend::hit<poor_os>&, sharer&) { ++hits; }) {}
  } a, b;
  using fault = mock::fault;
  auto& faults = m.system().faults();
  faults.fail(1, fault::refused);
  CHECK(shared.join(a, one).why == reason::hardware);
  CHECK(a.idle());
  faults.fail_none();
  REQUIRE(!shared.join(a, one));
  REQUIRE(!shared.join(b, one, mask::all(), start::disabled));
  faults.fail(1, fault::refused);
  CHECK(shared.disable(a).why == reason::hardware);  // nobody else wants it: it would be disarmed
  faults.fail_none();
  m.write(0, 0x1000, 1);
  CHECK(hits == 1);  // still a's
  CHECK(!shared.disable(a));
  faults.fail(1, fault::refused);
  CHECK(shared.enable(b).why == reason::hardware);
  faults.fail_none();
  CHECK(m.write(0, 0x1000, 1) == 0);
  CHECK(!shared.enable(b));
  m.write(1, 0x1000, 1);
  CHECK(hits == 2);
  CHECK(!shared.enable(a));
  CHECK(!shared.disable(b));
  faults.fail(1, fault::refused, ~0U);
  CHECK(shared.leave(a).why == reason::hardware);
  CHECK(a.idle());
  faults.fail_none();
  m.write(1, 0x1000, 1);
  CHECK(hits == 2);
  faults.fail(1, fault::refused);
  CHECK(shared.join(a, one).why == reason::hardware);  // of a watch that nobody wants so far
  CHECK(a.idle());
  faults.fail_none();
  CHECK(!shared.enable(b));
  faults.fail(1, fault::refused, ~0U);
  CHECK(shared.leave(b).why == reason::hardware);  // the last
  CHECK(b.idle());
  faults.fail_none();
  m.write(1, 0x1000, 1);
  CHECK(hits == 2);
  CHECK(!shared.join(b, one));
  CHECK(!shared.leave(b));
  REQUIRE(!shared.join(a, other));  // they take writes again
  CHECK(!shared.leave(a));
  CHECK(m.slots.full().none());
  CHECK(m.consistent());
}

TEST_CASE("a sharer of another table's watch is a broken promise") {
  machine m;
  shared_watches<os> shared(m.slots), elsewhere(m.slots);
  letter a('a');
  REQUIRE(!shared.join(a, one));
  CHECK(conformance::ends_the_program([&] { (void)elsewhere.leave(a); }));
  CHECK(!shared.leave(a));
}

namespace {
constexpr unsigned cpu_count = 3;
using threads_os = conformance::cpus_as_threads<cpu_count>;
using threads_manager = slot_manager<threads_os>;

/// CPU `cpu` writes to `one`, and takes the trap.
unsigned trap(threads_manager& slots, cpu_id cpu) {
  const std::lock_guard guard(slots.system().guard[cpu]);
  mock::frame f;
  if (!slots.system().bank(cpu).touched(mock::touch::write, one.bytes())) return 0;
  (void)slots.on(cpu).trap(f);
  return 1;
}
}  // namespace

TEST_CASE(
    "who leaves, or is disabled, waits for a handler that is running on another CPU; its own, or one that will come to it") {
  static std::atomic<bool> inside, go_on;
  struct slow : sharer<threads_os> {
    slow()
        : sharer([](const hit<threads_os>&, sharer&) {
            inside = true;
            while (!go_on) std::this_thread::yield();
          }) {}
  };
  struct quick : sharer<threads_os> {
    quick() : sharer([](const hit<threads_os>&, sharer& self) { ++static_cast<quick&>(self).calls; }) {}
    std::atomic<unsigned> calls = 0;
  };
  threads_manager slots;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) REQUIRE(!slots.cpu_online(cpu));
  shared_watches<threads_os> shared(slots);
  for (unsigned way = 0; way < 4; ++way) {
    slow first;
    quick then;
    REQUIRE(!shared.join(first, one));
    REQUIRE(!shared.join(then, one));
    inside = go_on = false;
    std::thread cpu([&] { CHECK(trap(slots, 2) == 1); });
    while (!inside) std::this_thread::yield();
    std::atomic<bool> done = false;
    std::atomic<unsigned> calls_then = 0;
    std::thread leaver([&] {
      sharer<threads_os>& who = way % 2 == 0 ? static_cast<sharer<threads_os>&>(first) : then;
      CHECK(!(way < 2 ? shared.leave(who) : shared.disable(who)));
      calls_then = then.calls.load();
      done = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(!done);
    CHECK(!first.idle());
    CHECK(!then.idle());
    go_on = true;
    leaver.join();
    cpu.join();
    if (way % 2 == 0) CHECK(then.calls == 1);  // it comes after one that leaves while the trap stands there
    CHECK(trap(slots, 1) == 1);
    CHECK(then.calls == (way % 2 == 0 ? calls_then + 1 : calls_then.load()));
    if (!first.idle()) CHECK(!shared.leave(first));
    if (!then.idle()) CHECK(!shared.leave(then));
    CHECK(trap(slots, 1) == 0);
  }
}

TEST_CASE(
    "sharers come and go from two threads while every CPU traps: none is called once it has left, and who stays misses nothing") {
  threads_manager slots;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) REQUIRE(!slots.cpu_online(cpu));
  shared_watches<threads_os> shared(slots);
  static std::atomic<unsigned> wrong;
  wrong = 0;
  struct counted : sharer<threads_os> {
    counted()
        : sharer([](const hit<threads_os>& h, sharer& self) {
            auto& s = static_cast<counted&>(self);
            if (s.gone || s.silent) ++wrong;
            ++s.hits[h.here.cpu()];
          }) {}
    bool gone = false, silent = false;  // plain: written by its owner when no handler may run
    unsigned hits[cpu_count]{};         // each by its own CPU only
  };
  counted steady;
  REQUIRE(!shared.join(steady, one));
  std::atomic<bool> stop = false;
  unsigned touched[cpu_count]{};
  std::atomic<unsigned> seen = 0;
  std::vector<std::thread> cpus, owners;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu)
    cpus.emplace_back([&, cpu] {
      while (!stop) {
        for (unsigned i = 0; i < 16; ++i) touched[cpu] += trap(slots, cpu);
        std::this_thread::yield();
      }
    });
  for (unsigned seed = 1; seed <= 2; ++seed)
    owners.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (unsigned round = 0; round < 300 || (seen == 0 && round < 30000); ++round) {
        auto s = std::make_unique<counted>();
        s->silent = random() % 2 != 0;
        const bool of_one = random() % 4 != 0;
        if (shared.join(*s, of_one ? one : other, cpumask<cpu_count>::all(), s->silent ? start::disabled : start::enabled))
          ++wrong;
        for (unsigned i = 0; i < random() % 4; ++i) {
          if (s->silent) {
            s->silent = false;
            if (shared.enable(*s)) ++wrong;
          } else {
            if (shared.disable(*s)) ++wrong;
            s->silent = true;
          }
          std::this_thread::yield();
        }
        if (shared.leave(*s)) ++wrong;
        s->gone = true;
        for (unsigned n : s->hits) seen += n;
      }  // and its storage is freed
    });
  for (auto& t : owners) t.join();
  stop = true;
  for (auto& t : cpus) t.join();
  CHECK(wrong == 0);
  CHECK(seen > 0);
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(steady.hits[cpu] == touched[cpu]);
  CHECK(!shared.leave(steady));
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(slots.system().bank(cpu).control().on == 0);
}
