// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/thread_table.hpp — which thread is which CPU.
#pragma once
#include <bookend/cpumask.hpp>

namespace bookend::lnx {

/// Numbers for threads: the lowest free one for a new thread, the same until it is removed. `Entry` has an `int tid`, 0 if the
/// number is free. All zero is empty. Looking up a tid is a scan of the numbers ever used.
template <class Entry, unsigned Max>
class thread_table {
 public:
  /// The entry of a thread, or null.
  [[nodiscard]] constexpr Entry* find(int tid) noexcept {
    for (auto& e : *this)
      if (e.tid == tid) return &e;
    return nullptr;
  }
  /// A new entry for a thread that has none, or null if all numbers are taken.
  constexpr Entry* add(int tid) noexcept {
    Entry* e = find(0);
    if (e == nullptr && used_ < Max) e = &entries_[used_++];
    if (e != nullptr) {
      *e = Entry{};
      e->tid = tid;
    }
    return e;
  }
  constexpr void remove(Entry& e) noexcept { e = Entry{}; }
  constexpr void clear() noexcept {
    for (auto& e : *this) e = Entry{};
    used_ = 0;
  }

  [[nodiscard]] constexpr cpu_id number(const Entry& e) const noexcept { return static_cast<cpu_id>(&e - entries_); }
  [[nodiscard]] constexpr Entry& operator[](cpu_id cpu) noexcept {
    BOOKEND_ASSERT(cpu < Max, "no such CPU");
    return entries_[cpu];
  }
  // Free ones (tid 0) included.
  [[nodiscard]] constexpr Entry* begin() noexcept { return entries_; }
  [[nodiscard]] constexpr Entry* end() noexcept { return entries_ + used_; }
  [[nodiscard]] constexpr const Entry* begin() const noexcept { return entries_; }
  [[nodiscard]] constexpr const Entry* end() const noexcept { return entries_ + used_; }

 private:
  Entry entries_[Max]{};
  unsigned used_ = 0;
};

}  // namespace bookend::lnx
