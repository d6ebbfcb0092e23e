// SPDX-License-Identifier: MIT
// tests/cover_test.cpp — mirrors include/bookend/cover.hpp: the fewest requests, by trying all others; and never more than GDB's
// and LLDB's splits, for every range of up to 64 bytes at every offset.
#include <bookend/cover.hpp>
#include <bookend/mock/backend.hpp>
#include <bookend/x86/backend.hpp>
#include <conformance/simulated_x86.hpp>
#include <cstdio>
#include <doctest/doctest.h>
#include <utility>
#include <vector>

#include "../bench/peers/gdb.hpp"
#include "../bench/peers/lldb.hpp"

namespace {
using namespace bookend;

/// A machine whose lengths are the bits of `Lengths`, for writes; execution is of 1 byte, in the other pool if there is one.
template <std::uint64_t Lengths, unsigned Slots = 32, unsigned Pools = 1>
struct machine : mock::backend<1, Slots, Pools> {
  struct setting {
    std::uint64_t address, length;
    access on;
    friend constexpr bool operator==(const setting&, const setting&) noexcept = default;
  };
  static constexpr result<setting> encode(const request& r) noexcept {
    if (r.on != access::write && r.on != access::execute) return reason::unsupported;
    const bool one = r.length != 0 && (r.length & (r.length - 1)) == 0;
    if (!one || (r.length & (r.on == access::write ? Lengths : 1)) == 0 || r.bytes().wraps()) return reason::bad_length;
    if (r.address % r.length != 0) return reason::misaligned;
    if (r.address >= 0x8000'0000'0000 && r.address < 0xffff'8000'0000'0000) return reason::unsupported;
    return setting{r.address, r.length, r.on};
  }
  static constexpr request decode(const setting& s) noexcept { return {s.address, s.length, s.on}; }
  static constexpr unsigned pool_of(const setting& s) noexcept { return Pools == 2 && s.on == access::write ? 1 : 0; }
  static constexpr bool faults_before(const setting&) noexcept { return false; }
  static constexpr bool same_address(const setting& a, const setting& b) noexcept { return a.address == b.address; }
  static constexpr mock::control<Slots> control_of(const setting (&)[Slots], slot_mask on) noexcept { return {.on = on}; }
  void write_address(cpu_id, slot_id, const setting&) noexcept {}
};
static_assert(backend<machine<15>>);

struct uneven : machine<8, 4, 2> {
  static constexpr slot_mask pools[] = {0b0001, 0b1110};
};

constexpr std::uint64_t base = 0x10000;
constexpr unsigned longest = 64;

/// The fewest requests, and of those coverings the fewest bytes, found by trying every block that may come next; {0, 0}: none.
struct cost {
  unsigned requests = 0;
  std::uint64_t bytes = 0;
  bool operator<(const cost& o) const { return requests != o.requests ? requests < o.requests : bytes < o.bytes; }
  bool operator==(const cost&) const = default;
};
template <class Machine>
cost by_trying(range r, fit how, std::vector<std::pair<bool, cost>>& known, std::uint64_t at) {
  if (at > r.last()) return {};
  auto& [is_known, best] = known[at - r.first];
  if (is_known) return best;
  is_known = true;
  best = {1000, 0};
  for (std::uint64_t length = 1; length <= 1024; length *= 2) {
    const std::uint64_t from = at / length * length;
    if (!Machine::encode({from, length, access::write})) continue;
    if (how == fit::exact && (from < r.first || from + length - 1 > r.last())) continue;
    cost c = by_trying<Machine>(r, how, known, from + length);
    ++c.requests;
    c.bytes += length;
    if (c < best) best = c;
  }
  return best;
}

template <class Machine>
void all_ranges() {
  unsigned wrong = 0, granted = 0;
  for (std::uint64_t offset = 0; offset < 64; ++offset)
    for (std::uint64_t length = 1; length <= longest; ++length)
      for (const fit how : {fit::exact, fit::superset}) {
        const range r{base + offset, length};
        std::vector<std::pair<bool, cost>> known(length);
        const cost best = by_trying<Machine>(r, how, known, r.first);
        const auto c = cover<Machine>(r, access::write, how);
        if (best.requests >= 1000) {
          wrong += c || c.why != reason::misaligned || c.needed != 0 || c.size() != 0;
          continue;
        }
        wrong += c.needed != best.requests;
        wrong += c.why != (best.requests > Machine::slots ? reason::no_slot : reason::granted);
        if (!c) continue;
        ++granted;
        std::uint64_t bytes = 0, watched = 0;
        for (const request& q : c) {
          wrong += !Machine::encode(q);
          bytes += q.length;
          const range part = c.part(q);
          wrong += part.first != r.first + watched;  // by rising address, without a gap
          watched += part.length;
          wrong += c.outside_possible(q) != (q.address < r.first || q.bytes().last() > r.last());
        }
        wrong += watched != length || bytes != best.bytes || c.outside_possible() != (bytes != length);
        wrong += how == fit::exact && c.outside_possible();
      }
  CHECK(wrong == 0);
  CHECK(granted > 0);
}

}  // namespace

TEST_CASE("every range of up to 64 bytes at every offset is covered by the fewest requests, and these by the fewest bytes") {
  all_ranges<machine<1 | 2 | 4 | 8>>();
  all_ranges<machine<1 | 2 | 4>>();
  all_ranges<machine<8>>();
  all_ranges<machine<4>>();
  all_ranges<machine<1>>();
  all_ranges<machine<1 | 8>>();
  all_ranges<machine<2 | 16>>();
  all_ranges<machine<1 | 2 | 4 | 8 | 16 | 32 | 64>>();
  all_ranges<machine<1 | 2 | 4 | 8 | 512>>();
  all_ranges<machine<1 | 2 | 4 | 8, 4>>();
  all_ranges<machine<8, 2>>();
}

TEST_CASE("never more requests than GDB's exact and LLDB's superset split, for every range of up to 64 bytes at every offset") {
  using x86 = machine<1 | 2 | 4 | 8>;
  unsigned more_than_gdb = 0, more_than_lldb = 0, wider_than_lldb = 0;
  unsigned saved[2] = {}, fits[4] = {};     // of four registers: ours exact, GDB, ours superset, LLDB
  unsigned histogram[4][longest + 1] = {};  // [whose][registers]
  for (std::uint64_t offset = 0; offset < 64; ++offset)
    for (std::uint64_t length = 1; length <= longest; ++length) {
      const range r{base + offset, length};
      const auto exact = cover<x86>(r, access::write, fit::exact);
      const auto superset = cover<x86>(r, access::write, fit::superset);
      unsigned gdb = 0, lldb = 0;
      std::uint64_t at = r.first, bytes = 0, of_lldb = 0;
      peers::gdb_split(r.first, r.length, [&](std::uint64_t address, unsigned size) {
        CHECK(address == at);
        at += size;
        ++gdb;
      });
      CHECK(at == r.last() + 1);
      at = r.first;
      peers::lldb_split(r.first, r.length, 8, [&](std::uint64_t address, std::uint64_t size) {
        CHECK(address <= at);
        at = address + size;
        of_lldb += size;
        ++lldb;
      });
      CHECK(at > r.last());
      for (const request& q : superset) bytes += q.length;
      more_than_gdb += exact.needed > gdb;
      more_than_lldb += superset.needed > lldb;
      wider_than_lldb += superset.needed == lldb && bytes > of_lldb;
      saved[0] += static_cast<unsigned>(gdb - exact.needed);
      saved[1] += static_cast<unsigned>(lldb - superset.needed);
      const std::uint64_t counts[4] = {exact.needed, gdb, superset.needed, lldb};
      for (unsigned i = 0; i < 4; ++i) {
        ++histogram[i][counts[i]];
        fits[i] += counts[i] <= 4;
      }
    }
  CHECK(more_than_gdb == 0);
  CHECK(more_than_lldb == 0);
  CHECK(wider_than_lldb == 0);
  CHECK(fits[2] >= fits[0]);
  std::printf("registers  exact    GDB  superset   LLDB   (of 4096 ranges of up to 64 bytes; lengths 1, 2, 4, 8)\n");
  for (unsigned n = 1; n <= longest; ++n)
    if ((histogram[0][n] | histogram[1][n] | histogram[2][n] | histogram[3][n]) != 0)
      std::printf("%9u %6u %6u %9u %6u\n", n, histogram[0][n], histogram[1][n], histogram[2][n], histogram[3][n]);
  std::printf("within 4  %6u %6u %9u %6u   registers saved: %u of GDB's, %u of LLDB's\n", fits[0], fits[1], fits[2], fits[3],
              saved[0], saved[1]);
}

TEST_CASE("the peers split as they are known to") {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;
  const auto keep = [&](std::uint64_t address, std::uint64_t size) { parts.emplace_back(address, size); };
  const auto split = [&](auto how) {
    parts.clear();
    how();
    return parts;
  };
  using list = decltype(parts);
  CHECK(split([&] { peers::gdb_split(0x1003, 7, keep); }) == list{{0x1003, 1}, {0x1004, 4}, {0x1008, 2}});
  CHECK(split([&] { peers::gdb_split(0x1000, 24, keep); }) == list{{0x1000, 8}, {0x1008, 8}, {0x1010, 8}});
  // LLDB's own unit test has these.
  CHECK(split([&] { peers::lldb_split(0x1012, 8, 8, keep); }) == list{{0x1010, 8}, {0x1018, 8}});
  CHECK(split([&] { peers::lldb_split(0x1002, 4, 8, keep); }) == list{{0x1000, 8}});
  CHECK(split([&] { peers::lldb_split(0x1006, 4, 8, keep); }) == list{{0x1004, 4}, {0x1008, 4}});
  CHECK(split([&] { peers::lldb_split(0x1014, 26, 8, keep); }) == list{{0x1010, 8}, {0x1018, 8}, {0x1020, 8}, {0x1028, 8}});
  CHECK(split([&] { peers::lldb_split(0x1002, 4, 4, keep); }) == list{{0x1000, 4}, {0x1004, 4}});
}

TEST_CASE("what cannot be covered is refused with the reason, and how many requests would do") {
  using eight = machine<8, 4>;
  using x86 = machine<1 | 2 | 4 | 8, 4>;
  CHECK(cover<x86>({base, 0}, access::write, fit::exact).why == reason::bad_length);
  CHECK(cover<x86>({0, 0}, access::write, fit::exact).why == reason::bad_length);
  CHECK(cover<x86>({~0ULL, 2}, access::write, fit::superset).why == reason::bad_length);
  CHECK(cover<x86>({base, 1}, access::read, fit::exact).why == reason::unsupported);
  CHECK(cover<x86>({0x8000'0000'0000 - 4, 8}, access::write, fit::exact).why == reason::unsupported);
  CHECK(cover<x86>({base, 8}, access::write, fit::exact, 0).why == reason::bad_length);
  CHECK(cover<eight>({base, 8}, access::write, fit::exact, 7).why == reason::bad_length);
  CHECK(cover<eight>({base + 1, 8}, access::write, fit::exact).why == reason::misaligned);
  CHECK(cover<eight>({base, 9}, access::write, fit::exact).why == reason::misaligned);
  CHECK(cover<eight>({base + 1, 8}, access::write, fit::superset).size() == 2);

  const auto no = cover<x86>({base + 1, 13}, access::write, fit::exact);  // 1 2 4 | 4 2
  CHECK(!no);
  CHECK(no.why == reason::no_slot);
  CHECK(no.needed == 5);
  CHECK(no.size() == 0);
  CHECK(no.begin() == no.end());
  CHECK(cover<x86>({base, 1000}, access::execute, fit::exact).needed == 1000);
  // A pool of its own for what is asked: 2 of 4 slots.
  CHECK(cover<machine<8, 4, 2>>({base, 16}, access::write, fit::exact).size() == 2);
  CHECK(cover<machine<8, 4, 2>>({base, 24}, access::write, fit::exact).why == reason::no_slot);
  CHECK(cover<machine<8, 4, 2>>({base, 24}, access::write, fit::exact).needed == 3);
  CHECK(cover<uneven>({base, 24}, access::write, fit::exact).size() == 3);
}

TEST_CASE("the ends of the address space, and all of it") {
  using x86 = machine<1 | 2 | 4 | 8, 4>;
  const auto top = cover<x86>({~0ULL - 12, 13}, access::write, fit::exact);
  CHECK(top.size() == 3);  // ...f3: 1, f4: 4, f8: 8
  CHECK(top.requests[2] == request{~0ULL - 7, 8, access::write});
  CHECK(cover<x86>({~0ULL - 12, 13}, access::write, fit::superset).size() == 2);
  CHECK(cover<x86>({0, 13}, access::write, fit::exact).size() == 3);
  CHECK(cover<x86>({0, ~0ULL}, access::write, fit::exact).needed == (1ULL << 61) - 1 + 3);
  CHECK(cover<x86>({1, ~0ULL}, access::write, fit::exact).needed == (1ULL << 61) - 1 + 3);
  CHECK(cover<x86>({0, ~0ULL}, access::write, fit::superset).needed == 1ULL << 61);
  CHECK(cover<x86>({7, ~0ULL - 7}, access::write, fit::superset).needed == 1ULL << 61);
}

TEST_CASE("a machine that watches megabytes does so for two bytes astride of a border, unless it is told how long is too long") {
  using wide = machine<0xffff'ffff, 4>;
  CHECK(cover<wide>({base - 1, 2}, access::write, fit::superset).requests[0].length == 2 * base);
  const auto c = cover<wide>({base - 1, 2}, access::write, fit::superset, 8);
  CHECK(c.size() == 2);
  CHECK(c.requests[0] == request{base - 1, 1, access::write});
  CHECK(c.requests[1] == request{base, 1, access::write});
  CHECK(cover<wide>({base - 1, 2}, access::write, fit::superset, 9).size() == 2);  // a length that is no power of two
}

TEST_CASE("the lengths are the machine's, kind by kind") {
  CHECK(lengths_for<machine<1 | 8>>(access::write) == 9);
  CHECK(lengths_for<machine<1 | 8>>(access::execute) == 1);
  CHECK(lengths_for<machine<1 | 8>>(access::io) == 0);
  using x86 = x86::backend<conformance::simulated_file<>>;
  CHECK(lengths_for<x86>(access::write) == (1 | 2 | 4 | 8));
  CHECK(lengths_for<x86>(access::read_write) == (1 | 2 | 4 | 8));
  CHECK(lengths_for<x86>(access::read) == 0);
  CHECK(lengths_for<x86>(access::execute) == 1);
  using amd = bookend::x86::backend<conformance::simulated_amd_file>;
  CHECK(lengths_for<amd>(access::write) == (std::uint64_t{2} << amd::address_mask_bits) - 1);
  CHECK(cover<amd>({base, 4096}, access::write, fit::exact).size() == 1);
  CHECK(cover<x86>({base, 4096}, access::write, fit::exact).needed == 512);
}

TEST_CASE("a hit with an address is told apart, one without it leaves a doubt") {
  using x86 = machine<1 | 2 | 4 | 8, 4>;
  constexpr auto c = cover<x86>({base + 3, 13}, access::write, fit::superset);  // constexpr as a whole
  REQUIRE(c.size() == 2);
  CHECK(c.requests[0] == request{base, 8, access::write});
  CHECK(c.requests[1] == request{base + 8, 8, access::write});
  CHECK(c.outside_possible());
  CHECK(c.outside_possible(c.requests[0]));
  CHECK(!c.outside_possible(c.requests[1]));  // a hit there is meant, address or not
  CHECK(c.part(c.requests[0]).first == base + 3);
  CHECK(c.part(c.requests[0]).length == 5);
  CHECK(!c.covers({base, 3}));
  CHECK(c.covers({base, 4}));
  CHECK(c.covers({base + 15, 1}));
  CHECK(!c.covers({base + 16, 8}));
}

TEST_CASE("what was remembered tells a write inside that changed something, and only that") {
  unsigned char block[16] = {0, 0, 7};
  remembered<13> was(range{reinterpret_cast<std::uint64_t>(block + 1), 13});
  CHECK(!was.changed());
  block[0] = block[14] = 1;  // outside
  CHECK(!was.changed());
  block[1] = 1;
  CHECK(was.changed());
  CHECK(!was.changed());
  block[13] = 1;
  CHECK(was.changed());
  block[13] = 1;  // the same again
  CHECK(!was.changed());
}
