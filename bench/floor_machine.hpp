// SPDX-License-Identifier: MIT
// bench/floor_machine.hpp — registering on every CPU as one would write it by hand.
#pragma once
#include "memory_machine.hpp"
#include "rows.hpp"
#include <memory>

namespace by_hand {

/// The floor: request checked; a slot there on every CPU, or none is taken; on each the highest free one is armed. What the
/// kernel has most of on any CPU, and what a task has, is kept: else a task's request could not be judged.
template <unsigned Cpus>
struct floor_machine {
  bench::image<Cpus> regs;
  cpu cpus[Cpus];
  unsigned kernel[Cpus]{};
  unsigned most = 0, widest = 0, tasks_with[5]{};

  bool add(const breakpoint& b, const bookend::request& r) {
    const std::uint32_t kind = kind_of(r);
    if (kind == ~0u) return false;
    for (unsigned c = 0; c < Cpus; ++c)
      if (kernel[c] + 1 + widest > 4) return false;
    for (unsigned c = 0; c < Cpus; ++c) {
      if (++kernel[c] > most) most = kernel[c];
      auto& cpu = cpus[c];
      unsigned slot = 3;
      while (cpu.holders[slot] != nullptr) --slot;
      cpu.holders[slot] = &b;
      cpu.kind[slot] = kind;
      if (cpu.address[slot] != r.address) regs.write_address(c, slot, cpu.address[slot] = r.address);
      regs.write_dr7(c, cpu.dr7 |= armed(slot, kind));
    }
    return true;
  }
  void remove(const breakpoint& b) {
    most = 0;
    for (unsigned c = 0; c < Cpus; ++c) {
      auto& cpu = cpus[c];
      const unsigned slot = cpu.slot_of(b);
      cpu.holders[slot] = nullptr;
      regs.write_dr7(c, cpu.dr7 = cpu.without(slot));
      if (--kernel[c] > most) most = kernel[c];
    }
  }
};

/// Registers and unregisters on every CPU where so many are held already, another place each time, so that an address is written.
template <unsigned Cpus>
void register_on(bench::state& state, unsigned held) {
  const auto m = std::make_unique<floor_machine<Cpus>>();
  breakpoint others[4], b;
  for (unsigned i = 0; i < held; ++i) (void)m->add(others[i], bench::at(i));
  benchmark::DoNotOptimize(m.get());
  std::uint64_t i = 0;
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (!m->add(b, bench::at(++i & 1023))) break;
    benchmark::ClobberMemory();
    m->remove(b);
  }
}

}  // namespace by_hand
