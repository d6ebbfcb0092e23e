// SPDX-License-Identifier: MIT
// tests/fail/refusal_as_number.cpp — a refusal is no errno: the field's numbers are asked for by name.
// EXPECT: (cannot convert|no viable conversion).*refusal.*int
#include <bookend/refusal.hpp>

int system_call(bookend::refusal no) {
#ifdef CURED
  return -bookend::to_errno(no.why);
#else
  return no;
#endif
}
