// SPDX-License-Identifier: MIT
// tests/fail/stripes_without_relax.cpp — whoever wants a shared side of the owner lock must serve while others wait in it.
// EXPECT: stripes need stripe\(\) and relax\(\)
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>

struct kernel : bookend::mock::backend<2, 4> {
  static constexpr unsigned max_cpus = 2, stripes = 2;
  static void lock() noexcept {}
  static void unlock() noexcept {}
  static unsigned stripe() noexcept { return 0; }
#ifdef CURED
  static void relax() noexcept {}
#endif
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  static void run_on(const bookend::cpumask<2>&, bookend::call, void*) noexcept {}
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
using slot_manager = bookend::slot_manager<kernel>;
bookend::refusal stop(slot_manager& slots, slot_manager::kernel_breakpoint& b) { return slots.disable(b); }
