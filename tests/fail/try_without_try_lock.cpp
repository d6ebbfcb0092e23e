// SPDX-License-Identifier: MIT
// tests/fail/try_without_try_lock.cpp — where the owner lock cannot be tried, there is no verb that tries it.
// EXPECT: has_try_lock
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>

struct kernel : bookend::mock::backend<2, 4> {
  static constexpr unsigned max_cpus = 2;
  static void lock() noexcept {}
  static void unlock() noexcept {}
#ifdef CURED
  static bool try_lock() noexcept { return true; }
#endif
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  static void run_on(const bookend::cpumask<2>&, bookend::call, void*) noexcept {}
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
using slot_manager = bookend::slot_manager<kernel>;
bookend::refusal stop(slot_manager& slots, slot_manager::kernel_breakpoint& b) { return slots.try_disable(b); }
