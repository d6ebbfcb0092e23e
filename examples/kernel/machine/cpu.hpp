// SPDX-License-Identifier: MIT
// examples/kernel/machine/cpu.hpp — what each CPU has for itself, found by GS. Nobody may watch any of it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "segments.hpp"

namespace kernel {

inline constexpr unsigned max_cpus = 8;

struct thread;
struct call_node;

struct alignas(4096) cpu {
  cpu* self;  // first: gs:0
  unsigned id;
  std::uint32_t apic_id;
  thread* current;
  thread* idle;

  // What the platform tells bookend about the scheduler (kernel/platform.hpp): the watches of the current thread, and of the one
  // that is just being switched out.
  void* watches;
  void* leaving;

  call_node* calls;   ///< cross-calls that wait for this CPU; others push, it takes all
  bool post_pending;  ///< somebody wants this CPU's debug registers synced
  bool up;            ///< it answers cross-calls
  bool schedulable;   ///< the scheduler may give it threads
  bool park;          ///< its idle thread is to stop it
  bool parked;        ///< it has stopped: nothing but NMI and INIT reaches it

  struct {
    std::uint64_t ticks, calls, posts, syncs, nmis, spurious;
    std::uint64_t steps, general_detects, unknown_debug_traps;
    std::uint64_t preempted;  ///< times a ring-3 task lost this CPU to another thread by a tick
  } count;

  segment_tables segments;
  alignas(16) char own_stack[own_stacks][4096];
};
static_assert(offsetof(cpu, self) == 0 && offsetof(cpu, id) == 8, "this_cpu() and here() know");

extern cpu cpus[max_cpus];
extern unsigned cpu_count;  ///< how many the machine has, up to max_cpus

/// The CPU that runs this. The answer is of use only while the caller cannot be moved: interrupts off, or a pinned thread.
/// volatile: a caller that has been moved must not be given the number that it had.
inline unsigned this_cpu() noexcept {
  unsigned id;
  asm volatile("movl %%gs:8, %0" : "=r"(id));
  return id;
}
inline cpu& here() noexcept {
  cpu* self;
  asm volatile("movq %%gs:0, %0" : "=r"(self));
  return *self;
}

/// Makes the CPU that runs this number `id`: segments, interrupt table, GS. Interrupts off.
void become_cpu(unsigned id) noexcept;

}  // namespace kernel
