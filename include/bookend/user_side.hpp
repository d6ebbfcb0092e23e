// SPDX-License-Identifier: MIT
// include/bookend/user_side.hpp — the everywhere verbs of user breakpoints and tasks. Bodies; the promises stand in
// slot_manager.hpp.
#pragma once
#include <bookend/shared_side.hpp>

namespace bookend {

/// Every do_ function runs under the owner lock, or on its shared side with its task claimed, and answers with nothing changed
/// when it refuses.
template <class System>
class user_side : public shared_side<System> {
 protected:
  using base = shared_side<System>;
  using base::base;
  using base::do_modify;
  using base::do_register;
  using base::do_set_on;
  using base::do_unregister;
  using base::room;
  using typename base::mask;
  using typename base::row_type;
  using typename base::task_type;
  using typename base::user;

  refusal do_register(user& b, task_type& t, const request& q, pinned to, start how) noexcept {
    if (b.idle() && to.cpu >= System::max_cpus) return {reason::bad_cpu, to.cpu};
    return do_register_at(b, t, q, to.cpu + 1, how);
  }
  refusal do_register(user& b, task_type& t, const request& q, start how) noexcept {
    return do_register_at(b, t, q, user::everywhere, how);
  }

  refusal do_register_at(user& b, task_type& t, const request& q, unsigned where, start how) noexcept {
    if (b.owner_ != nullptr) return reason::already_registered;  // not its state: it may be claimed for this
    const auto encoded = this->accepted(side::user, q);
    if (!encoded) return encoded.why();
    const unsigned pool = this->pool_of(encoded.value());
    if (const refusal no = take(t.first_, t, pool, where)) return no;

    enlist(b, t, where, free_index(t, where), encoded.value(), how == start::enabled);
    if (const refusal no = reload(t, where, if_it_fails::go_back)) {
      unlink(t, b);
      (void)reload(t, user::everywhere, if_it_fails::go_on);
      give(t.first_, t, pool, where);
      b.owner_ = nullptr;
      return no;
    }
    detail::store_release(b.state_, std::uint32_t{user::registered});  // with claim() on the shared side: it is filled in
    return {};
  }

  refusal do_unregister(user& b) noexcept {
    if (b.idle()) return reason::not_registered;
    task_type& t = *b.owner_;
    unlink(t, b);
    const refusal no = reload(t, user::everywhere, if_it_fails::go_on);
    give(t.first_, t, this->pool_of(b.live().setting), b.where_);
    retire(b);
    return no;
  }

  refusal do_set_on(user& b, bool wanted) noexcept {
    if (b.idle()) return reason::not_registered;
    return turn(b, {b.live().setting, b.live().generation, wanted});
  }

  [[gnu::cold]] refusal do_modify(user& b, const request& q) noexcept {
    if (b.idle()) return reason::not_registered;
    const auto encoded = this->accepted(side::user, q);
    if (!encoded) return encoded.why();
    task_type& t = *b.owner_;
    const unsigned from = this->pool_of(b.live().setting);
    const unsigned to = this->pool_of(encoded.value());
    if (from != to)
      if (const refusal no = take(t.first_, t, to, b.where_)) return no;
    const refusal no = turn(b, {encoded.value(), ++b.generation_, b.live().on});
    if (from != to) give(t.first_, t, no ? to : from, b.where_);
    return no;
  }

  /// no_slot if so many more of the task's would not fit. Takes nothing. Exclusively.
  refusal room(task_type& t, unsigned pool, unsigned where, unsigned more) noexcept {
    const refusal no = this->in_pool(pool, [&](auto& l) {
      detail::only_asked asked{l, more};
      return take_from(asked, t.first_, t, pool, where);
    });
    if (!no && where == user::everywhere) --t.wide_[pool];  // which the task itself counts
    return no;
  }

