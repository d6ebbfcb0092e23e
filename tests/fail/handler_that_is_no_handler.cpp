// SPDX-License-Identifier: MIT
// tests/fail/handler_that_is_no_handler.cpp — a lambda with captures has state and no address; context comes by deriving.
// EXPECT: (no matching function|no matching constructor).*kernel_breakpoint
#include <bookend/bookend.hpp>
#include <bookend/mock/platform.hpp>

using slot_manager = bookend::slot_manager<bookend::mock::system<1, 4>>;
#ifdef CURED
struct counter : slot_manager::kernel_breakpoint {
  counter()
      : slot_manager::kernel_breakpoint("counter", [](const slot_manager::hit& h) { ++static_cast<counter&>(h.kernel()).hits; }) {
  }
  int hits = 0;
};
counter watch;
#else
int hits = 0;
auto make(int& n) {
  return slot_manager::kernel_breakpoint("counter", [&n](const slot_manager::hit&) { ++n; });
}
#endif
