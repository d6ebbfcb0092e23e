// SPDX-License-Identifier: MIT
// examples/kernel/kernel/scheduler.hpp — preemptive round robin: one run queue, a timer tick for a time slice.
#pragma once
#include "thread.hpp"

namespace kernel {

/// The code that runs now becomes CPU 0's first thread.
void start_scheduler() noexcept;
/// Puts the thread to sleep in this list, unless ready() is true when it is in it. Returns when it has been woken, perhaps for
/// nothing. Thread context, interrupts on.
template <class Ready>
void wait_for(thread*& list, Ready ready) noexcept {
  wait_unless(list, [](void* r) { return (*static_cast<Ready*>(r))(); }, &ready);
}
void wait_unless(thread*& list, bool (*ready)(void*), void* argument) noexcept;
/// Wakes all of the list. Not one: it may be pinned to a CPU that is away, and would keep the news to itself. Thread context.
void wake_all(thread*& list) noexcept;

/// Gives a CPU its idle thread (once) and makes it current.
void prepare_idle(cpu& c) noexcept;
[[noreturn]] void idle() noexcept;

/// A new thread of the kernel, which runs f(argument) with interrupts on, on a CPU of `where`. Thread context.
thread* start_thread(const char* name, void (*f)(void*), void* argument, const cpu_mask& where = cpu_mask::all()) noexcept;
/// The two halves of it, for who has something to fill in between.
thread* new_thread(const char* name, void (*f)(void*), void* argument, const cpu_mask& where) noexcept;
void make_ready(thread& t) noexcept;

/// Waits for its end and gives its storage back. Returns what it ended with. Once, by one thread.
std::int64_t join(thread* t) noexcept;
/// Ends the thread that calls it. Its watches are unregistered.
[[noreturn]] void exit_thread(std::int64_t status) noexcept;
/// Lets others run. Thread context; interrupts as they were.
void yield() noexcept;
/// From now on it runs only there; it may take a tick to leave. Where it is itself the caller, it has moved on return.
void pin(thread& t, const cpu_mask& where) noexcept;

/// The thread that runs this.
[[nodiscard]] thread& current() noexcept;
/// The next one's turn: from the timer, from who waits. Interrupts off; returns when it is this thread's turn again.
void schedule() noexcept;
/// Runs at each switch, on that CPU, when `next` has its watches and before it runs. Interrupts off. Null: nothing.
extern void (*on_switch)(const thread& prev, const thread& next) noexcept;
/// Opens or closes a CPU for threads; when it has returned false on, that CPU is idle. Thread context, not on that CPU.
void set_schedulable(cpu& c, bool yes) noexcept;

}  // namespace kernel
