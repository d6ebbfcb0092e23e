// SPDX-License-Identifier: MIT
// examples/kernel/machine/instructions.hpp — single instructions that C++ has no word for. Ring 0.
#pragma once
#include <cstdint>

namespace kernel {

inline constexpr std::uint64_t flag_trap = 1u << 8;        // TF
inline constexpr std::uint64_t flag_interrupts = 1u << 9;  // IF

inline std::uint64_t read_flags() noexcept {
  std::uint64_t flags;
  asm volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
  return flags;
}
inline bool interrupts_are_on() noexcept { return (read_flags() & flag_interrupts) != 0; }
// "memory": what is done with interrupts off stays between these two.
inline void interrupts_off() noexcept { asm volatile("cli" : : : "memory"); }
inline void interrupts_on() noexcept { asm volatile("sti" : : : "memory"); }
/// Off, and whether they were on.
inline bool save_interrupts() noexcept {
  const bool were_on = interrupts_are_on();
  interrupts_off();
  return were_on;
}
inline void restore_interrupts(bool were_on) noexcept {
  if (were_on) interrupts_on();
}
/// Sleeps until the next interrupt. STI holds interrupts off for one more instruction, so that none is missed before HLT.
inline void wait_for_interrupt() noexcept { asm volatile("sti; hlt" : : : "memory"); }
inline void pause() noexcept { asm volatile("pause" : : : "memory"); }
[[noreturn]] inline void halt_forever() noexcept {
  for (;;) asm volatile("cli; hlt" : : : "memory");
}

inline void out8(std::uint16_t port, std::uint8_t value) noexcept { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline std::uint8_t in8(std::uint16_t port) noexcept {
  std::uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline void out32(std::uint16_t port, std::uint32_t value) noexcept { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

inline std::uint64_t read_msr(std::uint32_t msr) noexcept {
  std::uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return std::uint64_t{high} << 32 | low;
}
inline void write_msr(std::uint32_t msr, std::uint64_t value) noexcept {
  asm volatile("wrmsr"
               :
               : "c"(msr), "a"(static_cast<std::uint32_t>(value)), "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}
inline std::uint64_t read_cr3() noexcept {
  std::uint64_t value;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}
inline void write_cr3(std::uint64_t value) noexcept { asm volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }
inline std::uint64_t read_cr4() noexcept {
  std::uint64_t value;
  asm volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}
inline void write_cr4(std::uint64_t value) noexcept { asm volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }
inline std::uint64_t read_cr2() noexcept {
  std::uint64_t value;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
/// The time stamp counter, behind everything before it.
inline std::uint64_t read_tsc() noexcept {
  std::uint32_t low, high;
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return std::uint64_t{high} << 32 | low;
}
struct cpuid_result {
  std::uint32_t eax, ebx, ecx, edx;
};
inline cpuid_result cpuid(std::uint32_t leaf, std::uint32_t sub_leaf = 0) noexcept {
  cpuid_result r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub_leaf));
  return r;
}

}  // namespace kernel
