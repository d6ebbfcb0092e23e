// SPDX-License-Identifier: MIT
// include/bookend/eviction.hpp — who makes way for whom, and who comes back. Bodies; the promises stand in by_priority.hpp.
#pragma once
#include <bookend/prioritized.hpp>
#include <bookend/slot_manager.hpp>

namespace bookend {

/// Every function runs under the owner lock, exclusively.
template <system System>
class eviction : public slot_manager<System> {
 protected:
  using base = slot_manager<System>;
  using typename base::mask;
  using typename base::task;
  using kernel_breakpoint = priority_kernel_breakpoint<System>;
  using user_breakpoint = priority_user_breakpoint<System>;
  using holder = detail::holder<System>;
  using base::base;

  /// What is asked for: a slot of a pool on CPUs, or for a task.
  struct wanted {
    unsigned pool;
    const mask* cpus = nullptr;
    task* of = nullptr;
    unsigned where = 0;
  };
  [[nodiscard]] static unsigned pool_for(const request& r) noexcept {
    const auto encoded = System::encode(r);
    return encoded ? base::pool_of(encoded.value()) : 0;
  }
  [[nodiscard]] static bool is_away(const holder& h) noexcept { return h.listed_ && !h.seated_; }
  [[nodiscard]] static bool is_away(const kernel_breakpoint&) noexcept { return false; }  // registered, on no CPU
  [[nodiscard]] static bool is_away(const user_breakpoint& b) noexcept { return is_away(static_cast<const holder&>(b)); }

  /// verb(), and if there is no slot for it, once more without those who make way for it. They do if it is granted.
  template <class Verb>
  refusal with_room(int rank, const wanted& w, Verb verb) noexcept {
    refusal no = verb();
    if (no.why != reason::no_slot || highest_ == nullptr) return no;
    no = choose(rank, w);
    if (no) return no;
    for (holder* h = highest_; !no && h != nullptr; h = h->lower_)
      if (h->goes_) no = unseat(*h);
    if (!no) no = verb();
    for (holder* h = highest_; h != nullptr; h = h->lower_)
      if (h->goes_ && !h->seated_ && !(no && reseat(*h))) tell(*h, seat::lost);
    return no;
  }
  /// Those who are evicted and for whom there is room.
  void come_back() noexcept {
    for (holder* h = away_ != 0 ? highest_ : nullptr; h != nullptr; h = h->lower_)
      if (!h->seated_ && fits(wanted_by(*h)) && reseat(*h)) tell(*h, seat::back);
  }

  // Verbs, where they differ from slot_manager's.

  refusal settled_in(kernel_breakpoint& b, const mask& cpus, const refusal& no) noexcept {
    if (no) return no;
    b.home_ = cpus;
    away_ -= is_away(static_cast<holder&>(b));
    seated(b, true);
    enlist(b);
    come_back();
    return {};
  }
  refusal enter(user_breakpoint& b, task& t, const request& r, unsigned where, start how) noexcept {
    if (!b.idle()) return reason::already_registered;
    // A number is kept for each of those away, and a hit names 64.
    if ((numbers_of_those_away(t) | numbers_of(t, b)) == ~std::uint64_t{0}) return reason::no_slot;
    const refusal no = with_room(b.rank_, wanted{.pool = pool_for(r), .of = &t, .where = where}, [&]() -> refusal {
      const std::uint64_t kept = numbers_of_those_away(t);
      if (kept == 0) return this->do_register_at(b, t, r, where, how);
      return register_as(b, t, r, where, how == start::enabled, [&] { return detail::lowest_bit(~(kept | numbers_of(t, b))); });
    });
    if (no) return no;
    b.at_ = where;
    b.of_ = &t;
    seated(b, true);
    enlist(b);
    come_back();
    return {};
  }
  template <class Breakpoint>
  refusal leave(Breakpoint& b) noexcept {
    if (b.idle()) return reason::not_registered;
    const bool away = is_away(b);
    unlist(b);  // first: who finds it idle may free it
    const refusal no = away ? refusal{} : this->do_unregister(b);
    come_back();
    return no;
  }
  refusal turn_on(kernel_breakpoint& b, bool on) noexcept { return this->do_set_on(b, on); }
  refusal turn_on(user_breakpoint& b, bool on) noexcept {
    if (!is_away(b)) return this->do_set_on(b, on);
    b.on_ = on;
    return {};
  }
  refusal retarget(user_breakpoint& b, const request& r) noexcept {
    refusal no;
    if (!is_away(b)) {
      no = with_room(b.rank_, wanted{.pool = pool_for(r), .of = b.of_, .where = b.at_}, [&] { return this->do_modify(b, r); });
    } else if (const auto encoded = this->accepted(side::user, r); encoded) {
      b.watched_ = r;
    } else {
      no = encoded.why();
    }
    come_back();
    return no;
  }
  template <class StorageFor>
  void inherit(const task& parent, task& child, StorageFor storage_for) noexcept {
    const auto heir = [&](const user_breakpoint& from) {
      user_breakpoint* const b = storage_for(from);
      if (b != nullptr) b->at_ = from.at_, b->of_ = &child;
      return b;
    };
    this->do_fork(parent, child, [&](const bookend::user_breakpoint<System>& p) -> bookend::user_breakpoint<System>* {
      user_breakpoint* const b = heir(static_cast<const user_breakpoint&>(p));
      if (b != nullptr) seated(*b, true), enlist(*b);
      return b;
    });
    for (holder* h = highest_; h != nullptr; h = h->lower_) {
      if (h->of_ != &parent || h->seated_) continue;
      const auto& from = static_cast<user_breakpoint&>(*h);
      user_breakpoint* const b = heir(from);
      if (b == nullptr) continue;
      BOOKEND_ASSERT(b->may_go_, "what an evicted breakpoint's child inherits needs a callback, too");
      b->index_ = from.index_;
      b->watched_ = from.watched_;
      b->on_ = from.on_;
      enlist(*b);
      ++away_;
    }
    come_back();
  }
  refusal flush_all(task& t) noexcept {
    for (holder *h = highest_, *next; h != nullptr; h = next) {
      next = h->lower_;
      if (h->of_ == &t) unlist(*h);
    }
    for (auto* b = t.first(); b != nullptr; b = b->next()) seated(static_cast<user_breakpoint&>(*b), false);
    const refusal no = this->do_flush(t);
    come_back();
    return no;
  }

