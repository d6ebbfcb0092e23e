// SPDX-License-Identifier: MIT
// examples/kernel/machine/idt.hpp — the interrupt descriptor table, one for all CPUs.
#pragma once
#include <cstdint>

namespace kernel {

/// A gate. Intel SDM vol. 3, "64-Bit Mode IDT".
struct gate {
  std::uint16_t offset_low, selector;
  std::uint8_t own_stack, type;
  std::uint16_t offset_middle;
  std::uint32_t offset_high, reserved;
};
extern gate interrupt_table[256];

/// Once, before the first load.
void fill_interrupt_table() noexcept;
/// Another way in for a vector, on all CPUs; null: its own again. Interrupts off.
void replace_entry(std::uint8_t vector, void (*entry)()) noexcept;
/// On each CPU.
void load_interrupt_table() noexcept;

}  // namespace kernel
