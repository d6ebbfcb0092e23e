// SPDX-License-Identifier: MIT
// bench/peers/linux2009.hpp — a peer: the rule of the 2009 Linux patches. One boundary for the whole machine: the kernel's
// slots are above it on every CPU, the tasks' below, and for each index it is counted how many tasks hold it.
#pragma once
#include <cstdint>

namespace peers {

template <unsigned Slots>
class linux2009 {
 public:
  struct task {
    std::uint32_t held = 0;  // bit i: index i
  };
  static constexpr unsigned none = Slots;

  /// The next slot from the top, on every CPU, whichever of them were asked for. Refused if any task holds that index.
  bool take_kernel() noexcept {
    if (kernel_ == Slots || tasks_with_[Slots - 1 - kernel_] != 0) return false;
    ++kernel_;
    return true;
  }
  void release_kernel() noexcept { --kernel_; }

  /// The task's lowest free index below the boundary, or `none`.
  unsigned take_task(task& t) noexcept {
    for (unsigned i = 0; i + kernel_ < Slots; ++i)
      if ((t.held >> i & 1) == 0) {
        t.held |= 1u << i;
        ++tasks_with_[i];
        return i;
      }
    return none;
  }
  void release_task(task& t, unsigned index) noexcept {
    t.held &= ~(1u << index);
    --tasks_with_[index];
  }

 private:
  unsigned kernel_ = 0;
  unsigned tasks_with_[Slots]{};
};

}  // namespace peers
