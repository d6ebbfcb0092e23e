// SPDX-License-Identifier: MIT
// examples/kernel/machine/trampoline.S — where an application processor begins: real mode, in a page that start_processor() has
// copied to physical TRAMPOLINE. Intel SDM vol. 3, "Typical AP Initialization Sequence".
#include "layout.h"
#include "long_mode.inc"
#define HERE(label) (label - trampoline + TRAMPOLINE)

  .section .rodata, "a", @progbits
  .balign 16
  .globl trampoline, trampoline_end, trampoline_stack, trampoline_argument
  .code16
trampoline:
  cli
  cld
  xorw %ax, %ax
  movw %ax, %ds
  lgdtl HERE(gdt_pointer)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $0x18, $HERE(protected_mode)

  .code32
protected_mode:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  enable_long_mode  // with the tables that have this page, too, where it is
  ljmp $0x08, $HERE(long_mode)

  .code64
long_mode:
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq HERE(trampoline_stack), %rsp
  movq HERE(trampoline_argument), %rdi
  xorl %ebp, %ebp
  movq $start_secondary, %rax
  call *%rax
  ud2

  .balign 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff  // 64-bit code
  .quad 0x00cf92000000ffff  // data
  .quad 0x00cf9a000000ffff  // 32-bit code
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long HERE(gdt)
  .balign 8
trampoline_stack: .quad 0     // written into the copy
trampoline_argument: .quad 0
trampoline_end:
  .section .note.GNU-stack, "", @progbits
