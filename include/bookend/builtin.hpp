// SPDX-License-Identifier: MIT
// include/bookend/builtin.hpp — the compiler's builtins in place of <atomic> (24,000 lines) and <bit> (libgcc calls on riscv64).
#pragma once
#include <cstdint>

namespace bookend::detail {

/// Where each power of two lands when multiplied by the constant below. Not local to the function: g++ would copy it onto the
/// stack.
inline constexpr unsigned char bit_at[64] = {0,  1,  2,  7,  3,  13, 8,  19, 4,  25, 14, 28, 9,  34, 20, 40,
                                             5,  17, 26, 38, 15, 46, 29, 48, 10, 31, 35, 54, 21, 50, 41, 57,
                                             63, 6,  12, 18, 24, 27, 33, 39, 16, 37, 45, 47, 30, 53, 49, 56,
                                             62, 11, 23, 32, 36, 44, 52, 55, 61, 22, 43, 51, 60, 42, 59, 58};
#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv_zbb)
inline constexpr bool finds_lowest_bit = true;  // in an instruction or two; elsewhere g++ would ask libgcc
#else
inline constexpr bool finds_lowest_bit = false;
#endif
/// Index of the lowest set bit. Precondition: x != 0. Any context; one instruction where the machine has one.
[[gnu::always_inline]] constexpr unsigned lowest_bit(std::uint64_t x) noexcept {
  if (finds_lowest_bit && !__builtin_is_constant_evaluated()) return static_cast<unsigned>(__builtin_ctzll(x));
  return bit_at[((x & (~x + 1)) * 0x0218a392cd3d5dbfULL) >> 58];
}

/// Index of the highest set bit. Precondition: x != 0. Any context; six steps.
constexpr unsigned highest_bit(std::uint64_t x) noexcept {
  unsigned at = 0;
  for (unsigned step = 32; step != 0; step /= 2)
    if ((x >> step) != 0) {
      x >>= step;
      at += step;
    }
  return at;
}

/// Number of set bits. Any context; a dozen instructions, no table.
constexpr unsigned count_bits(std::uint64_t x) noexcept {
  x -= (x >> 1) & 0x5555555555555555ULL;
  x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
  return static_cast<unsigned>((x * 0x0101010101010101ULL) >> 56);
}

// Atomic accesses to plain objects. In constant evaluation there is one thread, so they are plain. Whoever acquires, releases or
// fences says there with whom (tests/gates/weak_memory.sh).
template <class T>
[[gnu::always_inline]] constexpr T load_relaxed(const T& from) noexcept {
  if (__builtin_is_constant_evaluated()) return from;
  return __atomic_load_n(&from, __ATOMIC_RELAXED);
}
template <class T>
[[gnu::always_inline]] constexpr T load_acquire(const T& from) noexcept {
  if (__builtin_is_constant_evaluated()) return from;
  return __atomic_load_n(&from, __ATOMIC_ACQUIRE);
}
template <class T>
[[gnu::always_inline]] constexpr void store_relaxed(T& to, T value) noexcept {
  if (__builtin_is_constant_evaluated())
    to = value;
  else
    __atomic_store_n(&to, value, __ATOMIC_RELAXED);
}
template <class T>
[[gnu::always_inline]] constexpr void store_release(T& to, T value) noexcept {
  if (__builtin_is_constant_evaluated())
    to = value;
  else
    __atomic_store_n(&to, value, __ATOMIC_RELEASE);
}
/// Keeps the compiler from moving accesses across it. Enough against an interruption on the same CPU, which nests.
[[gnu::always_inline]] constexpr void compiler_barrier() noexcept {
  if (!__builtin_is_constant_evaluated()) __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

}  // namespace bookend::detail
