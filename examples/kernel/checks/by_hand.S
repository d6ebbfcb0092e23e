// SPDX-License-Identifier: MIT
// examples/kernel/checks/by_hand.S — #DB's entry once more, for the handler that counts.cpp compares bookend with.
#include "../machine/entry_macros.inc"

  .section .entry.text, "ax", @progbits
  .code64
  .balign 16
  .globl enter_debug_by_hand
enter_debug_by_hand:
  pushq $0
  pushq $1
  save_registers
  movq $debug_trap_by_hand, %rbp
  jmp with_any_gs
  .section .note.GNU-stack, "", @progbits
