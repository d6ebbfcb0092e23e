// SPDX-License-Identifier: MIT
// examples/kernel/kernel/platform.hpp — what this kernel promises bookend. The file to copy first: each line is one ability, and
// says where it comes from. The contract is include/bookend/platform.hpp.
#pragma once
#include "../machine/frame.hpp"
#include "../machine/instructions.hpp"
#include "bookend.hpp"
#include "cross_call.hpp"
#include "deny_list.hpp"
#include "owner_lock.hpp"
#include "post.hpp"

namespace kernel {

/// CR4.DE is on, on every CPU (machine/cpu.cpp): I/O ports may be watched.
struct os_registers : bookend::x86::registers {
  static constexpr bool io_allowed = true;
};

struct os : bookend::x86::backend<os_registers> {
  using frame = trap_frame;
  static constexpr unsigned max_cpus = kernel::max_cpus;

  static bookend::cpu_id this_cpu() noexcept { return kernel::this_cpu(); }

  static void lock() noexcept { owner.lock(); }
  static bool try_lock() noexcept { return owner.try_lock(); }
  static void unlock() noexcept { owner.unlock(); }

  // Interrupts off hold back cross-calls, posts and the timer, and so the task switch and with it migration.
  static bool traps_off() noexcept { return save_interrupts(); }
  static void traps_restore(bool were_on) noexcept { restore_interrupts(were_on); }

  static void run_on(const cpu_mask& mask, bookend::call f, void* argument) noexcept { kernel::run_on(mask, f, argument); }
  static void post_on(const cpu_mask& mask) noexcept { kernel::post_on(mask); }

  static bool may_watch(bookend::side who, bookend::range bytes) noexcept {
    return !(who == bookend::side::user ? outside_user_space(bytes) : denied(bytes));
  }

  /// RF: the instruction runs once without its execution breakpoints, when IRET has loaded it.
  static void step_past(frame& f) noexcept { f.rflags |= bookend::x86::resume_flag; }

  /// Only this CPU asks, under its guard.
  template <class Task>
  static Task* current_task(bookend::cpu_id cpu) noexcept {
    return static_cast<Task*>(cpus[cpu].watches);
  }
  /// Where the task is current or is being switched in or out. The scheduler's side is watches_change() in scheduler.cpp.
  template <class Task>
  static cpu_mask cpus_of(const Task& task) noexcept {
    cpu_mask found;
    for (unsigned c = 0; c < max_cpus; ++c)
      if (__atomic_load_n(&cpus[c].watches, __ATOMIC_ACQUIRE) == &task ||
          __atomic_load_n(&cpus[c].leaving, __ATOMIC_ACQUIRE) == &task)
        found.set(c);
    return found;
  }
};

using slot_manager = bookend::slot_manager<os>;
extern slot_manager slots;

}  // namespace kernel
