// SPDX-License-Identifier: MIT
// tests/fail/post_without_post_on.cpp — a platform that cannot ask its other CPUs without waiting for them has no posts.
// EXPECT: can_post
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>

struct emulator : bookend::mock::backend<2, 4>, bookend::single_thread<2> {
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
#ifdef CURED
  static void post_on(const bookend::cpumask<2>&) noexcept {}
#endif
};
using slot_manager = bookend::slot_manager<emulator>;
bool stop(slot_manager& slots, slot_manager::kernel_breakpoint& b) { return static_cast<bool>(slots.post().disable(b)); }
