// SPDX-License-Identifier: MIT
// examples/kernel/checks/counts.cpp — what bookend costs in instructions, beside the same done by hand in the same kernel.
// One CPU under QEMU's -icount, where the time stamp counter counts instructions: two runs agree to the digit.
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../kernel/traps.hpp"
#include "../machine/idt.hpp"
#include "../machine/serial.hpp"
#include "check.hpp"

namespace kernel {

// By hand: what a kernel writes that has four debug registers and nobody to share them with. It does what the work needs: all off
// before anything else is touched, the status reset, only slots that are on, RF for execution, the lowest first, the rest to
// others, and on again as it was.
struct slot_by_hand {
  void (*handler)(trap_frame& frame, unsigned slot);
  std::uint64_t address;
};
struct cpu_by_hand {
  std::uint64_t dr7 = 0x400;  // as the kernel's own slots want it
  std::uint64_t loaded = 0;   // what the running task added
  slot_by_hand slots[4] = {};
};
constinit cpu_by_hand by_hand[max_cpus];

extern "C" [[gnu::section(".entry.text")]] void debug_trap_by_hand(trap_frame* frame) noexcept {
  auto& mine = by_hand[this_cpu()];
  os::write_dr7(0, 0x400);
  const std::uint64_t dr6 = os::read_dr6(0) ^ 0xffff0ff0;
  os::write_dr6(0, 0xffff0ff0);
  for (unsigned i = 0; i < 4; ++i) {
    if ((dr6 >> i & 1) == 0 || (mine.dr7 >> (2 * i) & 3) == 0) continue;
    if ((mine.dr7 >> (16 + 4 * i) & 3) == 0) frame->rflags |= bookend::x86::resume_flag;
    mine.slots[i].handler(*frame, i);
  }
  if ((dr6 & ~std::uint64_t{15}) != 0 && on_other_debug_trap != nullptr) on_other_debug_trap(*frame, dr6 & ~std::uint64_t{15});
  os::write_dr7(0, mine.dr7);
}
extern "C" void enter_debug_by_hand() noexcept;

namespace {

constexpr unsigned rounds = 1000;
WATCHED volatile long words[4];
unsigned hits;

/// Instructions that one f() takes, over those of an empty one; interrupts off.
template <class F>
std::uint64_t instructions(F f) noexcept {
  const auto many = [](auto g) {
    const std::uint64_t begin = read_tsc();
    for (unsigned i = 0; i < rounds; ++i) {
      g();
      asm volatile("" : : : "memory");
    }
    return read_tsc() - begin;
  };
  const bool were_on = save_interrupts();
  f();  // once before, so that what happens the first time only is not counted
  const std::uint64_t all = many(f), none = many([] {});
  restore_interrupts(were_on);
  return (all - none + rounds / 2) / rounds;
}

bool all_within = true;
/// `most`: how many instructions more than by hand there may be; 0: no promise.
void row(const char* what, std::uint64_t ours, std::uint64_t theirs, std::uint64_t most) noexcept {
  text_line line;
  line.add("| ");
  line.add(what);
  line.add(" | ");
  line.add(ours);
  line.add(" | ");
  line.add(theirs);
  line.add(" | ");
  line.add(static_cast<std::int64_t>(ours - theirs));
  line.add(" | ");
  if (most != 0) {
    line.add("at most ");
    line.add(most);
    all_within = all_within && ours <= theirs + most;
  }
  line.add(" |");
  write_line(line);
}

constinit slot_manager::kernel_breakpoint kernel_watch{"word", [](const slot_manager::hit&) { ++hits; }};
slot_manager::user_breakpoint user_watches[3][4];
slot_manager::task nobody, one, four, other_four;

void write_word() noexcept { words[0] = 1; }
std::uint64_t trap_by_bookend() noexcept {
  (void)!slots.register_breakpoint(kernel_watch, bookend::write_to(&words[0]));
  const std::uint64_t n = instructions(write_word);
  return n;
}
std::uint64_t trap_by_hand() noexcept {
  by_hand[0].slots[3] = {[](trap_frame&, unsigned) { ++hits; }, reinterpret_cast<std::uint64_t>(&words[0])};
  by_hand[0].dr7 = os::read_dr7(0);
  replace_entry(vector_debug, enter_debug_by_hand);
  const std::uint64_t n = instructions(write_word);
  replace_entry(vector_debug, nullptr);
  return n;
}

/// What a task's watches are by hand: the registers as they are to be.
struct task_by_hand {
  std::uint64_t dr7 = 0;
  std::uint64_t address[4] = {};
};
[[gnu::noinline]] void load_by_hand(const task_by_hand& next) noexcept {
  os::write_dr7(0, 0x400);
  for (unsigned i = 0; i < 4; ++i)
    if ((next.dr7 >> (2 * i) & 3) != 0) os_registers::write_address(0, i, next.address[i]);
  if (next.dr7 != 0) os::write_dr7(0, next.dr7);
  by_hand[this_cpu()].loaded = next.dr7;
}
inline void switch_by_hand(const task_by_hand& next) noexcept {
  if ((next.dr7 | by_hand[this_cpu()].loaded) != 0) load_by_hand(next);
}

std::uint64_t user_word(unsigned i) noexcept { return 0x40'0000 + 8 * i; }
void watch_for(slot_manager::task& t, slot_manager::user_breakpoint* of, unsigned n, unsigned first) noexcept {
  for (unsigned i = 0; i < n; ++i) (void)!slots.register_breakpoint(of[i], t, {user_word(first + i), 8, bookend::access::write});
}
std::uint64_t switches(slot_manager::task& a, slot_manager::task& b) noexcept {
  return instructions([&] {
           slots.here().switch_to(a, b);
           slots.here().switch_to(b, a);
         }) /
         2;
}
std::uint64_t switches_by_hand(const task_by_hand& a, const task_by_hand& b) noexcept {
  return instructions([&] {
           switch_by_hand(b);
           switch_by_hand(a);
         }) /
         2;
}

}  // namespace

void counts(const options&) noexcept {
  pin(current(), cpu_mask::of(0));
  say("| instructions | bookend | by hand | more | promised |");
  say("|---|---|---|---|---|");
  const std::uint64_t trap = trap_by_bookend();
  // clang unrolls the loop by hand, which is 21 instructions less than with g++; bookend is as long with both.
#ifdef __clang__
  constexpr unsigned most = 55;
#else
  constexpr unsigned most = 40;
#endif
  row("a write that traps, from the store to the next instruction", trap, trap_by_hand(), most);
  check(hits == 2 * (rounds + 1), "each write was handled, once, by either");

  const auto on = [] { return slots.here().enable(kernel_watch); };
  const auto off = [] { return slots.here().disable(kernel_watch); };
  std::uint64_t dr7 = os::read_dr7(0);
  row("disable and enable, here", instructions([&] { (void)off(), (void)on(); }), instructions([&] {
        os::write_dr7(0, dr7 &= ~std::uint64_t{0xf0000080});
        os::write_dr7(0, dr7 |= 0x90000080);
      }),
      0);
  row("enable what is enabled, here: no register is written", instructions([&] { (void)on(); }), 0, 0);
  (void)slots.unregister_breakpoint(kernel_watch);

  watch_for(one, user_watches[0], 1, 0);
  watch_for(four, user_watches[1], 4, 10);
  watch_for(other_four, user_watches[2], 4, 20);
  slot_manager::task other_nobody;
  const task_by_hand none_by_hand, other_none_by_hand, one_by_hand{0x90202, {user_word(0)}},
      four_by_hand{0x999902aa, {user_word(10), user_word(11), user_word(12), user_word(13)}},
      other_by_hand{0x999902aa, {user_word(20), user_word(21), user_word(22), user_word(23)}};
  const auto quiet_switches = switches(nobody, other_nobody);
  row("switch, no watches", quiet_switches, switches_by_hand(none_by_hand, other_none_by_hand), 5);
  row("switch, from none to one or back", switches(nobody, one), switches_by_hand(none_by_hand, one_by_hand), 0);
  row("switch, from none to four or back", switches(nobody, four), switches_by_hand(none_by_hand, four_by_hand), 0);
  row("switch, from four to four others", switches(four, other_four), switches_by_hand(four_by_hand, other_by_hand), 0);
  slots.here().switch_to(four, nobody);
  slots.on_exit(one), slots.on_exit(four), slots.on_exit(other_four);
  check(all_within, "what is promised is kept");
  pin(current(), all_cpus());
}

}  // namespace kernel
