// SPDX-License-Identifier: MIT
// include/bookend/cpumask.hpp — a set of CPUs, one bit each.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/builtin.hpp>
#include <cstdint>

namespace bookend {

/// A logical CPU: 0 to max_cpus-1. Whatever has debug registers of its own is one: a core, a vCPU, a traced thread.
using cpu_id = unsigned;

/// A set of the CPUs 0 to Size-1. All zero is the empty set. Any context; constexpr. Cost: one operation per 64 CPUs for
/// whole-set operations, constant for one CPU. A CPU outside 0 to Size-1 is an assertion.
template <unsigned Size>
class cpumask {
  static_assert(Size > 0, "a cpumask needs at least one CPU");

 public:
  static constexpr unsigned size = Size;
  static constexpr unsigned word_count = (Size + 63) / 64;

  constexpr cpumask() noexcept = default;

  /// Every CPU from 0 to Size-1.
  static constexpr cpumask all() noexcept {
    cpumask m;
    for (auto& w : m.words_) w = ~std::uint64_t{0};
    m.words_[word_count - 1] >>= (64 * word_count - Size);
    return m;
  }
  /// The CPUs named: `cpumask<8>::of(0, 3)`.
  template <class... Cpus>
  static constexpr cpumask of(Cpus... cpus) noexcept {
    cpumask m;
    (m.set(static_cast<cpu_id>(cpus)), ...);
    return m;
  }

  [[gnu::always_inline]] constexpr void set(cpu_id cpu) noexcept { at(cpu) |= bit(cpu); }
  [[gnu::always_inline]] constexpr void clear(cpu_id cpu) noexcept { at(cpu) &= ~bit(cpu); }
  [[nodiscard, gnu::always_inline]] constexpr bool test(cpu_id cpu) const noexcept {
    BOOKEND_ASSERT(cpu < Size, "CPU outside the mask");
    return (words_[cpu / 64] & bit(cpu)) != 0;
  }

  [[nodiscard, gnu::always_inline]] constexpr bool any() const noexcept {
    std::uint64_t seen = 0;
    for (auto w : words_) seen |= w;
    return seen != 0;
  }
  [[nodiscard, gnu::always_inline]] constexpr bool none() const noexcept { return !any(); }
  [[nodiscard]] constexpr unsigned count() const noexcept {
    unsigned n = 0;
    for (auto w : words_) n += detail::count_bits(w);
    return n;
  }
  /// The first CPU at or after `from`; Size if there is none.
  [[nodiscard]] constexpr cpu_id first(cpu_id from = 0) const noexcept {
    if (from >= Size) return Size;
    unsigned i = from / 64;
    std::uint64_t w = words_[i] & (~std::uint64_t{0} << (from % 64));
    while (w == 0) {
      if (++i == word_count) return Size;
      w = words_[i];
    }
    return i * 64 + detail::lowest_bit(w);
  }

  constexpr cpumask& operator|=(const cpumask& o) noexcept {
    for (unsigned i = 0; i < word_count; ++i) words_[i] |= o.words_[i];
    return *this;
  }
  constexpr cpumask& operator&=(const cpumask& o) noexcept {
    for (unsigned i = 0; i < word_count; ++i) words_[i] &= o.words_[i];
    return *this;
  }
  /// Takes the CPUs of `o` out.
  constexpr cpumask& operator-=(const cpumask& o) noexcept {
    for (unsigned i = 0; i < word_count; ++i) words_[i] &= ~o.words_[i];
    return *this;
  }
  friend constexpr cpumask operator|(cpumask a, const cpumask& b) noexcept { return a |= b; }
  friend constexpr cpumask operator&(cpumask a, const cpumask& b) noexcept { return a &= b; }
  friend constexpr cpumask operator-(cpumask a, const cpumask& b) noexcept { return a -= b; }
  friend constexpr bool operator==(const cpumask&, const cpumask&) noexcept = default;

  /// The bits, 64 CPUs a word, CPU 0 in bit 0 of word 0: for a kernel's own cross-call.
  [[nodiscard]] constexpr const std::uint64_t* words() const noexcept { return words_; }
  /// The same, writable: bits beyond Size must stay 0. For the ledger's word-wise arithmetic.
  [[nodiscard]] constexpr std::uint64_t* words() noexcept { return words_; }

  /// The CPUs in ascending order: `for (cpu_id cpu : mask)`.
  struct iterator {
    const cpumask* mask;
    cpu_id cpu;
    constexpr cpu_id operator*() const noexcept { return cpu; }
    constexpr iterator& operator++() noexcept {
      cpu = mask->first(cpu + 1);
      return *this;
    }
    friend constexpr bool operator==(const iterator&, const iterator&) noexcept = default;
  };
  [[nodiscard]] constexpr iterator begin() const noexcept { return {this, first()}; }
  [[nodiscard]] constexpr iterator end() const noexcept { return {this, Size}; }

 private:
  static constexpr std::uint64_t bit(cpu_id cpu) noexcept { return std::uint64_t{1} << (cpu % 64); }
  [[gnu::always_inline]] constexpr std::uint64_t& at(cpu_id cpu) noexcept {
    BOOKEND_ASSERT(cpu < Size, "CPU outside the mask");
    return words_[cpu / 64];
  }
  std::uint64_t words_[word_count]{};
};

}  // namespace bookend
