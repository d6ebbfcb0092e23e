// SPDX-License-Identifier: MIT
// bench/manager_bench.cpp — what does the framework add to registering and unregistering by hand, and to what else acts
// everywhere? DR0-DR7 are memory here, the lock is empty and a cross-call is a call, on both sides.
#include "floor_machine.hpp"
#include "memory_machine.hpp"
#include "peers/gdb.hpp"
#include "rows.hpp"
#include <vector>

namespace {

using benchmark::DoNotOptimize;
using by_hand::floor_machine;

/// Watches another place each time, so that an address is written.
template <unsigned Cpus>
void ours(bench::state& state, unsigned held) {
  const auto m = std::make_unique<bench::machine<Cpus>>();
  m->kernel(held);
  std::uint64_t i = 0;
  for (auto _ : state) {
    if (m->slots.register_breakpoint(m->k[3], bench::at(++i & 1023))) break;
    m->slots.unregister_breakpoint(m->k[3]);
  }
}
ASKS(register_kernel, "register and unregister a kernel breakpoint on every CPU");
template <unsigned Cpus>
void BM_register_kernel(bench::state& state) {
  ours<Cpus>(state, 0);
}
template <unsigned Cpus>
void BM_register_kernel_by_hand(bench::state& state) {
  by_hand::register_on<Cpus>(state, 0);
}
ROW_BY_CPUS(BM_register_kernel);
ROW_BY_CPUS(BM_register_kernel_by_hand);

ASKS(register_held, "the same on 4 CPUs that have so many kernel breakpoints already");
void BM_register_held(bench::state& state) { ours<4>(state, static_cast<unsigned>(state.range())); }
void BM_register_held_by_hand(bench::state& state) { by_hand::register_on<4>(state, static_cast<unsigned>(state.range())); }
ROW(BM_register_held, "held", {0, 1, 2, 3});
ROW(BM_register_held_by_hand, "held", {0, 1, 2, 3});

// A task that runs on CPU 0 of 4, among so many other tasks with a breakpoint each.

/// The floor for a task: its lowest free slot is armed where it runs.
struct floor_task {
  by_hand::breakpoint b;
  std::uint64_t address[4]{};
  std::uint32_t kind[4]{};
  unsigned count = 0;
};
ASKS(register_user, "register and unregister a breakpoint of a task that runs on one of 4 CPUs, others having so many");
void BM_register_user(bench::state& state) {
  using machine = bench::machine<4>;
  machine m;
  const auto n = static_cast<std::size_t>(state.range());
  std::vector<machine::slot_manager::task> tasks(n);
  std::vector<machine::slot_manager::user_breakpoint> theirs(n);
  for (std::size_t i = 0; i < n; ++i) (void)!m.slots.register_breakpoint(theirs[i], tasks[i], bench::at(i & 1023));
  m.run(m.idle, m.mine);
  std::uint64_t i = 0;
  for (auto _ : state) {
    if (m.slots.register_breakpoint(m.u[0], m.mine, bench::at(++i & 1023))) break;
    m.slots.unregister_breakpoint(m.u[0]);
  }
  for (auto& t : tasks) m.slots.on_exit(t);
  m.run(m.mine, m.idle);
}
void BM_register_user_by_hand(bench::state& state) {
  floor_machine<4> m;
  floor_task t;
  const floor_task* current[4] = {&t};
  m.tasks_with[1] = static_cast<unsigned>(state.range());
  m.widest = state.range() != 0;
  DoNotOptimize(&m);
  DoNotOptimize(&t);
  DoNotOptimize(&current);
  std::uint64_t i = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    const bookend::request r = bench::at(++i & 1023);
    const std::uint32_t kind = by_hand::kind_of(r);
    if (kind == ~0u || m.most + t.count + 1 > 4) break;
    --m.tasks_with[t.count];
    ++m.tasks_with[t.count + 1];
    if (t.count + 1 > m.widest) m.widest = t.count + 1;
    const unsigned mine = t.count++;
    t.address[mine] = r.address;
    t.kind[mine] = kind;
    for (unsigned c = 0; c < 4; ++c)
      if (current[c] == &t) {
        auto& cpu = m.cpus[c];
        unsigned slot = 0;
        while (cpu.holders[slot] != nullptr) ++slot;
        cpu.holders[slot] = &t.b;
        cpu.kind[slot] = kind;
        if (cpu.address[slot] != r.address) m.regs.write_address(c, slot, cpu.address[slot] = r.address);
        m.regs.write_dr7(c, cpu.dr7 |= by_hand::armed(slot, kind));
      }
    benchmark::ClobberMemory();
    --m.tasks_with[t.count];
    ++m.tasks_with[--t.count];
    while (m.widest != 0 && m.tasks_with[m.widest] == 0) --m.widest;
    for (unsigned c = 0; c < 4; ++c)
      if (current[c] == &t) {
        auto& cpu = m.cpus[c];
        const unsigned slot = cpu.slot_of(t.b);
        cpu.holders[slot] = nullptr;
        m.regs.write_dr7(c, cpu.dr7 = cpu.without(slot));
      }
  }
}
/// One thread's mirror, and its registers; nobody else is looked at.
void BM_register_user_peer_gdb(bench::state& state) {
  bench::image<1> regs;
  peers::gdb_mirror<4> mirror;
  std::uint64_t i = 0;
  for (auto _ : state) {
    const auto r = bench::at(++i & 1023);
    DoNotOptimize(mirror);
    const unsigned slot = mirror.insert(r.address, 9);
    if (slot == mirror.none) break;
    regs.write_address(0, slot, r.address);
    regs.write_dr7(0, mirror.control());
    DoNotOptimize(mirror);
    mirror.remove(r.address, 9);
    regs.write_dr7(0, mirror.control());
  }
}
ROW(BM_register_user, "others", {0, 100, 10'000, 100'000});
ROW(BM_register_user_by_hand, "others", {0, 100, 10'000, 100'000});
ROW(BM_register_user_peer_gdb, "others", {0});

