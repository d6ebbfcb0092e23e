// SPDX-License-Identifier: MIT
// tests/security_test.cpp — what a hostile task can ask for, all of it near every edge, by every verb that takes a request;
// judged by what the debug registers then say, read without the headers under test.
#include <bookend/bookend.hpp>
#include <bookend/x86/backend.hpp>
#include <cstdio>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace bookend;
using wide = unsigned __int128;

/// One CPU's debug registers with AMD's masks, and all that was ever written to DR7.
struct chip {
  std::uint64_t dr[4]{}, mask[4]{}, dr6 = 0xFFFF'0FF0, dr7 = 0x400;
  unsigned writes = 0;
  std::uint64_t ever_in_dr7 = 0, never_in_dr7 = 0;
  friend bool operator==(const chip&, const chip&) = default;
};
struct file {
  static constexpr unsigned linear_address_bits = 48, address_mask_bits = 12;
  static constexpr bool io_allowed = false;
  chip regs;
  void write_address(cpu_id, slot_id i, std::uint64_t to) noexcept { ++regs.writes, regs.dr[i] = to; }
  void write_mask(cpu_id, slot_id i, std::uint64_t to) noexcept { ++regs.writes, regs.mask[i] = to; }
  void write_dr7(cpu_id, std::uint64_t to) noexcept {
    ++regs.writes, regs.dr7 = to;
    regs.ever_in_dr7 |= to, regs.never_in_dr7 |= ~to;
  }
  void write_dr6(cpu_id, std::uint64_t to) noexcept { regs.dr6 = to; }
  std::uint64_t read_dr6(cpu_id) const noexcept { return regs.dr6; }
};

