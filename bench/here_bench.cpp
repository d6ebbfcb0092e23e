// SPDX-License-Identifier: MIT
// bench/here_bench.cpp — what does the framework add, on one CPU, to turning a breakpoint off and on and to re-aiming it by hand?
// DR0-DR7 are memory here; a real DR7 write costs some 100 cycles more on both sides.
#include "memory_machine.hpp"
#include "peers/gdb.hpp"
#include "rows.hpp"

namespace {

using benchmark::DoNotOptimize;
using registers = bench::image<1>;

/// One CPU by hand, with as many breakpoints as the other has.
struct scene {
  registers regs;
  by_hand::cpu cpu;
  by_hand::breakpoint b[4];
  explicit scene(unsigned n) {
    for (unsigned i = 0; i < n; ++i) {
      const unsigned slot = 3 - i;
      cpu.holders[slot] = &b[i];
      cpu.address[slot] = bench::at(i).address;
      cpu.kind[slot] = by_hand::kind_of(bench::at(i));
      cpu.dr7 |= by_hand::armed(slot, cpu.kind[slot]);
    }
  }
  bool set_on(const by_hand::breakpoint& which, bool on) {
    const unsigned slot = cpu.slot_of(which);
    if (slot == 4) return false;
    const std::uint32_t next = on ? cpu.dr7 | by_hand::armed(slot, cpu.kind[slot]) : cpu.without(slot);
    if (next != cpu.dr7) regs.write_dr7(0, cpu.dr7 = next);
    return true;
  }
  bool modify(const by_hand::breakpoint& which, const bookend::request& r) {
    const unsigned slot = cpu.slot_of(which);
    if (slot == 4) return false;
    const std::uint32_t kind = by_hand::kind_of(r);
    if (kind == ~0u) return false;
    const bool on = (cpu.dr7 & by_hand::field(slot) & 0xFF) != 0;
    if (r.address != cpu.address[slot]) {
      if (on) regs.write_dr7(0, cpu.dr7 = cpu.without(slot));
      regs.write_address(0, slot, cpu.address[slot] = r.address);
    }
    cpu.kind[slot] = kind;
    const std::uint32_t next = on ? cpu.without(slot) | by_hand::armed(slot, kind) : cpu.dr7;
    if (next != cpu.dr7) regs.write_dr7(0, cpu.dr7 = next);
    return true;
  }
};

ASKS(disable_enable, "disable and enable a kernel breakpoint on this CPU, one of so many there");
TARGET("disable_enable/held:1", "by_hand", 1.3);
TARGET("disable_enable/held:4", "by_hand", 1.3);
void BM_disable_enable(bench::state& state) {
  bench::machine<1> m;
  m.kernel(static_cast<unsigned>(state.range()));
  const auto here = m.slots.on(0);
  for (auto _ : state) {
    here.disable(m.k[0]);
    here.enable(m.k[0]);
  }
}
void BM_disable_enable_by_hand(bench::state& state) {
  scene s(static_cast<unsigned>(state.range()));
  DoNotOptimize(&s);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (!s.set_on(s.b[0], false)) break;
    benchmark::ClobberMemory();
    if (!s.set_on(s.b[0], true)) break;
  }
}
/// It has no disable: the watch is removed and inserted again.
void BM_disable_enable_peer_gdb(bench::state& state) {
  registers regs;
  peers::gdb_mirror<4> mirror;
  for (unsigned i = 0; i < state.range(); ++i) (void)mirror.insert(bench::at(i).address, 9);
  for (auto _ : state) {
    DoNotOptimize(mirror);
    mirror.remove(bench::at(0).address, 9);
    regs.write_dr7(0, mirror.control());
    DoNotOptimize(mirror);
    const unsigned slot = mirror.insert(bench::at(0).address, 9);
    if (slot == mirror.none) break;
    regs.write_address(0, slot, bench::at(0).address);
    regs.write_dr7(0, mirror.control());
  }
}
ROW(BM_disable_enable, "held", {1, 4});
ROW(BM_disable_enable_by_hand, "held", {1, 4});
ROW(BM_disable_enable_peer_gdb, "held", {1, 4});

ASKS(modify, "re-aim an enabled kernel breakpoint on this CPU: two control writes and one address");
TARGET("modify/held:1", "by_hand", 1.3);
TARGET("modify/held:4", "by_hand", 1.3);
void BM_modify(bench::state& state) {
  bench::machine<1> m;
  m.kernel(static_cast<unsigned>(state.range()));
  const auto here = m.slots.on(0);
  std::uint64_t i = 0;
  for (auto _ : state)
    if (here.modify(m.k[0], bench::at(++i & 1023))) break;
}
void BM_modify_by_hand(bench::state& state) {
  scene s(static_cast<unsigned>(state.range()));
  DoNotOptimize(&s);
  std::uint64_t i = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (!s.modify(s.b[0], bench::at(++i & 1023))) break;
  }
}
ROW(BM_modify, "held", {1, 4});
ROW(BM_modify_by_hand, "held", {1, 4});

ASKS(modify_disabled, "the same while it is disabled: the address alone");
void BM_modify_disabled(bench::state& state) {
  bench::machine<1> m;
  m.kernel(1);
  const auto here = m.slots.on(0);
  here.disable(m.k[0]);
  std::uint64_t i = 0;
  for (auto _ : state)
    if (here.modify(m.k[0], bench::at(++i & 1023))) break;
}
void BM_modify_disabled_by_hand(bench::state& state) {
  scene s(1);
  DoNotOptimize(&s);
  s.set_on(s.b[0], false);
  std::uint64_t i = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (!s.modify(s.b[0], bench::at(++i & 1023))) break;
  }
}
ROW(BM_modify_disabled);
ROW(BM_modify_disabled_by_hand);

}  // namespace
