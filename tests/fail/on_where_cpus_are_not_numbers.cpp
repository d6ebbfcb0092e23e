// SPDX-License-Identifier: MIT
// tests/fail/on_where_cpus_are_not_numbers.cpp — a kernel acts for the CPU that it runs on, and for no other without a
// cross-call.
// EXPECT: cpus_are_numbers
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>

struct kernel : bookend::mock::backend<2, 4> {
  static constexpr unsigned max_cpus = 2;
  static bookend::cpu_id this_cpu() noexcept { return 0; }
  static void lock() noexcept {}
  static void unlock() noexcept {}
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  static void run_on(const bookend::cpumask<2>&, bookend::call, void*) noexcept {}
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
using slot_manager = bookend::slot_manager<kernel>;
void stop(slot_manager& slots, slot_manager::kernel_breakpoint& b) {
#ifdef CURED
  slots.here().disable(b);
#else
  slots.on(1).disable(b);
#endif
}
