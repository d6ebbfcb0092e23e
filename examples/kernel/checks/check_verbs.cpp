// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_verbs.cpp — every kind of watch, on masks of CPUs, and the verbs while all CPUs write.
#include "check.hpp"
#include "counting.hpp"

namespace kernel {

namespace {

using bookend::access;
using bookend::later;

WATCHED volatile long first_word, second_word, third_word;
constinit counting first{"first"}, second{"second"}, third{"third"}, fifth{"fifth"};

bookend::request data(volatile long& w, access on = access::write) noexcept {
  return {reinterpret_cast<std::uint64_t>(&w), sizeof w, on};
}
void forget(counting& c) noexcept {
  for (unsigned& n : c.hits) n = 0;
}
void load_and_store(void*, bookend::cpu_id) noexcept {
  const long seen = first_word;
  asm volatile("" : : "r"(seen) : "memory");
  first_word = 1;
}
void write_port(void*, bookend::cpu_id) noexcept { out8(0x80, 0); }
void write_first(void*, bookend::cpu_id) noexcept { first_word = 1; }
void write_second(void*, bookend::cpu_id) noexcept { second_word = 1; }
[[gnu::noinline]] void function() noexcept { asm volatile("" : : : "memory"); }
void call_function(void*, bookend::cpu_id) noexcept { function(); }

void check_kinds() noexcept {
  check(!slots.register_breakpoint(first, data(first_word, access::read_write)) &&
            (run_on(all_cpus(), load_and_store, nullptr), all_are(first.hits, 2)),
        "a watch for reading and writing: both trap, on each CPU");
  (void)slots.unregister_breakpoint(first);
  check(!slots.register_breakpoint(second, {0x80, 1, access::io}) &&
            (run_on(all_cpus(), write_port, nullptr), all_are(second.hits, 1)),
        "a watch of an I/O port, with CR4.DE: an OUT traps, on each CPU");
  (void)slots.unregister_breakpoint(second);
  check(slots.register_breakpoint(third, data(first_word, access::read)).why == bookend::reason::unsupported,
        "reading only is refused: x86 would report writes, too");
}

void check_masks() noexcept {
  const unsigned last = cpu_count - 1;
  const cpu_mask two = cpu_mask::of(last / 2, last);
  forget(first), forget(second);
  check(!slots.register_breakpoint(first, data(first_word), two), "a watch is granted on two CPUs");
  check(!slots.register_breakpoint(second, data(second_word)), "and another one on all");
  run_on(all_cpus(), write_first, nullptr);
  run_on(all_cpus(), write_second, nullptr);
  bool there_only = true, slots_differ = true;
  for (const unsigned c : all_cpus()) {
    there_only = there_only && first.on(c) == (two.test(c) ? 1u : 0u);
    slots_differ = slots_differ && second.on(c) == 1 && second.slot[c] == (two.test(c) ? 2u : 3u);
  }
  check(there_only, "it hits on those two and nowhere else");
  check(slots_differ, "the other one has slot 2 there and slot 3 elsewhere");
  (void)slots.unregister_breakpoint(first);
  run_on(all_cpus(), write_second, nullptr);
  check(second.on(last) == 2 && second.slot[last] == 2, "and stays where it is when the first has gone");
  (void)slots.unregister_breakpoint(second);
}

/// Execution: QEMU reports every slot of a function; of several data watches that one store hits, only the first.
unsigned told[4], tellings;
void note_order(const slot_manager::hit& h) { told[tellings++ % 4] = h.slot; }
void check_several() noexcept {
  constinit static counting several[4] = {counting{"a", note_order}, counting{"b", note_order}, counting{"c", note_order},
                                          counting{"d", note_order}};
  bool granted = true;
  for (auto& b : several) granted = granted && !slots.register_breakpoint(b, bookend::execution_of(function));
  const unsigned cpu = cpu_count - 1;
  run_on(cpu_mask::of(cpu), call_function, nullptr);
  bool once = granted && tellings == 4;
  for (auto& b : several) once = once && b.on(cpu) == 1;
  check(once && told[0] == 0 && told[1] == 1 && told[2] == 2 && told[3] == 3,
        "one instruction hits four breakpoints: each is told once, the lowest slot first");
  check(slots.register_breakpoint(fifth, data(first_word)).why == bookend::reason::no_slot, "a fifth is refused: no slot");
  (void)slots.disable(several[1]);
  check(slots.register_breakpoint(fifth, data(first_word)).why == bookend::reason::no_slot,
        "also while one of the four is disabled: it keeps its slot");
  run_on(cpu_mask::of(cpu), call_function, nullptr);
  check(several[1].on(cpu) == 1 && several[0].on(cpu) == 2, "and is silent, although QEMU reports it");
  for (auto& b : several) (void)slots.unregister_breakpoint(b);
}

/// What is not told any more: hits of a generation before this.
constinit std::uint32_t oldest_allowed;
constinit unsigned stale;
void look_for_stale(const slot_manager::hit& h) {
  if (later(__atomic_load_n(&oldest_allowed, __ATOMIC_ACQUIRE), h.generation)) __atomic_fetch_add(&stale, 1, __ATOMIC_RELAXED);
}
void write_both(unsigned) {
  first_word = 1;
  second_word = 1;
}

void check_under_fire() noexcept {
  constinit static counting moving{"moving", look_for_stale};
  check(!slots.register_breakpoint(moving, data(first_word)), "a watch while all CPUs write");
  const crowd writers(write_both);
  bool silent = true, again = true;
  for (unsigned round = 0; round < 20; ++round) {
    (void)slots.disable(moving);
    const unsigned at_once = moving.all();
    writers.another_turn();
    silent = silent && moving.all() == at_once;
    (void)slots.enable(moving);
    writers.another_turn();
    again = again && moving.all() >= at_once + cpu_count;
  }
  check(silent, "disabled everywhere, it is silent as soon as the verb returns");
  check(again, "enabled again, it hits on each CPU");

  for (unsigned round = 0; round < 200; ++round) {
    (void)!slots.modify(moving, data(round % 2 == 0 ? second_word : first_word));
    const auto shown = slots.snapshot(0);
    for (const auto& s : shown.slots)
      if (s.state == bookend::slot_state::kernel) __atomic_store_n(&oldest_allowed, s.generation, __ATOMIC_RELEASE);
  }
  writers.another_turn();
  check(stale == 0 && moving.all() > 0, "modified two hundred times: once the verb has returned, no hit of an older setting");

  const unsigned last = cpu_count - 1;
  const cpu_mask low = cpu_mask::of(0, last / 2), high = cpu_mask::of(last / 2, last);
  bool left = true;
  for (unsigned round = 0; round < 30; ++round) {
    const cpu_mask& to = round % 2 == 0 ? low : high;
    if (slots.move(moving, to)) left = false;
    unsigned before[max_cpus];
    for (const unsigned c : all_cpus()) before[c] = moving.on(c);
    writers.another_turn();
    for (const unsigned c : all_cpus()) left = left && (to.test(c) ? moving.on(c) > before[c] : moving.on(c) == before[c]);
  }
  check(left, "moved thirty times: it hits on the CPUs of the new mask, and on no other once the verb has returned");
  (void)slots.unregister_breakpoint(moving);
  const unsigned at_once = moving.all();
  writers.another_turn();
  check(moving.all() == at_once, "unregistered under fire: no handler runs after the verb has returned");
}

/// On one CPU, from its own interrupt context.
void disable_here(void* b, bookend::cpu_id) noexcept { (void)slots.here().disable(*static_cast<counting*>(b)); }
void enable_here(void* b, bookend::cpu_id) noexcept { (void)slots.here().enable(*static_cast<counting*>(b)); }
void check_here() noexcept {
  forget(first);
  (void)!slots.register_breakpoint(first, data(first_word));
  const unsigned cpu = cpu_count - 1;
  run_on(cpu_mask::of(cpu), disable_here, &first);
  run_on(all_cpus(), write_first, nullptr);
  bool elsewhere = true;
  for (const unsigned c : all_cpus()) elsewhere = elsewhere && first.on(c) == (c == cpu ? 0u : 1u);
  check(elsewhere, "disabled here, it is silent on this CPU and on no other");
  run_on(cpu_mask::of(cpu), enable_here, &first);
  run_on(cpu_mask::of(cpu), write_first, nullptr);
  check(first.on(cpu) == 1 && first.slot[cpu] == 3, "and has its slot when it is enabled here again");
  (void)slots.unregister_breakpoint(first);

  constinit static counting once{"once", [](const slot_manager::hit& h) { (void)h.here.disable(h.kernel()); }};
  (void)!slots.register_breakpoint(once, data(first_word));
  for (unsigned i = 0; i < 3; ++i) run_on(all_cpus(), write_first, nullptr);
  check(all_are(once.hits, 1), "a handler that disables itself is called once on each CPU");
  (void)slots.unregister_breakpoint(once);

  constinit static counting onward{"onward",
                                   [](const slot_manager::hit& h) { (void)!h.here.modify(h.kernel(), data(second_word)); }};
  (void)!slots.register_breakpoint(onward, data(first_word));
  for (unsigned i = 0; i < 3; ++i) run_on(all_cpus(), write_first, nullptr);
  run_on(all_cpus(), write_second, nullptr);
  check(all_are(onward.hits, 2), "a handler that re-aims itself is called for the first word once, then for the second");
  (void)slots.unregister_breakpoint(onward);
}

/// More registrations at a time than there are slots; a thread that is refused tries again.
constinit counting rivals[max_cpus + 2] = {counting{"0"}, counting{"1"}, counting{"2"}, counting{"3"}, counting{"4"},
                                           counting{"5"}, counting{"6"}, counting{"7"}, counting{"8"}, counting{"9"}};
constinit unsigned grants, refusals, strange;
void rival(void* argument) {
  auto& mine = *static_cast<counting*>(argument);
  for (unsigned i = 0; i < 100;) {
    const auto no = slots.register_breakpoint(mine, data(third_word));
    if (no) {
      __atomic_fetch_add(no.why == bookend::reason::no_slot && no.kernel_held == 4 ? &refusals : &strange, 1, __ATOMIC_RELAXED);
      yield();
      continue;
    }
    __atomic_fetch_add(&grants, 1, __ATOMIC_RELAXED);
    if (i % 16 == 0) yield();
    if (slots.unregister_breakpoint(mine)) __atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED);
    ++i;
  }
}
void check_rivals() noexcept {
  thread* threads[max_cpus + 2];
  const unsigned n = cpu_count + 2;
  for (unsigned i = 0; i < n; ++i)
    threads[i] = start_thread("rival", rival, &rivals[i], i < cpu_count ? cpu_mask::of(i) : all_cpus());
  for (unsigned i = 0; i < n; ++i) join(threads[i]);
  check(grants == 100 * n && strange == 0, "registered from all CPUs at once by more than fit: granted, or refused with no slot");
  bool free = true;
  for (unsigned i = 0; i < 4; ++i) free = free && !slots.register_breakpoint(rivals[i], data(third_word));
  for (unsigned i = 0; i < 4; ++i) (void)slots.unregister_breakpoint(rivals[i]);
  check(free, "and all four slots are free on every CPU afterwards");
}

}  // namespace

void check_verbs(const options&) noexcept {
  check_kinds();
  check_masks();
  check_several();
  check_here();
  check_under_fire();
  check_rivals();
}

}  // namespace kernel