 private:
  // The list, highest priority first, at the same priority the oldest.

  void enlist(holder& b) noexcept {
    if (b.listed_ || !b.may_go_) return;
    holder** at = &highest_;
    while (*at != nullptr && (*at)->rank_ >= b.rank_) at = &(*at)->lower_;
    b.lower_ = *at;
    *at = &b;
    detail::store_relaxed(b.listed_, true);
  }
  void unlist(holder& b) noexcept {
    if (!b.listed_) return seated(b, false);
    holder** at = &highest_;
    while (*at != &b) at = &(*at)->lower_;
    *at = b.lower_;
    away_ -= is_away(b);
    seated(b, false);
    detail::store_release(b.listed_, false);  // with idle(): an evicted user breakpoint is its owner's from here on
  }
  static void seated(holder& h, bool yes) noexcept { detail::store_relaxed(h.seated_, yes); }

  /// Says of everybody whether it goes, in `goes_`; or why it would not help, and then nothing there. The ledger is in the end
  /// as it was.
  refusal choose(int rank, const wanted& w) noexcept {
    for (holder* h = highest_; h != nullptr; h = h->lower_)
      if (h->seated_ && h->rank_ < rank) {
        h->out_ = true;
        lift(wanted_by(*h));
      }
    refusal no;
    if (fits(w)) {
      put(w);
      asks_ = &w;
      for (holder* h = highest_; h != nullptr; h = h->lower_)
        if (h->out_ && fits(wanted_by(*h))) in_again(*h);
      asks_ = nullptr;
      for (holder* h = highest_; h != nullptr; h = h->lower_) h->goes_ = h->out_;
      lift(w);
    } else {
      no = why_not(w);
    }
    for (holder* h = highest_; h != nullptr; h = h->lower_)
      if (h->out_) in_again(*h);
    return no;
  }
  void in_again(holder& h) noexcept {
    put(wanted_by(h));
    h.out_ = false;
  }
  /// Only hardware may refuse it.
  refusal unseat(holder& h) noexcept {
    if (h.of_ == nullptr) {
      if (const refusal no = this->do_vacate(static_cast<kernel_breakpoint&>(h))) return no;
    } else {
      auto& b = static_cast<user_breakpoint&>(h);
      b.index_ = b.index();
      b.watched_ = System::decode(b.live().setting);
      b.on_ = b.live().on;
      (void)this->do_unregister(b);
    }
    seated(h, false);
    ++away_;
    return {};
  }
  bool reseat(holder& h) noexcept {
    refusal no;
    if (h.of_ == nullptr) {
      auto& b = static_cast<kernel_breakpoint&>(h);
      no = this->do_move(b, b.home_);
    } else {
      auto& b = static_cast<user_breakpoint&>(h);
      no = register_as(b, *b.of_, b.watched_, b.at_, b.on_, [&] { return b.index_; });
    }
    if (no) return false;
    seated(h, true);
    --away_;
    return true;
  }
  static void tell(holder& h, seat s) noexcept {
    if (h.of_ == nullptr) {
      auto& b = static_cast<kernel_breakpoint&>(h);
      b.on_seat_(b, s);
    } else {
      auto& b = static_cast<user_breakpoint&>(h);
      b.on_seat_(b, s);
    }
  }