// The kernel's half, and what nobody may watch: two pages of entry code, a hole in the user's half.
constexpr wide user_end = 0x8000'0000'0000;
constexpr range entry{0xffff'ffff'8000'0000, 0x2000}, vdso{0x7fff'0000'0000, 0x1000};
struct os : x86::backend<file>, single_thread<1> {
  struct frame {};
  static constexpr bool watches_elsewhere = true;  // the addresses here are not this program's
  static bool may_watch(side who, range r) noexcept {
    return !r.overlaps(entry) && !r.overlaps(vdso) && (who == side::kernel || r.last() < user_end);
  }
  static void post_on(const cpumask<1>&) noexcept {}
  static void step_past(frame&) noexcept {}
};
using slots_type = slot_manager<os>;

/// The bytes that a slot's registers watch while it is on; first > last: none.
struct bytes {
  wide first = 1, last = 0;
};
bytes watched(const chip& c, unsigned i) {
  if ((c.dr7 >> (2 * i) & 3) == 0) return {};
  constexpr std::uint64_t of_len[] = {1, 2, 8, 4};
  const std::uint64_t ignored = (of_len[c.dr7 >> (18 + 4 * i) & 3] - 1) | c.mask[i];
  const std::uint64_t first = c.dr[i] & ~ignored;
  return {first, wide{first} + ignored};
}
bool touches(const bytes& b, range r) { return b.first <= b.last && b.first <= r.last() && r.first <= b.last; }

/// May it be watched? From the texts, in arithmetic that does not wrap.
bool legal(side who, const request& q) {
  const bool power = q.length != 0 && (q.length & (q.length - 1)) == 0;
  const bool fits = q.on == access::execute                      ? q.length == 1
                    : q.on == access::read || q.on == access::io ? false
                                                                 : q.length <= 4096;
  if (!power || !fits || q.address % q.length != 0) return false;
  const bytes b{q.address, wide{q.address} + q.length - 1};
  const bool low = b.last < user_end, high = b.first >= (wide{0xffff'8000} << 32) && b.last < wide{1} << 64;
  return (low || (high && who == side::kernel)) && !touches(b, entry) && !touches(b, vdso);
}

std::vector<request> everything_near_an_edge() {
  std::vector<request> all;
  constexpr std::uint64_t edges[] = {0,
                                     0x1000,
                                     0x7fff'0000'0000,
                                     0x7fff'0000'1000,
                                     0x8000'0000'0000,
                                     0xffff'8000'0000'0000,
                                     0xffff'ffff'8000'0000,
                                     0xffff'ffff'8000'2000};
  constexpr std::uint64_t lengths[] = {0,    1,        2,           3,          4,          5,          7,         8,
                                       9,    16,       24,          32,         64,         2048,       4096,      4097,
                                       8192, 0x1'0000, 0x8000'0000, 1ULL << 32, 1ULL << 47, 1ULL << 63, ~0ULL - 7, ~0ULL};
  for (const auto edge : edges)
    for (const std::int64_t off : {-8192, -4096, -2048, -64, -16, -8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8, 16, 64, 2048, 4096})
      for (const auto length : lengths)
        for (const access on : {access::write, access::read_write, access::execute, access::read, access::io})
          all.push_back({edge + static_cast<std::uint64_t>(off), length, on});
  return all;
}

struct scene {
  slots_type slots;
  slots_type::kernel_breakpoint kernel{"kernel", [](const auto&) {}};
  slots_type::task mine, child;
  slots_type::user_breakpoint a{"a"}, b{"b"}, inherited{"inherited"};
  scene() {
    REQUIRE_FALSE(slots.cpu_online(0));
    REQUIRE_FALSE(slots.register_breakpoint(kernel, {0xffff'8000'0000'1000, 8, access::write}));
    slots.on(0).switch_to(child, mine);
  }
  ~scene() {
    for (auto* t : {&mine, &child}) slots.on_exit(*t);
    if (!kernel.idle()) (void)slots.unregister_breakpoint(kernel);
  }
  chip& cpu() { return slots.system().regs; }
};

std::string hex(std::uint64_t x) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(x));
  return text;
}

/// Nothing is watched that may not be, by slots that users have (not the kernel's, the highest) or by anybody.
void look(scene& s) {
  const chip& c = s.cpu();
  for (unsigned i = 0; i < 4; ++i) {
    const bytes w = watched(c, i);
    const bool legal_bytes = !touches(w, entry) && !touches(w, vdso) && (i == 3 || w.first > w.last || w.last < user_end);
    if (!legal_bytes) FAIL("slot " << i << " watches what it may not: " << hex(c.dr[i]) << ", DR7 " << hex(c.dr7));
  }
}
/// ... and this slot watches what was asked for, to the byte: no mask or length of another is left.
void look(scene& s, slot_id slot, const request& q) {
  look(s);
  const bytes w = watched(s.cpu(), slot);
  if (w.first != q.address || w.last != wide{q.address} + q.length - 1) FAIL("other bytes are watched than " << hex(q.address));
}
/// Asks; what is illegal is refused, and changes no register.
template <class F>
bool ask(scene& s, side who, const request& q, unsigned& refused, F verb) {
  const chip was = s.cpu();
  const refusal no = verb();
  if (static_cast<bool>(no) == legal(who, q))
    FAIL("answer " << std::string(to_string(no.why)) << " to " << hex(q.address) << ", " << hex(q.length) << " bytes");
  if (no) ++refused;
  if (no && s.cpu() != was) FAIL("a refused request has written a register");
  look(s);
  return !no;
}

}  // namespace

TEST_CASE("a task's request never watches a kernel byte or a denied one: near every edge, by every verb, alone or masked") {
  unsigned refused = 0, asked = 0;
  scene s;
  for (const request& q : everything_near_an_edge()) {
    asked += 4;
    if (ask(s, side::user, q, refused, [&] { return s.slots.register_breakpoint(s.a, s.mine, q); })) {
      look(s, 0, q);
      REQUIRE_FALSE(s.slots.unregister_breakpoint(s.a));
    }
    if (ask(s, side::user, q, refused, [&] { return s.slots.register_breakpoint(s.a, s.mine, q, pinned{0}, start::disabled); })) {
      REQUIRE_FALSE(s.slots.enable(s.a));
      look(s, 0, q);
      REQUIRE_FALSE(s.slots.unregister_breakpoint(s.a));
    }
    for (const start how : {start::enabled, start::disabled}) {
      const request old{0x2000, 8, access::write};
      REQUIRE_FALSE(s.slots.register_breakpoint(s.a, s.mine, old, how));
      const request& now = ask(s, side::user, q, refused, [&] { return s.slots.modify(s.a, q); }) ? q : old;
      REQUIRE_FALSE(s.slots.enable(s.a));
      look(s, 0, now);
      s.slots.on_fork(s.mine, s.child, [&](const auto&) { return &s.inherited; });
      s.slots.on(0).switch_to(s.mine, s.child);
      look(s, 0, now);
      s.slots.on(0).switch_to(s.child, s.mine);
      s.slots.on_exit(s.child);
      REQUIRE_FALSE(s.slots.unregister_breakpoint(s.a));
    }
  }
  CHECK((s.cpu().ever_in_dr7 & ~std::uint64_t{0xFFFF'06AA}) ==
        0);                                    // of the rest GD, RTM, L bits and what is reserved: none was ever set
  CHECK((s.cpu().never_in_dr7 & 0x400) == 0);  // and the bit that is 1 was never 0
  CHECK(refused > asked / 2);
  MESSAGE("counted: " << asked << " hostile requests");
}

TEST_CASE("what nobody may watch stays so for the kernel, by every verb that takes a request") {
  scene s;
  unsigned refused = 0;
  request now{0xffff'8000'0000'1000, 8, access::write};
  for (const request& q : everything_near_an_edge()) {
    const auto by = [&](auto verb) {
      if (ask(s, side::kernel, q, refused, verb)) now = q;
      look(s, 3, now);
    };
    by([&] { return s.slots.modify(s.kernel, q); });
    by([&] { return s.slots.on(0).modify(s.kernel, q); });
    by([&] { return s.slots.post().modify(s.kernel, q).why(); });
    REQUIRE_FALSE(s.slots.move(s.kernel, cpumask<1>::all()));
    look(s, 3, now);
  }
  CHECK(refused > 0);
}

TEST_CASE("a task that watches what the kernel watches is told of its own, by its own number; the kernel's slot stays unseen") {
  scene s;
  REQUIRE_FALSE(s.slots.modify(s.kernel, {0x3000, 8, access::write}));
  REQUIRE_FALSE(s.slots.register_breakpoint(s.a, s.mine, {0x2000, 8, access::write}));
  REQUIRE_FALSE(s.slots.register_breakpoint(s.b, s.mine, {0x3000, 8, access::write}));
  s.cpu().dr6 = 0xFFFF'0FF0 | 0b1010;  // slots 1 and 3
  os::frame frame;
  const auto t = s.slots.on(0).trap(frame);
  CHECK(t.user == 0b10);
  CHECK(t.rest == 0);
}
