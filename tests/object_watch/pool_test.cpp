// SPDX-License-Identifier: MIT
// tests/object_watch/pool_test.cpp — the pool of examples/object_watch: what is reported, once, and what never is.
#include <bookend/mock/machine.hpp>
#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <utility>
#include <vector>

#include "examples/object_watch/pool.hpp"

namespace {

using namespace object_watch;
using bookend::cpu_id;
using machine = bookend::mock::machine<2, 4>;
using watches = pool<bookend::mock::system<2, 4>, 2>;

constexpr std::uint64_t slot(unsigned i) { return 0x10000 + 64 * i; }
constexpr object known(unsigned i) { return {slot(i), 48, slot(i) + 48, slot(i) + 16, 0xa0 + i, 0}; }

struct told {
  fault what;
  object of;
  cpu_id cpu;
};
std::vector<told> reports;

struct scene {
  scene() {
    reports.clear();
    REQUIRE(!p.open());
  }
  ~scene() {
    m.deliver();
    p.close();
    CHECK(m.consistent());
    for (cpu_id cpu : {0u, 1u})
      for (const auto& s : m.slots.snapshot(cpu).slots) CHECK(s.state == bookend::slot_state::free);
  }
  bool allocate(cpu_id cpu, unsigned i) {
    return m.guarded(cpu, [&](auto) { return p.allocated(m.slots.post(), known(i)); });
  }
  bool free(cpu_id cpu, unsigned i) {
    return m.guarded(cpu, [&](auto) { return p.freed(m.slots.post(), slot(i), 0xf0 + i); });
  }
  void write_body(cpu_id cpu, unsigned i) {
    for (std::uint64_t at = 0; at < 48; at += 8) m.write(cpu, slot(i) + at, 8);
  }
  void overflow(cpu_id cpu, unsigned i) { m.write(cpu, slot(i) + 48, 8); }

  machine m;
  watches p{m.slots, [](const watches::finding& f) { reports.push_back({f.what, f.of, f.access.here.cpu()}); }};
};

TEST_CASE("an overflow is reported once, with the object, and its CPU; using the object is not reported") {
  scene s;
  REQUIRE(s.allocate(0, 3));
  s.m.deliver();
  s.write_body(0, 3);
  s.write_body(1, 3);
  CHECK(reports.empty());
  s.overflow(1, 3);
  s.overflow(0, 3);
  s.overflow(1, 3);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].what == fault::written_while_it_lived);
  CHECK(reports[0].of.address == slot(3));
  CHECK(reports[0].of.allocated_by == 0xa3);
  CHECK(reports[0].cpu == 1);
  CHECK_FALSE(s.free(0, 3));
  s.m.deliver();
  for (cpu_id cpu : {0u, 1u}) CHECK(s.m.write(cpu, slot(3) + 48, 8) == 0);  // no trap any more
}

TEST_CASE("a freed object that is read or written is reported once, and says who freed it") {
  for (const bool read : {false, true}) {
    scene s;
    REQUIRE(s.allocate(0, 1));
    REQUIRE(s.free(1, 1));
    s.m.deliver();
    s.overflow(0, 1);  // nobody's guard any more
    CHECK(reports.empty());
    read ? s.m.read(0, slot(1) + 16, 8) : s.m.write(0, slot(1) + 20, 1);
    s.write_body(1, 1);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].what == fault::touched_after_free);
    CHECK(reports[0].of.freed_by == 0xf1);
    CHECK(reports[0].cpu == 0);
  }
}

TEST_CASE("live objects keep their watches; of freed ones the first freed makes way") {
  scene s;
  REQUIRE(s.allocate(0, 0));
  REQUIRE(s.allocate(0, 1));
  CHECK_FALSE(s.allocate(0, 2));
  CHECK(s.p.unwatched() == 1);
  CHECK_FALSE(s.free(0, 2));
  REQUIRE(s.free(0, 1));
  REQUIRE(s.free(0, 0));
  REQUIRE(s.allocate(0, 3));  // takes that of 1
  s.m.deliver();
  s.write_body(1, 1);
  CHECK(reports.empty());
  s.write_body(1, 0);
  CHECK(reports.size() == 1);
  s.overflow(1, 3);
  CHECK(reports.size() == 2);
}

