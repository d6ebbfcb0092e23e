// SPDX-License-Identifier: MIT
// tests/print_test.cpp — mirrors include/bookend/print.hpp: the text of snapshots and refusals, to the letter, since people
// grep for it.
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <doctest/doctest.h>

#include <cstdio>
#include <string>

namespace {
using namespace bookend;
using machine = mock::machine<2, 4>;
using shelf_snapshot = machine::slot_manager::snapshot_type;

template <class T>
std::string text(const T& printed) {
  std::string s;
  print(printed, [&](char c) { s += c; });
  return s;
}

TEST_CASE("a snapshot is one line a slot, from the top: state, name, access, length and address") {
  shelf_snapshot s;
  s.cpu = 10;
  s.slots[3] = {.state = slot_state::kernel, .on = true, .name = "jiffies", .watched = {0xffffffff81a0e040, 8, access::write}};
  s.slots[2] = {.state = slot_state::withheld};
  s.slots[0] = {.state = slot_state::user, .on = false, .name = "x", .watched = {0, 1, access::read_write}};
  CHECK(text(s) ==
        "cpu 10 slot 3: kernel \"jiffies\" w 8 @0xffffffff81a0e040\n"
        "cpu 10 slot 2: withheld\n"
        "cpu 10 slot 1: free\n"
        "cpu 10 slot 0: user \"x\" rw 1 @0x0 disabled\n");
}

TEST_CASE("a snapshot of a manager prints as one made by hand") {
  machine m;
  machine::task t;
  machine::kernel_breakpoint b{"stack guard", [](auto&) {}};
  machine::user_breakpoint u{"main", 0};
  REQUIRE(!m.slots.register_breakpoint(b, {0x1000, 4, access::read}));
  REQUIRE(!m.slots.register_breakpoint(u, t, {0x401000, 1, access::execute}, start::disabled));
  m.run(1, t);
  CHECK(text(m.slots.snapshot(1)) ==
        "cpu 1 slot 3: kernel \"stack guard\" r 4 @0x1000\n"
        "cpu 1 slot 2: free\n"
        "cpu 1 slot 1: free\n"
        "cpu 1 slot 0: user \"main\" x 1 @0x401000 disabled\n");
  m.slots.on_exit(t);
  CHECK(!m.slots.unregister_breakpoint(b));
}

TEST_CASE("a refusal is one line: why; where, if it has a place; and who holds what, if the shelf is full") {
  refusal no(reason::no_slot, 2);
  no.kernel_held = 3;
  no.user_held = 1;
  CHECK(text(no) == "no_slot on cpu 2: kernel holds 3, users 1\n");
  CHECK(text(refusal(reason::hardware, 130)) == "hardware on cpu 130\n");
  CHECK(text(refusal(reason::bad_cpu, 4294967295U)) == "bad_cpu on cpu 4294967295\n");
  for (const reason why : {reason::granted, reason::misaligned, reason::bad_length, reason::empty_mask, reason::unsupported,
                           reason::forbidden, reason::not_registered, reason::already_registered, reason::would_block})
    CHECK(text(refusal(why)) == to_string(why) + std::string("\n"));
}

TEST_CASE("numbers are printed whole, at both ends") {
  shelf_snapshot s;
  for (const auto address : {std::uint64_t{0}, std::uint64_t{0xabcdef}, ~std::uint64_t{0}}) {
    s.slots[3] = {.state = slot_state::kernel, .on = true, .name = "", .watched = {address, ~std::uint64_t{0}, access::io}};
    char expected[64];
    std::snprintf(expected, sizeof expected, "kernel \"\" io 18446744073709551615 @0x%llx\n",
                  static_cast<unsigned long long>(address));
    CHECK(text(s).find(expected) != std::string::npos);
  }
}

static_assert(to_string(access::write)[0] == 'w' && to_string(access::execute)[0] == 'x' && to_string(access::io)[0] == 'i');
}  // namespace
