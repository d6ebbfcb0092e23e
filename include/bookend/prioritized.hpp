// SPDX-License-Identifier: MIT
// include/bookend/prioritized.hpp — breakpoints with a priority, and what to do when somebody of a higher one needs their
// slots.
#pragma once
#include <bookend/breakpoint.hpp>

namespace bookend {

template <system System>
class by_priority;
template <system System>
class eviction;
template <class System>
class priority_kernel_breakpoint;
template <class System>
class priority_user_breakpoint;

/// What has happened to a breakpoint's slots.
enum class seat : bool { lost, back };

namespace detail {

/// Its place among those that may be evicted. Owner lock.
template <class System>
class holder {
 public:
  constexpr holder(int rank, bool may_go) noexcept : rank_(rank), may_go_(may_go) {}
#if BOOKEND_CHECK_DESTRUCTION
  constexpr ~holder() { BOOKEND_ASSERT(!listed_, "a breakpoint was destroyed while registered"); }
#endif

 private:
  friend class eviction<System>;
  friend class priority_kernel_breakpoint<System>;
  friend class priority_user_breakpoint<System>;

  int rank_;                    // its priority
  bool may_go_;                 // has a callback
  bool seated_ = false;         // has its slots
  bool listed_ = false;         // is one of those who may be evicted, or are
  bool out_ = false;            // in a trial: without its slots
  bool goes_ = false;           // the outcome of the trial
  task<System>* of_ = nullptr;  // null: a kernel breakpoint
  holder* lower_ = nullptr;     // the next, of this priority and younger, or of a lower one
};

}  // namespace detail

/// A kernel breakpoint with a priority; greater is higher. With a callback it may be evicted by a request of a higher one: it
/// then stays registered, without a slot, enabled or disabled as it was last everywhere, and gets slots back when there is
/// room. The callback is told of both. Without one it is never evicted.
/// The callback runs in thread context, under the owner lock, when it has happened and the verb that did it is granted: it must
/// not call everywhere verbs. None runs once the breakpoint is unregistered.
template <class System>
class priority_kernel_breakpoint : public kernel_breakpoint<System>, detail::holder<System> {
 public:
  using told = void (*)(priority_kernel_breakpoint&, seat);
  constexpr priority_kernel_breakpoint(const char* name, typename kernel_breakpoint<System>::handler on_hit, int priority,
                                       told on_seat = nullptr) noexcept
      : kernel_breakpoint<System>(name, on_hit), detail::holder<System>{priority, on_seat != nullptr}, on_seat_(on_seat) {}

  /// Any context.
  [[nodiscard]] constexpr int priority() const noexcept { return this->rank_; }
  /// False while it is evicted, or not registered. Any context; a moment's answer.
  [[nodiscard]] bool seated() const noexcept { return detail::load_relaxed(this->seated_); }

 private:
  friend class by_priority<System>;
  friend class eviction<System>;
  told on_seat_;
  cpumask<System::max_cpus> home_{};  // where it has been asked to be
};

/// The same for a task's. While it is evicted its index is kept for it.
template <class System>
class priority_user_breakpoint : public user_breakpoint<System>, detail::holder<System> {
 public:
  using told = void (*)(priority_user_breakpoint&, seat);
  constexpr explicit priority_user_breakpoint(const char* name, int priority = 0, told on_seat = nullptr,
                                              std::uint64_t cookie = 0) noexcept
      : user_breakpoint<System>(name, cookie), detail::holder<System>{priority, on_seat != nullptr}, on_seat_(on_seat) {}

  [[nodiscard]] constexpr int priority() const noexcept { return this->rank_; }
  [[nodiscard]] bool seated() const noexcept { return detail::load_relaxed(this->seated_); }
  /// As breakpoint::idle(); an evicted one is not.
  // Acquire, with unlist(): as there.
  [[nodiscard]] bool idle() const noexcept { return !detail::load_acquire(this->listed_) && user_breakpoint<System>::idle(); }

 private:
  friend class by_priority<System>;
  friend class eviction<System>;
  told on_seat_;
  unsigned at_ = 0;  // pinned: cpu + 1
  // While it is evicted:
  unsigned index_ = 0;
  request watched_{};
  bool on_ = false;
};

}  // namespace bookend