  template <class StorageFor>
  [[gnu::cold]] void do_fork(const task_type& parent, task_type& child, StorageFor storage_for) noexcept {
    child.first_ = nullptr;
    for (auto& w : child.wide_) w = 0;
    if constexpr (can_share<System>) child.busy_ = detail::load_relaxed(parent.busy_);
    for (const user* p = parent.first(); p != nullptr; p = p->next()) {
      user* b = storage_for(*p);
      if (b == nullptr) continue;
      BOOKEND_ASSERT(b->idle(), "a forked breakpoint needs storage of its own");
      const auto& cell = p->live();
      // Fits, since the parent's does and tasks do not compete.
      (void)take(child.first_, child, this->pool_of(cell.setting), p->where_);
      enlist(*b, child, p->where_, p->index_, cell.setting, cell.on);
      detail::store_release(b->state_, std::uint32_t{user::registered});  // as in do_register_at()
    }
    if constexpr (can_share<System>) detail::store_release(child.busy_, 0u);  // others may know its breakpoints by now
  }

  [[gnu::cold]] refusal do_flush(task_type& t) noexcept {
    user* list = t.first_;
    if (list == nullptr) return {};
    detail::store_release(t.first_, static_cast<user*>(nullptr));  // with first(): the switch finds the list whole, or none
    const refusal no = reload(t, user::everywhere, if_it_fails::go_on);
    while (list != nullptr) {
      user& b = *list;
      list = b.next_;
      give(list, t, this->pool_of(b.live().setting), b.where_);
      retire(b);
    }
    return no;
  }

  /// Another number for a breakpoint that is disabled, so that no hit has the old one any more.
  static void renumber(user& b, unsigned index) noexcept { b.index_ = static_cast<std::uint8_t>(index); }

 private:
  // A task's holdings, as the ledger asks for them. `list` is the task's other breakpoints.

  static auto pins_of(const user* list, unsigned pool) noexcept {
    return [=](auto f) {
      for (const user* b = list; b != nullptr;) {
        const unsigned where = b->where_;
        unsigned held = 0;
        for (; b != nullptr && b->where_ == where; b = b->next_) held += base::pool_of(b->live().setting) == pool;
        if (where != user::everywhere && held != 0) f(where - 1, held);
      }
    };
  }
  static unsigned pinned_held(const user* list, unsigned pool, unsigned where) noexcept {
    unsigned held = 0;
    for (const user* b = list; b != nullptr; b = b->next_) held += b->where_ == where && base::pool_of(b->live().setting) == pool;
    return held;
  }
  refusal take(const user* list, task_type& t, unsigned pool, unsigned where) noexcept {
    return this->in_pool(pool, [&](auto& l) { return take_from(l, list, t, pool, where); });
  }
  template <class Ledger>
  refusal take_from(Ledger& l, const user* list, task_type& t, unsigned pool, unsigned where) noexcept {
    auto& wide = t.wide_[pool];
    if (where == user::everywhere) {
      const auto pins = pins_of(list, pool);
      if (!l.fits_wide(wide + 1u, pins)) {
        const cpu_id cpu = l.full_wide(wide + 1u, pins).first();
        return this->no_slot(pool, cpu, wide + pinned_held(list, pool, cpu + 1));
      }
      this->recount(l, t, pool, wide, wide + 1u, pins);
      ++wide;
    } else {
      const unsigned held = pinned_held(list, pool, where);
      if (!l.fits_pinned(where - 1, wide, held + 1)) return this->no_slot(pool, where - 1, wide + held);
      l.change_pinned(where - 1, wide, held, held + 1);
    }
    return {};
  }
  /// `list` is without the breakpoint that gives its slot back, or has it in another pool by now.
  void give(const user* list, task_type& t, unsigned pool, unsigned where) noexcept {
    this->in_pool(pool, [&](auto& l) { give_to(l, list, t, pool, where); });
  }
  template <class Ledger>
  void give_to(Ledger& l, const user* list, task_type& t, unsigned pool, unsigned where) noexcept {
    auto& wide = t.wide_[pool];
    if (where == user::everywhere) {
      this->recount(l, t, pool, wide, wide - 1u, pins_of(list, pool));
      --wide;
    } else {
      const unsigned held = pinned_held(list, pool, where);
      l.change_pinned(where - 1, wide, held + 1, held);
    }
  }

