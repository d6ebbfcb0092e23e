// SPDX-License-Identifier: MIT
// tests/fail/platform_without_run_on.cpp — a platform that cannot reach its other CPUs is none.
// EXPECT: p\.run_on\(mask, fn, argument\)
#include <bookend/platform.hpp>

struct deaf : bookend::single_thread<2> {
  struct frame {};
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
#ifndef CURED
  static void run_on() noexcept;  // not the one that is asked for
#endif
};
static_assert(bookend::platform<deaf>);
