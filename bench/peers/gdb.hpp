// SPDX-License-Identifier: MIT
// bench/peers/gdb.hpp — a peer: the rule of GDB on x86. Every owner has a mirror of the registers and knows of nobody else's;
// equal watches share a slot by a count of references; of several slots that hit at once, one is reported. A watch that no one
// register holds is split into aligned ones.
#pragma once
#include <cstdint>

namespace peers {

template <unsigned Slots>
class gdb_mirror {
 public:
  static constexpr unsigned none = Slots;

  /// The slot, or `none`.
  unsigned insert(std::uint64_t address, unsigned kind) noexcept {
    unsigned free = none;
    for (unsigned i = 0; i < Slots; ++i) {
      if (references_[i] == 0) {
        if (free == none) free = i;
      } else if (address_[i] == address && kind_of(i) == kind) {
        ++references_[i];
        return i;
      }
    }
    if (free == none) return none;
    address_[free] = address;
    references_[free] = 1;
    control_ |= kind << (16 + 4 * free) | 1u << (2 * free);
    return free;
  }
  /// False if nobody watches that.
  bool remove(std::uint64_t address, unsigned kind) noexcept {
    for (unsigned i = 0; i < Slots; ++i)
      if (references_[i] != 0 && address_[i] == address && kind_of(i) == kind) {
        if (--references_[i] == 0) control_ &= ~(0xFu << (16 + 4 * i) | 1u << (2 * i));
        return true;
      }
    return false;
  }
  /// What stopped the thread: the last data watch that the status shows. False if none.
  bool stopped_at(std::uint64_t status, std::uint64_t& address) const noexcept {
    bool found = false;
    for (unsigned i = 0; i < Slots; ++i)
      if ((status >> i & 1) != 0 && references_[i] != 0 && (kind_of(i) & 3) != 0) {
        address = address_[i];
        found = true;
      }
    return found;
  }
  [[nodiscard]] std::uint32_t control() const noexcept { return control_; }

 private:
  [[nodiscard]] unsigned kind_of(unsigned i) const noexcept { return control_ >> (16 + 4 * i) & 0xF; }
  std::uint64_t address_[Slots]{};
  unsigned references_[Slots]{};
  std::uint32_t control_ = 0;
};

/// How long the next register's watch is: by the address's place in eight bytes, and what is left, 1 to 8 bytes.
inline constexpr struct split_table {
  unsigned char of[8][8]{};
  constexpr split_table() noexcept {
    for (unsigned left = 1; left <= 8; ++left)
      for (unsigned place = 0; place < 8; ++place)
        for (unsigned size = 1; size <= left; size *= 2)
          if (place % size == 0) of[left - 1][place] = static_cast<unsigned char>(size);
  }
} split_sizes;
/// Calls f(address, size) for each register that the watch takes.
template <class F>
constexpr void gdb_split(std::uint64_t address, std::uint64_t length, F f) {
  while (length > 0) {
    const unsigned size = split_sizes.of[length > 8 ? 7 : length - 1][address % 8];
    f(address, size);
    address += size;
    length -= size;
  }
}

}  // namespace peers
