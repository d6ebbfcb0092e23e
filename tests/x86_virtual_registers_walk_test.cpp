// SPDX-License-Identifier: MIT
// tests/x86_virtual_registers_walk_test.cpp — whatever is written, in whatever order, does what a CPU of its own would do: one
// that is simulated from the manuals, with nobody to ask.
#include <conformance/virtual_cpu.hpp>
#include <doctest/doctest.h>
#include <random>

namespace {

using namespace conformance::virtual_cpu;
using conformance::simulated_x86;
using conformance::x86_access;

TEST_CASE("every order of writing two addresses and DR7 gives the same") {
  struct step {
    unsigned n;
    std::uint64_t value;
  };
  constexpr std::uint64_t kinds[] = {write_4, access_8, write_1, runs, port_1};
  for (const std::uint64_t first : kinds)
    for (const std::uint64_t second : kinds)
      for (std::uint64_t on = 0; on < 16; ++on)
        for (const std::uint64_t a : {0x0ull, 0x2000ull, 0x2002ull})
          for (const std::uint64_t b : {0x0ull, 0x2004ull, 0x8000'0000'0000'0000ull}) {
            const step steps[] = {{0, a}, {1, b}, {7, on | kind(0, first) | kind(1, second)}};
            constexpr unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
            for (const auto& order : orders) {
              scene s;
              for (const unsigned i : order) REQUIRE_FALSE(s.dr.poke(steps[i].n, steps[i].value));
              CHECK(s[0] == a);
              CHECK(s[1] == b);
              CHECK(s[7] == steps[2].value);
              // Slots are taken in the order of enabling, so that not the rows but what is watched is the same.
              simulated_x86 bare;
              bare.dr[0] = a, bare.dr[1] = b, bare.dr7 = steps[2].value;
              for (const auto what : {x86_access::execute, x86_access::write, x86_access::read, x86_access::io})
                for (const std::uint64_t at : {0x0ull, 0x2000ull, 0x2003ull, 0x2004ull, 0x2007ull}) {
                  bare.dr6 = 0;
                  (void)bare.touch(what, at, 1);
                  const std::uint64_t enabled = ((on | on >> 1) & 1) | ((on >> 2 | on >> 3) & 1) << 1;
                  CHECK(s.touch(what, at, 1) == (bare.dr6 & enabled));
                }
            }
          }
}

TEST_CASE("whatever is written, it is what a CPU of its own would show, as far as the kernel leaves slots") {
  std::mt19937_64 random{4};
  const auto pick = [&](auto... of) {
    const std::uint64_t all[] = {static_cast<std::uint64_t>(of)...};
    return all[random() % sizeof...(of)];
  };
  const auto address = [&] {
    return pick(0, 0, 0x1000, 0x1001, 0x1004, 0x1007, 0x3f8, user_end - 8, user_end - 1, user_end, 0xffff'8000'0000'0000, ~0ull);
  };
  unsigned granted = 0, full = 0, forbidden = 0, wrong = 0, hits = 0, kernels = 0;
  for (unsigned world = 0; world < 60; ++world) {
    scene s;
    simulated_x86 bare;
    bare.dr7 = 0;
    slot_mask reserved = 0;
    unsigned held[2] = {};
    for (unsigned step = 0; step < 400; ++step) {
      const auto has = [&](const simulated_x86& c, unsigned i) { return (c.dr7 >> (2 * i) & 3) != 0; };
      const auto first = [&](const simulated_x86& c, unsigned i) {
        constexpr std::uint64_t low[] = {0, 1, 7, 3};
        return c.dr[i] & ~low[c.dr7 >> (18 + 4 * i) & 3];
      };
      const auto exists = [&](const simulated_x86& c, unsigned i) {
        const std::uint64_t at = first(c, i);
        return (c.dr7 >> (16 + 4 * i) & 3) == 2 ? at <= 0xFFFF : at < user_end || at >= 0xffff'8000'0000'0000;
      };
      switch (random() % 8) {
        case 0: {  // the kernel comes or goes
          const unsigned k = random() % 4;
          if (s.held[k].idle()) {
            const std::uint64_t where = 1 + random() % 3;
            cpumask<2> m;
            bool room = true;
            for (cpu_id c = 0; c < 2; ++c)
              if ((where >> c & 1) != 0) {
                m.set(c);
                room = room && held[c] + static_cast<unsigned>(__builtin_popcount(reserved)) < 4;
              }
            CHECK(s.hold(k, m) == room);
            if (room)
              for (const cpu_id c : m) ++held[c];
            kernels += room;
          } else {
            for (const cpu_id c : s.held[k].cpus()) --held[c];
            CHECK_FALSE(s.slots.unregister_breakpoint(s.held[k]));
          }
          break;
        }
        case 1:
          s.run_on(random() % 2);
          break;
        case 2:
          s.dr.give_back();
          for (unsigned i = 0; i < 4; ++i)
            if (!has(bare, i) || !exists(bare, i)) reserved &= ~(1u << i);
          CHECK(s.dr.reserved() == reserved);
          break;
        case 3:
        case 4: {  // the task does something, and DR6 says so
          const auto what = static_cast<x86_access>(random() % 4);
          const std::uint64_t at = address(), n = pick(1, 2, 4);
          if (at > ~n) break;
          simulated_x86 now = bare;
          now.dr6 = 0;
          (void)now.touch(what, at, n);
          for (unsigned i = 0; i < 4; ++i)
            if (!has(bare, i)) now.dr6 &= ~(std::uint64_t{1} << i);
          CHECK(s.touch(what, at, n) == now.dr6);
          bare.dr6 |= now.dr6;
          if (now.dr6 != 0) bare.dr7 &= ~std::uint64_t{0x2000};
          hits += now.dr6 != 0;
          break;
        }
        case 5:
          bare.dr6 = (random() & 0xE00F) | 0xFFFF'0FF0;
          CHECK_FALSE(s.dr.poke(6, bare.dr6));
          break;
        default: {  // the tracer writes
          simulated_x86 next = bare;
          const unsigned n = random() % 2 == 0 ? 7 : static_cast<unsigned>(random() % 4);
          const std::uint64_t value = n < 4 ? address() : random() & 0xFFFF'FFFF & pick(~0ull, 0x3333'FFFF, 0xFFFF'0003, 0);
          (n < 4 ? next.dr[n] : next.dr7) = value;
          bool bad = false, denied = false;
          slot_mask needed = reserved;
          for (unsigned i = 0; i < 4; ++i) {
            if (!has(next, i)) continue;
            const std::uint64_t rw = next.dr7 >> (16 + 4 * i) & 3, len = next.dr7 >> (18 + 4 * i) & 3, at = first(next, i);
            if ((rw == 0 && len != 0) || (rw == 2 && len == 2)) bad = true;
            if (!exists(next, i)) continue;
            denied = denied || (rw != 2 && at >= user_end);
            needed |= 1u << i;
          }
          const bool fits = (held[0] > held[1] ? held[0] : held[1]) + static_cast<unsigned>(__builtin_popcount(needed)) <= 4;
          const view before{s};
          const auto no = s.dr.poke(n, value);
          CHECK(!no == (!bad && !denied && fits));
          if (!no) {
            bare = next;
            reserved = needed;
            ++granted;
          } else {
            CHECK(view{s} == before);
            (no.why == reason::no_slot ? full : no.why == reason::forbidden ? forbidden : wrong) += 1;
          }
        }
      }
      for (unsigned n = 0; n < 4; ++n) REQUIRE(s[n] == bare.dr[n]);
      REQUIRE(s[6] == bare.dr6);
      REQUIRE(s[7] == bare.dr7);
      REQUIRE(s.dr.reserved() == reserved);
    }
  }
  // The walk has been everywhere.
  for (const unsigned n : {granted, full, forbidden, wrong, hits, kernels}) CHECK(n > 100);
}

}  // namespace
