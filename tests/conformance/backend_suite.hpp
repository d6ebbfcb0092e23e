// SPDX-License-Identifier: MIT
// tests/conformance/backend_suite.hpp — the suite that every backend passes: each meaning in backend.hpp, tried on a machine.
//   TEST_CASE("my machine is a backend") { my_probe probe; conformance::backend_suite(probe); }
#pragma once
#include <conformance/backend_arithmetic.hpp>
#include <conformance/backend_failures.hpp>
#include <doctest/doctest.h>

namespace conformance {

/// Call it in a test case, with a probe made there: each part starts with a fresh one.
template <backend_probe Probe>
void backend_suite(Probe& probe) {
  using machine = typename hands<Probe>::machine;
  using setting = typename machine::setting;
  using bookend::access;
  using bookend::slot_id;
  const std::uint64_t room = probe.room();
  const std::uint64_t middle = room + room_bytes / 2;
  const auto place = [&](access on) { return on == access::execute ? probe.code() : middle; };
  constexpr access kinds[] = {access::write, access::read_write, access::read, access::execute};
  const auto each_kind = [&](auto f) {
    for (const access on : kinds)
      each_setting<machine>(place(on), on, [&](const setting& s, std::uint64_t length) {
        CAPTURE(static_cast<int>(on));
        CAPTURE(length);
        f(s);
      });
  };
  hands<Probe> cpu{probe, 0};

  backend_arithmetic<machine>(room);
  backend_failures(probe);

  SUBCASE("whatever encode accepts can be written, in every slot of its pool, and hits") {
    each_request(room, [&](const bookend::request& r) {
      const auto s = machine::encode(r);
      if (!s || r.on == access::io) return;
      each_slot(slots_for<machine>(s.value()), [&](slot_id slot) {
        const bool armed = cpu.arm(slot, s.value());
        bool hits = true;
        if constexpr (requires { Probe::touches_anywhere; }) hits = cpu.touch(s.value()).trapped;
        if (!armed || !hits || !cpu.disarm(slot))
          FAIL_CHECK("slot ", slot, " address ", r.address, " length ", r.length, " access ", static_cast<int>(r.on));
      });
    });
  }

  SUBCASE("a slot that has an address and is not switched on is silent") {
    each_kind([&](const setting& s) {
      each_slot(slots_for<machine>(s), [&](slot_id slot) {
        REQUIRE(took([&] { return probe.backend().write_address(0, slot, s); }));
        CHECK_FALSE(cpu.touch(s).trapped);
        REQUIRE(cpu.arm(slot, s));
        CHECK(cpu.touch(s).trapped);
        REQUIRE(cpu.disarm(slot));
        CHECK_FALSE(cpu.touch(s).trapped);
      });
    });
  }

  SUBCASE("each slot reports its own hits, by its own bit, and takes nothing else along") {
    each_kind([&](const setting& s) {
      each_slot(slots_for<machine>(s), [&](slot_id slot) {
        REQUIRE(cpu.arm(slot, s));
        const observation o = cpu.touch(s);
        CHECK(o.trapped);
        CHECK(o.seen.hits == 1u << slot);
        CHECK_FALSE(o.seen.step);
        CHECK(o.seen.rest == 0);
        REQUIRE(cpu.disarm(slot));
      });
    });
  }

  SUBCASE("a status that was taken is gone, and its reset value reads as nothing") {
    const bookend::status fresh = probe.backend().take_status(0);
    CHECK((fresh.hits == 0 && !fresh.step && fresh.rest == 0));
    each_kind([&](const setting& s) {
      each_slot(slots_for<machine>(s), [&](slot_id slot) {
        REQUIRE(cpu.arm(slot, s));
        CHECK(cpu.touch(s).trapped);
        const bookend::status again = probe.backend().take_status(0);
        CHECK(again.hits == 0);
        CHECK_FALSE(again.step);
        CHECK(again.rest == 0);
        REQUIRE(cpu.disarm(slot));
      });
    });
  }

  SUBCASE("exactly the bytes asked for are watched") {
    for (const access on : {access::write, access::read_write, access::read})
      each_setting<machine>(middle, on, [&](const setting& s, std::uint64_t length) {
        const auto touch = [&](std::uint64_t at, std::uint64_t n) {
          return on == access::read ? cpu.read(at, n) : cpu.write(at, n);
        };
        const slot_id slot = bookend::detail::lowest_bit(slots_for<machine>(s));
        CAPTURE(static_cast<int>(on));
        CAPTURE(length);
        REQUIRE(cpu.arm(slot, s));
        for (std::uint64_t at = middle - 16; at < middle + length + 16; ++at)
          for (const std::uint64_t n : {1u, 2u, 4u, 8u}) {
            const bool expected = bookend::range{at, n}.overlaps({middle, length});
            if (touch(at, n).trapped != expected) FAIL_CHECK(n, " bytes at watch + ", static_cast<long long>(at - middle));
          }
        REQUIRE(cpu.disarm(slot));
      });
  }

  SUBCASE("only the accesses asked for are reported, and data hits come after the access") {
    each_kind([&](const setting& s) {
      const access on = machine::decode(s).on;
      REQUIRE(cpu.arm(bookend::detail::lowest_bit(slots_for<machine>(s)), s));
      const observation w = cpu.write(middle);
      const observation r = cpu.read(middle);
      const observation x = cpu.execute(probe.code());
      CHECK(w.trapped == (on == access::write || on == access::read_write));
      CHECK(r.trapped == (on == access::read || on == access::read_write));
      CHECK(x.trapped == (on == access::execute));
      const bool before = machine::faults_before(s);
      for (const observation& o : {w, r, x})
        if (o.trapped) CHECK(o.before == before);
      REQUIRE(cpu.disarm_all());
    });
  }

  SUBCASE("slots of a pool watch different things at once, and switching one off and on leaves the others alone") {
    for (const bookend::slot_mask pool : machine::pools) {
      each_slot(pool, [&](slot_id slot) {
        const auto s = machine::encode({room + 8 * (slot % 32), 1, access::write});
        if (s && slots_for<machine>(s.value()) == pool) REQUIRE(cpu.arm(slot, s.value()));
      });
      const bookend::slot_mask all = cpu.on();
      each_slot(all, [&](slot_id off) {
        REQUIRE(cpu.disarm(off));
        each_slot(all, [&](slot_id slot) { CHECK(cpu.write(room + 8 * slot).seen.hits == (slot == off ? 0 : 1u << slot)); });
        REQUIRE(cpu.switch_to(all));  // the address is still there: one control write is enough
        CHECK(cpu.write(room + 8 * off).seen.hits == 1u << off);
      });
      REQUIRE(cpu.disarm_all());
    }
  }

  SUBCASE("one access that several slots watch shows all their bits") {
    each_kind([&](const setting& s) {
      const bookend::slot_mask pool = slots_for<machine>(s);
      each_slot(pool, [&](slot_id slot) { REQUIRE(cpu.arm(slot, s)); });
      const observation o = cpu.touch(s);
      CHECK((o.seen.hits & ~pool) == 0);
      CHECK((o.seen.hits & pool & (~pool + 1)) != 0);
      if (shows_all_hits<Probe>) CHECK(o.seen.hits == pool);
      REQUIRE(cpu.disarm_all());
    });
  }

  SUBCASE("a slot's next setting has nothing of its last") {
    each_kind([&](const setting& last) {
      each_setting<machine>(middle + 64, access::write, [&](const setting& next, std::uint64_t length) {
        const slot_id slot = bookend::detail::lowest_bit(slots_for<machine>(next));
        if ((slots_for<machine>(last) & 1u << slot) == 0) return;
        REQUIRE(cpu.arm(slot, last));
        REQUIRE(cpu.arm(slot, next));
        CHECK_FALSE(cpu.touch(last).trapped);
        CHECK_FALSE(cpu.read(middle + 64).trapped);
        CHECK(cpu.write(middle + 64 + length - 1).trapped);
        CHECK_FALSE(cpu.write(middle + 64 + length).trapped);
        REQUIRE(cpu.disarm(slot));
      });
    });
  }

  SUBCASE("between settings of the same address, control is all that changes") {
    each_kind([&](const setting& last) {
      each_kind([&](const setting& next) {
        const bookend::slot_mask both = slots_for<machine>(last) & slots_for<machine>(next);
        if (both == 0 || !machine::same_address(last, next)) return;
        const slot_id slot = bookend::detail::lowest_bit(both);
        REQUIRE(cpu.arm(slot, last));
        REQUIRE(cpu.disarm(slot));
        cpu.change_kind(slot, next);
        REQUIRE(cpu.switch_to(1u << slot));
        const std::uint64_t end = machine::decode(next).bytes().last();
        CHECK(cpu.touch(next).trapped);
        CHECK(cpu.write(end).trapped ==
              (machine::decode(next).on == access::write || machine::decode(next).on == access::read_write));
        CHECK_FALSE(cpu.write(end + 1).trapped);
        REQUIRE(cpu.disarm(slot));
      });
    });
  }

  SUBCASE("CPUs have registers of their own") {
    if (probe.cpus() < 2) return;
    hands<Probe> other{probe, 1};
    each_kind([&](const setting& s) {
      const slot_id slot = bookend::detail::lowest_bit(slots_for<machine>(s));
      REQUIRE(cpu.arm(slot, s));
      CHECK_FALSE(other.touch(s).trapped);
      REQUIRE(other.arm(slot, s));
      REQUIRE(cpu.disarm(slot));
      CHECK(other.touch(s).trapped);
      CHECK_FALSE(cpu.touch(s).trapped);
      REQUIRE(other.disarm(slot));
    });
  }

  if constexpr (requires { probe.step(0); }) {
    SUBCASE("a single step is reported as one, and also in what is left for others") {
      const observation o = probe.step(0);
      CHECK(o.trapped);
      CHECK(o.seen.step);
      CHECK(o.seen.hits == 0);
      CHECK(o.seen.rest != 0);
      CHECK_FALSE(probe.backend().take_status(0).step);
    }
  }
}

}  // namespace conformance
