// SPDX-License-Identifier: MIT
// examples/kernel/machine/entry.S — every way into the kernel, and back. All of it is in .entry.text, which nobody may watch.
//
// GS: in ring 3 GS base is the user's (never negative: CR4.FSGSBASE is off, and a segment's base has 32 bits), in ring 0 it is
// this CPU's. Entries that can only come where that holds look at CS. #DB and NMI can come on the first instruction of another
// entry, before its SWAPGS (NMI: any time; #DB: MOV SS or POP SS holds it off until INT has entered ring 0, CVE-2018-8897; and
// single stepping), so from ring 0 they look at GS base itself.
#include "entry_macros.inc"
#include "layout.h"

#define CS_BEHIND_ERROR 24  // vector, error, rip, cs
#define FRAME_CS 144

  .section .entry.text, "ax", @progbits
  .code64

// One stub a vector, 16 bytes each. Intel SDM vol. 3, "Exceptions and Interrupts" lists who pushes an error code.
  .balign 16
  .globl entry_stubs
entry_stubs:
  vector = 0
  .rept 256
  .balign 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
  pushq $0
  .endif
  pushq $vector
  .if vector == 1
  jmp enter_debug
  .elseif vector == 2 || vector == 8 || vector == 18
  jmp enter_on_own_stack
  .else
  jmp enter
  .endif
  vector = vector + 1
  .endr

// From ring 3 on the thread's kernel stack (TSS.RSP0); from ring 0 on the stack that was in use.
  .balign 16
enter:
  testb $3, CS_BEHIND_ERROR(%rsp)
  jz 1f
  swapgs
1:
  save_registers
  movq %rsp, %rdi
  call interrupt
  .globl leave
leave:
  testb $3, FRAME_CS(%rsp)
  jz 1f
  movq %rsp, %rdi
  call leave_to_user
  restore_registers
  swapgs
  iretq
1:
  restore_registers
  iretq

// #DB from ring 3 is like everything else from there.
  .balign 16
enter_debug:
  testb $3, CS_BEHIND_ERROR(%rsp)
  jnz enter
  save_registers
  movq $debug_trap, %rbp
  jmp with_any_gs

// NMI, double fault and machine check have a stack of their own each (IST), whatever they interrupt.
  .balign 16
enter_on_own_stack:
  save_registers
  movq $own_stack_trap, %rbp
  .globl with_any_gs
with_any_gs:  // with the registers saved; rbp: who is called
  movq %rsp, %rdi
  movl $MSR_GS_BASE, %ecx
  rdmsr
  xorl %ebx, %ebx
  testl %edx, %edx  // negative: the kernel's
  js 1f
  swapgs
  incl %ebx
1:
  call *%rbp
  testl %ebx, %ebx
  jz 1f
  swapgs
1:
  restore_registers
  iretq

// void switch_stacks(std::uint64_t* save, std::uint64_t load): to another thread's stack; returns when somebody comes back.
  .balign 16
  .globl switch_stacks
switch_stacks:
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  ret

// Where a new thread begins, switched to by switch_stacks.
  .globl begin_thread
begin_thread:
  xorl %ebp, %ebp
  call thread_begins
  ud2

// void enter_user(const trap_frame*): the first time in ring 3.
  .globl enter_user
enter_user:
  cli
  movq %rdi, %rsp
  jmp leave
  .section .note.GNU-stack, "", @progbits
