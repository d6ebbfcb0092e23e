// SPDX-License-Identifier: MIT
// tests/priority_threads_test.cpp — by_priority: who finds an evicted breakpoint idle may free it, whoever unregistered it. For
// the thread sanitizer.
#include <bookend/by_priority.hpp>
#include <bookend/mock/backend.hpp>
#include <atomic>
#include <doctest/doctest.h>
#include <optional>
#include <thread>

namespace {

using namespace bookend;

struct os : mock::backend<1, 1>, single_thread<1> {
  struct frame {};
  void lock() noexcept {
    while (owned.exchange(true)) std::this_thread::yield();
  }
  void unlock() noexcept { owned = false; }
  static bool may_watch(side, range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
  std::atomic<bool> owned = false;
};
using manager = by_priority<os>;
constexpr request somewhere{0x1000, 8, access::write};

template <class Breakpoint>
void told(Breakpoint&, seat) {}

/// One thread unregisters what it has registered and evicted; another waits until it is idle, and makes something new there.
template <class Breakpoint, class Make, class Register>
void freed_when_idle(Make make, Register take) {
  manager slots;
  manager::kernel_breakpoint high{"high", [](const manager::hit&) {}, 5};
  std::optional<Breakpoint> b;
  std::atomic<unsigned> registered = 0, freed = 0;
  constexpr unsigned rounds = 200;
  unsigned evicted = 0;
  make(b);
  std::thread frees([&] {
    for (unsigned i = 1; i <= rounds; ++i) {
      while (registered != i) std::this_thread::yield();
      while (!b->idle()) std::this_thread::yield();
      make(b);
      freed = i;
    }
  });
  for (unsigned i = 1; i <= rounds; ++i) {
    bool good = !take(slots, *b);
    if (i % 2 != 0) good = good && !slots.register_breakpoint(high, somewhere);
    if (good && !b->seated()) ++evicted;
    registered = i;
    good = !slots.unregister_breakpoint(*b) && good;
    if (!good) FAIL_CHECK("a verb is refused");
    while (freed != i) std::this_thread::yield();
    if (!high.idle()) (void)slots.unregister_breakpoint(high);
  }
  frees.join();
  CHECK(evicted == rounds / 2);
}

}  // namespace

TEST_CASE("a kernel breakpoint that is found idle is not touched any more") {
  freed_when_idle<manager::kernel_breakpoint>(
      [](auto& b) { b.emplace("low", [](const manager::hit&) {}, 1, &told<manager::kernel_breakpoint>); },
      [](manager& slots, auto& b) { return slots.register_breakpoint(b, somewhere); });
}
TEST_CASE("nor is a task's") {
  manager::task t;
  freed_when_idle<manager::user_breakpoint>([](auto& b) { b.emplace("mine", 1, &told<manager::user_breakpoint>); },
                                            [&](manager& slots, auto& b) { return slots.register_breakpoint(b, t, somewhere); });
}