  static std::uint8_t free_index(const task_type& t, unsigned where) noexcept {
    std::uint64_t used = 0;
    for (const user* b = t.first_; b != nullptr; b = b->next_)
      if (where == user::everywhere || b->where_ == user::everywhere || b->where_ == where) used |= std::uint64_t{1} << b->index_;
    return static_cast<std::uint8_t>(detail::lowest_bit(~used));
  }

  // The task's list: a context switch may walk it at any time. Release, with first() and next(): what is linked is filled in.

  static void enlist(user& b, task_type& t, unsigned where, std::uint8_t index, const typename System::setting& setting,
                     bool on) noexcept {
    b.owner_ = &t;
    b.where_ = where;
    b.index_ = index;
    b.cells_[b.live_] = {setting, ++b.generation_, on};
    link(t, b);
  }
  static void link(task_type& t, user& b) noexcept {
    user** at = &t.first_;
    while (*at != nullptr && (*at)->where_ <= b.where_) at = &(*at)->next_;
    b.next_ = *at;
    detail::store_release(*at, &b);  // with first() and next(): b is filled in
  }
  static void unlink(task_type& t, const user& b) noexcept {
    user** at = &t.first_;
    while (*at != &b) at = &(*at)->next_;
    detail::store_release(*at, b.next_);  // the same of the one behind it
  }
  /// Release, with idle(): the storage is the caller's from here on.
  static void retire(user& b) noexcept {
    b.owner_ = nullptr;
    b.next_ = nullptr;
    detail::store_release(b.state_, std::uint32_t{user::unused});  // with idle()
  }

  // tests/models/switch.pml: owner, reload.
  /// Shows a new cell to the switch, then to where the task runs. When it returns, nobody reads the old one.
  refusal turn(user& b, const typename user::cell& next) noexcept {
    const auto old = b.live_;
    const auto spare = static_cast<std::uint8_t>(1 - old);
    b.cells_[spare] = next;
    detail::store_release(b.live_, spare);  // after the cell: live()
    const refusal no = reload(*b.owner_, b.where_, if_it_fails::go_back);
    if (!no) return {};
    detail::store_release(b.live_, old);  // the old cell is as it was: live()
    (void)reload(*b.owner_, b.where_, if_it_fails::go_on);
    return no;
  }

  [[nodiscard]] mask reach(const task_type& t, unsigned where) noexcept {
    mask m = this->online_;
    if constexpr (has_cpus_of<System, task_type>) {
      // What was stored before is seen by whoever is not in the answer (see has_cpus_of for the scheduler's side).
      __atomic_thread_fence(__ATOMIC_SEQ_CST);
      m &= this->system_.cpus_of(t);
    }
    if (where != user::everywhere) m &= mask::of(where - 1);
    return m;
  }
  /// Where the task runs now, its breakpoints are loaded anew. Where it is switched in later, the switch sees the change:
  /// either the switch came first and this reloads, or it comes after this call and reads what was stored before it. Whatever
  /// is taken out of the list is reloaded everywhere: a switch on any CPU may stand on it.
  [[gnu::always_inline]] refusal reload(const task_type& t, unsigned where, if_it_fails then) noexcept {
    const mask failed = seat(t, where, then);
    return can_fail<System> ? this->hardware_on(failed) : refusal{};
  }
  [[gnu::noinline]] mask seat(const task_type& t, unsigned where, if_it_fails then) noexcept {
    return this->run(reach(t, where),
                     [&](row_type& r, cpu_id cpu) { return this->current_of(cpu) != &t || r.seat(this->system_, cpu, t, then); });
  }
};

}  // namespace bookend