  /// Registers it with a number of its own: no hit has another.
  template <class Number>
  refusal register_as(user_breakpoint& b, task& t, const request& r, unsigned where, bool on, Number number) noexcept {
    if (const refusal no = this->do_register_at(b, t, r, where, start::disabled)) return no;
    base::renumber(b, number());
    if (!on) return {};
    const refusal no = this->do_set_on(b, true);
    if (no) (void)this->do_unregister(b);
    return no;
  }
  [[nodiscard]] static std::uint64_t numbers_of(const task& t, const user_breakpoint& but) noexcept {
    std::uint64_t used = 0;
    for (auto* b = t.first(); b != nullptr; b = b->next())
      if (b != &but) used |= std::uint64_t{1} << b->index();
    return used;
  }
  [[nodiscard]] std::uint64_t numbers_of_those_away(const task& t) const noexcept {
    std::uint64_t kept = 0;
    for (holder* h = away_ != 0 ? highest_ : nullptr; h != nullptr; h = h->lower_)
      if (h->of_ == &t && !h->seated_) kept |= std::uint64_t{1} << static_cast<user_breakpoint&>(*h).index_;
    return kept;
  }

  // The ledger's arithmetic, with holders out and one who asks.

  [[nodiscard]] wanted wanted_by(holder& h) noexcept {
    if (h.of_ == nullptr) {
      auto& b = static_cast<kernel_breakpoint&>(h);
      return {.pool = base::pool_now(b), .cpus = &b.home_};
    }
    auto& b = static_cast<user_breakpoint&>(h);
    return {.pool = h.seated_ ? base::pool_of(b.live().setting) : pool_for(b.watched_), .of = h.of_, .where = b.at_};
  }
  /// f(where) for each of the task's slots of this pool.
  template <class F>
  void each_of(const task& t, unsigned pool, F f) const noexcept {
    for (auto* b = t.first(); b != nullptr; b = b->next()) {
      const auto& mine = static_cast<const user_breakpoint&>(*b);
      if (!mine.out_ && base::pool_of(b->live().setting) == pool) f(mine.at_);
    }
    if (asks_ != nullptr && asks_->of == &t && asks_->pool == pool) f(asks_->where);
  }
  [[nodiscard]] unsigned held(const wanted& w, unsigned where) const noexcept {
    unsigned n = 0;
    each_of(*w.of, w.pool, [&](unsigned at) { n += at == where; });
    return n;
  }
  /// As the ledger asks for them: f(cpu, pinned), each CPU once.
  [[nodiscard]] auto pins(const wanted& w) const noexcept {
    return [this, &w](auto f) {
      mask seen;
      each_of(*w.of, w.pool, [&](unsigned at) {
        if (at == 0 || seen.test(at - 1)) return;
        seen.set(at - 1);
        f(at - 1, held(w, at));
      });
    };
  }
  [[nodiscard]] bool fits(const wanted& w) noexcept {
    return this->in_pool(w.pool, [&](auto& l) {
      if (w.of == nullptr) return l.fits_kernel(*w.cpus);
      if (w.where == 0) return l.fits_wide(held(w, 0) + 1, pins(w));
      return l.fits_pinned(w.where - 1, held(w, 0), held(w, w.where) + 1);
    });
  }
  void put(const wanted& w) noexcept { change(w, 0, 1); }
  void lift(const wanted& w) noexcept { change(w, 1, 0); }
  void change(const wanted& w, unsigned before, unsigned after) noexcept {
    this->in_pool(w.pool, [&](auto& l) {
      if (w.of == nullptr)
        after != 0 ? l.take_kernel(*w.cpus) : l.release_kernel(*w.cpus);
      else if (w.where == 0)
        l.change_wide(held(w, 0) + before, held(w, 0) + after, pins(w));
      else
        l.change_pinned(w.where - 1, held(w, 0), held(w, w.where) + before, held(w, w.where) + after);
    });
  }
  [[nodiscard]] refusal why_not(const wanted& w) noexcept {
    return this->in_pool(w.pool, [&](auto& l) {
      if (w.of == nullptr) {
        const cpu_id cpu = l.full_kernel(*w.cpus).first();
        return this->no_slot(w.pool, cpu, l.tallest_user(cpu));
      }
      const cpu_id cpu = w.where != 0 ? w.where - 1 : l.full_wide(held(w, 0) + 1, pins(w)).first();
      return this->no_slot(w.pool, cpu, held(w, 0) + held(w, cpu + 1));
    });
  }

  holder* highest_ = nullptr;
  unsigned away_ = 0;             // how many are evicted
  const wanted* asks_ = nullptr;  // in a trial: has been granted, and is on no list
};

}  // namespace bookend
