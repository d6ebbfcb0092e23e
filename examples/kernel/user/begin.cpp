// SPDX-License-Identifier: MIT
// examples/kernel/user/begin.cpp — a task's first instructions, and where its upcalls come in.
#include "user.hpp"

// rdi: the argument, rsi: the program.
asm(R"(
  .globl user_begins
user_begins:
  xorl %ebp, %ebp
  call *%rsi
  movq %rax, %rdi
  xorl %eax, %eax
  int $0x80
  ud2
  .globl user_upcall
user_upcall:
  pushq %rsi
  call *user_handler(%rip)
  popq %rdi
  movl $7, %eax
  int $0x80
  ud2
)");
static_assert(static_cast<int>(user::call::exit) == 0 && static_cast<int>(user::call::return_from_upcall) == 7);

extern "C" {
user::hit_handler user_handler;
void user_upcall();
}

namespace user {

void on_hit(hit_handler handler) noexcept {
  user_handler = handler;
  ask(call::on_hit, reinterpret_cast<std::uint64_t>(&user_upcall));
}

}  // namespace user
