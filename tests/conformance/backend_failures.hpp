// SPDX-License-Identifier: MIT
// tests/conformance/backend_failures.hpp — what backend.hpp promises of a register write that fails.
#pragma once
#include <doctest/doctest.h>

#include <conformance/probe.hpp>

namespace conformance {

/// A failed write leaves the registers as they were or as asked, touches no other slot, and the next write is possible.
/// For probes that can make a write fail; nothing to try on the others.
template <backend_probe Probe>
void backend_failures(Probe& probe) {
  using machine = typename hands<Probe>::machine;
  if constexpr (bookend::can_fail<machine> && requires { probe.fail_next(0); }) {
    const std::uint64_t room = probe.room();
    const auto old_one = machine::encode({room, 1, bookend::access::write}).value();
    const auto new_one = machine::encode({room + 64, 1, bookend::access::write}).value();
    const auto other = machine::encode({room + 128, 1, bookend::access::write}).value();
    const bookend::slot_mask pool = slots_for<machine>(old_one);
    const bookend::slot_id slot = bookend::detail::lowest_bit(pool);
    const bookend::slot_id last = bookend::detail::highest_bit(pool);
    hands<Probe> cpu{probe, 0};

    SUBCASE("a failed address write leaves the old address or the new one, and can be repeated") {
      REQUIRE(cpu.arm(last, other));
      REQUIRE(cpu.arm(slot, old_one));
      REQUIRE(cpu.disarm(slot));
      probe.fail_next(0);
      REQUIRE_FALSE(took([&] { return probe.backend().write_address(0, slot, new_one); }));
      REQUIRE(cpu.switch_to(cpu.on() | 1u << slot));
      CHECK(cpu.write(room).trapped != cpu.write(room + 64).trapped);
      CHECK(cpu.write(room + 128).seen.hits == 1u << last);
      REQUIRE(cpu.arm(slot, new_one));
      CHECK_FALSE(cpu.write(room).trapped);
      CHECK(cpu.write(room + 64).trapped);
    }

    SUBCASE("a failed control write leaves what was on or what was asked, and can be repeated") {
      REQUIRE(cpu.arm(last, other));
      REQUIRE(cpu.arm(slot, old_one));
      probe.fail_next(0);
      REQUIRE_FALSE(cpu.switch_to(0));
      CHECK(probe.write(0, room, 1).trapped == probe.write(0, room + 128, 1).trapped);
      REQUIRE(cpu.switch_to(0));
      CHECK_FALSE(probe.write(0, room, 1).trapped);
      CHECK_FALSE(probe.write(0, room + 128, 1).trapped);
      probe.fail_next(0);
      REQUIRE_FALSE(cpu.switch_to(1u << slot | 1u << last));
      CHECK(probe.write(0, room, 1).trapped == probe.write(0, room + 128, 1).trapped);
      REQUIRE(cpu.switch_to(1u << slot | 1u << last));
      CHECK(cpu.write(room).seen.hits == 1u << slot);
      CHECK(cpu.write(room + 128).seen.hits == 1u << last);
    }
  }
}

}  // namespace conformance
