// SPDX-License-Identifier: MIT
// tests/fail/user_breakpoint_in_a_handler.cpp — a task's breakpoints are its own on every CPU: they are enabled everywhere,
// in thread context.
// EXPECT: deleted (member )?function
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
#ifdef CURED
void rearm(machine& m, machine::user_breakpoint& b) { m.slots.enable(b); }
#else
void on_hit(const machine::hit& hit, machine::user_breakpoint& b) { hit.here.enable(b); }
#endif