ASKS(everywhere, "disable and enable a kernel breakpoint on all of 4 CPUs");
void BM_everywhere(bench::state& state) {
  bench::machine<4> m;
  m.kernel(1);
  for (auto _ : state) {
    m.slots.disable(m.k[0]);
    m.slots.enable(m.k[0]);
  }
}
void BM_everywhere_by_hand(bench::state& state) {
  floor_machine<4> m;
  by_hand::breakpoint b;
  (void)m.add(b, bench::at(0));
  DoNotOptimize(&m);
  for (auto _ : state)
    for (bool on : {false, true}) {
      benchmark::ClobberMemory();
      for (unsigned c = 0; c < 4; ++c) {
        auto& cpu = m.cpus[c];
        const unsigned slot = cpu.slot_of(b);
        m.regs.write_dr7(c, cpu.dr7 = on ? cpu.dr7 | by_hand::armed(slot, cpu.kind[slot]) : cpu.without(slot));
      }
    }
}
ROW(BM_everywhere);
ROW(BM_everywhere_by_hand);

ASKS(snapshot, "one CPU's four slots by value, names and requests included");
void BM_snapshot(bench::state& state) {
  bench::machine<1> m;
  m.kernel(4);
  for (auto _ : state) {
    const auto s = m.slots.snapshot(0);
    DoNotOptimize(&s);
    benchmark::ClobberMemory();
  }
}
void BM_snapshot_by_hand(bench::state& state) {
  floor_machine<1> m;
  by_hand::breakpoint b[4];
  for (unsigned i = 0; i < 4; ++i) (void)m.add(b[i], bench::at(i));
  DoNotOptimize(&m);
  struct copy {
    struct slot {
      bool held = false, on = false;
      const char* name = "";
      bookend::request watched{};
    } slots[4];
  };
  for (auto _ : state) {
    benchmark::ClobberMemory();
    copy s;
    const auto& cpu = m.cpus[0];
    for (unsigned i = 0; i < 4; ++i) {
      if (cpu.holders[i] == nullptr) continue;
      const std::uint32_t kind = cpu.kind[i];
      s.slots[i] = {true,
                    (cpu.dr7 >> (2 * i) & 3) != 0,
                    cpu.holders[i]->name,
                    {cpu.address[i], kind >> 2 == 2 ? 8 : (kind >> 2) + 1u,
                     (kind & 3) == 1 ? bookend::access::write : bookend::access::read_write}};
    }
    DoNotOptimize(&s);
    benchmark::ClobberMemory();
  }
}
ROW(BM_snapshot);
ROW(BM_snapshot_by_hand);

}  // namespace
