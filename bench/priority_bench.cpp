// SPDX-License-Identifier: MIT
// bench/priority_bench.cpp — what does reserving by priority cost beside first come: where nobody is in the way, where one has to
// make way and comes back, and where nobody may? Registers are memory, the lock is empty and a cross-call is a call, everywhere.
#include <bookend/by_priority.hpp>
#include "floor_machine.hpp"
#include "memory_machine.hpp"
#include "rows.hpp"
#include <memory>
#include <vector>

namespace {

using benchmark::DoNotOptimize;
using by_hand::floor_machine;

template <unsigned Cpus>
struct first_come {
  using manager = bench::manager<Cpus>;
  struct watch : manager::kernel_breakpoint {
    explicit watch(int) : manager::kernel_breakpoint("first come", [](const typename manager::hit&) {}) {}
  };
  using evictable = watch;
};
unsigned told = 0;  // what a callback leaves behind
template <unsigned Cpus>
struct by_priority {
  using manager = bookend::by_priority<bench::os<Cpus>>;
  using kernel_breakpoint = typename manager::kernel_breakpoint;
  static void handler(const typename manager::hit&) {}
  struct watch : kernel_breakpoint {
    explicit watch(int rank) : kernel_breakpoint("stays", handler, rank) {}
  };
  struct evictable : kernel_breakpoint {
    explicit evictable(int rank)
        : kernel_breakpoint("may go", handler, rank, [](kernel_breakpoint&, bookend::seat) { ++told; }) {}
  };
};
template <unsigned Cpus, class Policy>
std::unique_ptr<typename Policy::manager> all_online() {
  auto slots = std::make_unique<typename Policy::manager>();
  for (unsigned c = 0; c < Cpus; ++c) (void)slots->cpu_online(c);
  return slots;
}

ASKS(priority_register, "register and unregister, by priority, a kernel breakpoint on every CPU; nobody else is there");
template <unsigned Cpus, class Policy>
void alone(bench::state& state) {
  const auto slots = all_online<Cpus, Policy>();
  typename Policy::evictable b{1};
  std::uint64_t i = 0;
  for (auto _ : state) {
    if (slots->register_breakpoint(b, bench::at(++i & 1023))) break;
    slots->unregister_breakpoint(b);
  }
}
template <unsigned Cpus>
void BM_priority_register(bench::state& state) {
  alone<Cpus, by_priority<Cpus>>(state);
}
template <unsigned Cpus>
void BM_priority_register_peer_first_come(bench::state& state) {
  alone<Cpus, first_come<Cpus>>(state);
}
template <unsigned Cpus>
void BM_priority_register_by_hand(bench::state& state) {
  by_hand::register_on<Cpus>(state, 0);
}
#define ROWS_OF_ALONE(f) \
  [[maybe_unused]] static const bool row_##f = bench::add(#f "/cpus:1", f<1>) && bench::add(#f "/cpus:64", f<64>)
ROWS_OF_ALONE(BM_priority_register);
ROWS_OF_ALONE(BM_priority_register_peer_first_come);
ROWS_OF_ALONE(BM_priority_register_by_hand);

// CPU 0 of 16 is full; so many may be evicted, one on each of the first CPUs.

constexpr unsigned cpus = 16;
template <class Policy>
struct full {
  explicit full(unsigned holders, unsigned rocks) {
    for (unsigned i = 0; i < rocks; ++i) (void)!slots->register_breakpoint(others[i], bench::at(i), first);
    for (unsigned i = 0; i < holders; ++i) {
      low.push_back(std::make_unique<typename Policy::evictable>(1));
      (void)!slots->register_breakpoint(*low[i], bench::at(8 + i), bookend::cpumask<cpus>::of(rocks == 4 ? cpus - 1 - i : i));
    }
  }
  ~full() {
    for (auto& b : others) (void)slots->unregister_breakpoint(b);
    for (auto& b : low) (void)slots->unregister_breakpoint(*b);
  }
  static constexpr bookend::cpumask<cpus> first = bookend::cpumask<cpus>::of(0);
  std::unique_ptr<typename Policy::manager> slots = all_online<cpus, Policy>();
  typename Policy::watch others[4] = {typename Policy::watch{2}, typename Policy::watch{2}, typename Policy::watch{2},
                                      typename Policy::watch{2}};
  std::vector<std::unique_ptr<typename Policy::evictable>> low;
  typename Policy::watch strong{3};
};

ASKS(priority_evicts, "on a full CPU, of so many who may be evicted one is, by who registers, and comes back when that leaves");
void BM_priority_evicts(bench::state& state) {
  full<by_priority<cpus>> f(static_cast<unsigned>(state.range()), 3);
  for (auto _ : state) {
    if (f.slots->register_breakpoint(f.strong, bench::at(5), f.first)) break;
    f.slots->unregister_breakpoint(f.strong);
  }
}
/// By somebody who knows who has to go, with four verbs.
void BM_priority_evicts_peer_first_come(bench::state& state) {
  full<first_come<cpus>> f(static_cast<unsigned>(state.range()), 3);
  for (auto _ : state) {
    f.slots->unregister_breakpoint(*f.low[0]);
    if (f.slots->register_breakpoint(f.strong, bench::at(5), f.first)) break;
    f.slots->unregister_breakpoint(f.strong);
    if (f.slots->register_breakpoint(*f.low[0], bench::at(8), f.first)) break;
  }
}
/// The floor: of all who may go, the last of the lowest that has a slot on this CPU does, and is told, and comes back.
void BM_priority_evicts_by_hand(bench::state& state) {
  floor_machine<1> m;
  const auto n = static_cast<std::size_t>(state.range());
  struct holder {
    by_hand::breakpoint b;
    bookend::request watched;
    int rank = 1;
    bool here = false;
  };
  by_hand::breakpoint others[3], strong;
  std::vector<holder> low(n);
  for (unsigned i = 0; i < 3; ++i) (void)m.add(others[i], bench::at(i));
  low[0].here = true;
  low[0].watched = bench::at(8);
  (void)m.add(low[0].b, low[0].watched);
  DoNotOptimize(&m);
  DoNotOptimize(low.data());
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (m.add(strong, bench::at(5))) break;
    holder* goes = nullptr;
    for (auto& h : low)
      if (h.here && h.rank < 3 && (goes == nullptr || h.rank <= goes->rank)) goes = &h;
    if (goes == nullptr) break;
    m.remove(goes->b);
    ++told;
    if (!m.add(strong, bench::at(5))) break;
    benchmark::ClobberMemory();
    m.remove(strong);
    if (!m.add(goes->b, goes->watched)) break;
    ++told;
  }
}
ROW(BM_priority_evicts, "holders", {1, 4, 16});
ROW(BM_priority_evicts_peer_first_come, "holders", {1, 4, 16});
ROW(BM_priority_evicts_by_hand, "holders", {1, 4, 16});

