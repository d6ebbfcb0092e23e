// SPDX-License-Identifier: MIT
// examples/kernel/kernel/cross_call.hpp — to run something on other CPUs, now, and wait for it.
#pragma once
#include "bookend.hpp"

namespace kernel {

/// Runs f(argument, cpu) once on each CPU of the mask with interrupts off, and returns when all have. Thread context with
/// interrupts on: who waits answers the calls of others, and may be preempted and moved. Precondition: each CPU of it is up.
void run_on(const cpu_mask& mask, bookend::call f, void* argument) noexcept;
/// The other end: everything that waits for this CPU. Interrupts off.
void serve_calls() noexcept;

}  // namespace kernel
