// SPDX-License-Identifier: MIT
// examples/priority/priority.cpp — the same day under two policies: a kernel watch that can do without its register, a debugger
// that wants all four for its task, and somebody who lets go of nothing.
#include <bookend/by_priority.hpp>
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using bookend::access;
using bookend::seat;
using os = bookend::mock::system<2, 4>;  // 2 CPUs with 4 debug registers each

/// Who comes first has it. A priority and a callback say nothing here.
struct first_come {
  using slots = bookend::slot_manager<os>;
  struct kernel_watch : slots::kernel_breakpoint {
    using told = void (*)(kernel_watch&, seat);
    kernel_watch(const char* name, handler on_hit, int, told = nullptr) : kernel_breakpoint(name, on_hit) {}
  };
  struct user_watch : slots::user_breakpoint {
    user_watch(const char* name, int) : user_breakpoint(name) {}
  };
};
/// Who matters more may evict those who have agreed to it.
struct by_priority {
  using slots = bookend::by_priority<os>;
  using kernel_watch = slots::kernel_breakpoint;
  using user_watch = slots::user_breakpoint;
};
enum priority : int { low, of_debuggers };

/// What one policy makes of the day, step by step.
struct diary {
  std::vector<std::vector<std::string>> steps;
  void step() { steps.emplace_back(); }
  void note(const std::string& line) { steps.back().push_back(line); }
};

/// Tells of every change of a word. With a slot, at once; without one, at the next tick, by comparing.
template <class Policy>
class kwatch : public Policy::kernel_watch {
  using base = typename Policy::kernel_watch;
  using hit = typename Policy::slots::hit;

 public:
  kwatch(const char* name, long& word, diary& d)
      : base(
            name, [](const hit& h) { static_cast<kwatch&>(h.kernel()).look("hit"); }, low, on_seat),
        word_(word),
        seen_(word),
        diary_(d) {}
  void start(typename Policy::slots& slots) {
    const auto no = slots.register_breakpoint(*this, bookend::write_to(&word_));
    by_register_ = !no;
    say(no ? "no register for me, I compare" : "I have a register");
  }
  [[nodiscard]] bool stop(typename Policy::slots& slots) { return this->idle() || !slots.unregister_breakpoint(*this); }
  void tick() {
    if (!by_register_) look("tick");
  }

 private:
  // The slot is lost, or back, when this is called: what was written since the last look is still to be found.
  static void on_seat(base& b, seat s) {
    auto& self = static_cast<kwatch&>(b);
    self.by_register_ = s == seat::back;
    self.say(s == seat::back ? "I have my register back" : "evicted, I compare");
    self.look("told");
  }
  void say(const std::string& what) { diary_.note(this->name() + (": " + what)); }
  void look(const char* when) {
    if (word_ == seen_) return;
    say(std::to_string(seen_) + " -> " + std::to_string(word_) + ", " + when);
    seen_ = word_;
  }
  long& word_;
  long seen_;
  diary& diary_;
  bool by_register_ = false;
};

/// Wants every slot for its task, as a debugger of user programs may.
template <class Policy>
class debugger {
 public:
  explicit debugger(diary& d) : diary_(d) {}
  void take_all(typename Policy::slots& slots) {
    unsigned got = 0;
    for (auto& w : watches_) {
      const auto no = slots.register_breakpoint(w, task, {0x1000 + 8 * got, 8, access::write});
      if (no) {
        std::string why;
        bookend::print(no, [&](char c) {
          if (c != '\n') why += c;
        });
        diary_.note("debugger: " + why);
        break;
      }
      ++got;
    }
    diary_.note("debugger: " + std::to_string(got) + " of 4");
  }
  void leave(typename Policy::slots& slots) { slots.on_exit(task); }
  typename Policy::slots::task task;

 private:
  using watch = typename Policy::user_watch;
  watch watches_[4] = {watch{"a", of_debuggers}, watch{"b", of_debuggers}, watch{"c", of_debuggers}, watch{"d", of_debuggers}};
  diary& diary_;
};

constexpr const char* title[] = {
    "A kernel watch of low priority; the word is written",
    "A debugger wants four slots for its task",
    "The word is written; later comes a tick",
    "The debugger leaves; the word is written",
    "The debugger is back, and has what it gets; a second kernel watch comes late",
    "The debugger leaves; the word is written, then comes a tick",
    "Somebody without a callback takes a slot; the debugger wants four again, and leaves",
};

template <class Policy>
diary day() {
  diary d;
  bookend::mock::machine_of<os, typename Policy::slots> m;
  long jiffies = 0, balance = 0;
  kwatch<Policy> watch("kwatch", jiffies, d), late("late", balance, d);
  debugger<Policy> gdb(d);
  typename Policy::kernel_watch rock{"rock", [](const typename Policy::slots::hit&) {}, low};
  const auto write = [&](long& word) { m.write(1, &word, word + 1); };

  d.step();
  watch.start(m.slots);
  write(jiffies);
  d.step();
  gdb.take_all(m.slots);
  d.step();
  write(jiffies);
  watch.tick();
  d.step();
  gdb.leave(m.slots);
  write(jiffies);
  d.step();
  gdb.take_all(m.slots);
  late.start(m.slots);
  d.step();
  gdb.leave(m.slots);
  write(jiffies);
  write(balance);
  watch.tick();
  late.tick();
  d.step();
  if (m.slots.register_breakpoint(rock, {0x2000, 8, access::write})) d.note("rock: refused");
  gdb.take_all(m.slots);
  gdb.leave(m.slots);
  if (!watch.stop(m.slots) || !late.stop(m.slots) || m.slots.unregister_breakpoint(rock) || !m.consistent())
    d.note("something is wrong");
  return d;
}

}  // namespace

int main() {
  const diary left = day<first_come>(), right = day<by_priority>();
  std::printf("   %-54s %s\n", "first come", "by priority");
  for (std::size_t i = 0; i < std::size(title); ++i) {
    std::printf("%zu. %s\n", i + 1, title[i]);
    const auto &l = left.steps[i], &r = right.steps[i];
    for (std::size_t line = 0; line < l.size() || line < r.size(); ++line) {
      std::printf("   %-54s %s\n", line < l.size() ? l[line].c_str() : "", line < r.size() ? r[line].c_str() : "");
    }
  }
}
