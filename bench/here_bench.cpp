// SPDX-License-Identifier: MIT
// bench/here_bench.cpp — what does the framework add, on one CPU, to register writes by hand? DR0-DR7 are memory here, so that
// nothing hides it; a real DR7 write costs some 100 cycles more on both sides.
#include <bookend/bookend.hpp>
#include <bookend/x86/backend.hpp>
#include <benchmark/benchmark.h>
#include <memory>

namespace {

/// DR0-DR7 of one CPU as memory.
struct image {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;
  volatile std::uint64_t dr[8]{};
  void write_address(bookend::cpu_id, unsigned i, std::uint64_t v) noexcept { dr[i] = v; }
  void write_dr7(bookend::cpu_id, std::uint64_t v) noexcept { dr[7] = v; }
  void write_dr6(bookend::cpu_id, std::uint64_t v) noexcept { dr[6] = v; }
  std::uint64_t read_dr6(bookend::cpu_id) const noexcept { return dr[6]; }
};
struct os : bookend::x86::backend<image>, bookend::single_thread<1> {
  struct frame {};
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
};
using manager = bookend::slot_manager<os>;
constexpr bookend::request at(std::uint64_t i) { return {0x1000 + 8 * i, 8, bookend::access::write}; }

struct fixture {
  manager slots;
  manager::task idle, four, other_four;
  manager::user_breakpoint u[4], v[4];
  static inline unsigned hits = 0;
  manager::kernel_breakpoint k[4] = {{"k0", count}, {"k1", count}, {"k2", count}, {"k3", count}};
  static void count(const manager::hit&) { ++hits; }
  fixture() { (void)slots.cpu_online(0); }
  void kernel(unsigned n) {
    for (unsigned i = 0; i < n; ++i) (void)!slots.register_breakpoint(k[i], at(i));
  }
  void users() {
    for (unsigned i = 0; i < 4; ++i) {
      (void)!slots.register_breakpoint(u[i], four, at(i));
      (void)!slots.register_breakpoint(v[i], other_four, at(8 + i));
    }
  }
  ~fixture() {
    for (auto& b : k) (void)slots.unregister_breakpoint(b);
    slots.on_exit(four);
    slots.on_exit(other_four);
  }
};

void BM_disable_enable_here(benchmark::State& state) {
  fixture f;
  f.kernel(1);
  const auto here = f.slots.on(0);
  for (auto _ : state) {
    here.disable(f.k[0]);
    here.enable(f.k[0]);
  }
}
BENCHMARK(BM_disable_enable_here);
void BM_disable_enable_here_by_hand(benchmark::State& state) {
  image regs;
  std::uint64_t shadow = 0x90000680;
  for (auto _ : state) {
    benchmark::DoNotOptimize(shadow);
    regs.write_dr7(0, shadow &= ~0xf0000280ULL);
    regs.write_dr7(0, shadow |= 0x90000280ULL);
  }
}
BENCHMARK(BM_disable_enable_here_by_hand);

void BM_switch_without_watches(benchmark::State& state) {
  fixture f;
  f.kernel(1);
  const auto here = f.slots.on(0);
  manager::task a, b;
  for (auto _ : state) {
    here.switch_to(a, b);
    here.switch_to(b, a);
  }
}
BENCHMARK(BM_switch_without_watches);
void BM_switch_without_watches_by_hand(benchmark::State& state) {
  struct task {
    void* first = nullptr;
  } a, b;
  unsigned loaded = 0;
  const task* current = nullptr;
  for (auto _ : state)
    for (const task* next : {&a, &b}) {
      current = next;
      benchmark::DoNotOptimize(current);
      benchmark::DoNotOptimize(loaded);
      if (next->first != nullptr || loaded != 0) state.SkipWithError("impossible");
    }
}
BENCHMARK(BM_switch_without_watches_by_hand);

void BM_switch_4_to_4(benchmark::State& state) {
  fixture f;
  f.users();
  const auto here = f.slots.on(0);
  for (auto _ : state) {
    here.switch_to(f.other_four, f.four);
    here.switch_to(f.four, f.other_four);
  }
  here.switch_to(f.other_four, f.idle);
}
BENCHMARK(BM_switch_4_to_4);
void BM_switch_4_to_4_by_hand(benchmark::State& state) {
  image regs;
  struct task {
    std::uint64_t dr[4];
    std::uint64_t dr7;
  } a{{1, 2, 3, 4}, 0x999906aa}, b{{5, 6, 7, 8}, 0x999906aa};
  for (auto _ : state)
    for (const task* next : {&a, &b}) {
      benchmark::DoNotOptimize(next);
      regs.write_dr7(0, 0x400);
      for (unsigned i = 0; i < 4; ++i) regs.write_address(0, i, next->dr[i]);
      regs.write_dr7(0, next->dr7);
    }
}
BENCHMARK(BM_switch_4_to_4_by_hand);

void BM_trap(benchmark::State& state) {
  fixture f;
  f.kernel(4);
  const auto here = f.slots.on(0);
  const auto bits = static_cast<std::uint64_t>(state.range(0));
  os::frame frame;
  for (auto _ : state) {
    f.slots.system().dr[6] = 0xffff0ff0 | bits;
    benchmark::DoNotOptimize(here.trap(frame).rest);
  }
}
BENCHMARK(BM_trap)->ArgName("dr6")->Arg(0)->Arg(1)->Arg(15);
void BM_trap_by_hand(benchmark::State& state) {
  image regs;
  unsigned hits = 0;
  void (*handlers[4])(void*);
  for (auto& h : handlers) h = [](void* count) { ++*static_cast<unsigned*>(count); };
  benchmark::DoNotOptimize(handlers);
  for (auto _ : state) {
    regs.dr[6] = 0xffff0ff0 | static_cast<std::uint64_t>(state.range(0));
    const std::uint64_t dr6 = regs.read_dr6(0) ^ 0xffff0ff0;
    regs.write_dr6(0, 0xffff0ff0);
    for (unsigned i = 0; i < 4; ++i)
      if ((dr6 >> i & 1) != 0) handlers[i](&hits);
    benchmark::DoNotOptimize(dr6 & ~15ULL);
  }
}
BENCHMARK(BM_trap_by_hand)->ArgName("dr6")->Arg(0)->Arg(1)->Arg(15);

}  // namespace
