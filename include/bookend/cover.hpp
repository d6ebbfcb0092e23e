// SPDX-License-Identifier: MIT
// include/bookend/cover.hpp — any range in the fewest requests that the machine has: a range of 13 bytes, one that is not aligned.
#pragma once
#include <bookend/backend.hpp>
#include <bookend/builtin.hpp>

namespace bookend {

/// exact: no byte outside the range is watched. superset: a request may be wider than what it is for, if that saves one.
enum class fit : std::uint8_t { exact, superset };

/// The lengths that a machine can watch for a kind of access: the sum of those powers of two that its encode() takes at address
/// 0, which is a multiple of each. Asked while compiling.
template <backend B>
inline constexpr auto lengths_for = [] {
  struct {
    std::uint64_t by_access[static_cast<unsigned>(access::io) + 1]{};
    constexpr std::uint64_t operator()(access on) const noexcept { return by_access[static_cast<unsigned>(on)]; }
  } lengths;
  for (unsigned on = 0; on <= static_cast<unsigned>(access::io); ++on)
    for (std::uint64_t length = 1; length != 0; length *= 2)
      if (B::encode(request{0, length, static_cast<access>(on)})) lengths.by_access[on] += length;
  return lengths;
}();

/// The requests that watch a range, by rising address, each byte of the range in one of them; or why there are none. Register
/// them as a group (group.hpp): a part of a range is seldom of use.
template <unsigned Capacity>
struct covering {
  reason why = reason::granted;
  /// How many requests it takes. no_slot: more than a CPU has slots for them, and these are how many would be needed; 0 for any
  /// other reason.
  std::uint64_t needed = 0;
  range asked;
  request requests[Capacity]{};  ///< the first size() are valid

  /// True when there is one.
  constexpr explicit operator bool() const noexcept { return why == reason::granted; }
  [[nodiscard]] constexpr unsigned size() const noexcept { return *this ? static_cast<unsigned>(needed) : 0; }
  [[nodiscard]] constexpr const request* begin() const noexcept { return requests; }
  [[nodiscard]] constexpr const request* end() const noexcept { return requests + size(); }

  // Which hits were meant? Where the machine, or the instruction, gives the bytes that were accessed, covers() knows. Where it
  // does not (data on x86), a hit says which request matched and no more: outside_possible() says whether that leaves a doubt,
  // and for writes `remembered` below takes a part of it.

