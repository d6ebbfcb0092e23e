// SPDX-License-Identifier: MIT
// include/bookend/request.hpp — what to watch, in the user's words. The backend turns it into its own setting.
#pragma once
#include <cstdint>

namespace bookend {

/// One debug register pair of a CPU, 0 to slots-1.
using slot_id = unsigned;
/// A set of slots of one CPU, bit i for slot i.
using slot_mask = std::uint32_t;

/// Which accesses report a hit. A machine without a kind refuses it as `unsupported`; it never widens it silently.
enum class access : std::uint8_t { write, read_write, read, execute, io };

/// The two tenants of the shelf.
enum class side : std::uint8_t { kernel, user };

/// Bytes `first` to `last()`, both included, so that the end of the address space is a range too. Precondition: length > 0.
struct range {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  [[nodiscard]] constexpr std::uint64_t last() const noexcept { return first + length - 1; }
  [[nodiscard]] constexpr bool wraps() const noexcept { return last() < first; }
  [[nodiscard]] constexpr bool overlaps(range o) const noexcept { return first <= o.last() && o.first <= last(); }
};

/// Watch `length` bytes at `address` for `on`. Address 0 is an address like any other.
struct request {
  std::uint64_t address = 0;
  std::uint64_t length = 1;
  access on = access::write;
  [[nodiscard]] constexpr range bytes() const noexcept { return {address, length}; }
  friend constexpr bool operator==(const request&, const request&) noexcept = default;
};

/// Writes to an object of the caller's own address space: `write_to(&jiffies)`.
template <class T>
request write_to(const volatile T* object) noexcept {
  return {reinterpret_cast<std::uint64_t>(object), sizeof(T), access::write};
}
/// Reads of it and writes to it.
template <class T>
request access_to(const volatile T* object) noexcept {
  return {reinterpret_cast<std::uint64_t>(object), sizeof(T), access::read_write};
}
/// Execution of a function's first instruction.
template <class R, class... A>
request execution_of(R (*function)(A...)) noexcept {
  return {reinterpret_cast<std::uint64_t>(function), 1, access::execute};
}

}  // namespace bookend
