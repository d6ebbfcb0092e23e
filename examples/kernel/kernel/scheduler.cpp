// SPDX-License-Identifier: MIT
// examples/kernel/kernel/scheduler.cpp — see scheduler.hpp. The run queue's lock is taken by the thread that leaves and released
// by the one that comes: nobody picks up a thread before its registers are saved.
#include "scheduler.hpp"

#include "../machine/apic.hpp"
#include "../machine/instructions.hpp"
#include "run_queue.hpp"

extern "C" void switch_stacks(std::uint64_t* save, std::uint64_t load) noexcept;

namespace kernel {

void (*on_switch)(const thread& prev, const thread& next) noexcept;

thread& current() noexcept {
  const bool were_on = save_interrupts();
  thread& t = *here().current;
  restore_interrupts(were_on);
  return t;
}

namespace {

/// The context switch as bookend sees it. cpus_of() must find a task wherever it is current or on its way in or out: so the one
/// that leaves is named before it stops being current, and between the store of the next and the loads in switch_to() there is
/// a full barrier (the exchange). Interrupts off.
void watches_change(cpu& c, thread& prev, thread& next) noexcept {
  __atomic_store_n(&c.leaving, &prev.watches, __ATOMIC_RELAXED);
  (void)__atomic_exchange_n(&c.watches, static_cast<void*>(&next.watches), __ATOMIC_SEQ_CST);
  slots.here().switch_to(prev.watches, next.watches);
  __atomic_store_n(&c.leaving, nullptr, __ATOMIC_RELEASE);
}

void switch_threads(cpu& c, thread& prev, thread& next) noexcept {
  watches_change(c, prev, next);
  if (auto* const f = __atomic_load_n(&on_switch, __ATOMIC_ACQUIRE); f != nullptr) f(prev, next);
  c.current = &next;
  next.state = thread_state::running;
  ++next.switches;
  c.segments.tss.rsp[0] = next.stack_end;
  if (prev.cr3 != next.cr3) write_cr3(next.cr3);
  switch_stacks(&prev.saved_stack, next.saved_stack);
}

bool may_run_here(const cpu& c, const thread& t) noexcept { return &t == c.idle || (c.schedulable && t.allowed.test(c.id)); }

/// Run queue locked. `prev` has its next state already, unless it would go on running.
void schedule_locked() noexcept {
  cpu& c = here();
  thread& prev = *c.current;
  const bool could_stay = prev.state == thread_state::running && may_run_here(c, prev);
  thread* next = c.schedulable ? run_queue.take(c.id) : nullptr;
  if (next == nullptr && could_stay) return;
  if (next == nullptr) next = c.idle;

  if (&prev != c.idle && prev.state == thread_state::running) {
    prev.state = thread_state::ready;
    run_queue.add(prev);
  } else if (prev.state == thread_state::ending) {
    // Its joiner sees it with the lock held, and so not before we have left its stack.
    prev.state = thread_state::finished;
    if (prev.joiner != nullptr) run_queue.wake(*prev.joiner);
  }
  switch_threads(c, prev, *next);
}

}  // namespace

void schedule() noexcept {
  run_queue.lock();
  schedule_locked();
  run_queue.unlock();
}

void yield() noexcept {
  const bool were_on = save_interrupts();
  schedule();
  restore_interrupts(were_on);
  pause();
}

extern "C" void thread_begins() noexcept {
  run_queue.unlock();
  interrupts_on();
  thread& t = current();
  t.run(t.argument);
  exit_thread(0);
}

void exit_thread(std::int64_t status) noexcept {
  thread& t = current();
  t.registers.reset();
  slots.on_exit(t.watches);
  interrupts_off();
  run_queue.lock();
  t.status = status;
  t.state = thread_state::ending;
  schedule_locked();
  panic("a thread that has ended goes on");
}

std::int64_t join(thread* t) noexcept {
  interrupts_off();
  run_queue.lock();
  if (t->state != thread_state::finished) {
    thread& me = *here().current;
    t->joiner = &me;
    me.state = thread_state::waiting;
    schedule_locked();
  }
  run_queue.unlock();
  interrupts_on();
  const std::int64_t status = t->status;
  run_queue.give_back(*t);
  return status;
}

void wait_unless(thread*& list, bool (*ready)(void*), void* argument) noexcept {
  interrupts_off();
  run_queue.lock();
  thread& me = *here().current;
  me.next = list;
  __atomic_store_n(&list, &me, __ATOMIC_SEQ_CST);
  if (ready(argument)) {
    list = me.next;
  } else {
    me.state = thread_state::waiting;
    schedule_locked();
  }
  run_queue.unlock();
  interrupts_on();
}
void wake_all(thread*& list) noexcept {
  const bool were_on = save_interrupts();
  run_queue.lock();
  while (list != nullptr) {
    thread& t = *list;
    list = t.next;
    run_queue.wake(t);
  }
  run_queue.unlock();
  restore_interrupts(were_on);
}

void pin(thread& t, const cpu_mask& where) noexcept {
  interrupts_off();
  run_queue.lock();
  t.allowed = where;
  for (unsigned c = 0; c < cpu_count; ++c)
    if (cpus[c].current == &t && !where.test(c) && c != this_cpu()) send_interrupt(cpus[c].apic_id, vector_reschedule);
  run_queue.wake_idle(t);
  schedule_locked();
  run_queue.unlock();
  interrupts_on();
}

void set_schedulable(cpu& c, bool yes) noexcept {
  interrupts_off();
  run_queue.lock();
  c.schedulable = yes;
  run_queue.unlock();
  interrupts_on();
  send_interrupt(c.apic_id, vector_reschedule);
  while (!yes && __atomic_load_n(&c.current, __ATOMIC_ACQUIRE) != c.idle) yield();
}

void idle() noexcept {
  cpu& c = here();
  while (!__atomic_load_n(&c.park, __ATOMIC_ACQUIRE)) wait_for_interrupt();
  interrupts_off();
  stop_timer();
  __atomic_store_n(&c.parked, true, __ATOMIC_RELEASE);
  halt_forever();  // an NMI is served and comes back here; INIT begins anew
}

}  // namespace kernel
