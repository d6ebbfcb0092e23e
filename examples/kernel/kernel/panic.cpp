// SPDX-License-Identifier: MIT
// examples/kernel/kernel/panic.cpp — see panic.hpp. The others are not stopped first: the machine ends with the last line.
#include "panic.hpp"

#include "../machine/cpu.hpp"
#include "../machine/frame.hpp"
#include "../machine/instructions.hpp"
#include "../machine/serial.hpp"

namespace kernel {

void panic(const char* text) noexcept {
  say("PANIC on cpu ", this_cpu(), ": ", text);
  end_machine(1);
}
void panic(const char* text, const char* file, int line) noexcept {
  say("PANIC on cpu ", this_cpu(), ": ", text, " (", file, ":", line, ")");
  end_machine(1);
}
void panic(const char* text, const trap_frame& f) noexcept {
  say("PANIC on cpu ", this_cpu(), ": ", text, ", vector ", f.vector, " error ", hex{f.error}, " rip ", hex{f.rip}, " cs ",
      hex{f.cs}, " rflags ", hex{f.rflags}, " rsp ", hex{f.rsp}, " cr2 ", hex{read_cr2()});
  say("  rax ", hex{f.rax}, " rbx ", hex{f.rbx}, " rcx ", hex{f.rcx}, " rdx ", hex{f.rdx}, " rsi ", hex{f.rsi}, " rdi ",
      hex{f.rdi}, " rbp ", hex{f.rbp}, " r8 ", hex{f.r8});
  end_machine(1);
}

}  // namespace kernel
