// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/registers.hpp — the instructions. Ring 0 only; in ring 3 each is #GP.
// Intel SDM vol. 2, "MOV—Move to/from Debug Registers".
#pragma once
#if !defined(__x86_64__)
#error "x86-64 instructions: elsewhere put arch/mock/include or arch/linux/include on the include path"
#endif
#include <bookend/x86/register_file.hpp>

namespace bookend::x86 {

/// The debug registers of the CPU that runs it; `cpu` is not read. Cannot fail. A kernel that sets CR4.DE or CR4.LA57 derives:
///   struct os_registers : bookend::x86::registers { static constexpr bool io_allowed = true; };
///   struct os : bookend::x86::backend<os_registers> { ... };
struct registers {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;

  // All are volatile, reads too: their order is their meaning, and a value read before a trap is not the one after it.
  // All clobber memory: the compiler must not move an access across, out of a watched stretch or into one.

  static void write_address(cpu_id, slot_id index, std::uint64_t value) noexcept {
    // The register's number is part of the instruction.
    if (index == 0) asm volatile("mov %0, %%dr0" : : "r"(value) : "memory");
    if (index == 1) asm volatile("mov %0, %%dr1" : : "r"(value) : "memory");
    if (index == 2) asm volatile("mov %0, %%dr2" : : "r"(value) : "memory");
    if (index == 3) asm volatile("mov %0, %%dr3" : : "r"(value) : "memory");
  }
  static std::uint64_t read_address(cpu_id, slot_id index) noexcept {
    std::uint64_t value = 0;
    if (index == 0) asm volatile("mov %%dr0, %0" : "=r"(value) : : "memory");
    if (index == 1) asm volatile("mov %%dr1, %0" : "=r"(value) : : "memory");
    if (index == 2) asm volatile("mov %%dr2, %0" : "=r"(value) : : "memory");
    if (index == 3) asm volatile("mov %%dr3, %0" : "=r"(value) : : "memory");
    return value;
  }

  static void write_dr7(cpu_id, std::uint64_t value) noexcept { asm volatile("mov %0, %%dr7" : : "r"(value) : "memory"); }
  static std::uint64_t read_dr7(cpu_id) noexcept {
    std::uint64_t value;
    asm volatile("mov %%dr7, %0" : "=r"(value) : : "memory");
    return value;
  }

  static void write_dr6(cpu_id, std::uint64_t value) noexcept { asm volatile("mov %0, %%dr6" : : "r"(value) : "memory"); }
  static std::uint64_t read_dr6(cpu_id) noexcept {
    std::uint64_t value;
    asm volatile("mov %%dr6, %0" : "=r"(value) : : "memory");
    return value;
  }
};

/// The same on an AMD CPU with DataBkptExt (CPUID Fn8000_0001 ECX bit 26; elsewhere WRMSR is #GP): aligned powers of two up to
/// 4096 bytes. With AddrMaskExt (ECX bit 30) derive and set address_mask_bits to 32.
struct amd_registers : registers {
  static constexpr unsigned address_mask_bits = 12;

  static void write_mask(cpu_id, slot_id index, std::uint64_t value) noexcept {
    const std::uint32_t msr = index == 0 ? 0xC001'1027 : 0xC001'1018 + index;  // DR0_ADDR_MASK; DR1- to DR3_ADDR_MASK
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<std::uint32_t>(value)), "d"(0) : "memory");
  }
};

}  // namespace bookend::x86
