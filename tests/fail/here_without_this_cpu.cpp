// SPDX-License-Identifier: MIT
// tests/fail/here_without_this_cpu.cpp — an emulator's thread runs on no CPU of its guest: it names the one it means.
// EXPECT: has_this_cpu
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>

struct emulator : bookend::mock::backend<2, 4>, bookend::single_thread<2> {
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
using slot_manager = bookend::slot_manager<emulator>;
void stop(slot_manager& slots, slot_manager::kernel_breakpoint& b) {
#ifdef CURED
  slots.on(1).disable(b);
#else
  slots.here().disable(b);
#endif
}
