// SPDX-License-Identifier: MIT
// tests/fail/move_in_a_handler.cpp — moving to other CPUs waits for them; a handler may re-aim on its own.
// EXPECT: no member named .?move
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
bookend::refusal on_hit(const machine::hit& hit) {
#ifdef CURED
  return hit.here.modify(hit.kernel(), {0x1000, 8, bookend::access::write});
#else
  return hit.here.move(hit.kernel(), machine::slot_manager::mask::of(1));
#endif
}
