// SPDX-License-Identifier: MIT
// examples/kernel/machine/image.hpp — the names that the linker script and the assembler files give to places. Only their
// addresses mean anything.
#pragma once
#include <cstdint>

#include "layout.h"

extern "C" {
extern char image_start[], image_end[], entry_start[], entry_end[], entry_rodata_start[], entry_rodata_end[];
extern char rodata_start[], data_start[], percpu_start[], percpu_end[], stacks_start[], stacks_end[], pages_start[], pages_end[];
extern char user_load[], user_text_end[], user_end[];
extern char boot_stack[], boot_stack_end[], boot_gdt[];
extern char trampoline[], trampoline_end[], trampoline_stack[], trampoline_argument[];
extern char entry_stubs[];
}

namespace kernel {

inline std::uint64_t address_of(const volatile void* place) noexcept { return reinterpret_cast<std::uint64_t>(place); }
/// The physical address of something in the kernel's image.
inline std::uint64_t physical_of(const volatile void* place) noexcept { return address_of(place) - KERNEL_BASE; }
/// Where the kernel sees a physical address below 4 GiB.
template <class T = void>
T* at_physical(std::uint64_t physical) noexcept {
  return reinterpret_cast<T*>(DIRECT_BASE + physical);
}

}  // namespace kernel
