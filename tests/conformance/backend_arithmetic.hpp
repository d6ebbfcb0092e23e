// SPDX-License-Identifier: MIT
// tests/conformance/backend_arithmetic.hpp — what backend.hpp promises of a machine's pure functions.
#pragma once
#include <doctest/doctest.h>

#include <conformance/probe.hpp>

namespace conformance {

inline constexpr bookend::access all_accesses[] = {bookend::access::write, bookend::access::read_write, bookend::access::read,
                                                   bookend::access::execute, bookend::access::io};

/// Calls f(request) for requests of every kind and many lengths, around places where arithmetic goes wrong, and around `room`.
template <class F>
void each_request(std::uint64_t room, F f) {
  const std::uint64_t places[] = {0,
                                  room,
                                  0x7fff'ffff'fff8,
                                  0x8000'0000'0000,
                                  0x7fff'ffff'ffff'fff8,
                                  0x8000'0000'0000'0000,
                                  0xffff'8000'0000'0000,
                                  0xffff'ffff'ffff'fff0};
  const std::uint64_t long_ones[] = {32, 64, 4096, 4097, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}};
  for (const auto on : all_accesses)
    for (const auto place : places)
      for (std::uint64_t offset = 0; offset < 16; ++offset) {
        for (std::uint64_t length = 0; length <= 17; ++length) f(bookend::request{place + offset, length, on});
        for (const auto length : long_ones) f(bookend::request{place + offset, length, on});
      }
}

/// Calls f(setting, length) for what a machine can watch at `address`: lengths up to 32, so that it stays in the room.
template <bookend::backend B, class F>
void each_setting(std::uint64_t address, bookend::access on, F f) {
  for (std::uint64_t length = 1; length <= 32; ++length)
    if (auto s = B::encode({address, length, on})) f(s.value(), length);
}

template <bookend::backend B>
void backend_arithmetic(std::uint64_t room) {
  using setting = typename B::setting;
  using bookend::reason;

  SUBCASE("each slot is in exactly one pool") {
    bookend::slot_mask seen = 0;
    for (const auto pool : B::pools) {
      CHECK(pool != 0);
      CHECK((seen & pool) == 0);
      seen |= pool;
    }
    CHECK(seen == ~bookend::slot_mask{0} >> (32 - B::slots));
  }

  SUBCASE("what encode accepts is what was asked: decode gives the request back, and it has a pool") {
    unsigned accepted = 0;
    each_request(room, [&](const bookend::request& r) {
      const auto s = B::encode(r);
      if (!s) return;
      ++accepted;
      if (!(B::decode(s.value()) == r) || B::pool_of(s.value()) >= bookend::pool_count<B> ||
          !B::same_address(s.value(), s.value()))
        FAIL_CHECK("address ", r.address, " length ", r.length, " access ", static_cast<int>(r.on));
    });
    CHECK(accepted > 0);
  }

  SUBCASE("writes of some length can be watched") {
    unsigned lengths = 0;
    each_setting<B>(room, bookend::access::write, [&](const setting&, std::uint64_t) { ++lengths; });
    CHECK(lengths > 0);
  }

  SUBCASE("encode refuses no bytes, bytes beyond the end of memory, and accesses that do not exist") {
    for (const auto on : all_accesses) {
      CHECK_FALSE(B::encode({room, 0, on}));
      CHECK_FALSE(B::encode({~std::uint64_t{0}, 2, on}));
      CHECK_FALSE(B::encode({~std::uint64_t{0} - 3, 8, on}));
      CHECK_FALSE(B::encode({room, ~std::uint64_t{0}, on}));
    }
    CHECK(B::encode({room, 1, static_cast<bookend::access>(0x7f)}).why() == reason::unsupported);
    CHECK(B::encode({room, 0, bookend::access::write}).why() == reason::bad_length);
  }

  SUBCASE("a refusal says what to do about the request, and the same each time") {
    each_request(room, [&](const bookend::request& r) {
      const auto s = B::encode(r);
      const reason why = s.why();
      if (s ? why != reason::granted : why != reason::misaligned && why != reason::bad_length && why != reason::unsupported)
        FAIL_CHECK("address ", r.address, " length ", r.length, " access ", static_cast<int>(r.on), " says ", to_string(why));
      // Misaligned promises that the address is all that is wrong: the same length at an aligned one is accepted.
      const std::uint64_t aligned = r.on == bookend::access::io ? 0 : room;
      if (why == reason::misaligned && !B::encode({aligned, r.length, r.on}))
        FAIL_CHECK("misaligned, but not accepted at ", aligned, " either: length ", r.length, " access ", static_cast<int>(r.on));
      if (B::encode(r).why() != why) FAIL_CHECK("not pure");
    });
  }

  SUBCASE("encode is constexpr") {
    constexpr reason why = B::encode({0, 0, bookend::access::write}).why();
    CHECK(why == reason::bad_length);
  }

  SUBCASE("control says what is on, and nothing about slots that are off") {
    const setting none[B::slots]{};
    const auto off = B::control_of(none, 0);
    for (const auto on : all_accesses)
      each_setting<B>(room, on, [&](const setting& s, std::uint64_t) {
        setting all[B::slots]{};
        each_slot(slots_for<B>(s), [&](bookend::slot_id slot) { all[slot] = s; });
        CHECK(B::control_of(all, 0) == off);
        each_slot(slots_for<B>(s), [&](bookend::slot_id slot) {
          setting alone[B::slots]{};
          alone[slot] = s;
          CHECK(B::control_of(all, 1u << slot) == B::control_of(alone, 1u << slot));
          CHECK_FALSE(B::control_of(alone, 1u << slot) == off);
        });
      });
  }
}

}  // namespace conformance
