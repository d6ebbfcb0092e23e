// SPDX-License-Identifier: MIT
// examples/kernel/machine/layout.h — numbers that C++, assembler and the linker script's reader share. Macros: assembler reads
// it.
#pragma once

#define KERNEL_BASE 0xffffffff80000000  // virtual address of physical 0 as the kernel image sees it (kernel.ld says the same)
#define DIRECT_BASE 0xffff800000000000  // virtual address of physical 0 in the map of the first 4 GiB
#define TRAMPOLINE 0x8000               // physical page where an application processor begins

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA 0x1b  // with the ring in the lowest two bits
#define USER_CODE 0x23
#define TASK_STATE 0x28

#define MSR_EFER 0xc0000080
#define MSR_GS_BASE 0xc0000101
#define EFER_LME_NXE 0x900
#define CR4_PAE 0x20
#define CR0_PG_WP_PE 0x80010001
