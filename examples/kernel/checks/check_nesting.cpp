// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_nesting.cpp — traps inside traps: NMI anywhere, INT1 in a handler, a breakpoint in a handler's
// code.
#include "../kernel/process.hpp"
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../kernel/traps.hpp"
#include "../machine/apic.hpp"
#include "../user/programs.hpp"
#include "check.hpp"

namespace kernel {

namespace {

WATCHED volatile long outer_word;
constinit unsigned outer_hits, inner_hits, inner_calls;

[[gnu::noinline]] void used_by_the_handler() noexcept { __atomic_fetch_add(&inner_calls, 1, __ATOMIC_RELAXED); }

constinit slot_manager::kernel_breakpoint outer{"outer", [](const slot_manager::hit&) {
                                                  __atomic_fetch_add(&outer_hits, 1, __ATOMIC_RELAXED);
                                                  used_by_the_handler();
                                                  asm volatile("int $1");
                                                }};
constinit slot_manager::kernel_breakpoint inner{
    "inner", [](const slot_manager::hit&) { __atomic_fetch_add(&inner_hits, 1, __ATOMIC_RELAXED); }};

constexpr unsigned rounds = 2000;
void write_often(void*) {
  for (unsigned i = 0; i < rounds; ++i) outer_word = i;
}

/// All but the caller's CPU are shot at by NMI, until told to stop.
bool stop;
void shoot(void*) {
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    for (const unsigned c : cpus_up())
      if (c != 0) send_nmi(cpus[c].apic_id);
    yield();
  }
}
void post_from_nmi(trap_frame&) noexcept { post_on(cpu_mask::of(this_cpu())); }

std::uint64_t total_unknown() noexcept {
  std::uint64_t n = 0;
  for (const cpu& c : cpus) n += c.count.unknown_debug_traps;
  return n;
}

}  // namespace

void check_nesting(const options&) noexcept {
  const std::uint64_t unknown_before = total_unknown();
  const bool granted = !slots.register_breakpoint(outer, bookend::write_to(&outer_word)) &&
                       !slots.register_breakpoint(inner, bookend::execution_of(used_by_the_handler));
  check(granted, "a watch, and a breakpoint inside the code that its handler calls");
  thread* threads[max_cpus];
  for (const unsigned c : all_cpus()) threads[c] = start_thread("writer", write_often, nullptr, cpu_mask::of(c));
  for (const unsigned c : all_cpus()) join(threads[c]);
  check(outer_hits == rounds * cpu_count && inner_calls == outer_hits, "each write is handled once");
  check(inner_hits == 0, "the breakpoint inside is silent while the handler runs");
  check(total_unknown() - unknown_before == outer_hits,
        "INT1 in a handler is a trap of its own, for the kernel's other users of #DB");
  used_by_the_handler();
  check(inner_hits == 1, "and is there again when it has returned");

  if (cpu_count > 1) {
    const unsigned hits_before = outer_hits;
    std::uint64_t nmis_before = 0, nmis = 0;
    for (const cpu& c : cpus) nmis_before += c.count.nmis;
    on_nmi = post_from_nmi;
    thread* shooter = start_thread("shooter", shoot, nullptr, cpu_mask::of(0));
    for (const unsigned c : all_cpus()) threads[c] = start_thread("writer", write_often, nullptr, cpu_mask::of(c));
    thread* watcher = start_task("watcher", user::watches_two_words, 2000);
    const bool user_good = join_task(watcher) == 0;
    for (const unsigned c : all_cpus()) join(threads[c]);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    join(shooter);
    on_nmi = nullptr;
    for (const cpu& c : cpus) nmis += c.count.nmis;
    check(nmis > nmis_before && outer_hits - hits_before == rounds * cpu_count && user_good,
          "NMIs between any two instructions lose no hit, of the kernel's or of a task's");
  }
  (void)slots.unregister_breakpoint(outer);
  (void)slots.unregister_breakpoint(inner);
}

}  // namespace kernel
