// SPDX-License-Identifier: MIT
// bench/switch_bench.cpp — what does a context switch cost, from a task with so many watches to one with so many, and back?
// DR0-DR7 are memory here.
#include "memory_machine.hpp"
#include "rows.hpp"

namespace {

using benchmark::DoNotOptimize;

/// The floor: a task's watches in an array; the registers that differ are written, and DR7 before (if one of them is on) and
/// after. Who has a slot is found by the current task.
struct floor_cpu {
  struct task {
    unsigned count = 0;
    std::uint64_t address[4]{};
    std::uint32_t kind[4]{};
  };
  bench::image<1> regs;
  std::uint64_t loaded[4]{};
  std::uint32_t dr7 = by_hand::nothing_on;
  unsigned users = 0;
  const task* current = nullptr;

  void switch_to(const task& next) {
    current = &next;
    if ((next.count | users) != 0) exchange(next);
  }
  [[gnu::noinline]] void exchange(const task& next) {
    std::uint32_t wanted = by_hand::nothing_on, kept = dr7;
    for (unsigned i = 0; i < next.count; ++i) {
      wanted |= by_hand::armed(i, next.kind[i]);
      if (loaded[i] != next.address[i]) kept &= ~by_hand::field(i);
    }
    if (kept != dr7) regs.write_dr7(0, dr7 = (kept & 0xAA) != 0 ? kept : by_hand::nothing_on);
    for (unsigned i = 0; i < next.count; ++i)
      if (loaded[i] != next.address[i]) regs.write_address(0, i, loaded[i] = next.address[i]);
    if (wanted != dr7) regs.write_dr7(0, dr7 = wanted);
    users = next.count;
  }
};
void by_hand_there_and_back(bench::state& state, unsigned from, unsigned to, bool apart) {
  floor_cpu cpu;
  floor_cpu::task a, b;
  const auto fill = [](floor_cpu::task& t, unsigned n, unsigned first) {
    t.count = n;
    for (unsigned i = 0; i < n; ++i) {
      t.address[i] = bench::at(first + i).address;
      t.kind[i] = by_hand::kind_of(bench::at(first + i));
    }
  };
  fill(a, from, 0);
  fill(b, to, apart ? 8 : 0);
  DoNotOptimize(&a);
  DoNotOptimize(&b);
  DoNotOptimize(&cpu);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    cpu.switch_to(b);
    benchmark::ClobberMemory();
    cpu.switch_to(a);
  }
}
void there_and_back(bench::state& state, unsigned from, unsigned to, bool apart) {
  bench::machine<1> m;
  m.users(from, to, apart);
  m.run(m.idle, m.mine);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    m.run(m.mine, m.other);
    benchmark::ClobberMemory();
    m.run(m.other, m.mine);
  }
  m.run(m.mine, m.idle);
}

ASKS(switch_none, "context switch there and back, neither task having watches");
TARGET("switch_none", "by_hand", 1.3);
void BM_switch_none(bench::state& state) { there_and_back(state, 0, 0, true); }
void BM_switch_none_by_hand(bench::state& state) { by_hand_there_and_back(state, 0, 0, true); }
ROW(BM_switch_none);
ROW(BM_switch_none_by_hand);

ASKS(switch_same, "there and back between two tasks that have the same so many watches: no register differs");
void BM_switch_same(bench::state& state) {
  there_and_back(state, static_cast<unsigned>(state.range()), static_cast<unsigned>(state.range()), false);
}
void BM_switch_same_by_hand(bench::state& state) {
  by_hand_there_and_back(state, static_cast<unsigned>(state.range()), static_cast<unsigned>(state.range()), false);
}
ROW(BM_switch_same, "watches", {1, 4});
ROW(BM_switch_same_by_hand, "watches", {1, 4});

ASKS(switch_from_to, "there and back between tasks that have k and m watches, all different; argument: 10 k + m");
void BM_switch_from_to(bench::state& state) {
  there_and_back(state, static_cast<unsigned>(state.range() / 10), static_cast<unsigned>(state.range() % 10), true);
}
void BM_switch_from_to_by_hand(bench::state& state) {
  by_hand_there_and_back(state, static_cast<unsigned>(state.range() / 10), static_cast<unsigned>(state.range() % 10), true);
}
ROW(BM_switch_from_to, "km", {1, 4, 11, 14, 22, 33, 44});
ROW(BM_switch_from_to_by_hand, "km", {1, 4, 11, 14, 22, 33, 44});

}  // namespace
