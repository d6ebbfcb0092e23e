// SPDX-License-Identifier: MIT
// tests/fail/backend_without_write_control.cpp — a backend that can aim its slots but not switch them on is none.
// EXPECT: b\.write_control\(cpu, c\)
#include <bookend/mock/backend.hpp>

struct mute : bookend::mock::backend<1, 1> {
#ifndef CURED
  void write_control() noexcept;  // not the one that is asked for
#endif
};
static_assert(bookend::backend<mute>);