TEST_CASE("memory that is allocated again is not reported, even where the news has not arrived") {
  scene s;
  REQUIRE(s.allocate(0, 1));
  REQUIRE(s.free(0, 1));
  s.m.deliver();
  REQUIRE(s.allocate(0, 1));
  s.write_body(1, 1);
  CHECK(s.p.passed_over() == 1);
  s.m.deliver();
  s.write_body(1, 1);
  CHECK(s.p.passed_over() == 1);
  CHECK(reports.empty());
  s.overflow(1, 1);
  CHECK(reports.size() == 1);
}

TEST_CASE("an access that its new owner made before it freed the memory, and that traps after: not reported") {
  scene s;
  static scene* of;
  of = &s;
  static bool armed;
  armed = false;
  machine::kernel_breakpoint first{"first", [](const machine::hit&) {  // its slot is lower, so it is told first
                                     if (std::exchange(armed, false)) CHECK(of->free(0, 1));
                                   }};
  REQUIRE(!s.m.slots.register_breakpoint(first, {slot(1) + 16, 8, bookend::access::write}, bookend::cpumask<2>::of(1)));
  REQUIRE(s.allocate(0, 1));
  REQUIRE(s.free(0, 1));
  s.m.deliver();
  REQUIRE(s.allocate(0, 1));
  armed = true;
  CHECK(s.m.write(1, slot(1) + 16, 8) == 1);
  CHECK_FALSE(armed);
  CHECK(reports.empty());
  CHECK(s.p.passed_over() == 1);
  s.m.deliver();
  s.write_body(1, 1);
  CHECK(reports.size() == 1);
  REQUIRE(!s.m.slots.unregister_breakpoint(first));
}

TEST_CASE("the owner's own way is silent on its CPU while it lasts, and nobody else's is on another") {
  for (const cpu_id later : {0u, 1u}) {
    scene s;
    REQUIRE(s.allocate(0, 1));
    s.m.deliver();
    s.m.guarded(0, [&](auto here) {
      s.p.by_owner(here, slot(1), [&] {
        s.overflow(0, 1);
        CHECK(reports.empty());
        if (later == 1) s.overflow(1, 1);
      });
    });
    if (later == 0) s.overflow(0, 1);
    CHECK(reports.size() == 1);
  }
}

TEST_CASE("with the verbs of one CPU, the other is not watched; with the manager's own, both are") {
  scene s;
  s.m.guarded(0, [&](auto here) { CHECK(s.p.allocated(here, known(1))); });
  s.overflow(1, 1);
  CHECK(reports.empty());
  s.overflow(0, 1);
  CHECK(reports.size() == 1);
  REQUIRE(s.p.allocated(s.m.slots, known(2)));
  s.overflow(1, 2);
  CHECK(reports.size() == 2);
  REQUIRE(s.p.allocated(s.m.slots, known(3)));
  s.m.guarded(0, [&](auto here) { CHECK(s.p.freed(here, slot(3), 0xf3)); });
  s.overflow(1, 3);  // CPU 1 has the older aim
  CHECK(reports.size() == 2);
  s.write_body(0, 3);
  CHECK(reports.size() == 3);
}

TEST_CASE("where it is opened, all or nothing") {
  machine m;
  watches first{m.slots, nullptr}, second{m.slots, nullptr}, third{m.slots, nullptr};
  REQUIRE(!first.open());
  machine::kernel_breakpoint other{"other", [](const machine::hit&) {}};
  REQUIRE(!m.slots.register_breakpoint(other, {0x1000, 8, bookend::access::write}));
  CHECK(second.open().why == bookend::reason::no_slot);
  REQUIRE(!m.slots.unregister_breakpoint(other));
  REQUIRE(!third.open());
  first.close();
  third.close();
}

