// SPDX-License-Identifier: MIT
// tests/fail/backend_whose_writes_disagree.cpp — both writes can fail or neither: one undo or none is compiled.
// EXPECT: write_control\(cpu, c\)
#include <bookend/mock/backend.hpp>

struct half_fallible : bookend::mock::backend<1, 1> {
#ifndef CURED
  bool write_control(bookend::cpu_id, const control&) noexcept { return true; }
#endif
};
static_assert(bookend::backend<half_fallible>);
