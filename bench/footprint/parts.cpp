// SPDX-License-Identifier: MIT
// bench/footprint/parts.cpp — what a kernel keeps, each as a symbol of its size; and the ledger alone.
#include "kernel.hpp"

template <class T>
using bytes_of = char[sizeof(T)];

bytes_of<slot_manager> manager;
bytes_of<bookend::row<os>> cpu;
bytes_of<task> per_task;
bytes_of<kernel_breakpoint> per_kernel_breakpoint;
bytes_of<user_breakpoint> per_user_breakpoint;
bytes_of<bookend::ledger<4, 64>> ledger_64;
bytes_of<bookend::ledger<4, 1024>> ledger_1024;
bytes_of<bookend::ledger<4, 8192>> ledger_8192;

/// Reserves one more slot for a task that has so many and none pinned.
bool reserve_for_task(bookend::ledger<4, 64>& l, unsigned wide) {
  const auto no_pins = [](auto) {};
  if (!l.fits_wide(wide + 1, no_pins)) return false;
  l.change_wide(wide, wide + 1, no_pins);
  return true;
}
