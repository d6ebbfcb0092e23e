// SPDX-License-Identifier: MIT
// examples/kernel/kernel/upcall.cpp — see upcall.hpp. The interrupted context goes on the user's stack and comes back from there,
// so it is checked like everything of the user's.
#include "upcall.hpp"

#include "../machine/image.hpp"
#include "process.hpp"
#include "scheduler.hpp"

namespace kernel {

namespace {

constexpr std::uint64_t flag_direction = 1u << 10;
// CF, PF, AF, ZF, SF, TF, DF, OF; and RF, without which a breakpoint on the interrupted instruction would come again for ever.
constexpr std::uint64_t flags_of_the_user = 0xdd5 | bookend::x86::resume_flag;

/// handler(index, context): rdi and rsi, on an aligned stack with a return address that is not to be used.
bool call_handler(trap_frame& frame, const process& p, unsigned index) noexcept {
  const std::uint64_t context = (frame.rsp - 128 - sizeof frame) & ~std::uint64_t{15};
  const std::uint64_t stack = context - 8, nowhere = 0;
  if (!copy_to_user(context, &frame, sizeof frame) || !copy_to_user(stack, &nowhere, sizeof nowhere)) return false;
  frame.rdi = index;
  frame.rsi = context;
  frame.rsp = stack;
  frame.rip = p.handler;
  frame.rflags &= ~(flag_trap | flag_direction | bookend::x86::resume_flag);
  return true;
}

}  // namespace

void end_upcall(trap_frame& frame) noexcept {
  trap_frame back;
  // An address that is not canonical would fault in the kernel's own IRET.
  if (!copy_from_user(&back, frame.rdi, sizeof back) || back.rip >= user_end_address) exit_thread(ended_by_exception);
  back.cs = USER_CODE;
  back.ss = USER_DATA;
  back.rflags = (back.rflags & flags_of_the_user) | flag_interrupts | 2;
  frame = back;
}

// The last thing before ring 3, interrupts off. One upcall at a time: the next one comes when this one returns to the context
// that it interrupted.
extern "C" [[gnu::section(".entry.text")]] void leave_to_user(trap_frame* frame) noexcept {
  process* const p = current().owner;
  const std::uint64_t pending = __atomic_load_n(&p->pending, __ATOMIC_RELAXED);
  if (pending == 0) return;
  if (p->handler == 0) {
    __atomic_store_n(&p->pending, 0, __ATOMIC_RELAXED);
    return;
  }
  const unsigned index = static_cast<unsigned>(__builtin_ctzll(pending));
  __atomic_fetch_and(&p->pending, ~(std::uint64_t{1} << index), __ATOMIC_RELAXED);
  ++p->upcalls;
  if (call_handler(*frame, *p, index)) return;
  interrupts_on();
  exit_thread(ended_by_exception);
}

}  // namespace kernel
