// SPDX-License-Identifier: MIT
// examples/kernel/kernel/processors.cpp — see processors.hpp. The order is that nothing which may have watches runs on a CPU
// whose registers are not bookend's, and that a CPU answers cross-calls whenever bookend may send it one.
#include "processors.hpp"

#include "../machine/apic.hpp"
#include "../machine/frame.hpp"
#include "../machine/image.hpp"
#include "../machine/instructions.hpp"
#include "../machine/paging.hpp"
#include "../machine/serial.hpp"
#include "platform.hpp"
#include "scheduler.hpp"

namespace kernel {

void start_first_cpu() noexcept {
  silence_old_controllers();
  start_apic();
  cpus[0].apic_id = own_apic_id();
  cpus[0].up = true;
}

cpu_mask cpus_up() noexcept {
  cpu_mask up;
  for (unsigned c = 0; c < cpu_count; ++c)
    if (__atomic_load_n(&cpus[c].up, __ATOMIC_ACQUIRE)) up.set(c);
  return up;
}
cpu_mask all_cpus() noexcept {
  cpu_mask all;
  for (unsigned c = 0; c < cpu_count; ++c) all.set(c);
  return all;
}

namespace {

/// About a microsecond each on a real machine.
void wait_port_writes(unsigned count) noexcept {
  while (count-- != 0) out8(0x80, 0);
}

std::uint64_t& in_trampoline(const char* name) noexcept {
  return *at_physical<std::uint64_t>(TRAMPOLINE + (address_of(name) - address_of(trampoline)));
}

/// INIT, STARTUP, STARTUP, and then it does what start_secondary() says. Intel SDM vol. 3, "MP Initialization Protocol
/// Algorithm".
void start_processor(cpu& c) noexcept {
  __builtin_memcpy(at_physical<void>(TRAMPOLINE), trampoline, address_of(trampoline_end) - address_of(trampoline));
  in_trampoline(trampoline_stack) = c.idle->stack_end;
  in_trampoline(trampoline_argument) = address_of(&c);
  send_init(c.apic_id);
  wait_port_writes(10'000);
  for (unsigned i = 0; i < 2 && !__atomic_load_n(&c.up, __ATOMIC_ACQUIRE); ++i) {
    send_startup(c.apic_id, TRAMPOLINE);
    wait_port_writes(200);
  }
  while (!__atomic_load_n(&c.up, __ATOMIC_ACQUIRE)) pause();
}

/// Its registers become bookend's while it has only its idle thread, which watches nothing; then threads may come.
void join_in(cpu& c) noexcept {
  if (slots.cpu_online(c.id)) panic("a CPU could not be brought online");
  set_schedulable(c, true);
}

}  // namespace

extern "C" void start_secondary(cpu* c) noexcept {
  load_kernel_pages();
  become_cpu(c->id);
  start_apic();
  start_timer();
  __atomic_store_n(&c->up, true, __ATOMIC_RELEASE);
  idle();
}

void start_other_cpus() noexcept {
  join_in(cpus[0]);
  for (unsigned i = 1; i < cpu_count; ++i) {
    cpu& c = cpus[i];
    c.id = i;
    prepare_idle(c);
    start_processor(c);
    join_in(c);
  }
}

void take_offline(unsigned cpu) noexcept {
  auto& c = cpus[cpu];
  // Under the owner lock: else a thread that is pinned there might have it when it has to go, and keep it until it is back.
  owner.lock();
  set_schedulable(c, false);  // a task's watches leave with it, at its switch to the idle thread
  owner.unlock();
  (void)slots.cpu_offline(cpu);
  // From here bookend does not call it, so it may stop answering.
  __atomic_store_n(&c.up, false, __ATOMIC_RELEASE);
  __atomic_store_n(&c.park, true, __ATOMIC_RELEASE);
  send_interrupt(c.apic_id, vector_reschedule);
  while (!__atomic_load_n(&c.parked, __ATOMIC_ACQUIRE)) yield();
}

void bring_online(unsigned cpu) noexcept {
  auto& c = cpus[cpu];
  c.park = c.parked = false;
  c.post_pending = false;  // INIT has taken the interrupt with it
  prepare_idle(c);
  start_processor(c);
  join_in(c);
}

}  // namespace kernel
