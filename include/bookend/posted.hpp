// SPDX-License-Identifier: MIT
// include/bookend/posted.hpp — verbs that act everywhere without waiting: for interrupts, traps and handlers.
#pragma once
#include <bookend/here.hpp>

namespace bookend {

/// One change of one breakpoint, which has to live as long as its tickets are asked about. After a modify, a hit `h` matched the
/// new setting, or one newer still, unless later(t.generation, h.generation).
template <class System>
struct ticket {
  const kernel_breakpoint<System>* breakpoint = nullptr;
  std::uint32_t generation = 0;
};

/// How everywhere verbs and posts share a kernel breakpoint: whoever changes its intent has claimed it. Where there are no posts
/// the owner lock is claim enough, and all of this is nothing.
template <class System>
class posted_side : public shelf<System> {
 protected:
  friend class post_view<System>;
  using base = shelf<System>;
  using typename base::mask;
  using typename base::row_type;
  using breakpoint_type = kernel_breakpoint<System>;
  using base::base;

  /// The breakpoint's state before: it was claimed if that is `registered`.
  /// Acquire, with leave_in(): what the last one who had claimed it wrote is seen.
  static std::uint32_t try_claim(breakpoint_type& b) noexcept {
    std::uint32_t was = breakpoint_type::registered;
    (void)__atomic_compare_exchange_n(&b.state_, &was, std::uint32_t{breakpoint_type::claimed}, false, __ATOMIC_ACQUIRE,
                                      __ATOMIC_ACQUIRE);
    return was;
  }
  /// Release: the end of a claim, with try_claim(), idle() and leaves().
  static void leave_in(breakpoint_type& b, typename breakpoint_type::state s) noexcept {
    detail::store_release(b.state_, static_cast<std::uint32_t>(s));
  }

  // tests/models/post.pml: post; the fence: tests/models/online.pml.
  /// Under the claim, once the intent has changed: takes it over here, and asks the other CPUs to. Under the guard, or in a trap.
  ticket<System> publish(breakpoint_type& b, std::uint32_t generation) noexcept {
    // A CPU that comes online now either is seen below, or sees the change.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    mask behind = b.cpus_ & this->online_now();
    if constexpr (has_this_cpu<System>) {
      const cpu_id cpu = this->system_.this_cpu();
      row_type& r = this->rows_[cpu];
      if (behind.test(cpu) && (!r.online() || r.catch_up(this->system_, cpu, r.slots_of(&b)))) behind.clear(cpu);
    }
    if (behind.any()) this->system_.post_on(behind);
    return {&b, generation};
  }

  /// Under the guard or in a trap; the breakpoint is claimed. Its storage stays in use until somebody reaps.
  void depart(breakpoint_type& b) noexcept {
    leave_in(b, breakpoint_type::leaving);
    b.next_leaving_ = __atomic_load_n(&leaving_, __ATOMIC_RELAXED);
    // Release, with the acquire of departed(): what it links to is seen.
    while (!__atomic_compare_exchange_n(&leaving_, &b.next_leaving_, &b, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
  }
  /// All that have departed; the caller's from now on. Under the owner lock.
  breakpoint_type* departed() noexcept {
    if (__atomic_load_n(&leaving_, __ATOMIC_RELAXED) == nullptr) return nullptr;
    return __atomic_exchange_n(&leaving_, static_cast<breakpoint_type*>(nullptr), __ATOMIC_ACQUIRE);
  }

  /// True when the next departed() names one. Any context.
  [[nodiscard]] bool any_departed() const noexcept {
    return can_post<System> && __atomic_load_n(&leaving_, __ATOMIC_RELAXED) != nullptr;
  }

  /// The first CPU that has not got the change; max_cpus if there is none. Any context.
  [[nodiscard, gnu::noinline]] cpu_id first_behind(const ticket<System>& t) const noexcept {
    const auto& b = *t.breakpoint;
    for (cpu_id cpu : base::copy_of(b.cpus_) & this->online_now())
      if (this->rows_[cpu].behind(&b, t.generation)) return cpu;
    return System::max_cpus;
  }

 private:
  breakpoint_type* leaving_ = nullptr;  // pushed by whoever posts, taken as a whole under the owner lock
};

/// `slots.post()`: verbs of kernel breakpoints for any context in which the platform's post_on() may be called, handlers
/// included. No lock, no wait. When one returns, this CPU has the change (unless it interrupted a verb that rewrites this CPU's
/// row: then at least nothing is on that shall be off); the others get it at their next chance, and settled() says when all have
/// it. A later change replaces an earlier one that has not arrived. Refused: not_registered; would_block while another verb or
/// post is at the same breakpoint. Cost: a claim and a release, the register writes of here(), and one post_on().
template <class System>
class post_view {
 public:
  constexpr explicit post_view(posted_side<System>& s) noexcept : side_(&s) {}

  /// Armed on all its CPUs, those too that here-verbs had disarmed.
  [[nodiscard]] result<ticket<System>> enable(kernel_breakpoint<System>& b) const noexcept { return post(b, {.on = true}); }
  /// Silent on this CPU at once. The slots stay its own.
  [[nodiscard]] result<ticket<System>> disable(kernel_breakpoint<System>& b) const noexcept { return post(b, {.on = false}); }
  /// Watches something else, in the same slots; disabled stays disabled. Also refused as the backend and may_watch do, and as
  /// unsupported if the new setting needs another pool.
  [[nodiscard]] result<ticket<System>> modify(kernel_breakpoint<System>& b, const request& q) const noexcept {
    const auto encoded = side_->accepted(side::kernel, q);
    if (!encoded) return encoded.why();
    return post(b, {.to = &encoded.value()});
  }
  /// Silent on this CPU at once, on the others when settled; no verb finds it any more. Its slots are given back by the next
  /// everywhere verb or by reap(): when it is idle(), no handler of it runs or will run, and its storage is free. The way to
  /// unregister from a handler, its own breakpoint included.
  [[nodiscard]] result<ticket<System>> unregister_breakpoint(kernel_breakpoint<System>& b) const noexcept {
    return post(b, {.leaves = true});
  }

 private:
  using breakpoint_type = kernel_breakpoint<System>;
  struct change {
    const typename System::setting* to = nullptr;  // null: it is turned on or off
    bool on = false;
    bool leaves = false;
  };
  [[nodiscard]] result<ticket<System>> post(breakpoint_type& b, change c) const noexcept {
    System& sys = side_->system_;
    const auto token = sys.traps_off();
    const auto t = claim_and_post(b, c);
    sys.traps_restore(token);
    return t;
  }
  [[nodiscard]] result<ticket<System>> claim_and_post(breakpoint_type& b, change c) const noexcept {
    const std::uint32_t was = side_->try_claim(b);
    if (was != breakpoint_type::registered) return was == breakpoint_type::claimed ? reason::would_block : reason::not_registered;
    result<ticket<System>> t = reason::unsupported;
    if (c.to == nullptr || stays(b, *c.to)) t = side_->publish(b, c.to != nullptr ? b.intent_.aim(*c.to) : b.intent_.turn(c.on));
    c.leaves ? side_->depart(b) : side_->leave_in(b, breakpoint_type::registered);
    return t;
  }
  [[nodiscard]] static bool stays(const breakpoint_type& b, const typename System::setting& to) noexcept {
    return pool_count<System> == 1 || System::pool_of(b.intent_.read().setting) == System::pool_of(to);
  }
  posted_side<System>* side_;
};

}  // namespace bookend
