// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_posted.cpp — verbs without waiting: from #DB handlers, interrupts, NMI and threads of all CPUs.
#include "../kernel/traps.hpp"
#include "../machine/apic.hpp"
#include "check.hpp"
#include "counting.hpp"

namespace kernel {

namespace {

using bookend::later;
using bookend::reason;

WATCHED volatile long words[4];
bookend::request word(unsigned i) noexcept { return bookend::write_to(&words[i % 4]); }
void write_all(unsigned) {
  for (auto& w : words) w = 1;
}
void write_word(void* i, bookend::cpu_id) noexcept { words[reinterpret_cast<std::uintptr_t>(i)] = 1; }
void write_on_all(unsigned i) noexcept { run_on(cpus_up(), write_word, reinterpret_cast<void*>(std::uintptr_t{i})); }

/// A watch that is re-aimed by posts. No hit may be older than what was settled when it was told.
constinit std::uint32_t settled_generation;
constinit unsigned stale;
void look_for_stale(const slot_manager::hit& h) {
  if (later(__atomic_load_n(&settled_generation, __ATOMIC_ACQUIRE), h.generation))
    __atomic_fetch_add(&stale, 1, __ATOMIC_RELAXED);
}
constinit counting follower{"follower", look_for_stale};

constinit unsigned posts, blocked, refused;
template <class Ticket>
void tally(const Ticket& t) noexcept {
  unsigned& n = t ? posts : t.why() == reason::would_block ? blocked : refused;
  __atomic_fetch_add(&n, 1, __ATOMIC_RELAXED);
}
/// Waits until a post is settled. Later ones may be on their way.
bool settle(const slot_manager::ticket& t) noexcept {
  for (unsigned i = 0; slots.wait(t, 1000); ++i) {
    if (i == 100'000) return false;
    yield();
  }
  return true;
}
/// The same for a modify, and says so to the handlers.
bool settle_aim(const slot_manager::ticket& t) noexcept {
  if (!settle(t)) return false;
  const std::uint32_t now = __atomic_load_n(&settled_generation, __ATOMIC_RELAXED);
  if (later(t.generation, now)) __atomic_store_n(&settled_generation, t.generation, __ATOMIC_RELEASE);
  return true;
}

void check_from_a_thread() noexcept {
  (void)!slots.register_breakpoint(follower, word(0));
  const crowd writers(write_all);
  bool good = true;
  for (unsigned round = 1; round <= 1000; ++round) {
    const auto t = slots.post().modify(follower, word(round));
    good = good && t && settle_aim(t.value());
  }
  check(good && stale == 0, "re-aimed by a thousand posts while all CPUs write: each settles, and no hit is older than what is");
  const unsigned before = follower.all();
  writers.another_turn();
  check(follower.all() > before, "and it hits");
  const auto off = slots.post().disable(follower);
  good = off && settle(off.value());
  const unsigned at_once = follower.all();
  writers.another_turn();
  check(good && follower.all() == at_once, "disabled by a post: silent when it is settled");
  const auto aimed = slots.post().modify(follower, word(1)), on = slots.post().enable(follower);
  good = aimed && on && settle(on.value()) && slots.settled(aimed.value());
  check(good, "a later post settles the earlier ones, too");
}

/// A handler that acts on all CPUs.
slot_manager::ticket last_post;
constinit counting alarm_watch{"alarm", [](const slot_manager::hit&) {
                                 const auto t = slots.post().disable(follower);
                                 tally(t);
                                 if (t) last_post = t.value();
                               }};
void check_from_a_handler() noexcept {
  bool good = !slots.register_breakpoint(alarm_watch, word(3)) && !slots.modify(follower, word(0));
  bool silent = true, loud = true;
  for (unsigned i = 0; i < 100; ++i) {
    const unsigned before = follower.all();
    write_on_all(0);
    loud = loud && follower.all() == before + cpu_count;
    run_on(cpu_mask::of(i % cpu_count), write_word, reinterpret_cast<void*>(std::uintptr_t{3}));
    good = good && settle(last_post);
    write_on_all(0);
    silent = silent && follower.all() == before + cpu_count;
    good = good && !slots.enable(follower);
  }
  (void)slots.unregister_breakpoint(alarm_watch);
  check(good && loud && silent, "a handler silences another breakpoint on all CPUs: it is silent when that is settled");
}

/// Whoever comes by: all CPUs' #DB handlers, timer ticks and NMIs, and a thread that settles what it posts.
constinit counting trigger{"trigger",
                           [](const slot_manager::hit& h) { tally(slots.post().modify(follower, word(h.here.cpu()))); }};
[[gnu::noinline]] void triggers() noexcept { asm volatile("" : : : "memory"); }
void write_and_trigger(unsigned cpu) {
  write_all(cpu);
  triggers();
}
void post_at_tick() noexcept {
  const unsigned roll = static_cast<unsigned>(here().count.ticks % 4);
  tally(roll == 0   ? slots.post().disable(follower)
        : roll == 1 ? slots.post().enable(follower)
                    : slots.post().modify(follower, word(roll)));
}
void post_at_nmi(trap_frame&) noexcept { tally(slots.post().modify(follower, word(3))); }

void check_from_everywhere() noexcept {
  (void)!slots.register_breakpoint(trigger, bookend::execution_of(triggers));
  posts = blocked = 0;
  on_tick = post_at_tick;
  on_nmi = post_at_nmi;
  bool good = true;
  unsigned settled = 0, everywhere = 0;
  {
    const crowd writers(write_and_trigger);
    for (unsigned round = 0; round < 400; ++round) {
      if (const auto t = slots.post().modify(follower, word(round)); t && (++settled, !settle_aim(t.value()))) good = false;
      if (round % 10 == 0 && !slots.modify(follower, word(round))) ++everywhere;
      if (round % 10 == 5 && !slots.enable(follower)) ++everywhere;
      if (cpu_count > 1 && round % 16 == 0) send_nmi(cpus[round / 16 % cpu_count].apic_id);
    }
  }
  on_tick = nullptr;
  on_nmi = nullptr;
  check(posts > 100 && settled > 10 && refused == 0,
        "posts from #DB handlers, timer ticks, NMIs and threads of all CPUs at once");
  check(good && everywhere == 80, "all that are asked for settle, and everywhere verbs in between are granted");
  check(stale == 0, "no hit is older than what was settled when it was told");
  const auto last = slots.post().modify(follower, word(2));
  const auto on = slots.post().enable(follower);
  good = last && on && settle(on.value());
  unsigned before[max_cpus], after = 0;
  for (const unsigned c : all_cpus()) before[c] = follower.on(c);
  for (unsigned i = 0; i < 4; ++i) write_on_all(i);
  for (const unsigned c : all_cpus()) after += follower.on(c) == before[c] + 1;
  check(good && after == cpu_count, "in the end all CPUs have the last one, and only that");
  (void)slots.unregister_breakpoint(trigger);
}

/// Unregisters itself in its handler, by whichever CPU hits first; the thread waits until its storage is free and starts again.
constinit counting leaves{"leaves", [](const slot_manager::hit& h) { tally(slots.post().unregister_breakpoint(h.kernel())); }};
void check_leaving() noexcept {
  const crowd writers(write_all);
  bool good = true;
  for (unsigned round = 0; round < 100; ++round) {
    if (slots.register_breakpoint(leaves, word(round))) good = false;
    for (unsigned i = 0; !leaves.idle(); ++i) {
      if (i == 1'000'000) panic("a breakpoint that left is never idle");
      slots.reap();
      yield();
    }
    const unsigned at_once = leaves.all();
    if (round % 50 == 0) writers.another_turn();
    good = good && leaves.all() == at_once;
  }
  check(good && leaves.all() >= 100, "a handler that unregisters itself: reaped, silent, and registered again a hundred times");
  // Its slot is there for the next one without anybody having reaped.
  (void)!slots.register_breakpoint(leaves, word(0));
  while (slots.post().unregister_breakpoint(leaves).why() == reason::would_block) yield();  // or its handler was first
  constinit static counting fill[3] = {counting{"a"}, counting{"b"}, counting{"c"}};
  bool granted = true;
  for (auto& b : fill) granted = granted && !slots.register_breakpoint(b, word(1));
  check(granted && leaves.idle(), "registering reaps before it refuses");
  for (auto& b : fill) (void)slots.unregister_breakpoint(b);
}

void check_absent() noexcept {
  if (cpu_count == 1) return;
  const unsigned gone = cpu_count - 1;
  pin(current(), cpu_mask::of(0));
  bool settled = true, only_new = true;
  for (unsigned round = 0; round < 3; ++round) {
    (void)!slots.modify(follower, word(0));
    take_offline(gone);
    const auto t = slots.post().modify(follower, word(1));
    settled = settled && t && settle_aim(t.value());
    const unsigned before = follower.on(gone);
    bring_online(gone);
    write_on_all(0);
    only_new = only_new && follower.on(gone) == before;
    write_on_all(1);
    only_new = only_new && follower.on(gone) == before + 1;
  }
  pin(current(), cpu_mask::all());
  check(settled, "a post settles without a CPU that is offline");
  check(only_new, "which has the new setting when it is back, and never the old one");
  check(stale == 0, "and still no hit was older than what was settled");
}

}  // namespace

void check_posted(const options&) noexcept {
  check_from_a_thread();
  check_from_a_handler();
  check_from_everywhere();
  check_leaving();
  check_absent();
  (void)slots.unregister_breakpoint(follower);
}

}  // namespace kernel
