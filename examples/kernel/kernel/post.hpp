// SPDX-License-Identifier: MIT
// examples/kernel/kernel/post.hpp — to have other CPUs look at their debug registers soon, without waiting for it.
#pragma once
#include "bookend.hpp"

namespace kernel {

/// Asks each CPU of the mask, which may include this one, to sync its debug registers in an interrupt of its own. Returns at
/// once. Any context, #DB and NMI included.
void post_on(const cpu_mask& mask) noexcept;
/// The other end. Interrupts off.
void serve_post() noexcept;

}  // namespace kernel
