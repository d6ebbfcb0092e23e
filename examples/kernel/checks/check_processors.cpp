// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_processors.cpp — CPUs that go and come back.
#include "../kernel/process.hpp"
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "../machine/apic.hpp"
#include "../user/programs.hpp"
#include "check.hpp"

namespace kernel {

namespace {

WATCHED volatile long counted_word;
constinit unsigned word_hits[max_cpus];
constinit slot_manager::kernel_breakpoint word_watch{"word", [](const slot_manager::hit& h) { ++word_hits[h.here.cpu()]; }};
void write_counted(void*, bookend::cpu_id) noexcept { counted_word = counted_word + 1; }
bool enough;
/// Takes and gives back the owner lock all the time, on the CPU that goes: often it will have it, or wait for it, just then.
constinit slot_manager::kernel_breakpoint own_watch{"own", [](const slot_manager::hit&) {}};
void register_until_enough(void*) {
  while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE)) {
    if (slots.register_breakpoint(own_watch, bookend::write_to(&counted_word), cpu_mask::all(), bookend::start::disabled)) return;
    if (slots.unregister_breakpoint(own_watch)) return;
  }
}
void set_flag(void* argument) { __atomic_store_n(static_cast<bool*>(argument), true, __ATOMIC_RELEASE); }

}  // namespace

void check_processors(const options&) noexcept {
  if (cpu_count == 1) return;
  const unsigned last = cpu_count - 1;
  pin(current(), cpu_mask::of(0));
  bool good = !slots.register_breakpoint(word_watch, bookend::write_to(&counted_word));
  bool waited = true, answered = true, user_good = true;
  thread* registrar = start_thread("registrar", register_until_enough, nullptr, cpu_mask::of(last));
  for (unsigned round = 0; round < 5; ++round) {
    thread* watcher = start_task("watcher", user::watches_two_words, 500);  // may be there when it goes
    take_offline(last);
    good = good && !slots.online().test(last) && !cpus_up().test(last);
    bool ran = false;
    thread* pinned = start_thread("pinned", set_flag, &ran, cpu_mask::of(last));
    (void)slots.disable(word_watch);
    (void)slots.enable(word_watch);  // in the absence of one CPU
    send_nmi(cpus[last].apic_id);
    run_on(cpus_up(), write_counted, nullptr);
    waited = waited && !__atomic_load_n(&ran, __ATOMIC_ACQUIRE);
    bring_online(last);
    join(pinned);
    waited = waited && ran;
    answered = answered && slots.online() == all_cpus() && cpus_up() == all_cpus();
    run_on(all_cpus(), write_counted, nullptr);
    user_good = join_task(watcher) == 0 && user_good;
  }
  __atomic_store_n(&enough, true, __ATOMIC_RELEASE);
  join(registrar);
  check(good, "a CPU is taken offline; what is registered for it keeps its slots");
  check(waited, "a thread that is pinned there waits until it is back");
  check(answered, "it comes back by INIT and STARTUP, and answers");
  check(word_hits[last] == 5 && word_hits[0] == 10, "its watches are back with it, and only then");
  check(user_good, "a task that was running there loses no hit");
  (void)slots.unregister_breakpoint(word_watch);
  pin(current(), cpu_mask::all());
}

}  // namespace kernel
