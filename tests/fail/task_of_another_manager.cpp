// SPDX-License-Identifier: MIT
// tests/fail/task_of_another_manager.cpp — two managers of different machines cannot mix up their tenants.
// EXPECT: (no matching function|no matching member function)
#include <bookend/bookend.hpp>
#include <bookend/mock/platform.hpp>

using small = bookend::slot_manager<bookend::mock::system<1, 2>>;
using large = bookend::slot_manager<bookend::mock::system<1, 4>>;
#ifdef CURED
using owner = small;
#else
using owner = large;
#endif
bookend::refusal watch(small& slots, small::user_breakpoint& b, owner::task& t) {
  return slots.register_breakpoint(b, t, {.address = 8});
}
