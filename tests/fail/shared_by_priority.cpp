// SPDX-License-Identifier: MIT
// tests/fail/shared_by_priority.cpp — a shared watch is first come, first served: it would neither evict nor come back.
// EXPECT: use of deleted function|call to deleted constructor
#include <bookend/by_priority.hpp>
#include <bookend/mock/backend.hpp>
#include <bookend/shared.hpp>

struct os : bookend::mock::backend<1, 4>, bookend::single_thread<1> {
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
#ifdef CURED
bookend::slot_manager<os> slots;
#else
bookend::by_priority<os> slots;
#endif
bookend::shared_watches<os> shared{slots};
