// SPDX-License-Identifier: MIT
// examples/kernel/kernel/thread.hpp — what the kernel runs: its own threads, and ring-3 tasks, which are threads with a process.
#pragma once
#include "../machine/paging.hpp"
#include "platform.hpp"

namespace kernel {

inline constexpr unsigned max_user_watches = 8;

/// The ring-3 half of a task.
struct process {
  address_space space;
  std::uint64_t handler = 0;                  ///< where it wants to be told of hits; 0: nowhere
  std::uint64_t pending = 0;                  ///< bit i: its watch i hit, and it has not been told. Traps set bits at any time
  std::uint64_t hits[max_user_watches] = {};  ///< by its own index
  std::uint64_t steps = 0;                    ///< single steps
  std::uint64_t upcalls = 0;
  slot_manager::user_breakpoint watches[max_user_watches];
};

enum class thread_state : std::uint8_t { free, ready, running, waiting, ending, finished };

/// No destructor, no constructor at run time: threads are taken from an array.
struct thread {
  slot_manager::task watches;
  bookend::x86::virtual_registers<os> registers{slots, watches};  ///< DR0 to DR7 as ring 3 sees them

  const char* name = "";
  void (*run)(void*) = nullptr;
  void* argument = nullptr;
  process* owner = nullptr;  ///< null for the kernel's own

  // Under the run queue's lock.
  thread_state state = thread_state::free;
  cpu_mask allowed;
  thread* next = nullptr;    ///< in the run queue
  thread* joiner = nullptr;  ///< waits for the end of this one

  std::uint64_t saved_stack = 0;  ///< while it does not run
  std::uint64_t stack_end = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t switches = 0;  ///< how often it was switched in
  std::int64_t status = 0;     ///< what it ended with
};

}  // namespace kernel
