// SPDX-License-Identifier: MIT
// include/bookend/cover.hpp — any range, of 13 bytes or not aligned, in the fewest requests that the machine has.
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

namespace detail {
/// How many slots of a CPU can hold this setting.
template <backend B>
constexpr unsigned in_its_pool(const typename B::setting& s) noexcept {
  unsigned before = static_cast<unsigned>(B::pool_of(s));
  slot_mask its = 0;
  for (const slot_mask pool : B::pools)  // not pools[i]: while compiling, clang has not looked how many there are
    if (before-- == 0) its = pool;
  return count_bits(its);
}
}  // namespace detail

/// The requests that watch a range, by rising address, each byte of the range in one of them; or why there are none. Register
/// them as a group (group.hpp): a part of a range is seldom of use.
template <unsigned Capacity>
struct covering {
  reason why = reason::granted;
  /// How many requests it takes. no_slot: more than a CPU has slots for them, and these are how many would be needed; 0 for any
  /// other reason.
  std::uint64_t needed = 0;
  range asked;
  request requests[Capacity];  ///< the first size() are valid

  constexpr explicit covering(range of) noexcept : asked(of) {}

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

namespace detail {

/// Writes the requests and how many; the reason if there are none.
template <backend B>
constexpr reason fill(covering<B::slots>& c, access on, fit how, std::uint64_t longest) noexcept {
  const range r = c.asked;
  const std::uint64_t lengths = lengths_for<B>(on);
  if (r.length == 0 || r.wraps()) return reason::bad_length;
  if (lengths == 0) return reason::unsupported;
  std::uint64_t widest = std::uint64_t{1} << highest_bit(lengths);
  while (widest > longest || (widest & ~lengths) != 0) widest /= 2;
  if (widest == 0) return reason::bad_length;

  // Aligned blocks lie within or beside each other. So the longest that begins here and is within the range is in every exact
  // covering with the fewest; and a superset needs one request for each of the widest blocks that the range touches, of which
  // the shortest will do that holds what is to be watched there.
  unsigned slots = B::slots;
  std::uint64_t at = r.first, last = 0, n = 0;
  do {
    std::uint64_t length;
    if (how == fit::exact) {
      length = widest;
      while ((at & (length - 1)) != 0 || length - 1 > r.last() - at || (length & lengths) == 0)
        if ((length /= 2) == 0) return reason::misaligned;
    } else {
      const std::uint64_t end = at | (widest - 1);
      const std::uint64_t differ = at ^ (end < r.last() ? end : r.last());
      length = 1;
      while (length <= differ || (length & lengths) == 0) length *= 2;
    }
    if (n < slots) {
      const request next{at & ~(length - 1), length, on};
      const auto encoded = B::encode(next);
      if (!encoded) return encoded.why();
      c.requests[n] = next;
      if (n == 0) slots = in_its_pool<B>(encoded.value());
    }
    ++n;
    last = at | (length - 1);
    if (n >= slots && length == widest && last < r.last()) {  // only counting, and it may be of the whole address space
      const std::uint64_t more = (r.last() - last) / widest;
      n += more;
      last += more * widest;
    }
    at = last + 1;
  } while (last < r.last());
  c.needed = n;
  return n > slots ? reason::no_slot : reason::granted;
}

}  // namespace detail

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
  covering<B::slots> c(r);
  c.why = detail::fill<B>(c, on, how, longest);
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
