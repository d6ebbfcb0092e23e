// SPDX-License-Identifier: MIT
// examples/kernel/kernel/spinlock.hpp — for short stretches without calls out: interrupts are off while it is held.
#pragma once
#include "../machine/instructions.hpp"

namespace kernel {

/// Thread or interrupt context; not #DB or NMI, which interrupts-off does not hold back. Never wait for a cross-call under it.
class spinlock {
 public:
  void lock() noexcept {
    const bool were_on = save_interrupts();
    while (__atomic_exchange_n(&taken_, true, __ATOMIC_ACQUIRE))
      while (__atomic_load_n(&taken_, __ATOMIC_RELAXED)) pause();
    were_on_ = were_on;
  }
  void unlock() noexcept {
    const bool were_on = were_on_;
    __atomic_store_n(&taken_, false, __ATOMIC_RELEASE);
    restore_interrupts(were_on);
  }

 private:
  bool taken_ = false;
  bool were_on_ = false;  // its holder's
};

}  // namespace kernel
