// SPDX-License-Identifier: MIT
// examples/kernel/machine/cpu.cpp — see cpu.hpp.
#include "cpu.hpp"

#include "idt.hpp"
#include "instructions.hpp"
#include "layout.h"

namespace kernel {

[[gnu::section(".bss.percpu")]] cpu cpus[max_cpus];
unsigned cpu_count = 1;

void become_cpu(unsigned id) noexcept {
  cpu& c = cpus[id];
  c.self = &c;
  c.id = id;
  std::uint64_t stacks[own_stacks]{};
  for (unsigned i = 1; i < own_stacks; ++i) stacks[i] = reinterpret_cast<std::uint64_t>(c.own_stack[i] + sizeof c.own_stack[i]);
  c.segments.load(stacks);
  write_msr(MSR_GS_BASE, reinterpret_cast<std::uint64_t>(&c));
  load_interrupt_table();

  constexpr std::uint64_t cr4_de = 1u << 3, cr4_smep = 1u << 20;
  std::uint64_t cr4 = read_cr4() | cr4_de;  // DE: RW 10 in DR7 means I/O, and DR4 and DR5 are #UD
  if ((cpuid(7).ebx & 1u << 7) != 0) cr4 |= cr4_smep;
  write_cr4(cr4);
}

}  // namespace kernel