  /// True when these bytes, the access's, touch the range.
  [[nodiscard]] constexpr bool covers(range accessed) const noexcept { return accessed.overlaps(asked); }
  /// True when a hit of this request, hit.watched(), may be for bytes outside the range only.
  [[nodiscard]] constexpr bool outside_possible(const request& of) const noexcept { return part(of).length != of.length; }
  /// True when that is so of any of them.
  [[nodiscard]] constexpr bool outside_possible() const noexcept {
    for (const request& r : *this)
      if (outside_possible(r)) return true;
    return false;
  }
  /// What a request watches of the range. Precondition: it is one of these.
  [[nodiscard]] constexpr range part(const request& of) const noexcept {
    const std::uint64_t first = of.address > asked.first ? of.address : asked.first;
    const std::uint64_t last = of.bytes().last() < asked.last() ? of.bytes().last() : asked.last();
    return {first, last - first + 1};
  }
};

/// Covers `r` with the fewest requests that are as long as their address is a multiple of, and of those coverings gives the one
/// that watches the fewest bytes. No request is longer than `longest`: where a machine can watch megabytes, a superset of two
/// bytes astride of a border could be one of them. Refused:
///   unsupported  the machine cannot watch that kind of access, or has no such address
///   bad_length   the range is empty, or wraps; or `longest` allows no length
///   misaligned   exact, and the range begins or ends within the shortest length that there is: superset fits
///   no_slot      it takes more requests than a CPU has slots for them; `needed` says how many
/// Whether the slots are free, and the bytes may be watched, is for registering to say. Pure, constexpr. Cost: a few
/// instructions and an encode() a request.
template <backend B>
[[nodiscard]] constexpr covering<B::slots> cover(range r, access on, fit how,
                                                 std::uint64_t longest = ~std::uint64_t{0}) noexcept {
  // All powers of two up to the highest bit of x.
  const auto up_to = [](std::uint64_t x) { return x == 0 ? 0 : ~std::uint64_t{0} >> (63 - detail::highest_bit(x)); };
  // Not B::pools[i]: while compiling, clang has not looked how many there are.
  const auto pool_of = [](const typename B::setting& s) {
    unsigned before = static_cast<unsigned>(B::pool_of(s));
    for (const slot_mask pool : B::pools)
      if (before-- == 0) return pool;
    return slot_mask{0};
  };
  const std::uint64_t lengths = lengths_for<B>(on) & up_to(longest);
  covering<B::slots> c{.asked = r};
  const auto refused = [&](reason why) {
    c.why = why;
    c.needed = 0;
    return c;
  };
  if (r.length == 0 || r.wraps()) return refused(reason::bad_length);
  if (lengths == 0) return refused(lengths_for<B>(on) == 0 ? reason::unsupported : reason::bad_length);
  const std::uint64_t widest = std::uint64_t{1} << detail::highest_bit(lengths);

  // Aligned blocks lie within or beside each other. So the longest that begins here and is within the range is in every exact
  // covering with the fewest; and a superset needs one request for each of the widest blocks that the range touches, of which
  // the shortest will do that holds what is to be watched there.
  unsigned slots = B::slots;
  for (std::uint64_t at = r.first;;) {
    std::uint64_t length;
    if (how == fit::exact) {
      const std::uint64_t fitting = lengths & (at ^ (at - 1)) & up_to(r.last() - at + 1);
      if (fitting == 0) return refused(reason::misaligned);
      length = std::uint64_t{1} << detail::highest_bit(fitting);
    } else {
      const std::uint64_t end = at | (widest - 1);
      length = std::uint64_t{1} << detail::lowest_bit(lengths & ~up_to(at ^ (end < r.last() ? end : r.last())));
    }
    if (c.needed < slots) {
      const request next{at & ~(length - 1), length, on};
      const auto encoded = B::encode(next);
      if (!encoded) return refused(encoded.why());
      if (c.needed == 0) slots = detail::count_bits(pool_of(encoded.value()));
      c.requests[c.needed] = next;
    }
    ++c.needed;
    std::uint64_t last = at | (length - 1);
    if (last < r.last() && c.needed >= slots && length == widest) {  // only counting, and the range may be the address space
      const std::uint64_t more = (r.last() - last) / widest;
      c.needed += more;
      last += more * widest;
    }
    if (last >= r.last()) break;
    at = last + 1;
  }
  if (c.needed > slots) c.why = reason::no_slot;
  return c;
}

/// What a range held, for machines whose hits give no address: changed() tells for certain that a write was inside. One that it
/// does not see was outside, or wrote what was there already. Reads leave nothing to compare. For up to Bytes bytes of one's
/// own address space; read a byte at a time, while others may write. One caller at a time.
template <unsigned Bytes>
class remembered {
 public:
  /// Precondition: the range is no longer than Bytes.
  explicit remembered(range of) noexcept : of_(of) {
    BOOKEND_ASSERT(of.length <= Bytes, "more bytes than there is room for");
    (void)changed();
  }
  /// True when a byte of the range is not what it was when this was last asked. A handler asks it with its watches quiet.
  [[nodiscard]] bool changed() noexcept {
    const auto* const now = reinterpret_cast<const volatile unsigned char*>(of_.first);
    bool differs = false;
    for (unsigned i = 0; i < of_.length; ++i) {
      const unsigned char is = now[i];
      differs = differs || is != was_[i];
      was_[i] = is;
    }
    return differs;
  }

 private:
  range of_;
  unsigned char was_[Bytes]{};
};

}  // namespace bookend