TEST_CASE("at random, with posts that come late: no false report, and each bug that is watched is one") {
  constexpr unsigned slots = 5;
  unsigned bugs = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    scene s;
    std::mt19937 random(seed);
    const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    bool is_live[slots]{}, watched[slots]{};
    std::vector<unsigned> dead;  // watched, the first freed first
    const auto live_watches = [&] {
      unsigned n = 0;
      for (unsigned i = 0; i < slots; ++i) n += is_live[i] && watched[i];
      return n;
    };
    for (unsigned step = 0; step < 100; ++step) {
      const unsigned i = any(slots), cpu = any(2);
      const std::size_t before = reports.size();
      switch (any(5)) {
        case 0:
          if (is_live[i]) break;
          std::erase(dead, i);
          is_live[i] = true;
          watched[i] = live_watches() < 2;
          CHECK(s.allocate(cpu, i) == watched[i]);
          if (live_watches() + dead.size() > 2) dead.erase(dead.begin());
          break;
        case 1:
          if (!is_live[i]) break;
          is_live[i] = false;
          CHECK(s.free(cpu, i) == watched[i]);
          if (watched[i]) dead.push_back(i);
          watched[i] = false;
          break;
        case 2:
          s.m.deliver(cpu);
          break;
        case 3:
          if (is_live[i]) s.write_body(cpu, i);
          CHECK(reports.size() == before);
          break;
        default: {  // a bug
          s.m.deliver();
          const bool due = is_live[i] ? watched[i] : std::find(dead.begin(), dead.end(), i) != dead.end();
          is_live[i] ? s.overflow(cpu, i) : s.write_body(cpu, i);
          is_live[i] ? s.overflow(1 - cpu, i) : s.write_body(1 - cpu, i);
          REQUIRE(reports.size() == before + due);
          if (due) CHECK(reports.back().of.address == slot(i));
          if (due) CHECK((reports.back().what == fault::written_while_it_lived) == is_live[i]);
          bugs += due;
          watched[i] = false;
          std::erase(dead, i);
        }
      }
    }
  }
  CHECK(bugs > 1000);
}

TEST_CASE("an NMI that allocates or frees at any register write of another: no false report, and both are watched or neither") {
  for (const bool frees : {false, true})
    for (unsigned k = 1;; ++k) {
      CAPTURE(frees);
      CAPTURE(k);
      scene s;
      REQUIRE(s.allocate(0, 0));
      REQUIRE(s.allocate(0, 1));
      REQUIRE(s.free(0, 0));
      s.m.deliver();
      bool came = false, nested = false, over = false;
      s.m.before_write(k, [&](const auto& w) {
        if (over || std::exchange(came, true)) return;
        s.m.nmi(w.cpu,
                [&] { nested = frees ? s.p.freed(s.m.slots.post(), slot(1), 0xf1) : s.p.allocated(s.m.slots.post(), known(2)); });
      });
      const bool outer = s.allocate(1, 0);  // the same memory again
      over = true;
      s.m.deliver();
      for (cpu_id cpu : {0u, 1u})
        for (unsigned i : {0u, 2u}) s.write_body(cpu, i);
      CHECK(reports.empty());
      CHECK(outer);
      s.overflow(0, 0);
      CHECK(reports.size() == 1);
      if (frees) {
        CHECK(nested == came);
        s.write_body(0, 1);
      } else {
        CHECK_FALSE(nested);  // one watch is a live object's, the other is being aimed
        s.overflow(0, 2);
        CHECK(reports.size() == 1);
        s.overflow(0, 1);
      }
      CHECK(reports.size() == (frees && !came ? 1 : 2));
      if (!came) {
        CHECK(k > 3);
        break;
      }
    }
}

}  // namespace
