// SPDX-License-Identifier: MIT
// tests/fuzz/encode_fuzz.cpp — requests, DR7 and DR6 values of any kind through arch/x86 and back.
#include <bookend/x86/dr6.hpp>
#include <bookend/x86/encode.hpp>
#include <fuzz/x86.hpp>

namespace {

using namespace bookend;
using namespace fuzz;
using fuzz::access;  // not the one of unistd.h

/// Can this be watched? Byte by byte of the address space where that is wanted, in 128 bits.
bool watchable(const request& r, const x86::limits& l) {
  using wide = unsigned __int128;
  const wide first = r.address, end = first + r.length;
  if (r.length == 0 || end > wide{1} << 64 || first % r.length != 0) return false;
  const auto fits = [&](std::uint64_t longest) {
    for (std::uint64_t n = 1; n <= longest && n != 0; n *= 2)
      if (n == r.length) return true;
    return false;
  };
  const wide half = wide{1} << (l.linear_address_bits - 1);
  const bool canonical = end <= half || first >= (wide{1} << 64) - half;
  switch (r.on) {
    case access::execute:
      return r.length == 1 && canonical;
    case access::io:
      return l.io_allowed && fits(4) && end <= 0x1'0000;
    case access::write:
    case access::read_write:
      return fits(l.address_mask_bits == 0 ? 8 : std::uint64_t{1} << l.address_mask_bits) && canonical;
    default:
      return false;
  }
}

void requests(fuzz::bytes b) {
  const std::uint8_t kind = b.byte();
  constexpr unsigned masks[] = {0, 12, 32};
  const x86::limits l{(kind & 1) != 0 ? 57u : 48u, (kind & 2) != 0, masks[kind / 4 % 3]};
  std::uint32_t kinds = 0;
  slot_mask good = 0;
  request asked[x86::slots];
  for (unsigned slot = 0; slot < x86::slots; ++slot) {
    const request r = asked[slot] = any_request(b);
    const auto s = x86::encode(r, l);
    expect(static_cast<bool>(s) == watchable(r, l), "accepted or refused otherwise than the manual says");
    if (!s) continue;
    expect(x86::decode(s.value()) == r, "a setting watches something else than was asked for");
    expect(x86::encode(x86::decode(s.value()), l).value() == s.value(), "a decoded setting is encoded otherwise");
    expect(s.value().mask == (r.length > 8 ? r.length - 1 : 0), "the address mask");
    kinds |= s.value().kind << (4 * slot);
    good |= slot_mask{1} << slot;
  }
  const slot_mask on = b.byte() & good;
  const std::uint64_t dr7 = x86::dr7_of(kinds, on);
  expect(dr7 >> 32 == 0 && (dr7 & must_be_0) == 0 && (dr7 & 0x400) != 0, "a bit of DR7 that is nobody's");
  expect((dr7 & 0x200) != 0 || on == 0, "GE is off");
  for (unsigned slot = 0; slot < x86::slots; ++slot) {
    expect(enabled(dr7, slot) == (on >> slot & 1), "a slot is on or off otherwise than was asked for");
    if (!enabled(dr7, slot)) {
      expect(rw(dr7, slot) == 0 && len(dr7, slot) == 0, "a stale LEN or RW");
      continue;
    }
    expect(access_of_rw[rw(dr7, slot)] == asked[slot].on, "RW");
    expect(length_of_len[len(dr7, slot)] == (asked[slot].length > 8 ? 1 : asked[slot].length), "LEN");
  }
}

void values(fuzz::bytes b) {
  const std::uint64_t dr7 = b.number(8);
  const auto f = x86::dr7_decode(dr7);
  std::uint32_t kinds = 0;
  for (unsigned slot = 0; slot < x86::slots; ++slot) {
    kinds |= f.kind[slot] << (4 * slot);
    const bool on = (dr7 >> (2 * slot) & 3) != 0;
    expect((f.on() >> slot & 1) == on, "which slots a DR7 switches on");
    expect(x86::dr7_slot(static_cast<std::uint32_t>(dr7), slot) == (on ? 0x10 | (dr7 >> (16 + 4 * slot) & 15) : 0),
           "a slot of a DR7");
  }
  expect(kinds == dr7 << 32 >> 48 && f.general_detect == ((dr7 & 0x2000) != 0) && f.exact == ((dr7 & 0x300) != 0),
         "a DR7's fields");
  const std::uint32_t ours = x86::dr7_of(kinds, f.on());
  expect((ours & must_be_0) == 0, "what is another's survives");
  const auto again = x86::dr7_decode(ours);
  expect(again.on() == f.on() && again.local == 0, "other slots are on");
  std::uint32_t kinds_again = 0;
  for (unsigned slot = 0; slot < x86::slots; ++slot) kinds_again |= again.kind[slot] << (4 * slot);
  expect(x86::dr7_of(kinds_again, again.on()) == ours, "encoding is not stable");

  const std::uint64_t dr6 = b.number(8);
  const auto s = x86::status_of(dr6);
  expect(s.hits == (dr6 & 15) && (s.rest & 15) == 0 && s.step == ((dr6 & 0x4000) != 0), "what a DR6 says");
  expect(((s.rest | s.hits) ^ 0xFFFF'0FF0) == (dr6 & 0xFFFF'FFFF), "a bit of DR6 is lost");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::bytes b{data, data + size};
  if (b.byte() % 2 == 0)
    requests(b);
  else
    values(b);
  return 0;
}
