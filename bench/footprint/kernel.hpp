// SPDX-License-Identifier: MIT
// bench/footprint/kernel.hpp — a ring-0 x86-64 kernel around a manager, as far as its compiler sees it: what a kernel has as
// instructions is inline here, what it has as functions is declared only.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/native.hpp>
#ifdef BY_PRIORITY
#include <bookend/by_priority.hpp>
#endif

struct trap_frame {
  std::uint64_t rip, cs, rflags, rsp, ss;
};

struct os : bookend::native_backend {
  using frame = trap_frame;
  static constexpr unsigned max_cpus = 64;
  using mask = bookend::cpumask<max_cpus>;

  static bookend::cpu_id this_cpu() noexcept {
    bookend::cpu_id cpu;
    asm("movl %%gs:8, %0" : "=r"(cpu));
    return cpu;
  }
  template <class Task>
  static Task* current_task(bookend::cpu_id) noexcept {
    Task* task;
    asm volatile("movq %%gs:16, %0" : "=r"(task));
    return task;
  }
  static unsigned long traps_off() noexcept {
    unsigned long flags;
    asm volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
  }
  static void traps_restore(unsigned long flags) noexcept { asm volatile("pushq %0\n\tpopfq" : : "r"(flags) : "memory", "cc"); }
  static void step_past(frame& f) noexcept { f.rflags |= bookend::x86::resume_flag; }

  static void lock() noexcept;
  static void unlock() noexcept;
  static void run_on(const mask& cpus, bookend::call f, void* argument) noexcept;
#ifndef FEW
  static void post_on(const mask& cpus) noexcept;
#endif
  static mask cpus_of(const bookend::task<os>& task) noexcept;
  static bool may_watch(bookend::side who, bookend::range bytes) noexcept;
};

#ifdef BY_PRIORITY
using slot_manager = bookend::by_priority<os>;
#else
using slot_manager = bookend::slot_manager<os>;
#endif
using kernel_breakpoint = slot_manager::kernel_breakpoint;
using user_breakpoint = slot_manager::user_breakpoint;
using task = slot_manager::task;
using ticket = bookend::result<bookend::ticket<os>>;
using bookend::cpu_id, bookend::refusal, bookend::request;

extern slot_manager slots;
