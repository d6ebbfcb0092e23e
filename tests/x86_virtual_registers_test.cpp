// SPDX-License-Identifier: MIT
// tests/x86_virtual_registers_test.cpp — mirrors arch/x86/include/bookend/x86/virtual_registers.hpp: one case a promise.
#include <conformance/virtual_cpu.hpp>
#include <doctest/doctest.h>

namespace {

using namespace conformance::virtual_cpu;
using conformance::x86_access;
using x86::exception;

TEST_CASE("every register reads as it was written, local bits and LE and GE included, and no slot shows through") {
  scene s;
  REQUIRE(s.hold(0));
  CHECK(s[7] == 0);
  CHECK(s[6] == 0xFFFF'0FF0);
  for (unsigned n = 0; n < 4; ++n) {
    REQUIRE_FALSE(s.dr.poke(n, 0x1000 + n));
    CHECK(s[n] == 0x1000 + n);
  }
  for (const std::uint64_t dr7 : {0x0ull, 0x1ull, 0x2ull, 0x3ull, 0x300ull, 0x101ull, 0x55ull - 0x40, 0xF000'0701ull, 0x400ull}) {
    REQUIRE_FALSE(s.dr.poke(7, dr7));
    CHECK(s[7] == dr7);
  }
  CHECK((s.slots.system().cpus[0].dr7 & 0x155) == 0);  // the CPU's own has global bits only
}

TEST_CASE("there is no DR4, DR5 or DR8 for a task, and the upper halves of DR6 and DR7 are 0") {
  scene s;
  for (const unsigned n : {4u, 5u, 8u, 100u}) {
    CHECK(s.dr.peek(n).why() == reason::unsupported);
    CHECK(s.dr.poke(n, 0).why == reason::unsupported);
  }
  for (const unsigned n : {6u, 7u}) {
    CHECK(s.dr.poke(n, std::uint64_t{1} << 32).why == reason::unsupported);
    CHECK(s.dr.poke(n, ~std::uint64_t{0}).why == reason::unsupported);
  }
  CHECK(s[7] == 0);
  CHECK(s[6] == 0xFFFF'0FF0);
}

TEST_CASE("DR6 has fixed bits, and bits that stay until they are written") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(6, 0));
  CHECK(s[6] == 0xFFFF'0FF0);
  REQUIRE_FALSE(s.dr.poke(6, 0xFFFF'FFFF));
  CHECK(s[6] == 0xFFFF'EFFF);
  REQUIRE_FALSE(s.dr.poke(6, 0));
  // A kernel's watch takes slot 3, so that the third register of the task has slot 2 and the second slot 1: bits are the task's.
  REQUIRE(s.hold(0));
  REQUIRE_FALSE(s.dr.poke(3, 0x3000));
  REQUIRE_FALSE(s.dr.poke(7, 0x80 | kind(3, write_1)));
  CHECK(s.touch(x86_access::write, 0x3000, 1) == 8);
  CHECK(s[6] == 0xFFFF'0FF8);
  REQUIRE_FALSE(s.dr.poke(1, 0x1000));
  REQUIRE_FALSE(s.dr.poke(7, 0x88 | kind(3, write_1) | kind(1, write_1)));
  CHECK(s.touch(x86_access::write, 0x1000, 1) == 2);
  CHECK(s[6] == 0xFFFF'0FFA);
  // The kernel's own hit is nothing of the task's.
  CHECK(s.touch(x86_access::write, 0xffff'8000'0000'0000, 1) == 0);
  CHECK(s[6] == 0xFFFF'0FFA);
  REQUIRE_FALSE(s.dr.poke(6, 0xFFFF'0FF0));
  CHECK(s[6] == 0xFFFF'0FF0);
  // A step is the task's if the caller says so; a bus lock is no bit of these.
  CHECK(s.dr.note_hits({}, x86::dr6_single_step | x86::dr6_bus_lock | 0x1'0000'1005) == 0);
  CHECK(s[6] == 0xFFFF'4FF0);
}

TEST_CASE("addresses may be written before DR7 enables them and after, and address 0 is one") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_4)));  // enabled while DR0 is 0
  CHECK(s.touch(x86_access::write, 0, 1) == 1);
  REQUIRE_FALSE(s.dr.poke(0, 0x2000));
  CHECK(s.touch(x86_access::write, 0, 1) == 0);
  CHECK(s.touch(x86_access::write, 0x2003, 1) == 1);
  REQUIRE_FALSE(s.dr.poke(0, 0));
  CHECK(s.touch(x86_access::write, 0x2003, 1) == 0);
  CHECK(s.touch(x86_access::write, 3, 1) == 1);
}

TEST_CASE("the address bits that LEN covers are not compared, and read as they were written") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(0, 0x2007));
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_4)));
  CHECK(s[0] == 0x2007);
  CHECK(s.touch(x86_access::write, 0x2004, 1) == 1);
  CHECK(s.touch(x86_access::write, 0x2007, 1) == 1);
  CHECK(s.touch(x86_access::write, 0x2008, 1) == 0);
}

TEST_CASE("a write that is refused leaves everything as it was") {
  scene s;
  REQUIRE(s.hold(0));
  REQUIRE_FALSE(s.dr.poke(0, 0x1000));
  REQUIRE_FALSE(s.dr.poke(1, 0x2000));
  REQUIRE_FALSE(s.dr.poke(2, 0xffff'8000'0000'1000));  // the kernel's: as long as nothing enables it, it is a number
  const std::uint64_t good = l0 | l1 | kind(0, write_4) | kind(1, access_8);
  REQUIRE_FALSE(s.dr.poke(7, good));
  REQUIRE(s.touch(x86_access::write, 0x1000, 1) == 1);
  const view before{s};
  const auto refused = [&](unsigned n, std::uint64_t value, reason why) {
    CAPTURE(value);
    CHECK(s.dr.poke(n, value).why == why);
    CHECK(view{s} == before);
  };
  // In each, DR0 and DR1 would change as well, and come first.
  constexpr std::uint64_t others = g0 | kind(0, runs) | kind(1, write_1);
  refused(7, others | 0x10 | kind(2, write_1), reason::forbidden);
  refused(7, others | 0x10 | kind(2, 0b1100), reason::bad_length);  // execution of 4 bytes
  refused(7, others | 0x10 | kind(2, 0b1010), reason::bad_length);  // 8 ports
  refused(7, others | 0x40 | kind(0, 0b0100), reason::bad_length);
  refused(7, others | 0xC0 | 0x10, reason::forbidden);
  REQUIRE_FALSE(s.dr.poke(2, 0x3000));
  REQUIRE_FALSE(s.dr.poke(3, 0x4000));
  const view again{s};
  CHECK(s.dr.poke(7, others | 0x50 | kind(2, write_1) | kind(3, write_1)).why == reason::no_slot);  // one too many
  CHECK(view{s} == again);
  // The address of one that is on: in place, or refused with the old one live.
  CHECK(s.dr.poke(0, 0xffff'8000'0000'1000).why == reason::forbidden);
  CHECK(view{s} == again);
  CHECK(s.touch(x86_access::write, 0x1000, 1) == 1);
  REQUIRE_FALSE(s.dr.poke(0, 0x5000));
  CHECK(s.touch(x86_access::write, 0x1000, 1) == 0);
  CHECK(s.touch(x86_access::write, 0x5000, 1) == 1);
}

TEST_CASE("what a task has stays, and is put back, when nobody may ask for it any more") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(0, 0x1000));
  REQUIRE_FALSE(s.dr.poke(7, l0 | l1 | kind(0, write_4) | kind(1, write_1)));
  s.slots.system().deny({0x1000, 8});
  const view before{s};
  CHECK(s.dr.poke(7, l1 | kind(1, 0b0100)).why == reason::bad_length);  // off with DR0, and something wrong
  CHECK(view{s} == before);
  CHECK(s.dr.poke(7, l0 | l1 | kind(0, write_1)).why == reason::forbidden);
  CHECK(view{s} == before);
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_4)));
  CHECK(s.touch(x86_access::write, 0x1000, 1) == 1);
}

/// Registers of which the write number `after` fails, and all that follow if `for_good`.
struct failing_file : conformance::simulated_file<true> {
  using base = conformance::simulated_file<true>;
  unsigned after = ~0u;
  bool for_good = false;
  bool write_address(cpu_id c, slot_id i, std::uint64_t value) noexcept {
    return takes() && (base::write_address(c, i, value), true);
  }
  bool write_dr7(cpu_id c, std::uint64_t value) noexcept { return takes() && (base::write_dr7(c, value), true); }
  bool write_dr6(cpu_id c, std::uint64_t value) noexcept { return base::write_dr6(c, value), true; }

 private:
  bool takes() noexcept { return after > 0 ? (--after, true) : !for_good && (after = ~0u, false); }
};

TEST_CASE("a register that does not take its value leaves all as it was, and the next write tries again") {
  for (const bool for_good : {false, true})
    for (unsigned n = 0, failures = 1; failures != 0; ++n) {
      CAPTURE(n);
      REQUIRE(n < 50);
      scene<failing_file> s;
      auto& file = s.slots.system();
      REQUIRE_FALSE(s.dr.poke(0, 0x1000));
      REQUIRE_FALSE(s.dr.poke(2, 0x3000));
      REQUIRE_FALSE(s.dr.poke(7, l0 | l1 | kind(0, write_4) | kind(1, access_8)));
      const view before{s, false};
      file.after = n, file.for_good = for_good;
      const auto no = s.dr.poke(7, g0 | 0x10 | kind(0, write_1) | kind(2, runs));
      file.after = ~0u, file.for_good = false;
      failures = !no ? 0 : failures + 1;
      if (no) {
        CHECK(no.why == reason::hardware);
        for (unsigned r = 0; r < 4; ++r) CHECK(s[r] == before.dr[r]);
        CHECK(s[7] == before.dr[5]);
        if (!for_good) CHECK(view{s, false} == before);
        s.run_on(1);  // where all is written anew: nothing of what was refused is on
        CHECK(s.touch(x86_access::execute, 0x3000, 1) == 0);
        CHECK(s.touch(x86_access::write, 0x1000, 1) == s.touch(x86_access::write, 0x1003, 1));
        REQUIRE_FALSE(s.dr.poke(7, g0 | 0x10 | kind(0, write_1) | kind(2, runs)));
      }
      CHECK(s.touch(x86_access::write, 0x1000, 1) == 1);
      CHECK(s.touch(x86_access::write, 0x1001, 1) == 0);
      CHECK(s.touch(x86_access::read, 0, 1) == 0);
      CHECK(s.touch(x86_access::execute, 0x3000, 1) == 4);
    }
}

TEST_CASE("registers that take nothing any more cost no slot") {
  scene<failing_file> s;
  auto& file = s.slots.system();
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_4)));
  file.after = 0, file.for_good = true;
  CHECK(s.dr.poke(0, 0x1000).why == reason::hardware);
  file.for_good = false, file.after = ~0u;
  CHECK(s.dr.reserved() == 1);
  CHECK(s[0] == 0);
  REQUIRE_FALSE(s.dr.poke(0, 0x2000));
  CHECK(s.touch(x86_access::write, 0x2000, 1) == 1);
}

TEST_CASE("ports are refused where the kernel has not set CR4.DE") {
  scene<conformance::simulated_file<false>> s;
  REQUIRE_FALSE(s.dr.poke(7, kind(0, port_1)));
  const view before{s};
  CHECK(s.dr.poke(7, l0 | kind(0, port_1)).why == reason::unsupported);
  CHECK(view{s} == before);
}

TEST_CASE("an address that does not exist is granted, never hit, and takes no slot until it does") {
  scene s;
  for (unsigned k = 0; k < 4; ++k) REQUIRE(s.hold(k));
  REQUIRE_FALSE(s.dr.poke(0, 0x8000'0000'0000'0000));
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_1)));
  CHECK(s.dr.reserved() == 0);
  CHECK(s.dr.poke(0, 0x1000).why == reason::no_slot);
  CHECK(s[0] == 0x8000'0000'0000'0000);
}

TEST_CASE("a register keeps its slot while it is off, until it is given back") {
  scene s;
  for (unsigned n = 0; n < 4; ++n) REQUIRE_FALSE(s.dr.poke(n, 0x1000 + 8 * n));
  REQUIRE_FALSE(s.dr.poke(7, 0x55));
  // As gdb writes: off, then the addresses, then on. The kernel comes in between.
  REQUIRE_FALSE(s.dr.poke(7, 0));
  CHECK(s.touch(x86_access::execute, 0x1000, 1) == 0);
  CHECK_FALSE(s.hold(0));
  for (unsigned n = 0; n < 4; ++n) REQUIRE_FALSE(s.dr.poke(n, 0x2000 + 8 * n));
  REQUIRE_FALSE(s.dr.poke(7, 0x15));
  CHECK(s.dr.reserved() == 0xF);
  s.dr.give_back();
  CHECK(s.dr.reserved() == 0x7);
  CHECK(s.hold(0));
  CHECK(s.dr.poke(7, 0x55).why == reason::no_slot);
  CHECK(s.touch(x86_access::execute, 0x2010, 1) == 4);
  s.dr.reset();
  CHECK(s.dr.reserved() == 0);
  for (unsigned n = 0; n < 4; ++n) CHECK(s[n] == 0);
  CHECK(s[6] == 0xFFFF'0FF0);
  CHECK(s[7] == 0);
  CHECK(s.hold(1));
}

TEST_CASE("as Wine does: a whole context at once, again and again, and each reads back") {
  scene s;
  for (unsigned round = 0; round < 8; ++round) {
    const std::uint64_t context[] = {0x1000 + 16 * round, 0x2000, 0, 0x4000, 0xFFFF'0FF0, 0x155 | kind(round % 4, write_4)};
    for (unsigned n = 0; n < 6; ++n) REQUIRE_FALSE(s.dr.poke(n < 4 ? n : n + 2, context[n]));
    for (unsigned n = 0; n < 6; ++n) CHECK(s[n < 4 ? n : n + 2] == context[n]);
    if (round % 4 != 0) CHECK((s.touch(x86_access::execute, 0x1000 + 16 * round, 1) & 1) == 1);
  }
}

TEST_CASE("a task that ends takes the slots with it, and its registers can be enabled again") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_1)));
  s.slots.on_exec(s.task);
  CHECK(s.dr.reserved() == 0);
  CHECK(s.touch(x86_access::write, 0, 1) == 0);
  REQUIRE_FALSE(s.dr.poke(7, l0 | kind(0, write_4)));
  CHECK(s.touch(x86_access::write, 0, 1) == 1);
  s.slots.on_exec(s.task);
  REQUIRE_FALSE(s.dr.poke(7, 0));
  CHECK(s.dr.reserved() == 0);
}

