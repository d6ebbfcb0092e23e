// SPDX-License-Identifier: MIT
// bench/peers/linux.hpp — a peer: the accounting rule of today's Linux. Counts only: on each CPU, what the kernel holds plus
// what the neediest task wants is at most the slots. Counters and a histogram of tasks for each CPU, both once more for all
// CPUs together; a task's own holdings are looked up in a hash table. A kernel breakpoint on many CPUs is one request a CPU.
// Without its locks; with `Atomic`, the histograms are atomic, as there, where several tasks' requests run at once.
#pragma once
#include <cstdint>
#include <memory>

namespace peers {

template <unsigned Slots, unsigned Cpus, bool Atomic = false>
class linux_today {
 public:
  static constexpr unsigned everywhere = Cpus;
  struct task {};
  /// A task's, in the table while it holds a slot.
  struct breakpoint {
    breakpoint* next = nullptr;
    const task* owner = nullptr;
    unsigned where = everywhere;
  };
  explicit linux_today(unsigned buckets = 64)  // a power of two
      : buckets_(std::make_unique<breakpoint*[]>(buckets)), last_bucket_(buckets - 1), cpus_(std::make_unique<cpu[]>(Cpus)) {}

  bool take_kernel(unsigned c) noexcept {
    cpu& i = cpus_[c];
    if (i.kernel + neediest(i) + 1 > Slots) return false;
    move(cpus_at_, i.kernel, i.kernel + 1);
    ++i.kernel;
    return true;
  }
  void release_kernel(unsigned c) noexcept {
    cpu& i = cpus_[c];
    move(cpus_at_, i.kernel, i.kernel - 1);
    --i.kernel;
  }
  /// One request after the other; those granted are given back at the first refusal.
  template <class Mask>
  bool take_kernel(const Mask& m) noexcept {
    for (unsigned c : m)
      if (!take_kernel(c)) {
        for (unsigned granted : m) {
          if (granted == c) break;
          release_kernel(granted);
        }
        return false;
      }
    return true;
  }
  template <class Mask>
  void release_kernel(const Mask& m) noexcept {
    for (unsigned c : m) release_kernel(c);
  }

  bool take_task(breakpoint& b, const task& t, unsigned where = everywhere) noexcept {
    const held now = held_by(t, where);
    if (where != everywhere) {
      if (cpus_[where].kernel + now.wide + now.pinned + 1 > Slots) return false;
      move(cpus_[where].tasks_at, now.pinned == 0 ? 0 : now.wide + now.pinned, now.wide + now.pinned + 1);
    } else if (!now.pinned_somewhere) {
      if (most(cpus_at_) + now.wide + 1 > Slots) return false;
      move(wide_tasks_at_, now.wide, now.wide + 1);
    } else {  // its needs differ from CPU to CPU
      for (unsigned c = 0; c < Cpus; ++c)
        if (cpus_[c].kernel + now.wide + held_by(t, c).pinned + 1 > Slots) return false;
      shift_wide(t, now.wide, now.wide + 1);
    }
    enter(b, t, where);
    return true;
  }
  void release_task(breakpoint& b) noexcept {
    const task& t = *b.owner;
    const unsigned where = b.where;
    leave(b);
    const held now = held_by(t, where);
    if (where != everywhere)
      move(cpus_[where].tasks_at, now.wide + now.pinned + 1, now.pinned == 0 ? 0 : now.wide + now.pinned);
    else if (!now.pinned_somewhere)
      move(wide_tasks_at_, now.wide + 1, now.wide);
    else
      shift_wide(t, now.wide + 1, now.wide);
  }

 private:
  using histogram = unsigned[Slots];  // [j-1]: how many have j
  struct alignas(64) cpu {
    unsigned kernel = 0;
    histogram tasks_at{};  // tasks with breakpoints pinned here, by all that they need here
  };
  struct held {
    unsigned wide = 0, pinned = 0;
    bool pinned_somewhere = false;
  };

  static void move(histogram& h, unsigned before, unsigned after) noexcept {
    if constexpr (Atomic) {
      if (before != 0) __atomic_fetch_sub(&h[before - 1], 1, __ATOMIC_RELAXED);
      if (after != 0) __atomic_fetch_add(&h[after - 1], 1, __ATOMIC_RELAXED);
    } else {
      if (before != 0) --h[before - 1];
      if (after != 0) ++h[after - 1];
    }
  }
  static unsigned most(const histogram& h) noexcept {
    unsigned j = Slots;
    while (j != 0 && h[j - 1] == 0) --j;
    return j;
  }
  unsigned neediest(const cpu& i) const noexcept {
    unsigned j = Slots;
    while (j != 0 && i.tasks_at[j - 1] == 0 && wide_tasks_at_[j - 1] == 0) --j;
    return j;
  }
  void shift_wide(const task& t, unsigned before, unsigned after) noexcept {
    move(wide_tasks_at_, before, after);
    for (unsigned c = 0; c < Cpus; ++c)
      if (const unsigned pinned = held_by(t, c).pinned; pinned != 0) move(cpus_[c].tasks_at, before + pinned, after + pinned);
  }

  breakpoint*& bucket(const task& t) const noexcept {
    return buckets_[(reinterpret_cast<std::uintptr_t>(&t) * 0x9E3779B97F4A7C15u >> 32) & last_bucket_];
  }
  held held_by(const task& t, unsigned where) const noexcept {
    held h;
    for (const breakpoint* b = bucket(t); b != nullptr; b = b->next) {
      if (b->owner != &t) continue;
      h.wide += b->where == everywhere;
      h.pinned += b->where == where && where != everywhere;
      h.pinned_somewhere = h.pinned_somewhere || b->where != everywhere;
    }
    return h;
  }
  void enter(breakpoint& b, const task& t, unsigned where) noexcept {
    breakpoint*& first = bucket(t);
    b = {first, &t, where};
    first = &b;
  }
  void leave(breakpoint& b) noexcept {
    breakpoint** at = &bucket(*b.owner);
    while (*at != &b) at = &(*at)->next;
    *at = b.next;
  }

  std::unique_ptr<breakpoint*[]> buckets_;
  std::uintptr_t last_bucket_;
  std::unique_ptr<cpu[]> cpus_;
  histogram wide_tasks_at_{};
  histogram cpus_at_{};  // CPUs where the kernel holds j
};

}  // namespace peers
