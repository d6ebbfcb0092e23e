// SPDX-License-Identifier: MIT
// tests/fuzz/x86.hpp — DR7 read by the manual's tables, and requests of any kind, mostly near where something ends.
#pragma once
#include <bookend/request.hpp>
#include <fuzz/bytes.hpp>

namespace fuzz {

using bookend::access;  // not the one of unistd.h
using bookend::request;

// Intel SDM vol. 3, "Debug Control Register (DR7)": by RW and by LEN, not by our arithmetic.
inline constexpr access access_of_rw[] = {access::execute, access::write, access::io, access::read_write};
inline constexpr std::uint64_t length_of_len[] = {1, 2, 8, 4};
inline constexpr std::uint32_t must_be_0 = 0xF955;  // reserved bits, GD, RTM, LE, L0-L3
constexpr unsigned enabled(std::uint64_t dr7, unsigned slot) { return dr7 >> (2 * slot + 1) & 1; }
constexpr unsigned rw(std::uint64_t dr7, unsigned slot) { return dr7 >> (16 + 4 * slot) & 3; }
constexpr unsigned len(std::uint64_t dr7, unsigned slot) { return dr7 >> (18 + 4 * slot) & 3; }

inline request any_request(fuzz::bytes& b) {
  request r;
  const std::uint8_t how = b.byte();
  r.on = static_cast<access>(how % 5);
  r.length = (how & 0x80) != 0 ? b.number(8) : std::uint64_t{1} << (how >> 3 & 15);
  // Near 0, the end of the ports, of a user's addresses, of the lower half, the start of the upper one, or anywhere.
  const std::uint8_t where = b.byte();
  constexpr std::uint64_t edges[] = {
      0, 0x1'0000, 0x7FFF'FFFF'F000, 0x8000'0000'0000, 0xFFFF'8000'0000'0000, 0x0100'0000'0000'0000, 0xFF00'0000'0000'0000};
  r.address = where % 8 == 7 ? b.number(8) : edges[where % 8] + static_cast<std::uint64_t>(static_cast<std::int8_t>(b.byte()));
  if ((where & 0x80) != 0 && r.length != 0) r.address -= r.address % r.length;
  return r;
}

}  // namespace fuzz
