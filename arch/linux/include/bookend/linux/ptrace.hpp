// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/ptrace.hpp — a debugger's system: each thread of a traced process is a CPU.
#pragma once
#include <bookend/linux/follow.hpp>
#include <bookend/linux/ptrace_registers.hpp>

namespace bookend::lnx {

/// Backend and platform together: slot_manager<lnx::ptrace_system<256>>. For the debugger's loop see tracer.hpp, whose members it
/// has. A thread that the manager writes to is stopped for as long as that takes, and goes on if it was running.
template <unsigned MaxThreads>
struct ptrace_system : user_space<ptrace_registers<MaxThreads>> {
  static constexpr unsigned max_cpus = MaxThreads;
  static constexpr bool cpus_are_numbers = true;
  static constexpr bool watches_elsewhere = true;
  using frame = lnx::frame;

  // One thread calls everything, so there is nobody to lock out; the guard is that the traced thread is stopped.
  static constexpr void lock() noexcept {}
  static constexpr bool try_lock() noexcept { return true; }
  static constexpr void unlock() noexcept {}
  static constexpr bool traps_off() noexcept { return false; }
  static constexpr void traps_restore(bool) noexcept {}

  void run_on(const cpumask<MaxThreads>& mask, call f, void* argument) noexcept { this->with_stopped(mask, f, argument); }
  static constexpr bool may_watch(side, range r) noexcept { return r.last() < user_end; }
  static void step_past(const frame& f) noexcept { f.step_past(); }
};

}  // namespace bookend::lnx
