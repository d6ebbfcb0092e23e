// SPDX-License-Identifier: MIT
// examples/kernel/kernel/cross_call.cpp — see cross_call.hpp. A call lies on its caller's stack, with one node for each CPU that
// it is to reach; each CPU has a list of nodes that others push to and that it takes whole.
#include "cross_call.hpp"

#include "../machine/apic.hpp"
#include "../machine/frame.hpp"
#include "../machine/instructions.hpp"

namespace kernel {

namespace {
struct cross_call {
  bookend::call run;
  void* argument;
  unsigned running;  ///< CPUs that have not finished
  unsigned caller;   ///< the CPU to wake when all have
};

/// The call may be gone behind this line, with its nodes.
void finished_here(cross_call& call) noexcept {
  const unsigned caller = call.caller;
  if (__atomic_sub_fetch(&call.running, 1, __ATOMIC_RELEASE) == 0 && caller != this_cpu())
    send_interrupt(cpus[caller].apic_id, vector_call);
}
}  // namespace

struct call_node {
  call_node* next;
  cross_call* call;
};

void run_on(const cpu_mask& mask, bookend::call f, void* argument) noexcept {
  if (!interrupts_are_on()) panic("a cross-call with interrupts off: two of them would wait for each other");
  cross_call call{f, argument, mask.count(), 0};
  call_node nodes[max_cpus];

  interrupts_off();  // from here this CPU stays the same
  const unsigned me = this_cpu();
  call.caller = me;
  for (const unsigned c : mask) {
    if (c == me) continue;
    nodes[c].call = &call;
    nodes[c].next = __atomic_load_n(&cpus[c].calls, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&cpus[c].calls, &nodes[c].next, &nodes[c], true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
    send_interrupt(cpus[c].apic_id, vector_call);
  }
  if (mask.test(me)) {
    f(argument, me);
    finished_here(call);
  }
  // Asleep, not spinning: the CPUs of a virtual machine have to share, too. Interrupts go on and the CPU to sleep in one step, so
  // that the last answer is not missed. Whoever is moved meanwhile wakes with the next tick at the latest.
  while (__atomic_load_n(&call.running, __ATOMIC_ACQUIRE) != 0) {
    wait_for_interrupt();
    interrupts_off();
  }
  interrupts_on();
}

void serve_calls() noexcept {
  call_node* taken = __atomic_exchange_n(&here().calls, nullptr, __ATOMIC_ACQUIRE);
  call_node* oldest_first = nullptr;
  while (taken != nullptr) {
    call_node* const next = taken->next;
    taken->next = oldest_first;
    oldest_first = taken;
    taken = next;
  }
  while (oldest_first != nullptr) {
    call_node* const next = oldest_first->next;
    cross_call& call = *oldest_first->call;
    call.run(call.argument, this_cpu());
    ++here().count.calls;
    finished_here(call);
    oldest_first = next;
  }
}

}  // namespace kernel
