// SPDX-License-Identifier: MIT
// bench/kernel_ledger_bench.cpp — what does it cost to reserve a slot for the kernel on many CPUs at once, and to release it?
#include <bookend/ledger.hpp>
#include "peers/gdb.hpp"
#include "peers/linux.hpp"
#include "peers/linux2009.hpp"
#include "rows.hpp"
#include <memory>

namespace {

constexpr unsigned slots = 4;
constexpr unsigned widest = 2;  // some task holds two wide slots
constexpr auto no_pins = [](auto) {};
using benchmark::DoNotOptimize;
template <unsigned Cpus>
using mask = bookend::cpumask<Cpus>;

/// The CPUs that the kernel has a slot on already.
enum class before { nothing, half, full_somewhere };
template <unsigned Cpus>
mask<Cpus> held(before b) {
  mask<Cpus> m;
  if (b == before::half)
    for (unsigned c = 0; c < Cpus; c += 2) m.set(c);
  if (b == before::full_somewhere) m.set(2 * Cpus / 3);
  return m;
}
constexpr unsigned times(before b) { return b == before::full_somewhere ? slots - widest : 1; }

template <unsigned Cpus>
void ours(bench::state& state, before b, const mask<Cpus>& m) {
  const auto l = std::make_unique<bookend::ledger<slots, Cpus>>();
  l->change_wide(0, widest, no_pins);
  for (unsigned i = 0; i < times(b); ++i)
    if (held<Cpus>(b).any()) l->take_kernel(held<Cpus>(b));
  DoNotOptimize(&m);
  for (auto _ : state) {
    DoNotOptimize(*l);
    if (!l->fits_kernel(m)) continue;
    l->take_kernel(m);
    DoNotOptimize(*l);
    benchmark::ClobberMemory();
    l->release_kernel(m);
    benchmark::ClobberMemory();
  }
}

/// The floor: bytes, those of all CPUs side by side, and no branch among them, so that the compiler takes 16 at once even at -O2;
/// all CPUs of the mask or none.
template <unsigned Cpus>
void by_hand(bench::state& state, before b, const mask<Cpus>& m) {
  using byte = unsigned char;
  struct counts {
    byte kernel[Cpus]{}, tallest[Cpus]{}, asked[Cpus]{};  // asked: 0 or 255, which is -1
    byte widest = ::widest;
  };
  const auto all = std::make_unique<counts>();
  for (unsigned c : held<Cpus>(b)) all->kernel[c] = static_cast<byte>(times(b));
  for (unsigned c : m) all->asked[c] = 255;
  for (auto _ : state) {
    DoNotOptimize(*all);
    constexpr byte to_the_top_bit = 128 - slots;  // what is full with it has bit 7
    const auto most = static_cast<byte>(all->widest + to_the_top_bit);
    byte full = 0;
    for (unsigned c = 0; c < Cpus; ++c) {
      const auto beside_pinned = static_cast<byte>(all->kernel[c] + all->tallest[c] + to_the_top_bit);
      const auto beside_widest = static_cast<byte>(all->kernel[c] + most);
      full |= static_cast<byte>((beside_pinned | beside_widest) & all->asked[c]);
    }
    if ((full & 128) != 0) continue;
    for (unsigned c = 0; c < Cpus; ++c) all->kernel[c] = static_cast<byte>(all->kernel[c] - all->asked[c]);
    DoNotOptimize(all.get());
    benchmark::ClobberMemory();
    for (unsigned c = 0; c < Cpus; ++c) all->kernel[c] = static_cast<byte>(all->kernel[c] + all->asked[c]);
    benchmark::ClobberMemory();
  }
}

/// The way it is usually written: counters in each CPU's own data, a loop over the CPUs of the mask, the first full one ends it.
template <unsigned Cpus>
void counters(bench::state& state, before b, const mask<Cpus>& m) {
  struct alignas(64) cpu {
    unsigned kernel = 0, tallest = 0;
  };
  const auto cpus = std::make_unique<cpu[]>(Cpus);
  for (unsigned c : held<Cpus>(b)) cpus[c].kernel = times(b);
  unsigned most = widest;
  DoNotOptimize(&m);
  const auto fits = [&] {
    for (unsigned c = 0; c < Cpus; ++c)
      if (m.test(c) && cpus[c].kernel + 1 + (cpus[c].tallest > most ? cpus[c].tallest : most) > slots) return false;
    return true;
  };
  for (auto _ : state) {
    DoNotOptimize(most);
    benchmark::ClobberMemory();
    if (!fits()) continue;
    for (unsigned c = 0; c < Cpus; ++c) cpus[c].kernel += m.test(c);
    benchmark::ClobberMemory();
    for (unsigned c = 0; c < Cpus; ++c) cpus[c].kernel -= m.test(c);
    benchmark::ClobberMemory();
  }
}

template <unsigned Cpus>
void linux_today(bench::state& state, before b, const mask<Cpus>& m) {
  peers::linux_today<slots, Cpus> l;
  typename decltype(l)::task t;
  typename decltype(l)::breakpoint u[widest];
  for (auto& x : u) l.take_task(x, t);
  for (unsigned i = 0; i < times(b); ++i) l.take_kernel(held<Cpus>(b));
  DoNotOptimize(&m);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (!l.take_kernel(m)) continue;
    benchmark::ClobberMemory();
    l.release_kernel(m);
  }
}

