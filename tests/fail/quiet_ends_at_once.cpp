// SPDX-License-Identifier: MIT
// tests/fail/quiet_ends_at_once.cpp — a quiet scope without a name is over before the trap is handled.
// EXPECT: (nodiscard|unused-result)
#include <bookend/bookend.hpp>
#include <bookend/mock/platform.hpp>

using slot_manager = bookend::slot_manager<bookend::mock::system<1, 4>>;
void debug_trap(slot_manager& slots, bookend::mock::frame& f) {
#ifdef CURED
  const auto quiet = slots.here().quiet();
#else
  slots.here().quiet();
#endif
  slots.here().trap(f);
}
