// SPDX-License-Identifier: MIT
// examples/kernel/machine/segments.cpp — see segments.hpp.
#include "segments.hpp"

#include "layout.h"

namespace kernel {

namespace {
struct [[gnu::packed]] table_pointer {
  std::uint16_t limit;
  std::uint64_t base;
};
}  // namespace

void segment_tables::load(const std::uint64_t (&stacks)[own_stacks]) noexcept {
  tss = {};
  tss.io_map = sizeof tss;  // behind the end: ring 3 has no ports
  for (unsigned i = 1; i < own_stacks; ++i) tss.ist[i - 1] = stacks[i];

  const auto at = reinterpret_cast<std::uint64_t>(&tss);
  gdt[0] = 0;
  gdt[KERNEL_CODE / 8] = 0x00af'9b00'0000'ffff;
  gdt[KERNEL_DATA / 8] = 0x00cf'9300'0000'ffff;
  gdt[USER_DATA / 8] = 0x00cf'f300'0000'ffff;
  gdt[USER_CODE / 8] = 0x00af'fb00'0000'ffff;
  gdt[TASK_STATE / 8] = (sizeof tss - 1) | (at & 0xff'ffff) << 16 | std::uint64_t{0x89} << 40 | (at >> 24 & 0xff) << 56;
  gdt[TASK_STATE / 8 + 1] = at >> 32;

  const table_pointer pointer{sizeof gdt - 1, reinterpret_cast<std::uint64_t>(gdt)};
  asm volatile(
      "lgdt %0\n\t"
      "pushq %1\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "lretq\n"
      "1:\n\t"
      "movl %2, %%eax\n\t"
      "movl %%eax, %%ss\n\t"
      "movl %%eax, %%ds\n\t"
      "movl %%eax, %%es\n\t"
      "xorl %%eax, %%eax\n\t"
      "movl %%eax, %%fs\n\t"
      "movl %%eax, %%gs\n\t"
      "ltr %w3"
      :
      : "m"(pointer), "i"(KERNEL_CODE), "i"(KERNEL_DATA), "r"(TASK_STATE)
      : "rax", "memory");
}

}  // namespace kernel
