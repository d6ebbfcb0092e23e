// SPDX-License-Identifier: MIT
// examples/kernel/machine/idt.cpp — see idt.hpp. All gates are interrupt gates: IF is off when the first instruction runs.
#include "idt.hpp"

#include "frame.hpp"
#include "image.hpp"
#include "segments.hpp"

namespace kernel {

alignas(16) gate interrupt_table[256];

namespace {
constexpr unsigned vector_breakpoint = 3, vector_machine_check = 18;

// #DB has no stack of its own: README.md, "#DB on the current stack".
constexpr std::uint8_t own_stack_of(unsigned vector) noexcept {
  return vector == vector_nmi             ? stack_of_nmi
         : vector == vector_double_fault  ? stack_of_double_fault
         : vector == vector_machine_check ? stack_of_machine_check
                                          : no_own_stack;
}
std::uint64_t stub_of(unsigned vector) noexcept { return address_of(entry_stubs) + std::uint64_t{16} * vector; }
}  // namespace

void replace_entry(std::uint8_t vector, void (*entry)()) noexcept {
  const std::uint64_t at = entry != nullptr ? reinterpret_cast<std::uint64_t>(entry) : stub_of(vector);
  gate& g = interrupt_table[vector];
  g.offset_low = static_cast<std::uint16_t>(at);
  g.offset_middle = static_cast<std::uint16_t>(at >> 16);
  g.offset_high = static_cast<std::uint32_t>(at >> 32);
}

void fill_interrupt_table() noexcept {
  for (unsigned v = 0; v < 256; ++v) {
    const std::uint64_t at = stub_of(v);
    const bool from_ring_3 = v == vector_system_call || v == vector_breakpoint;
    interrupt_table[v] = {.offset_low = static_cast<std::uint16_t>(at),
                          .selector = KERNEL_CODE,
                          .own_stack = own_stack_of(v),
                          .type = static_cast<std::uint8_t>(from_ring_3 ? 0xee : 0x8e),
                          .offset_middle = static_cast<std::uint16_t>(at >> 16),
                          .offset_high = static_cast<std::uint32_t>(at >> 32),
                          .reserved = 0};
  }
}

void load_interrupt_table() noexcept {
  struct [[gnu::packed]] {
    std::uint16_t limit;
    const void* base;
  } const pointer{sizeof interrupt_table - 1, interrupt_table};
  asm volatile("lidt %0" : : "m"(pointer));
}

}  // namespace kernel
