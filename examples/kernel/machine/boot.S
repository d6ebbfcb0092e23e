// SPDX-License-Identifier: MIT
// examples/kernel/machine/boot.S — from the loader's 32-bit protected mode to start() in the higher half.
// The loader is told where to enter by an ELF note (the PVH boot protocol of Xen, "x86/HVM direct boot ABI"): ebx holds the
// physical address of the start info, paging is off, segments are flat.
#include "layout.h"
#include "long_mode.inc"

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 8, 18  // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .quad boot_entry - KERNEL_BASE

  .section .boot.text, "ax", @progbits
  .code32
  .globl boot_entry
boot_entry:
  cli
  cld
  // Two views of the first GiB, in pages of 2 MiB: where we run now, and where the kernel is linked. Only for the way there, and
  // for application processors; start() goes on to tables that know text from data.
  movl $(boot_level3_low - KERNEL_BASE + 3), boot_level4 - KERNEL_BASE
  movl $(boot_level3_high - KERNEL_BASE + 3), boot_level4 - KERNEL_BASE + 511 * 8
  movl $(boot_level2 - KERNEL_BASE + 3), boot_level3_low - KERNEL_BASE
  movl $(boot_level2 - KERNEL_BASE + 3), boot_level3_high - KERNEL_BASE + 510 * 8
  movl $(boot_level2 - KERNEL_BASE), %edi
  movl $0x83, %eax  // present, writable, large
  movl $512, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b

  enable_long_mode
  lgdt boot_gdt_pointer - KERNEL_BASE
  ljmp $KERNEL_CODE, $(2f - KERNEL_BASE)

  .code64
2:
  movl $KERNEL_DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq $boot_stack_end, %rsp
  movl %ebx, %edi  // the start info
  xorl %ebp, %ebp
  movq $start, %rax
  call *%rax
  ud2

  .section .rodata, "a", @progbits
  .balign 8
  .globl boot_gdt
boot_gdt:
  .quad 0
  .quad 0x00af9a000000ffff  // 64-bit code, ring 0
  .quad 0x00cf92000000ffff  // data, ring 0
boot_gdt_pointer:
  .word boot_gdt_pointer - boot_gdt - 1
  .quad boot_gdt - KERNEL_BASE

  .section .bss, "aw", @nobits
  .balign 4096
  .globl boot_level4
boot_level4: .skip 4096
boot_level3_low: .skip 4096
boot_level3_high: .skip 4096
boot_level2: .skip 4096

  .section .bss.stacks, "aw", @nobits
  .balign 4096
  .globl boot_stack, boot_stack_end
boot_stack: .skip 16384
boot_stack_end:
  .section .note.GNU-stack, "", @progbits
