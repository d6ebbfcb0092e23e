// SPDX-License-Identifier: MIT
// examples/kernel/checks/check.cpp — see check.hpp.
#include "check.hpp"

#include "../machine/serial.hpp"

namespace kernel {

namespace {
unsigned passed, failed;
}  // namespace

void check(bool is_so, const char* sentence) noexcept {
  __atomic_fetch_add(is_so ? &passed : &failed, 1, __ATOMIC_RELAXED);
  say(is_so ? "ok  " : "FAILED ", sentence);
}

void report_and_end() noexcept {
  say(passed, " passed, ", failed, " failed");
  end_machine(failed == 0 && passed != 0 ? 0 : 1);
}

}  // namespace kernel
