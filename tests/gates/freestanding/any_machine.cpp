// SPDX-License-Identifier: MIT
// tests/gates/freestanding/any_machine.cpp — every verb on any machine, without a library; see freestanding.sh.
#include <bookend/mock/backend.hpp>

#include "every_verb.hpp"

/// A kernel with many CPUs: whole masks are copied, which is where a compiler would like to call memcpy.
struct big_kernel : bookend::mock::backend<256, 4> {
  static constexpr unsigned max_cpus = 256;
  static bookend::cpu_id this_cpu() noexcept { return static_cast<bookend::cpu_id>(__atomic_load_n(&cpu, __ATOMIC_RELAXED)); }
  static bool try_lock() noexcept { return !__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE); }
  static void lock() noexcept {
    while (!try_lock()) {
    }
  }
  static void unlock() noexcept { __atomic_clear(&taken, __ATOMIC_RELEASE); }
  static int traps_off() noexcept { return 0; }
  static void traps_restore(int) noexcept {}
  static void run_on(const bookend::cpumask<256>& m, bookend::call f, void* argument) noexcept {
    for (bookend::cpu_id c : m) f(argument, c);
  }
  static void post_on(const bookend::cpumask<256>& m) noexcept { asm volatile("" : : "r"(m.words()) : "memory"); }
  static bool may_watch(bookend::side, bookend::range r) noexcept { return r.last() < 0x8000'0000'0000; }
  static constexpr unsigned stripes = 64;
  static unsigned stripe() noexcept { return __atomic_load_n(&cpu, __ATOMIC_RELAXED) % stripes; }
  static void relax() noexcept { asm volatile("" : : : "memory"); }
  static inline unsigned cpu = 0;
  static inline bool taken = false;
};

/// An emulator: CPUs by number, two pools as on arm64, and writes that can fail.
struct emulator : bookend::mock::backend<4, 8, 2, true>, bookend::single_thread<4> {
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};

unsigned run_big_kernel(const bookend::request& r, bookend::mock::frame& f) {
  return everywhere<big_kernel>(r, 255) + tried<big_kernel>(r, 255) + by_priority<big_kernel>(r, 255) +
         layers<big_kernel>::all(r, 255) + posted<big_kernel>(r) + through<big_kernel>(kernel<big_kernel>::slots.here(), r, f);
}
unsigned run_emulator(const bookend::request& r, bookend::mock::frame& f) {
  return everywhere<emulator>(r, 3) + tried<emulator>(r, 3) + by_priority<emulator>(r, 3) + layers<emulator>::all(r, 3) +
         through<emulator>(kernel<emulator>::slots.on(3), r, f);
}
