// SPDX-License-Identifier: MIT
// examples/kernel/kernel/deny_list.cpp — see deny_list.hpp. The ranges are kernel.ld's.
#include "deny_list.hpp"

#include "../machine/idt.hpp"
#include "../machine/image.hpp"
#include "../machine/paging.hpp"

namespace kernel {

bool denied(bookend::range bytes) noexcept {
  const auto touches = [&](const void* first, const void* end) {
    return first != end && bytes.overlaps({address_of(first), address_of(end) - address_of(first)});
  };
  return touches(entry_start, entry_end)                   // entry.S, what opens quiet, and bookend's own functions
         || touches(entry_rodata_start, entry_rodata_end)  // their tables
         || touches(interrupt_table, interrupt_table + 256) ||
         touches(percpu_start, percpu_end)     // GDT, TSS, the stacks of NMI and double fault, what GS points to
         || touches(stacks_start, stacks_end)  // a trap pushes its frame on the stack that it finds
         || touches(pages_start, pages_end);   // page tables: the CPU reads them to deliver anything
}

bool outside_user_space(bookend::range bytes) noexcept { return bytes.last() >= user_end_address; }

}  // namespace kernel
