// SPDX-License-Identifier: MIT
// include/bookend/ledger.hpp — the rule: who holds how many slots on which CPU, and does one more fit?
#pragma once
#include <bookend/assert.hpp>
#include <bookend/cpumask.hpp>
#include <cstdint>

namespace bookend {

/// Counts the slots of one pool on every CPU, for any scarce per-CPU resource that one system-wide owner and many tasks share
/// (debug registers, performance counters). With kernel(c) = slots that the kernel holds on CPU c, and user(t, c) = slots that
/// task t needs when it runs on c (its wide ones plus those pinned to c), a change fits exactly when afterwards, on every CPU,
///     kernel(c) + max over tasks t of user(t, c) <= Slots.
/// Never overcommitted, never refused when it fits. Tasks do not compete with each other: only one of them runs on a CPU at a
/// time.
///
/// Arithmetic only: no hardware, no lock, constexpr, all zero when empty. Ask (fits_*), then change; a change that was not asked
/// for first may overcommit. A task's own holdings are its caller's to keep: `wide`, and `pins(f)`, which calls
/// f(cpu, weight) once for each CPU where the task has pinned slots.
/// Cost: for a task, constant plus its own pins; for a kernel mask, a few word operations per level in use and 64 CPUs. Neither
/// depends on how many tasks or breakpoints there are.
/// Context: any, one caller at a time (the manager: under the owner lock).
template <unsigned Slots, unsigned Cpus>
class ledger {
  static_assert(Slots > 0 && Slots < 256, "a ledger counts 1 to 255 slots");

 public:
  using mask = cpumask<Cpus>;
  static constexpr unsigned slots = Slots;

  // The kernel side: `weight` slots on each CPU of a mask.

  /// True when `weight` more slots fit on every CPU of `m`.
  [[nodiscard]] constexpr bool fits_kernel(const mask& m, unsigned weight = 1) const noexcept {
    std::uint64_t in_the_way = 0;
    each_blocker(weight, [&](const std::uint64_t* a, const std::uint64_t* b) {
      for (unsigned i = 0; i < mask::word_count; ++i) in_the_way |= m.words()[i] & word(a, i) & word(b, i);
    });
    return in_the_way == 0;
  }
  /// The CPUs of `m` where they do not fit.
  [[nodiscard]] constexpr mask full_kernel(const mask& m, unsigned weight = 1) const noexcept {
    mask full;
    each_blocker(weight, [&](const std::uint64_t* a, const std::uint64_t* b) {
      for (unsigned i = 0; i < mask::word_count; ++i) full.words()[i] |= m.words()[i] & word(a, i) & word(b, i);
    });
    return full;
  }
  constexpr void take_kernel(const mask& m, unsigned weight = 1) noexcept {
    const unsigned reach = kernel_top_ + weight < Slots ? kernel_top_ + weight : Slots;
    for (unsigned j = reach; j >= 1; --j) {
      add(kernel_[j - 1].words(), j <= weight ? m.words() : kernel_[j - weight - 1].words(), m.words());
    }
    kernel_top_ = reach;
    lower_top();
  }
  constexpr void release_kernel(const mask& m, unsigned weight = 1) noexcept {
    for (unsigned j = 1; j <= kernel_top_; ++j) {
      keep(kernel_[j - 1].words(), j + weight > Slots ? nobody.words() : kernel_[j + weight - 1].words(), m.words());
    }
    lower_top();
  }

  // The same on one CPU, without touching the words of others.

  [[nodiscard]] constexpr bool fits_kernel(cpu_id cpu, unsigned weight = 1) const noexcept {
    return kernel_held(cpu) + weight + tallest_user(cpu) <= Slots;
  }
  constexpr void take_kernel(cpu_id cpu, unsigned weight = 1) noexcept {
    const unsigned held = kernel_held(cpu);
    for (unsigned j = held; j < held + weight; ++j) kernel_[j].set(cpu);
    if (held + weight > kernel_top_) kernel_top_ = held + weight;
  }
  constexpr void release_kernel(cpu_id cpu, unsigned weight = 1) noexcept {
    const unsigned held = kernel_held(cpu);
    BOOKEND_ASSERT(weight <= held, "released more than held");
    for (unsigned j = held - weight; j < held; ++j) kernel_[j].clear(cpu);
    lower_top();
  }

  // The user side. `wide` and pins are the task's holdings as they are before the change.

  /// True when a task that would then hold `wide_after` wide slots fits everywhere.
  template <class Pins>
  [[nodiscard]] constexpr bool fits_wide(unsigned wide_after, Pins pins) const noexcept {
    if (wide_after + kernel_top_ > Slots) return false;
    bool fits = true;
    pins([&](cpu_id cpu, unsigned pinned) { fits = fits && wide_after + pinned + kernel_held(cpu) <= Slots; });
    return fits;
  }
  /// The CPUs where it does not.
  template <class Pins>
  [[nodiscard]] constexpr mask full_wide(unsigned wide_after, Pins pins) const noexcept {
    mask full;
    if (wide_after > Slots) return mask::all();
    if (const unsigned j = Slots - wide_after + 1; j <= kernel_top_) full = kernel_[j - 1];
    pins([&](cpu_id cpu, unsigned pinned) {
      if (wide_after + pinned + kernel_held(cpu) > Slots) full.set(cpu);
    });
    return full;
  }
  /// Moves a task from `before` to `after` wide slots.
  template <class Pins>
  constexpr void change_wide(unsigned before, unsigned after, Pins pins) noexcept {
    if (before != 0) --tasks_at_[before - 1];
    if (after != 0) ++tasks_at_[after - 1];
    look_at(after);
    pins([&](cpu_id cpu, unsigned pinned) { move_pinned(cpu, before + pinned, after + pinned); });
  }
  /// What change_wide() does, for many changes that were noted elsewhere: so many more tasks, modulo 2^32, have `wide` wide slots
  /// and none pinned. Right once all notes are in.
  constexpr void add_tasks(unsigned wide, std::uint32_t tasks) noexcept {
    tasks_at_[wide - 1] += tasks;
    look_at(wide);
  }
  /// True when a task with `wide` wide slots fits on `cpu` with `pinned_after` pinned there.
  [[nodiscard]] constexpr bool fits_pinned(cpu_id cpu, unsigned wide, unsigned pinned_after) const noexcept {
    return wide + pinned_after + kernel_held(cpu) <= Slots;
  }
  /// Moves a task with `wide` wide slots from `before` to `after` slots pinned to `cpu`.
  constexpr void change_pinned(cpu_id cpu, unsigned wide, unsigned before, unsigned after) noexcept {
    move_pinned(cpu, before == 0 ? 0 : wide + before, after == 0 ? 0 : wide + after);
  }

