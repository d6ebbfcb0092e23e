// SPDX-License-Identifier: MIT
// tests/fail/registration_forgotten.cpp — a guard without a name ends in its own line, and guards nothing.
// EXPECT: nodiscard
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
void watch(machine& m, machine::kernel_breakpoint& b) {
#ifdef CURED
  const bookend::registration guard{m.slots, b};
#else
  bookend::registration{m.slots, b};
#endif
}
