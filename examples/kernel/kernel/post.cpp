// SPDX-License-Identifier: MIT
// examples/kernel/kernel/post.cpp — see post.hpp. A flag and an interrupt: as many posts as there are before the interrupt comes
// are one. The flag falls before the registers are looked at, so that a post that comes in between rings again.
#include "post.hpp"

#include "../machine/apic.hpp"
#include "../machine/frame.hpp"
#include "platform.hpp"

namespace kernel {

namespace {
/// A manager that has no posted verbs has nothing to sync.
template <class Here>
void sync(const Here& view) noexcept {
  if constexpr (requires { view.sync(); }) {
    (void)view.sync();
    ++here().count.syncs;
  }
}
}  // namespace

void post_on(const cpu_mask& mask) noexcept {
  for (const unsigned c : mask)
    if (!__atomic_exchange_n(&cpus[c].post_pending, true, __ATOMIC_SEQ_CST)) send_interrupt(cpus[c].apic_id, vector_post);
}

void serve_post() noexcept {
  (void)__atomic_exchange_n(&here().post_pending, false, __ATOMIC_SEQ_CST);
  ++here().count.posts;
  sync(slots.here());
}

}  // namespace kernel
