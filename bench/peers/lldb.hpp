// SPDX-License-Identifier: MIT
// bench/peers/lldb.hpp — a peer: the rule of LLDB for machines that watch aligned powers of two. A watch is rounded up to a power
// of two; if one aligned region of that size, or of twice that, holds it, that is it; else regions of that size in a row.
#pragma once
#include <cstdint>

namespace peers {

/// Calls f(address, size) for each register that the watch takes. `longest`: what one register can watch.
template <class F>
constexpr void lldb_split(std::uint64_t address, std::uint64_t length, std::uint64_t longest, F f) {
  const std::uint64_t end = address + length;
  std::uint64_t size = 1;
  while (size < length) size *= 2;
  for (std::uint64_t one = size; one <= 2 * size && one <= longest; one *= 2)
    if (const std::uint64_t from = address & ~(one - 1); from + one >= end) return f(from, one);
  if (size > longest) size = longest;
  for (std::uint64_t from = address & ~(size - 1); from < end; from += size) f(from, size);
}

}  // namespace peers
