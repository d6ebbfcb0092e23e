// SPDX-License-Identifier: MIT
// bench/ledger_bench.cpp — what does it cost to ask the ledger and to change it, beside counters written out by hand?
#include <bookend/ledger.hpp>
#include <benchmark/benchmark.h>
#include <memory>

namespace {

constexpr unsigned slots = 4;
constexpr auto no_pins = [](auto) {};

void BM_task_reserve_release(benchmark::State& state) {
  bookend::ledger<slots, 64> l;
  l.take_kernel(bookend::cpumask<64>::all());
  unsigned wide = 0;
  for (auto _ : state) {
    if (l.fits_wide(wide + 1, no_pins)) {
      l.change_wide(wide, wide + 1, no_pins);
      ++wide;
    }
    benchmark::DoNotOptimize(l);
    l.change_wide(wide, wide - 1, no_pins);
    --wide;
    benchmark::DoNotOptimize(l);
  }
}
BENCHMARK(BM_task_reserve_release);

// The floor keeps what exactness needs and no less: how many tasks have how many, so that a kernel request can be judged.
struct counters {
  unsigned char kernel_most = 1;
  unsigned tasks[slots + 1]{};
};
void BM_task_reserve_release_by_hand(benchmark::State& state) {
  counters c;
  unsigned char wide = 0;
  for (auto _ : state) {
    if (c.kernel_most + wide + 1u <= slots) {
      --c.tasks[wide];
      ++c.tasks[++wide];
    }
    benchmark::DoNotOptimize(c);
    --c.tasks[wide];
    ++c.tasks[--wide];
    benchmark::DoNotOptimize(c);
  }
}
BENCHMARK(BM_task_reserve_release_by_hand);

template <unsigned Cpus>
void BM_kernel_all_reserve_release(benchmark::State& state) {
  const auto l = std::make_unique<bookend::ledger<slots, Cpus>>();
  const auto m = bookend::cpumask<Cpus>::all();
  l->change_wide(0, 2, no_pins);
  for (auto _ : state) {
    if (l->fits_kernel(m)) l->take_kernel(m);
    benchmark::DoNotOptimize(*l);
    l->release_kernel(m);
    benchmark::DoNotOptimize(*l);
  }
}
template <unsigned Cpus>
void BM_kernel_all_reserve_release_by_hand(benchmark::State& state) {
  struct cpu {
    unsigned char kernel = 0, tallest = 0;
  };
  const auto cpus = std::make_unique<cpu[]>(Cpus);
  const unsigned widest = 2;
  for (auto _ : state) {
    bool fits = true;
    for (unsigned c = 0; c < Cpus; ++c)
      fits = fits && cpus[c].kernel + 1u + (cpus[c].tallest > widest ? cpus[c].tallest : widest) <= slots;
    if (fits)
      for (unsigned c = 0; c < Cpus; ++c) ++cpus[c].kernel;
    benchmark::DoNotOptimize(cpus.get());
    benchmark::ClobberMemory();
    for (unsigned c = 0; c < Cpus; ++c) --cpus[c].kernel;
    benchmark::ClobberMemory();
  }
}
#define BY_CPUS(n)                             \
  BENCHMARK(BM_kernel_all_reserve_release<n>); \
  BENCHMARK(BM_kernel_all_reserve_release_by_hand<n>);
BY_CPUS(4)
BY_CPUS(64)
BY_CPUS(1024)
BY_CPUS(8192)

void BM_kernel_all_refused(benchmark::State& state) {
  bookend::ledger<slots, 1024> l;
  const auto m = bookend::cpumask<1024>::all();
  for (unsigned i = 0; i < slots; ++i) l.take_kernel(700u);
  for (auto _ : state) {
    benchmark::DoNotOptimize(l);
    benchmark::DoNotOptimize(l.fits_kernel(m));
  }
}
BENCHMARK(BM_kernel_all_refused);

}  // namespace
