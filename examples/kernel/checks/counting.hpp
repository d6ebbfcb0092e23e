// SPDX-License-Identifier: MIT
// examples/kernel/checks/counting.hpp — a watch that counts, and threads that give it something to count.
#pragma once
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"

namespace kernel {

/// Counts its hits per CPU: each CPU writes its own numbers only.
struct counting : slot_manager::kernel_breakpoint {
  constexpr explicit counting(const char* name, handler also = nothing) noexcept : kernel_breakpoint(name, on_hit), then(also) {}
  static void nothing(const slot_manager::hit&) {}
  static void on_hit(const slot_manager::hit& h) {
    auto& self = static_cast<counting&>(h.breakpoint);
    const unsigned cpu = h.here.cpu();
    __atomic_store_n(&self.hits[cpu], self.hits[cpu] + 1, __ATOMIC_RELAXED);
    self.slot[cpu] = h.slot;
    self.interrupted[cpu] = h.frame.rip;
    self.then(h);
  }
  [[nodiscard]] unsigned on(unsigned cpu) const noexcept { return __atomic_load_n(&hits[cpu], __ATOMIC_RELAXED); }
  [[nodiscard]] unsigned all() const noexcept {
    unsigned n = 0;
    for (unsigned c = 0; c < max_cpus; ++c) n += on(c);
    return n;
  }
  handler then;
  unsigned hits[max_cpus] = {};
  unsigned slot[max_cpus] = {};
  std::uint64_t interrupted[max_cpus] = {};
};

inline bool all_are(const unsigned (&of)[max_cpus], unsigned n) noexcept {
  for (const unsigned c : all_cpus())
    if (of[c] != n) return false;
  return true;
}

/// On each CPU of a mask a pinned thread that calls f(cpu) again and again, until the end of the scope. Thread context, not
/// pinned.
class crowd {
 public:
  explicit crowd(void (*f)(unsigned cpu), const cpu_mask& where = all_cpus()) noexcept : f_(f), where_(where) {
    for (const unsigned c : where) threads_[c] = start_thread("crowd", &run, this, cpu_mask::of(c));
    for (const unsigned c : where)
      while (turns(c) == 0) yield();
  }
  ~crowd() {
    __atomic_store_n(&stop_, true, __ATOMIC_RELAXED);
    for (const unsigned c : where_) join(threads_[c]);
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  /// How often f has run on a CPU.
  [[nodiscard]] unsigned turns(unsigned cpu) const noexcept { return __atomic_load_n(&turns_[cpu], __ATOMIC_ACQUIRE); }
  /// Each CPU has begun and ended a turn since this was called.
  void another_turn() const noexcept {
    unsigned before[max_cpus];
    for (const unsigned c : where_) before[c] = turns(c);
    for (const unsigned c : where_)
      while (turns(c) - before[c] < 2) yield();
  }

 private:
  static void run(void* self) {
    auto& me = *static_cast<crowd*>(self);
    const unsigned cpu = this_cpu();  // pinned
    while (!__atomic_load_n(&me.stop_, __ATOMIC_RELAXED)) {
      me.f_(cpu);
      __atomic_store_n(&me.turns_[cpu], me.turns_[cpu] + 1, __ATOMIC_RELEASE);
    }
  }
  void (*f_)(unsigned);
  cpu_mask where_;
  thread* threads_[max_cpus] = {};
  unsigned turns_[max_cpus] = {};
  bool stop_ = false;
};

}  // namespace kernel
