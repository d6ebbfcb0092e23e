// SPDX-License-Identifier: MIT
// tests/fail/post_ignored.cpp — a post may be refused as would_block: whoever does not look has not posted.
// EXPECT: nodiscard
#include <bookend/mock/machine.hpp>

using machine = bookend::mock::machine<2, 4>;
bool stop(machine& m, machine::kernel_breakpoint& b) {
#ifdef CURED
  return static_cast<bool>(m.slots.post().disable(b));
#else
  m.slots.post().disable(b);
  return true;
#endif
}
