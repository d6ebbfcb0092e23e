// SPDX-License-Identifier: MIT
// examples/kernel/checks/endurance.cpp — random verbs from all CPUs while all CPUs write, trap, switch tasks and call each other.
//   endurance seconds=60 seed=1
// Exact: whoever writes a word has interrupts off, so that its CPU's debug registers stay as they are from its look at them to
// the end of the write (but for what handlers do); a write is trapped once for each slot that watches it, and for no other.
#include "../kernel/process.hpp"
#include "../machine/firmware.hpp"
#include "../machine/serial.hpp"
#include "../user/programs.hpp"
#include "check.hpp"
#include "counting.hpp"

namespace kernel {

namespace {

using bookend::reason;

/// Small, and good enough: the same seed, the same wishes. What comes of them depends on who is first.
class random_numbers {
 public:
  explicit constexpr random_numbers(std::uint64_t seed) noexcept : state_(seed * 2 + 1) {}
  unsigned below(unsigned n) noexcept {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<unsigned>((state_ >> 33) % n);
  }

 private:
  std::uint64_t state_;
};

// Six kernel breakpoints for four slots; each watches words of its own, and a store hits one word (QEMU reports one data watch a
// store).
constexpr unsigned breakpoints = 6, words_each = 4;
WATCHED volatile long words[breakpoints][words_each];

struct tracked : slot_manager::kernel_breakpoint {
  constexpr tracked(const char* name, unsigned number) noexcept : kernel_breakpoint(name, on_hit), id(number) {}
  static void on_hit(const slot_manager::hit& h);
  unsigned id;
  std::uint64_t hits[max_cpus] = {};
};
constinit tracked watches[breakpoints] = {{"k0", 0}, {"k1", 1}, {"k2", 2}, {"k3", 3}, {"k4", 4}, {"k5", 5}};

bookend::request word(unsigned b, unsigned w) noexcept { return bookend::write_to(&words[b][w]); }

struct alignas(64) per_cpu {
  std::uint64_t writes, trapped, due, silent_writes, wrong, handler_verbs, posts, blocked;
};
per_cpu numbers[max_cpus];
bool stop;
std::uint64_t verbs, granted, refused, strange, offlines, user_rounds, user_wrong;
bool stopped() noexcept { return __atomic_load_n(&stop, __ATOMIC_RELAXED); }
void add(std::uint64_t& to, std::uint64_t n = 1) noexcept { __atomic_fetch_add(&to, n, __ATOMIC_RELAXED); }

/// What a handler does is random, too: every eighth hit uses a verb of its own.
void tracked::on_hit(const slot_manager::hit& h) {
  auto& self = static_cast<tracked&>(h.breakpoint);
  const unsigned cpu = h.here.cpu();
  auto& mine = numbers[cpu];
  ++self.hits[cpu];
  ++mine.trapped;
  const bookend::request seen = h.watched();
  if (seen.address < word(self.id, 0).address || seen.address > word(self.id, words_each - 1).address) ++mine.wrong;
  const std::uint64_t roll = self.hits[cpu] % 64;
  if (roll % 8 != 0) return;
  ++mine.handler_verbs;
  auto& other = watches[(self.id + 1) % breakpoints];
  const auto post = slots.post();
  const auto note = [&](reason why) { ++(why == reason::would_block ? mine.blocked : mine.posts); };
  switch (roll / 8) {
    case 0:
      (void)h.here.disable(self);
      break;
    case 1:
      (void)!h.here.modify(self, word(self.id, cpu % words_each));
      break;
    case 2:
      note(post.modify(self, word(self.id, (cpu + 1) % words_each)).why());
      break;
    case 3:
      note(post.disable(other).why());
      break;
    case 4:
      note(post.enable(other).why());
      break;
    case 5:
      note(post.unregister_breakpoint(self).why());
      break;
    case 6:
      (void)h.here.enable(other);
      break;
    default:
      note(post.modify(other, word(other.id, cpu % words_each)).why());
      break;
  }
}

std::uint64_t address_register(unsigned slot) noexcept { return os::read_address(0, slot); }
/// How many of this CPU's slots watch a write to this address now, by what the registers say.
unsigned watched_by_registers(std::uint64_t address) noexcept {
  const auto dr7 = bookend::x86::dr7_decode(os::read_dr7(0));
  unsigned n = 0;
  for (unsigned s = 0; s < 4; ++s)
    if ((dr7.on() >> s & 1) != 0 && dr7.kind[s] != 0) n += address_register(s) == address;
  return n;
}

void write_words(unsigned cpu) {
  auto& mine = numbers[cpu];
  for (unsigned b = 0; b < breakpoints; ++b)
    for (auto& w : words[b]) {
      interrupts_off();
      const unsigned due = watched_by_registers(reinterpret_cast<std::uint64_t>(&w));
      const std::uint64_t before = mine.trapped;
      asm volatile("" : : : "memory");  // a trap changes what we count
      w = 1;
      asm volatile("" : : : "memory");
      if (mine.trapped - before != due) ++mine.wrong;
      ++mine.writes;
      mine.due += due;
      mine.silent_writes += due == 0;
      interrupts_on();
    }
  yield();
}

void random_verbs(void* argument) {
  random_numbers random(reinterpret_cast<std::uintptr_t>(argument));
  while (!stopped()) {
    auto& b = watches[random.below(breakpoints)];
    const auto aim = word(b.id, random.below(words_each));
    const auto any_mask = [&] {
      cpu_mask m;
      while (m.none())
        for (const unsigned c : all_cpus())
          if (random.below(2) == 0) m.set(c);
      return random.below(3) == 0 ? all_cpus() : m;
    };
    bookend::refusal no;
    switch (b.idle() && random.below(4) != 0 ? 0 : random.below(12)) {
      case 0:
      case 1:
      case 2:
        no = slots.register_breakpoint(b, aim, any_mask(), bookend::start{random.below(4) != 0});
        break;
      case 3:
        no = slots.unregister_breakpoint(b);
        break;
      case 4:
        no = slots.enable(b);
        break;
      case 5:
        no = slots.disable(b);
        break;
      case 6:
        no = slots.modify(b, aim);
        break;
      case 7:
        no = slots.move(b, any_mask());
        break;
      case 8:
        no = slots.here().disable(b);
        break;
      case 9:
        no = slots.here().enable(b);
        break;
      case 10:
        no = slots.post().modify(b, aim).why();
        break;
      default:
        no = random.below(2) == 0 ? slots.post().enable(b).why() : slots.post().disable(b).why();
        break;
    }
    add(verbs);
    if (!no)
      add(granted);
    else if (no.why == reason::no_slot || no.why == reason::not_registered || no.why == reason::already_registered ||
             no.why == reason::would_block)
      add(refused);
    else
      add(strange);
    if (random.below(4) == 0) yield();
  }
}

/// Ring-3 tasks come and go; each counts its own hits, as many watches as it is granted.
void tasks_come_and_go(void*) {
  while (!stopped()) {
    thread* tasks[2];
    for (auto& t : tasks) t = start_task("watcher", user::watches_what_it_gets, 200);
    for (auto* t : tasks) {
      add(user_rounds);
      if (join_task(t) != 0) add(user_wrong);
    }
  }
}
void processors_come_and_go(void*) {
  random_numbers random(cpu_count);
  while (!stopped()) {
    const unsigned ticks = 20 + random.below(60);
    const std::uint64_t until = here().count.ticks + ticks;
    while (here().count.ticks < until && !stopped()) yield();
    take_offline(cpu_count - 1);
    bring_online(cpu_count - 1);
    add(offlines);
  }
}

/// The registers of this CPU are what bookend says of it.
struct comparison {
  slot_manager::snapshot_type shown;
  bool same;
};
void compare(void* argument, bookend::cpu_id) noexcept {
  auto& c = *static_cast<comparison*>(argument);
  const auto dr7 = bookend::x86::dr7_decode(os::read_dr7(0));
  c.same = true;
  for (unsigned s = 0; s < 4; ++s) {
    const auto& slot = c.shown.slots[s];
    const bool on = (dr7.on() >> s & 1) != 0;
    if (on != slot.on) c.same = false;
    if (on && (address_register(s) != slot.watched.address || bookend::x86::access_of(dr7.kind[s]) != slot.watched.on ||
               bookend::x86::length_of(dr7.kind[s]) != slot.watched.length))
      c.same = false;
  }
}
bool registers_are_the_shadow() noexcept {
  for (const unsigned c : all_cpus()) {
    comparison now{slots.snapshot(c), false};
    run_on(cpu_mask::of(c), compare, &now);
    if (!now.same) return false;
  }
  return true;
}

}  // namespace

void endurance(const options& asked) noexcept {
  const std::uint64_t seconds = asked.number("seconds", 60), seed = asked.number("seed", 1);
  say("endurance: ", seconds, " seconds, seed ", seed);
  pin(current(), cpu_mask::of(0));
  thread* others[2 * max_cpus + 2];
  unsigned n = 0;
  for (const unsigned c : all_cpus()) others[n++] = start_thread("verbs", random_verbs, reinterpret_cast<void*>(seed * 100 + c));
  others[n++] = start_thread("tasks", tasks_come_and_go, nullptr);
  if (cpu_count > 1) others[n++] = start_thread("hotplug", processors_come_and_go, nullptr, cpu_mask::of(0));
  {
    const crowd writers(write_words);
    const unsigned begin = seconds_of_day();
    for (unsigned now = 0, told = 0; now < seconds; now = (seconds_of_day() + 86400 - begin) % 86400) {
      yield();
      if (now < told + 10) continue;
      told = now;
      say("  ", now, " s: ", __atomic_load_n(&verbs, __ATOMIC_RELAXED), " verbs");
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    while (n != 0) join(others[--n]);
  }
  // Everything has been delivered where nothing is on its way.
  slots.reap();
  bool settled = true;
  for (auto& b : watches)
    if (!b.idle())
      if (const auto t = slots.post().enable(b); !t || slots.wait(t.value(), 100'000'000)) settled = false;
  const bool same = registers_are_the_shadow();
  for (auto& b : watches)
    if (!b.idle() && slots.unregister_breakpoint(b)) ++strange;
  bool empty = true;
  for (const unsigned c : all_cpus())
    for (const auto& s : slots.snapshot(c).slots) empty = empty && s.state == bookend::slot_state::free;
  tracked* const four[] = {&watches[0], &watches[1], &watches[2], &watches[3]};
  bool all_free = true;
  for (auto* b : four) all_free = !slots.register_breakpoint(*b, word(b->id, 0)) && all_free;
  for (auto* b : four) (void)slots.unregister_breakpoint(*b);

  per_cpu sum{};
  for (const auto& c : numbers) {
    sum.writes += c.writes, sum.trapped += c.trapped, sum.due += c.due, sum.silent_writes += c.silent_writes,
        sum.wrong += c.wrong;
    sum.handler_verbs += c.handler_verbs, sum.posts += c.posts, sum.blocked += c.blocked;
  }
  say("  ", verbs, " verbs: ", granted, " granted, ", refused, " refused; ", sum.handler_verbs, " by handlers, ", sum.posts,
      " posts there, ", sum.blocked, " would have blocked");
  say("  ", sum.writes, " writes: ", sum.due, " were watched, ", sum.silent_writes, " were not; ", sum.trapped, " traps");
  say("  ", user_rounds, " ring-3 tasks, ", offlines, " times a CPU was taken away and brought back");
  check(sum.trapped > 1000 && granted > 1000 && sum.silent_writes > 1000, "much was watched, and much was not");
  check(sum.wrong == 0 && sum.trapped == sum.due, "each write was trapped once by the slot that watched it, or not watched");
  check(user_wrong == 0 && user_rounds > 0, "each task had its own hits, and their number");
  check(strange == 0, "no verb was refused for a reason that it may not give");
  check(settled && same, "in the end the registers of every CPU are what bookend says of them");
  check(empty && all_free, "and after the last unregister every slot of every CPU is free, in the rows and in the ledger");
  pin(current(), all_cpus());
}

}  // namespace kernel
