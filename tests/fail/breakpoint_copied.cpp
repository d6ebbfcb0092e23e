// SPDX-License-Identifier: MIT
// tests/fail/breakpoint_copied.cpp — the manager holds its address: a registered breakpoint cannot be in two places.
// EXPECT: deleted
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
machine::user_breakpoint first{"first"};
#ifdef CURED
machine::user_breakpoint second{first.name(), first.cookie()};
#else
machine::user_breakpoint second{first};
#endif
