// SPDX-License-Identifier: MIT
// tests/fail/backend_that_throws.cpp — registers are written in a trap handler: nothing there may throw.
// EXPECT: write_address\(cpu, slot, s\)
#include <bookend/mock/backend.hpp>

struct throwing : bookend::mock::backend<1, 1> {
#ifndef CURED
  outcome write_address(bookend::cpu_id, bookend::slot_id, const setting&) { throw 1; }
#endif
};
static_assert(bookend::backend<throwing>);
