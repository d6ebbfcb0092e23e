// SPDX-License-Identifier: MIT
// tests/fail/sync_where_nobody_posts.cpp — there is nothing to answer where nobody can ask.
// EXPECT: can_post
#include <bookend/mock/machine.hpp>

#ifdef CURED
using machine = bookend::mock::machine<2, 4, 1>;
#else
using machine = bookend::mock::machine<2, 4, 1, true>;
#endif
void answer(machine& m) { m.slots.on(1).sync(); }
