// SPDX-License-Identifier: MIT
// bench/trap_bench.cpp — what does a debug trap cost, from the status register to the handlers? DR0-DR7 are memory here.
#include "memory_machine.hpp"
#include "peers/gdb.hpp"
#include "rows.hpp"

namespace {

using benchmark::DoNotOptimize;

constexpr std::uint64_t single_step = 1u << 14;

/// Slots 3 to 0 are the kernel's, or 0 to 3 the running task's.
struct ours {
  bench::machine<1> m;
  bench::os<1>::frame frame;
  explicit ours(bool of_user = false, unsigned on = 4) {
    if (of_user) {
      m.users(4, 0);
      m.run(m.idle, m.mine);
    } else {
      m.kernel(4);
      for (unsigned i = on; i < 4; ++i) m.slots.on(0).disable(m.k[3 - i]);
    }
  }
  ~ours() { m.run(m.mine, m.idle); }
  void says(std::uint64_t bits) { m.slots.system().cpus[0].dr[6] = by_hand::status_reset ^ bits; }
};
void trap(bench::state& state, std::uint64_t bits, bool of_user = false, unsigned on = 4) {
  ours o(of_user, on);
  const auto here = o.m.slots.on(0);
  for (auto _ : state) {
    o.says(bits);
    const auto t = here.trap(o.frame);
    DoNotOptimize(&t);
    benchmark::ClobberMemory();
  }
}

/// The floor: status read and put back; only what is on counts; each handler is called, lowest slot first, with the breakpoint
/// and what was watched; a task's hits are a mask and values; the rest is said.
struct floor_trap {
  bench::image<1> regs;
  by_hand::cpu cpu;
  by_hand::breakpoint b[4];
  by_hand::frame frame;
  unsigned on = 0, kernel = 0;  // slots
  struct user_hit {
    std::uint64_t cookie, address;
    std::uint32_t kind;
    unsigned slot, index;
  };
  struct result {
    std::uint64_t rest = 0;
    std::uint64_t user = 0;
    unsigned count = 0;
    user_hit hit[4];
  };
  explicit floor_trap(bool of_user, unsigned enabled) {
    for (unsigned i = 0; i < 4; ++i) {
      b[i].f = [](const by_hand::breakpoint&, unsigned, unsigned, std::uint64_t address, std::uint32_t, by_hand::frame&) {
        by_hand::told += static_cast<unsigned>(address);
      };
      b[i].index = i;
      cpu.holders[i] = &b[i];
      cpu.address[i] = bench::at(i).address;
      cpu.kind[i] = by_hand::kind_of(bench::at(i));
      if (i < enabled) cpu.dr7 |= by_hand::armed(i, cpu.kind[i]), on |= 1u << i;
    }
    kernel = of_user ? 0 : 15;
  }
  result trap() {
    result r;
    const auto said = static_cast<std::uint32_t>(regs.read_dr6(0)) ^ by_hand::status_reset;
    regs.write_dr6(0, by_hand::status_reset);
    r.rest = said & ~15u;
    for (unsigned left = said & on; left != 0; left &= left - 1) {
      const auto i = static_cast<unsigned>(__builtin_ctz(left));
      if ((kernel >> i & 1) != 0) {
        cpu.holders[i]->f(*cpu.holders[i], 0, i, cpu.address[i], cpu.kind[i], frame);
      } else {
        const by_hand::breakpoint& whose = *cpu.holders[i];
        r.user |= std::uint64_t{1} << whose.index;
        r.hit[r.count++] = {whose.cookie, cpu.address[i], cpu.kind[i], i, whose.index};
      }
    }
    return r;
  }
};
void trap_by_hand(bench::state& state, std::uint64_t bits, bool of_user = false, unsigned on = 4) {
  floor_trap f(of_user, on);
  DoNotOptimize(&f);
  for (auto _ : state) {
    f.regs.cpus[0].dr[6] = by_hand::status_reset ^ bits;
    benchmark::ClobberMemory();
    const auto t = f.trap();
    DoNotOptimize(&t);
    benchmark::ClobberMemory();
  }
}
/// Linux' way: four slots looked at in turn, the callback of each that the status names; from kernel mode DR7 off and back.
void trap_linux(bench::state& state, std::uint64_t bits, bool quiet) {
  floor_trap f(false, 4);
  DoNotOptimize(&f);
  for (auto _ : state) {
    f.regs.cpus[0].dr[6] = by_hand::status_reset ^ bits;
    benchmark::ClobberMemory();
    const std::uint64_t control = f.cpu.dr7;
    if (quiet && (control & 0xAA) != 0) f.regs.write_dr7(0, 0);
    auto said = static_cast<std::uint32_t>(f.regs.read_dr6(0)) ^ by_hand::status_reset;
    f.regs.write_dr6(0, by_hand::status_reset);
    for (unsigned i = 0; i < 4 && (said & 15) != 0; ++i) {
      if ((said >> i & 1) == 0) continue;
      said &= ~(1u << i);
      if (const auto* b = f.cpu.holders[i]; b != nullptr) b->f(*b, 0, i, f.cpu.address[i], f.cpu.kind[i], f.frame);
    }
    DoNotOptimize(said);
    if (quiet && (control & 0xAA) != 0) f.regs.write_dr7(0, control);
  }
}

ASKS(trap, "a debug trap; the kernel has four slots, and so many hit at once; 0: the status names none");
TARGET("trap/hits:1", "by_hand", 1.3);
TARGET("trap/hits:4", "by_hand", 1.2);
void BM_trap(bench::state& state) { trap(state, (1u << state.range()) - 1); }
void BM_trap_by_hand(bench::state& state) { trap_by_hand(state, (1u << state.range()) - 1); }
void BM_trap_peer_linux(bench::state& state) { trap_linux(state, (1u << state.range()) - 1, false); }
/// Which address stopped it; nobody is called, and of several one is named.
void BM_trap_peer_gdb(bench::state& state) {
  bench::image<1> regs;
  peers::gdb_mirror<4> mirror;
  for (unsigned i = 0; i < 4; ++i) (void)mirror.insert(bench::at(i).address, 9);
  DoNotOptimize(&mirror);
  for (auto _ : state) {
    regs.cpus[0].dr[6] = (1u << state.range()) - 1;
    benchmark::ClobberMemory();
    std::uint64_t address = 0;
    const bool found = mirror.stopped_at(regs.read_dr6(0), address);
    regs.write_dr6(0, 0);
    DoNotOptimize(found);
    DoNotOptimize(address);
  }
}
ROW(BM_trap, "hits", {0, 1, 2, 3, 4});
ROW(BM_trap_by_hand, "hits", {0, 1, 2, 3, 4});
ROW(BM_trap_peer_linux, "hits", {0, 1, 2, 3, 4});
ROW(BM_trap_peer_gdb, "hits", {0, 1, 2, 3, 4});

ASKS(trap_user, "the same where the slots are the running task's: its hits are handed out as values");
TARGET("trap_user/hits:1", "by_hand", 1.3);
TARGET("trap_user/hits:4", "by_hand", 1.2);
void BM_trap_user(bench::state& state) { trap(state, (1u << state.range()) - 1, true); }
void BM_trap_user_by_hand(bench::state& state) { trap_by_hand(state, (1u << state.range()) - 1, true); }
ROW(BM_trap_user, "hits", {1, 4});
ROW(BM_trap_user_by_hand, "hits", {1, 4});

ASKS(trap_spurious, "the status names slots that are off: nobody is told");
TARGET("trap_spurious", "by_hand", 1.3);
void BM_trap_spurious(bench::state& state) { trap(state, 12, false, 2); }
void BM_trap_spurious_by_hand(bench::state& state) { trap_by_hand(state, 12, false, 2); }
ROW(BM_trap_spurious);
ROW(BM_trap_spurious_by_hand);

ASKS(trap_not_ours, "a single step: nothing of ours, handed on");
TARGET("trap_not_ours", "by_hand", 1.3);
void BM_trap_not_ours(bench::state& state) { trap(state, single_step); }
void BM_trap_not_ours_by_hand(bench::state& state) { trap_by_hand(state, single_step); }
ROW(BM_trap_not_ours);
ROW(BM_trap_not_ours_by_hand);

ASKS(trap_quiet, "a debug trap from kernel mode: everything off at the entry, as wanted at the end; so many hits");
TARGET("trap_quiet/hits:1", "by_hand", 1.3);
TARGET("trap_quiet/hits:4", "by_hand", 1.2);
void BM_trap_quiet(bench::state& state) {
  ours o;
  const auto here = o.m.slots.on(0);
  for (auto _ : state) {
    o.says((1u << state.range()) - 1);
    const auto quiet = here.quiet();
    const auto t = here.trap(o.frame);
    DoNotOptimize(&t);
    benchmark::ClobberMemory();
  }
}
void BM_trap_quiet_by_hand(bench::state& state) {
  floor_trap f(false, 4);
  DoNotOptimize(&f);
  unsigned depth = 0;
  for (auto _ : state) {
    f.regs.cpus[0].dr[6] = by_hand::status_reset ^ ((1u << state.range()) - 1);
    benchmark::ClobberMemory();
    DoNotOptimize(depth);
    if (depth++ == 0 && (f.cpu.dr7 & 0xAA) != 0) f.regs.write_dr7(0, by_hand::nothing_on);
    const auto t = f.trap();
    DoNotOptimize(&t);
    benchmark::ClobberMemory();
    if (--depth == 0 && (f.cpu.dr7 & 0xAA) != 0) f.regs.write_dr7(0, f.cpu.dr7);  // as the handlers have left it
  }
}
void BM_trap_quiet_peer_linux(bench::state& state) { trap_linux(state, (1u << state.range()) - 1, true); }
ROW(BM_trap_quiet, "hits", {0, 1, 4});
ROW(BM_trap_quiet_by_hand, "hits", {0, 1, 4});
ROW(BM_trap_quiet_peer_linux, "hits", {0, 1, 4});

}  // namespace
