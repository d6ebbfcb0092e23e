// SPDX-License-Identifier: MIT
// examples/kernel/kernel/run_queue.hpp — all threads, and those that wait for a CPU, in the order in which they came.
#pragma once
#include "thread.hpp"

namespace kernel {

class thread_queue {
 public:
  // Interrupts off. Taken on one thread and released on another: so it does not remember what interrupts were.
  void lock() noexcept {
    while (__atomic_exchange_n(&taken_, true, __ATOMIC_ACQUIRE)) pause();
  }
  void unlock() noexcept { __atomic_store_n(&taken_, false, __ATOMIC_RELEASE); }

  // Locked.

  /// Behind all others. Rings for a CPU that has nothing to do.
  void add(thread& t) noexcept;
  /// The first that may run on this CPU; null if none.
  [[nodiscard]] thread* take(unsigned cpu) noexcept;
  /// A waiting one is ready again.
  void wake(thread& t) noexcept {
    t.state = thread_state::ready;
    add(t);
  }
  void wake_idle(const thread& t) const noexcept;

  // Thread context, not locked.

  /// One from the array. Panics if there is none.
  [[nodiscard]] thread& new_one() noexcept;
  void give_back(thread& t) noexcept;

 private:
  thread* first_ = nullptr;
  thread* last_ = nullptr;
  bool taken_ = false;
};

extern thread_queue run_queue;

}  // namespace kernel
