// SPDX-License-Identifier: MIT
// tests/fail/platform_that_allows_all_by_default.cpp — who may watch what is the kernel's own decision; there is no default.
// EXPECT: p\.may_watch\(s, r\)
#include <bookend/platform.hpp>

struct careless : bookend::single_thread<2> {
  struct frame {};
  static void step_past(frame&) noexcept {}
#ifdef CURED
  static bool may_watch(bookend::side who, bookend::range) noexcept { return who == bookend::side::kernel; }
#endif
};
static_assert(bookend::platform<careless>);
