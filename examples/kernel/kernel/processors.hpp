// SPDX-License-Identifier: MIT
// examples/kernel/kernel/processors.hpp — bringing CPUs up, taking them down, bringing them up again.
#pragma once
#include "bookend.hpp"

namespace kernel {

/// CPU 0, from start(): everything of its own but the scheduler.
void start_first_cpu() noexcept;
/// All others, and bookend on each. Thread context.
void start_other_cpus() noexcept;

/// Those that answer cross-calls.
[[nodiscard]] cpu_mask cpus_up() noexcept;
/// All that the machine has.
[[nodiscard]] cpu_mask all_cpus() noexcept;

// One at a time. Thread context, not on that CPU (the caller is pinned elsewhere). CPU 0 stays.

/// Threads leave, then bookend, then it stops. Threads that are pinned there wait until it is back.
void take_offline(unsigned cpu) noexcept;
/// It starts, then bookend, then threads come.
void bring_online(unsigned cpu) noexcept;

}  // namespace kernel
