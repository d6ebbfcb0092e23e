// SPDX-License-Identifier: MIT
// examples/kernel/kernel/owner_lock.hpp — bookend's owner lock.
#pragma once

namespace kernel {

struct thread;

/// Thread context, interrupts on. Whoever waits has left its CPU to others or to sleep, whoever holds it may be preempted and
/// moved; their CPUs serve cross-calls all the time, so a holder that waits for one is always answered. Not the first come is
/// the first served.
class owner_lock {
 public:
  [[nodiscard]] bool try_lock() noexcept { return !__atomic_exchange_n(&taken_, true, __ATOMIC_SEQ_CST); }
  void lock() noexcept;
  void unlock() noexcept;

 private:
  bool taken_ = false;
  thread* waiting_ = nullptr;  // the last come first. Written under the run queue's lock
};

extern owner_lock owner;

}  // namespace kernel
