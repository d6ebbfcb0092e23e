// SPDX-License-Identifier: MIT
// include/bookend/hit.hpp — what a handler is told, what it may do, and what a trap leaves to the kernel.
#pragma once
#include <bookend/row.hpp>

namespace bookend {

/// The verbs that are legal while a hit is handled: on this CPU, for kernel breakpoints, without lock, wait or cross-call. What
/// is granted stands after whatever verb was interrupted; only if that verb then fails as hardware may it be undone with it.
/// Also the base of the views that slots.here() and slots.on(cpu) return. Copy it freely within the handler; it is not for
/// keeping.
template <class System>
class handler_view {
 public:
  constexpr handler_view(shelf<System>& s, cpu_id cpu) noexcept : shelf_(&s), cpu_(cpu) {}

  [[nodiscard]] constexpr cpu_id cpu() const noexcept { return cpu_; }
  /// Arms it again on this CPU. Refused as not_registered if it holds no slot here, or leaves. At most one control write.
  [[gnu::always_inline]] refusal enable(kernel_breakpoint<System>& b) const noexcept { return answer(set_on(b, true)); }
  /// Silent on this CPU when it returns; the slot stays its own. Refused as not_registered, too. At most one control write.
  [[gnu::always_inline]] refusal disable(kernel_breakpoint<System>& b) const noexcept { return answer(set_on(b, false)); }
  /// Watches something else on this CPU, in the same slot; disabled stays disabled. Refused as the backend and may_watch do, as
  /// unsupported if the new setting needs another pool, as not_registered, or as would_block if it interrupts a verb that is
  /// rewriting this CPU's row: then nothing has changed. One address write and two control writes, fewer where nothing differs.
  [[nodiscard]] refusal modify(kernel_breakpoint<System>& b, const request& r) const noexcept { return answer(re_aim(b, r)); }

  // A user breakpoint is its task's on every CPU: enable, disable or modify it everywhere, in thread context.
  void enable(user_breakpoint<System>&) const = delete;
  void disable(user_breakpoint<System>&) const = delete;
  void modify(user_breakpoint<System>&, const request&) const = delete;

 protected:
  reason set_on(kernel_breakpoint<System>& b, bool wanted) const noexcept;
  reason left(slot_mask held) const noexcept;
  reason re_aim(kernel_breakpoint<System>& b, const request& r) const noexcept;
  refusal answer(reason why) const noexcept {
    if constexpr (can_fail<System>)
      if (why == reason::hardware) return {why, cpu_};
    return why;
  }
  [[nodiscard]] constexpr row<System>& own_row() const noexcept { return shelf_->row_of(cpu_); }

  shelf<System>* shelf_;
  cpu_id cpu_;
};

/// One hit of a kernel breakpoint, as its handler sees it. Lives as long as the call.
template <class System>
struct hit {
  kernel_breakpoint<System>& breakpoint;
  handler_view<System> here;         ///< this CPU, with traps off
  slot_id slot;                      ///< the slot that hit
  typename System::setting setting;  ///< as it was installed on this CPU when it hit
  std::uint32_t generation;          ///< the registration or everywhere-modify that installed it
  typename System::frame& frame;     ///< the interrupted context

  [[nodiscard]] constexpr kernel_breakpoint<System>& kernel() const noexcept { return breakpoint; }
  /// What was being watched here.
  [[nodiscard]] constexpr request watched() const noexcept { return System::decode(setting); }
};

/// One hit of the running task's breakpoint, by value: it may be delivered after the breakpoint is gone.
template <class System>
struct user_hit {
  std::uint64_t cookie;              ///< of the breakpoint
  typename System::setting setting;  ///< as it was installed
  std::uint32_t generation;
  slot_id slot;    ///< on this CPU, this time
  unsigned index;  ///< the task's own number for it
};

/// What trap() leaves to the kernel.
template <class System>
struct trap_result {
  using user_hit = bookend::user_hit<System>;
  slot_mask handled = 0;   ///< slots whose hits were dispatched to handlers or collected below
  std::uint64_t user = 0;  ///< bit i: the task's own breakpoint i hit
  std::uint64_t rest = 0;  ///< causes that are not bookend's, in the machine's positions: single step and friends
  unsigned user_count = 0;
  user_hit user_hits[System::slots];  ///< the first user_count are valid
};

}  // namespace bookend
