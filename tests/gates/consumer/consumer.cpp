// SPDX-License-Identifier: MIT
// tests/gates/consumer/consumer.cpp — a stranger's program: two CPUs, one watch, one hit.
#include <bookend/bookend.hpp>
#include <bookend/mock/machine.hpp>
#include <cstdio>

int main() {
  bookend::mock::machine<2, 4> m;
  static unsigned hit_on = 99;
  long x = 0;
  bookend::mock::machine<2, 4>::kernel_breakpoint w{"x", [](auto& h) { hit_on = h.here.cpu(); }};
  if (m.slots.register_breakpoint(w, bookend::write_to(&x))) return 1;
  m.write(1, &x);
  std::printf("hit on CPU %u\n", hit_on);
  return m.slots.unregister_breakpoint(w) ? 1 : 0;
}
