// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/cross_call.hpp — a lock, and calls to other threads by signal: what a kernel has its IPIs for.
#pragma once
#include <bookend/platform.hpp>
#include <cerrno>
#include <climits>
#include <csignal>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bookend::lnx {

/// A lock in one word. Who waits still takes signals. All zero is free.
class futex_lock {
 public:
  bool try_lock() noexcept {
    int expected = 0;
    return __atomic_compare_exchange_n(&word_, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
  }
  void lock() noexcept {
    if (try_lock()) return;
    while (__atomic_exchange_n(&word_, 2, __ATOMIC_ACQUIRE) != 0)  // 2: somebody sleeps
      syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 2, nullptr, nullptr, 0);
  }
  void unlock() noexcept {
    if (__atomic_exchange_n(&word_, 0, __ATOMIC_RELEASE) == 2)
      syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  int word_ = 0;
};

/// What one thread is to run for another, and the guard that holds it off. All zero: nothing.
class mailbox {
 public:
  /// One call that several threads run, and that its caller waits for.
  struct letter {
    call f;
    void* argument;
    int unanswered;

    void run(cpu_id cpu) noexcept {
      f(argument, cpu);
      if (__atomic_sub_fetch(&unanswered, 1, __ATOMIC_ACQ_REL) == 0)
        syscall(SYS_futex, &unanswered, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
    }
    void wait() noexcept {
      for (int left = 0; (left = __atomic_load_n(&unanswered, __ATOMIC_ACQUIRE)) != 0;)
        syscall(SYS_futex, &unanswered, FUTEX_WAIT_PRIVATE, left, nullptr, nullptr, 0);
    }
  };

  /// Another thread's: `l` will be run there when its signal is handled. Precondition: the last one has been answered.
  void post(letter& l) noexcept { __atomic_store_n(&letter_, &l, __ATOMIC_RELEASE); }
  /// This thread's, from its signal handler or when the guard is left: runs what is there, unless under the guard.
  void serve(cpu_id cpu) noexcept {
    if (guards_ != 0) return;
    letter* const l = __atomic_exchange_n(&letter_, static_cast<letter*>(nullptr), __ATOMIC_ACQUIRE);
    if (l == nullptr) return;
    l->run(cpu);
  }

  /// Takes back what was posted. False if it has been run, or is.
  bool withdraw() noexcept { return __atomic_exchange_n(&letter_, static_cast<letter*>(nullptr), __ATOMIC_ACQUIRE) != nullptr; }

  void guard() noexcept {
    ++guards_;
    bookend::detail::compiler_barrier();
  }
  void unguard(cpu_id cpu) noexcept {
    bookend::detail::compiler_barrier();
    --guards_;
    bookend::detail::compiler_barrier();
    serve(cpu);
  }

 private:
  letter* letter_ = nullptr;
  unsigned guards_ = 0;  // depth: this thread's alone, and its signal handlers'
};

}  // namespace bookend::lnx
