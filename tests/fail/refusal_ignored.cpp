// SPDX-License-Identifier: MIT
// tests/fail/refusal_ignored.cpp — whoever does not look at the answer does not know whether anything is watched.
// EXPECT: ignoring return value of .*register_breakpoint|ignoring return value of function declared with 'nodiscard'
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
bool watch(machine& m, machine::kernel_breakpoint& b) {
#ifdef CURED
  return !m.slots.register_breakpoint(b, {0x1000, 8, bookend::access::write});
#else
  m.slots.register_breakpoint(b, {0x1000, 8, bookend::access::write});
  return true;
#endif
}