TEST_CASE("a guest's DR4 and DR5 are DR6 and DR7, or an invalid opcode") {
  scene s;
  CHECK(s.dr.mov_from(4, false).value == 0xFFFF'0FF0);
  CHECK(s.dr.mov_from(5, false).value == 0x400);
  CHECK(s.dr.mov_to(4, 0xF, false).raise == exception::none);
  CHECK(s.dr.mov_from(6, true).value == 0xFFFF'0FFF);
  CHECK(s.dr.mov_to(5, 0xF00F'FFFF & ~0x2000u & ~0xFFu, false).raise == exception::none);
  CHECK(s.dr.mov_from(7, true).value == 0xF00F'0700);  // bits 11, 12, 14 and 15 are 0, bit 10 is 1
  for (const unsigned n : {4u, 5u}) {
    CHECK(s.dr.mov_from(n, true).raise == exception::invalid_opcode);
    CHECK(s.dr.mov_to(n, 0, true).raise == exception::invalid_opcode);
  }
  CHECK(s.dr.mov_from(8, false).raise == exception::invalid_opcode);
  for (const unsigned n : {4u, 5u, 6u, 7u}) CHECK(s.dr.mov_to(n, 0x1'0000'0000, false).raise == exception::general_protection);
  CHECK(s.dr.mov_to(0, ~std::uint64_t{0}, false).raise == exception::none);
  CHECK(s.dr.mov_from(0, false).value == ~std::uint64_t{0});
}

TEST_CASE("a guest's general detect traps its next access once, and a task's is a bit") {
  scene s;
  REQUIRE_FALSE(s.dr.poke(7, 0x2000));
  CHECK(s[7] == 0x2000);
  REQUIRE_FALSE(s.dr.poke(0, 1));
  CHECK(s[7] == 0x2000);
  REQUIRE_FALSE(s.dr.poke(7, 0));

  CHECK(s.dr.mov_to(7, 0x2001, true).raise == exception::none);
  CHECK(s.dr.mov_from(4, true).raise == exception::invalid_opcode);  // comes first
  CHECK(s.dr.mov_to(7, ~std::uint64_t{0}, true).raise == exception::debug);
  CHECK(s[7] == 1);
  CHECK(s[6] == 0xFFFF'2FF0);
  CHECK(s.dr.mov_from(7, true).value == 0x401);
  // A handler that was called for something else may read them, too.
  CHECK(s.dr.mov_to(7, 0x2001, true).raise == exception::none);
  CHECK(s.dr.note_hits({}, x86::dr6_bus_lock) == 0);  // unless nothing there is the guest's
  CHECK(s[7] == 0x2001);
  CHECK(s.touch(x86_access::execute, 1, 1) == 1);
  CHECK(s.dr.mov_from(6, true).value == 0xFFFF'2FF1);
  CHECK(s.dr.mov_to(7, 0x2001, true).raise == exception::none);
  CHECK(s.dr.mov_from(0, true).raise == exception::debug);
}

}  // namespace
