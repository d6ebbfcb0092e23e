// SPDX-License-Identifier: MIT
// include/bookend/shared_side.hpp — where a user verb runs: on the shared side of the owner lock, or exclusively.
#pragma once
#include <bookend/kernel_side.hpp>

namespace bookend {

/// On the shared side if the platform has one (has_stripes), beside verbs of other tasks: inside a stripe, with the breakpoint
/// and its task claimed. Whatever is not plain there is left to the exclusive side, where nobody else is, and where it is judged
/// anew: a task with pinned breakpoints, whose counts are the CPUs' and not its own; two verbs of one breakpoint at once; a
/// refusal while there is something to reap.
template <class System>
class shared_side : public kernel_side<System> {
  static_assert(has_stripes<System> || !requires { System::stripes; }, "stripes need stripe() and relax(): see has_stripes");

 protected:
  using base = kernel_side<System>;
  using base::base;
  using base::owned;
  using base::tried;
  using user = user_breakpoint<System>;
  using task_type = task<System>;

  /// A user breakpoint's verb. `to`: the task that it is to be registered for.
  template <class Body>
  refusal owned(verb what, user& b, Body body, [[maybe_unused]] task_type* to = nullptr) noexcept {
    const char* const name = b.name();
    if constexpr (can_share<System>)
      if (refusal no; shared(patience::waits, what, b, to, no, body)) return no;
    return owned(what, name, body);
  }
  template <class Body>
  refusal tried(verb what, user& b, Body body, [[maybe_unused]] task_type* to = nullptr) noexcept {
    const char* const name = b.name();
    if constexpr (can_share<System>)
      if (refusal no; shared(patience::none, what, b, to, no, body)) return no;
    return tried(what, name, body);
  }
  /// A task's.
  template <class Body>
  refusal owned(verb what, [[maybe_unused]] const task_type& t, Body body) noexcept {
    if constexpr (can_share<System>)
      if (refusal no; shared(what, t, no, body)) return no;
    return owned(what, "", body);
  }

  /// A task's wide slots have changed: for the ledger now, or from a stripe later.
  template <class Ledger, class Pins>
  void recount(Ledger& l, const task_type& t, unsigned pool, unsigned before, unsigned after, Pins pins) noexcept {
    if constexpr (can_share<System>)
      if (const auto who = detail::load_relaxed(t.busy_); who != 0) return this->stripes_.note(who - 1, pool, before, after);
    l.change_wide(before, after, pins);
  }

 private:
  enum class patience : bool { none, waits };

  /// f(stripe) with a stripe of one's own. False if there is none, or f says so.
  template <class F>
  bool in_stripe(patience p, F f) noexcept {
    this->expect_thread();
    auto& all = this->stripes_;
    const unsigned s = p == patience::waits ? all.enter(this->system_) : all.try_enter(this->system_);
    if (s == all.none) return false;
    const bool done = f(s);
    all.leave(s);
    return done;
  }
  /// f() with the task claimed. Whoever has it claimed waits for nobody but its cross-call.
  template <class F>
  bool with(const task_type& t, unsigned stripe, patience p, F f) noexcept {
    while (!claim(t.busy_, 0, stripe + 1)) {
      if (p == patience::none) return false;
      this->system_.relax();
    }
    const bool done = !has_pins(t) && f();
    detail::store_release(t.busy_, 0u);  // with claim(): its list and counts go to whoever claims it next
    return done;
  }
  // False: nothing has been done.

  template <class Body>
  bool shared(patience p, verb what, user& b, task_type* to, refusal& no, Body body) noexcept {
    const char* const name = b.name();
    return in_stripe(p, [&](unsigned stripe) {
      // First the breakpoint: while it is claimed it stays its task's, and its task is there.
      const std::uint32_t was = to != nullptr ? user::unused : user::registered;
      if (!claim(b.state_, was, user::claimed)) return false;
      const bool done = with(to != nullptr ? *to : *b.owner_, stripe, p, [&] {
        no = body();
        if (no.why == reason::no_slot && this->any_departed()) return false;
        this->told(what, name, no);
        return true;
      });
      // Unregistered, it is no longer ours; registered, it is anybody's.
      const bool let_go = done && (to != nullptr ? !no : what == verb::unregister_breakpoint);
      if (!let_go) detail::store_release(b.state_, was);  // with claim(), as the task's
      return done;
    });
  }
  template <class Body>
  bool shared(verb what, const task_type& t, refusal& no, Body body) noexcept {
    return in_stripe(patience::waits, [&](unsigned stripe) {
      return with(t, stripe, patience::waits, [&] {
        if (what == verb::flush && !claim_all(t)) return false;
        no = this->told(what, "", body());
        return true;
      });
    });
  }
  /// Acquire, with the release that ended the claim before, or registered the breakpoint: what was done under it is seen.
  static bool claim(std::uint32_t& word, std::uint32_t from, std::uint32_t to) noexcept {
    return __atomic_compare_exchange_n(&word, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
  }
  /// All of a task's breakpoints, or none: one that somebody else has claimed waits for this task.
  static bool claim_all(const task_type& t) noexcept {
    for (user* b = t.first_; b != nullptr; b = b->next_) {
      if (claim(b->state_, user::registered, user::claimed)) continue;
      for (user* back = t.first_; back != b; back = back->next_)  // with claim()
        detail::store_release(back->state_, std::uint32_t{user::registered});
      return false;
    }
    return true;
  }
  static bool has_pins(const task_type& t) noexcept {
    const user* b = t.first_;
    while (b != nullptr && b->where_ == user::everywhere) b = b->next_;
    return b != nullptr;
  }
};

}  // namespace bookend
