// SPDX-License-Identifier: MIT
// examples/kernel/machine/segments.hpp — one CPU's GDT and TSS. Intel SDM vol. 3, "Segment Descriptor Tables in IA-32e Mode",
// "64-bit Mode Task-State Segment".
#pragma once
#include <cstdint>

namespace kernel {

/// Which of the TSS's stacks a vector is delivered on: 0 is the current one, or RSP0 from ring 3.
enum own_stack : std::uint8_t { no_own_stack, stack_of_double_fault, stack_of_nmi, stack_of_machine_check, own_stacks };

struct [[gnu::packed]] task_state {
  std::uint32_t reserved0;
  std::uint64_t rsp[3];  ///< rsp[0]: the stack for interrupts from ring 3
  std::uint64_t reserved1;
  std::uint64_t ist[7];
  std::uint64_t reserved2;
  std::uint16_t reserved3, io_map;
};
static_assert(sizeof(task_state) == 104);

struct segment_tables {
  std::uint64_t gdt[7];
  alignas(16) task_state tss;

  /// Fills both and makes them this CPU's. Changes GS base to 0.
  void load(const std::uint64_t (&stacks)[own_stacks]) noexcept;
};

}  // namespace kernel
