// SPDX-License-Identifier: MIT
// examples/kernel/kernel/platform.cpp — the one slot manager, and its lock.
#include "platform.hpp"

#include "scheduler.hpp"

namespace kernel {

constinit slot_manager slots;
constinit owner_lock owner;

void owner_lock::lock() noexcept {
  if (!interrupts_are_on()) panic("the owner lock with interrupts off");
  while (!try_lock()) wait_for(waiting_, [this] { return !__atomic_load_n(&taken_, __ATOMIC_SEQ_CST); });
}
void owner_lock::unlock() noexcept {
  // Either the waiter's look at taken_ comes behind this store, or it is in the list before the load.
  __atomic_store_n(&taken_, false, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&waiting_, __ATOMIC_SEQ_CST) != nullptr) wake_all(waiting_);
}

}  // namespace kernel