ASKS(priority_refused, "the same where nobody who could be evicted is in the way: refused");
void BM_priority_refused(bench::state& state) {
  full<by_priority<cpus>> f(static_cast<unsigned>(state.range()), 4);
  for (auto _ : state)
    if (!f.slots->register_breakpoint(f.strong, bench::at(5), f.first)) break;
}
void BM_priority_refused_peer_first_come(bench::state& state) {
  full<first_come<cpus>> f(static_cast<unsigned>(state.range()), 4);
  for (auto _ : state)
    if (!f.slots->register_breakpoint(f.strong, bench::at(5), f.first)) break;
}
void BM_priority_refused_by_hand(bench::state& state) {
  floor_machine<1> m;
  by_hand::breakpoint others[4], strong;
  struct holder {
    int rank = 1;
    bool here = false;
  };
  std::vector<holder> low(static_cast<std::size_t>(state.range()));
  for (unsigned i = 0; i < 4; ++i) (void)m.add(others[i], bench::at(i));
  DoNotOptimize(&m);
  DoNotOptimize(low.data());
  for (auto _ : state) {
    benchmark::ClobberMemory();
    if (m.add(strong, bench::at(5))) break;
    const holder* goes = nullptr;
    for (auto& h : low)
      if (h.here && h.rank < 3) goes = &h;
    DoNotOptimize(goes);
  }
}
ROW(BM_priority_refused, "holders", {0, 1, 4, 15});
ROW(BM_priority_refused_peer_first_come, "holders", {0, 1, 4, 15});
ROW(BM_priority_refused_by_hand, "holders", {0, 1, 4, 15});

}  // namespace