#define OURS_HAND_COUNTERS_LINUX(work, held, cpus)      \
  template <unsigned Cpus>                              \
  void BM_##work(bench::state& state) {                 \
    ours<Cpus>(state, held, cpus);                      \
  }                                                     \
  template <unsigned Cpus>                              \
  void BM_##work##_by_hand(bench::state& state) {       \
    by_hand<Cpus>(state, held, cpus);                   \
  }                                                     \
  template <unsigned Cpus>                              \
  void BM_##work##_peer_counters(bench::state& state) { \
    counters<Cpus>(state, held, cpus);                  \
  }                                                     \
  template <unsigned Cpus>                              \
  void BM_##work##_peer_linux(bench::state& state) {    \
    linux_today<Cpus>(state, held, cpus);               \
  }                                                     \
  ROW_BY_CPUS(BM_##work);                               \
  ROW_BY_CPUS(BM_##work##_by_hand);                     \
  ROW_BY_CPUS(BM_##work##_peer_counters);               \
  ROW_BY_CPUS(BM_##work##_peer_linux)

ASKS(kernel_all, "reserve and release a slot for the kernel on every CPU");
TARGET("kernel_all/cpus:1024", "peer_counters", 1 / 40.0);
OURS_HAND_COUNTERS_LINUX(kernel_all, before::nothing, mask<Cpus>::all());
template <unsigned Cpus>
void BM_kernel_all_peer_linux2009(bench::state& state) {
  peers::linux2009<slots> l;
  decltype(l)::task t;
  for (unsigned i = 0; i < widest; ++i) (void)l.take_task(t);
  for (auto _ : state) {
    DoNotOptimize(l);
    if (!l.take_kernel()) continue;
    DoNotOptimize(l);
    l.release_kernel();
  }
}
ROW_BY_CPUS(BM_kernel_all_peer_linux2009);

ASKS(kernel_half, "the same where the kernel has one on every other CPU already");
OURS_HAND_COUNTERS_LINUX(kernel_half, before::half, mask<Cpus>::all());

ASKS(kernel_refused, "the same where one CPU is full, at two thirds of the way: refused");
TARGET("kernel_refused/cpus:1024", "by_hand", 2);
TARGET("kernel_refused/cpus:4", "by_hand", 2);
OURS_HAND_COUNTERS_LINUX(kernel_refused, before::full_somewhere, mask<Cpus>::all());

// One CPU, named by its number.

ASKS(kernel_one, "reserve and release a slot for the kernel on one CPU of so many");
template <unsigned Cpus>
void BM_kernel_one(bench::state& state) {
  const auto l = std::make_unique<bookend::ledger<slots, Cpus>>();
  l->change_wide(0, widest, no_pins);
  unsigned cpu = 2 * Cpus / 3;
  for (auto _ : state) {
    DoNotOptimize(cpu);
    DoNotOptimize(*l);
    if (!l->fits_kernel(cpu)) continue;
    l->take_kernel(cpu);
    DoNotOptimize(*l);
    l->release_kernel(cpu);
  }
}
/// The most that the kernel has anywhere is kept as well: a task's request needs it.
template <unsigned Cpus>
void BM_kernel_one_by_hand(bench::state& state) {
  struct counts {
    unsigned char kernel[Cpus]{}, tallest[Cpus]{};
    unsigned cpus_with[slots + 1]{};
    unsigned most = 0;
    unsigned char widest = ::widest;
  };
  const auto all = std::make_unique<counts>();
  unsigned cpu = 2 * Cpus / 3;
  for (auto _ : state) {
    DoNotOptimize(cpu);
    DoNotOptimize(*all);
    auto& kernel = all->kernel[cpu];
    if (kernel + 1 + (all->tallest[cpu] > all->widest ? all->tallest[cpu] : all->widest) > static_cast<int>(slots)) continue;
    --all->cpus_with[kernel];
    ++all->cpus_with[++kernel];
    if (kernel > all->most) all->most = kernel;
    DoNotOptimize(*all);
    --all->cpus_with[kernel];
    ++all->cpus_with[--kernel];
    while (all->most != 0 && all->cpus_with[all->most] == 0) --all->most;
  }
}
template <unsigned Cpus>
void BM_kernel_one_peer_linux(bench::state& state) {
  peers::linux_today<slots, Cpus> l;
  typename decltype(l)::task t;
  typename decltype(l)::breakpoint u[widest];
  for (auto& x : u) l.take_task(x, t);
  unsigned cpu = 2 * Cpus / 3;
  for (auto _ : state) {
    DoNotOptimize(cpu);
    benchmark::ClobberMemory();
    if (!l.take_kernel(cpu)) continue;
    benchmark::ClobberMemory();
    l.release_kernel(cpu);
  }
}
template <unsigned Cpus>
void BM_kernel_one_peer_gdb(bench::state& state) {
  const auto mirrors = std::make_unique<peers::gdb_mirror<slots>[]>(Cpus);
  unsigned cpu = 2 * Cpus / 3;
  for (auto _ : state) {
    DoNotOptimize(cpu);
    benchmark::ClobberMemory();
    if (mirrors[cpu].insert(0x1000, 9) == slots) continue;
    benchmark::ClobberMemory();
    mirrors[cpu].remove(0x1000, 9);
  }
}
ROW_BY_CPUS(BM_kernel_one);
ROW_BY_CPUS(BM_kernel_one_by_hand);
ROW_BY_CPUS(BM_kernel_one_peer_linux);
ROW_BY_CPUS(BM_kernel_one_peer_gdb);

// The same CPU as a mask of one: the way that the manager asks.
ASKS(kernel_mask_of_one, "the same by a mask with one CPU in it, as the manager does");
template <unsigned Cpus>
void BM_kernel_mask_of_one(bench::state& state) {
  ours<Cpus>(state, before::nothing, mask<Cpus>::of(2 * Cpus / 3));
}
template <unsigned Cpus>
void BM_kernel_mask_of_one_by_hand(bench::state& state) {
  by_hand<Cpus>(state, before::nothing, mask<Cpus>::of(2 * Cpus / 3));
}
ROW_BY_CPUS(BM_kernel_mask_of_one);
ROW_BY_CPUS(BM_kernel_mask_of_one_by_hand);

}  // namespace
