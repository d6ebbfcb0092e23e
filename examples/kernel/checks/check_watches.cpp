// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_watches.cpp — the kernel's own breakpoints, through the real #DB; and what is not bookend's.
#include "../kernel/traps.hpp"
#include "check.hpp"
#include "counting.hpp"

namespace kernel {

namespace {

constinit counting on_word{"word"}, on_other{"other"}, on_function{"function"};
WATCHED volatile long word, other;
unsigned calls;

[[gnu::noinline]] void watched_function() noexcept { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); }
void write_both(void*, bookend::cpu_id) noexcept {
  word = word + 1;
  other = other + 1;
  word = word + 1;
}
void call_function(void*, bookend::cpu_id) noexcept { watched_function(); }

std::uint64_t steps_seen;
void count_three_steps(trap_frame& frame, std::uint64_t rest) noexcept {
  if (frame.from_user() || rest != bookend::x86::dr6_single_step) return;
  if (++steps_seen == 3) frame.rflags &= ~flag_trap;
}

}  // namespace

void check_watches(const options&) noexcept {
  // In one stretch on each CPU: word, other, word.
  check(!slots.register_breakpoint(on_word, bookend::write_to(&word)), "a watch of a kernel word is granted on all CPUs");
  check(!slots.register_breakpoint(on_other, bookend::write_to(&other)), "and a second one");
  for (const unsigned c : all_cpus()) run_on(cpu_mask::of(c), write_both, nullptr);
  check(all_are(on_word.hits, 2) && all_are(on_other.hits, 1), "each write traps once, on the CPU that writes");
  check(all_are(on_word.slot, 3) && all_are(on_other.slot, 2), "the kernel's slots are the highest");
  run_on(all_cpus(), write_both, nullptr);
  check(all_are(on_word.hits, 4) && all_are(on_other.hits, 2), "the same when all CPUs write at once");
  (void)slots.disable(on_word);
  run_on(all_cpus(), write_both, nullptr);
  check(all_are(on_word.hits, 4) && all_are(on_other.hits, 3), "one that is disabled is silent, the other is not");
  (void)slots.unregister_breakpoint(on_word);
  (void)slots.unregister_breakpoint(on_other);
  run_on(all_cpus(), write_both, nullptr);
  check(all_are(on_word.hits, 4) && all_are(on_other.hits, 3), "after unregistering nothing traps");

  check(!slots.register_breakpoint(on_function, bookend::execution_of(watched_function)),
        "a breakpoint on a function is granted");
  run_on(all_cpus(), call_function, nullptr);
  run_on(all_cpus(), call_function, nullptr);
  bool at_function = true;
  for (const unsigned c : all_cpus())
    at_function = at_function && on_function.interrupted[c] == reinterpret_cast<std::uint64_t>(&watched_function);
  check(all_are(on_function.hits, 2) && at_function, "it traps before the first instruction, once a call");
  check(calls == 2 * cpu_count, "and the function runs all the same: RF is set");
  (void)slots.unregister_breakpoint(on_function);

  on_other_debug_trap = count_three_steps;
  asm volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop; nop; nop" : : : "memory", "cc");
  on_other_debug_trap = nullptr;
  check(steps_seen == 3, "single steps go to the kernel's other users of #DB");
}

}  // namespace kernel
