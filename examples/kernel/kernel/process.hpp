// SPDX-License-Identifier: MIT
// examples/kernel/kernel/process.hpp — ring-3 tasks: a thread with an address space of its own and a copy of the user programs.
#pragma once
#include "thread.hpp"

namespace kernel {

/// What a task ends with that an exception has ended: this less the vector.
inline constexpr std::int64_t ended_by_exception = -1000;

/// A new task in ring 3, which runs program(argument) (a function of user/), and ends with what that returns. join() is for it,
/// too. Thread context.
thread* start_task(const char* name, std::int64_t (*program)(std::uint64_t), std::uint64_t argument,
                   const cpu_mask& where = cpu_mask::all()) noexcept;
/// The same, not yet ready: for who wants to register watches for it first. Then make_ready().
thread* new_task(const char* name, std::int64_t (*program)(std::uint64_t), std::uint64_t argument,
                 const cpu_mask& where) noexcept;
/// join(), and what it left behind: its process, to be read and then given back.
std::int64_t join_task(thread* t) noexcept;

/// Traps' side: bit i of `indices`, its watch i hit. Any context on the CPU that runs the task.
void note_hits(process& p, std::uint64_t indices) noexcept;

// Memory of the task that runs this. False if ring 3 itself may not. The access is to the user's own address, so that the task's
// watches see what the kernel does for it.
[[nodiscard]] bool copy_from_user(void* to, std::uint64_t from, std::uint64_t bytes) noexcept;
[[nodiscard]] bool copy_to_user(std::uint64_t to, const void* from, std::uint64_t bytes) noexcept;

}  // namespace kernel
