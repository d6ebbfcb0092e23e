// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/encode.hpp — from a request to what one slot holds, and back: all the validation x86 has.
// Intel SDM vol. 3, "Debug Address Registers (DR0-DR3)", "Breakpoint Field Recognition", "Debug Registers and Intel 64
// Processors"; AMD APM vol. 2, "Software Debug Resources".
#pragma once
#include <bookend/refusal.hpp>
#include <bookend/x86/dr7.hpp>

namespace bookend::x86 {

/// RFLAGS.RF: the next instruction runs once without its execution breakpoints. For a platform's step_past().
inline constexpr std::uint64_t resume_flag = 0x1'0000;

/// What one slot holds, whichever slot it is. All zero watches execution of address 0.
struct setting {
  std::uint64_t address;  ///< DR0-DR3, or the first I/O port
  std::uint32_t mask;     ///< AMD address mask: a 1 takes the address bit out of the comparison; 0 without mask registers
  dr7_kind kind;          ///< LEN and RW

  friend constexpr bool operator==(const setting&, const setting&) noexcept = default;
};

/// What a register file can hold. A constant of the file, so that encode() needs no hardware.
struct limits {
  unsigned linear_address_bits = 48;  ///< 57 with five-level paging (CR4.LA57)
  bool io_allowed = false;            ///< CR4.DE is set on every CPU: without it RW 10 is undefined
  unsigned address_mask_bits = 0;     ///< AMD mask registers: bits that can be masked, at most 32; 0 = there are none
};

/// True when the bits above the linear address are copies of its top bit. The CPU takes any value into DR0-DR3 and compares it
/// with addresses that it generates: one that is not canonical is installed and never hits. Pure.
constexpr bool canonical(std::uint64_t address, unsigned bits) noexcept {
  const unsigned unused = 64 - bits;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(address << unused) >> unused) == address;
}

/// The setting that watches exactly the bytes asked for, or why there is none: the first that applies of
///   unsupported  access::read, for which RW has no value; access::io while CR4.DE is not promised
///   bad_length   not 1, 2, 4 or 8 (with address masks also powers of two up to 2^address_mask_bits for writes and accesses);
///                execution, which has LEN 00 only: not 1; I/O: not 1, 2 or 4, since no access to ports is wider
///   bad_length   the range wraps at 2^64
///   misaligned   the address is not a multiple of the length: the CPU ignores the low bits, and would watch other bytes
///   unsupported  no such address: not canonical, or a port beyond 0xFFFF
/// Address 0 is an address like any other. Pure.
constexpr result<setting> encode(const request& r, const limits& l) noexcept {
  if (r.on != access::write && r.on != access::read_write && r.on != access::execute && !(r.on == access::io && l.io_allowed))
    return reason::unsupported;

  const bool power_of_two = r.length != 0 && (r.length & (r.length - 1)) == 0;
  const std::uint64_t longest = r.on == access::execute    ? 1
                                : r.on == access::io       ? 4
                                : l.address_mask_bits > 3u ? std::uint64_t{1} << l.address_mask_bits
                                                           : 8;
  if (!power_of_two || r.length > longest || r.bytes().wraps()) return reason::bad_length;
  if ((r.address & (r.length - 1)) != 0) return reason::misaligned;

  // One end is enough: an aligned power of two crosses no multiple of a larger one, and every edge (the two of the hole, the
  // end of the address space, port 0x10000) is one.
  const bool exists = r.on == access::io ? r.address <= 0xFFFF : canonical(r.address, l.linear_address_bits);
  if (!exists) return reason::unsupported;

  if (r.length <= 8) return setting{.address = r.address, .mask = 0, .kind = kind_of(r.on, r.length)};
  return setting{.address = r.address, .mask = static_cast<std::uint32_t>(r.length - 1), .kind = kind_of(r.on, 1)};
}

/// The request that a setting watches: decode(encode(r).value()) == r. Pure.
constexpr request decode(const setting& s) noexcept {
  return {.address = s.address, .length = s.mask != 0 ? std::uint64_t{s.mask} + 1 : length_of(s.kind), .on = access_of(s.kind)};
}

}  // namespace bookend::x86
