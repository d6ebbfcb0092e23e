// SPDX-License-Identifier: MIT
// tests/fail/post_where_writes_fail.cpp — nobody waits for a post, so nobody could be told that a write failed.
// EXPECT: can_post
#include <bookend/mock/machine.hpp>

#ifdef CURED
using machine = bookend::mock::machine<2, 4, 1>;
#else
using machine = bookend::mock::machine<2, 4, 1, true>;
#endif
bool stop(machine& m, machine::kernel_breakpoint& b) { return static_cast<bool>(m.slots.post().disable(b)); }
