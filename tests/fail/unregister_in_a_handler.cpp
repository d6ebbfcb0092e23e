// SPDX-License-Identifier: MIT
// tests/fail/unregister_in_a_handler.cpp — giving slots back waits for every CPU, and a handler cannot wait: it disables
// here instead.
// EXPECT: no member named .?unregister_breakpoint
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
void on_hit(const machine::hit& hit) {
#ifdef CURED
  hit.here.disable(hit.kernel());
#else
  hit.here.unregister_breakpoint(hit.kernel());
#endif
}