  // What is held. For refusals, snapshots and tests.

  [[nodiscard]] constexpr unsigned kernel_held(cpu_id cpu) const noexcept {
    unsigned held = 0;
    while (held < kernel_top_ && kernel_[held].test(cpu)) ++held;
    return held;
  }
  /// The most that any one task needs on this CPU.
  [[nodiscard]] constexpr unsigned tallest_user(cpu_id cpu) const noexcept {
    unsigned tallest = pinned_top();
    while (tallest > widest_ && !pinned_[tallest - 1].test(cpu)) --tallest;
    return tallest > widest_ ? tallest : widest_;
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return kernel_top_ == 0 && widest_ == 0 && pinned_top() == 0; }

 private:
  static constexpr std::uint64_t word(const std::uint64_t* words, unsigned i) noexcept {
    return words == nullptr ? ~std::uint64_t{0} : words[i];
  }

  static constexpr mask nobody{};
  // A level, with those of another that are in m, or without those of m that are not in another. Without aliases, so that g++
  // takes several words at a time at -O2, too.
  static constexpr void add(std::uint64_t* __restrict here, const std::uint64_t* __restrict other,
                            const std::uint64_t* __restrict m) noexcept {
    for (unsigned i = 0; i < mask::word_count; ++i) here[i] |= other[i] & m[i];
  }
  static constexpr void keep(std::uint64_t* __restrict here, const std::uint64_t* __restrict other,
                             const std::uint64_t* __restrict m) noexcept {
    for (unsigned i = 0; i < mask::word_count; ++i) here[i] &= other[i] | ~m[i];
  }

  /// Calls f(a, b) for sets whose common CPUs are full for `weight` more: one for the widest task, one for each taller pinned
  /// height.
  template <class F>
  constexpr void each_blocker(unsigned weight, F f) const noexcept {
    const auto blocks = [&](unsigned user, const std::uint64_t* where) {
      const unsigned needed = weight + user;  // full where kernel(c) >= Slots - needed + 1
      if (needed > Slots)
        f(nullptr, where);
      else if (Slots - needed + 1 <= kernel_top_)
        f(kernel_[Slots - needed].words(), where);
    };
    blocks(widest_, nullptr);
    for (unsigned j = widest_; j < pinned_top(); ++j) blocks(j + 1, pinned_[j].words());
  }

  /// The number of tasks at this level, or the one below, has changed.
  constexpr void look_at(unsigned wide) noexcept {
    if (wide > widest_) widest_ = wide;
    while (widest_ != 0 && tasks_at_[widest_ - 1] == 0) --widest_;
  }
  constexpr void lower_top() noexcept {
    while (kernel_top_ != 0 && kernel_[kernel_top_ - 1].none()) --kernel_top_;
  }
  constexpr unsigned pinned_top() const noexcept {
    unsigned top = Slots;
    while (top != 0 && cpus_at_[top - 1] == 0) --top;
    return top;
  }
  /// One task with pinned slots on this CPU goes from height `before` to `after`; 0 is no pinned slot there.
  constexpr void move_pinned(cpu_id cpu, unsigned before, unsigned after) noexcept {
    BOOKEND_ASSERT(cpu < Cpus, "CPU outside the ledger");
    if (before == after) return;
    auto& tasks = pinned_tasks_[cpu];
    if (after != 0) ++tasks[after - 1];
    if (before != 0) --tasks[before - 1];
    std::uint32_t taller = 0;  // tasks at height j or more
    for (unsigned j = Slots; j >= 1; --j) {
      taller += tasks[j - 1];
      if ((taller != 0) == pinned_[j - 1].test(cpu)) continue;
      if (taller != 0) {
        pinned_[j - 1].set(cpu);
        ++cpus_at_[j - 1];
      } else {
        pinned_[j - 1].clear(cpu);
        --cpus_at_[j - 1];
      }
    }
  }

  mask kernel_[Slots]{};                       // [j-1]: CPUs with kernel(c) >= j
  mask pinned_[Slots]{};                       // [j-1]: CPUs where some task with pinned slots there needs >= j
  std::uint32_t tasks_at_[Slots]{};            // [j-1]: tasks with j wide slots
  std::uint32_t cpus_at_[Slots]{};             // [j-1]: CPUs in pinned_[j-1]
  unsigned kernel_top_ = 0;                    // highest level of kernel_ with a CPU in it
  unsigned widest_ = 0;                        // highest level of tasks_at_ with a task in it
  std::uint32_t pinned_tasks_[Cpus][Slots]{};  // per CPU: tasks with pinned slots there, by height
};

}  // namespace bookend
