// SPDX-License-Identifier: MIT
// tests/fail/group_by_priority.cpp — the verbs of a group know nothing of priorities: they would neither evict nor call back.
// EXPECT: use of deleted function|call to deleted function
#include <bookend/by_priority.hpp>
#include <bookend/group.hpp>
#include <bookend/mock/backend.hpp>

struct os : bookend::mock::backend<1, 4>, bookend::single_thread<1> {
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
#ifdef CURED
bookend::slot_manager<os> slots;
#else
bookend::by_priority<os> slots;
#endif
bookend::group_refusal f(const bookend::kernel_member<os>* members) { return bookend::register_group(slots, members, 2); }
