// SPDX-License-Identifier: MIT
// examples/kernel/kernel/run_queue.cpp — see run_queue.hpp; and how a thread's storage begins.
#include "run_queue.hpp"

#include "../machine/apic.hpp"
#include "../machine/image.hpp"
#include "scheduler.hpp"

extern "C" void begin_thread() noexcept;

namespace kernel {

constinit thread_queue run_queue;

namespace {
constexpr unsigned max_threads = 48;
constinit thread threads[max_threads] = {};  // without the braces g++ 12 loses the references inside
constexpr unsigned stack_bytes = 16384;
[[gnu::section(".bss.stacks")]] alignas(4096) char stacks[max_threads][stack_bytes];
}  // namespace

void thread_queue::wake_idle(const thread& t) const noexcept {
  for (unsigned c = 0; c < cpu_count; ++c) {
    if (!cpus[c].schedulable || cpus[c].current != cpus[c].idle || !t.allowed.test(c)) continue;
    send_interrupt(cpus[c].apic_id, vector_reschedule);
    return;
  }
}

void thread_queue::add(thread& t) noexcept {
  t.next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = &t;
  last_ = &t;
  wake_idle(t);
}

thread* thread_queue::take(unsigned cpu) noexcept {
  thread* before = nullptr;
  for (thread* t = first_; t != nullptr; before = t, t = t->next) {
    if (!t->allowed.test(cpu)) continue;
    (before == nullptr ? first_ : before->next) = t->next;
    if (last_ == t) last_ = before;
    return t;
  }
  return nullptr;
}

thread& thread_queue::new_one() noexcept {
  const bool were_on = save_interrupts();
  lock();
  thread* t = threads;
  while (t != threads + max_threads && t->state != thread_state::free) ++t;
  if (t == threads + max_threads) panic("no thread left");
  t->state = thread_state::waiting;
  unlock();
  restore_interrupts(were_on);
  t->owner = nullptr;
  t->joiner = nullptr;
  t->switches = 0;
  t->status = 0;
  t->cr3 = kernel_cr3();
  t->stack_end = address_of(stacks[t - threads] + stack_bytes);
  return *t;
}

void thread_queue::give_back(thread& t) noexcept {
  const bool were_on = save_interrupts();
  lock();
  t.state = thread_state::free;
  unlock();
  restore_interrupts(were_on);
}

thread* new_thread(const char* name, void (*f)(void*), void* argument, const cpu_mask& where) noexcept {
  thread& t = run_queue.new_one();
  t.name = name;
  t.run = f;
  t.argument = argument;
  t.allowed = where;
  // As switch_stacks() will find it: six registers, then where to return to.
  auto* top = reinterpret_cast<std::uint64_t*>(t.stack_end) - 7;
  for (unsigned i = 0; i < 6; ++i) top[i] = 0;
  top[6] = address_of(reinterpret_cast<const void*>(&begin_thread));
  t.saved_stack = address_of(top);
  return &t;
}

void make_ready(thread& t) noexcept {
  const bool were_on = save_interrupts();
  run_queue.lock();
  run_queue.wake(t);
  run_queue.unlock();
  restore_interrupts(were_on);
}

thread* start_thread(const char* name, void (*f)(void*), void* argument, const cpu_mask& where) noexcept {
  thread* t = new_thread(name, f, argument, where);
  make_ready(*t);
  return t;
}

void prepare_idle(cpu& c) noexcept {
  if (c.idle == nullptr) {
    c.idle = new_thread("idle", [](void*) { idle(); }, nullptr, cpu_mask::of(c.id));
    c.idle->state = thread_state::running;
  }
  c.current = c.idle;
  c.watches = &c.idle->watches;
  c.segments.tss.rsp[0] = c.idle->stack_end;
}

void start_scheduler() noexcept {
  cpu& c = here();
  prepare_idle(c);
  thread& t = run_queue.new_one();
  t.name = "main";
  t.state = thread_state::running;
  t.allowed = cpu_mask::all();
  t.stack_end = address_of(boot_stack_end);
  c.current = &t;
  c.watches = &t.watches;
  c.segments.tss.rsp[0] = t.stack_end;
  c.schedulable = true;
}

}  // namespace kernel
