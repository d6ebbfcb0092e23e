// SPDX-License-Identifier: MIT
// include/bookend/kernel_side.hpp — the everywhere verbs of kernel breakpoints. Bodies; the promises stand in slot_manager.hpp.
#pragma once
#include <bookend/posted.hpp>

namespace bookend {

namespace detail {
/// A ledger that is asked whether so many `more` fit, where one is asked for, and takes nothing.
template <class Ledger>
struct only_asked {
  const Ledger& of;
  unsigned more;
  using mask = typename Ledger::mask;
  [[nodiscard]] bool fits_kernel(const mask& m) const noexcept { return of.fits_kernel(m, more); }
  [[nodiscard]] mask full_kernel(const mask& m) const noexcept { return of.full_kernel(m, more); }
  [[nodiscard]] unsigned tallest_user(cpu_id cpu) const noexcept { return of.tallest_user(cpu); }
  [[nodiscard]] bool fits_wide(unsigned with_one, auto pins) const noexcept { return of.fits_wide(with_one + more - 1, pins); }
  [[nodiscard]] mask full_wide(unsigned with_one, auto pins) const noexcept { return of.full_wide(with_one + more - 1, pins); }
  [[nodiscard]] bool fits_pinned(cpu_id cpu, unsigned wide, unsigned with_one) const noexcept {
    return of.fits_pinned(cpu, wide, with_one + more - 1);
  }
  void take_kernel(const mask&) const noexcept {}
  void change_wide(unsigned, unsigned, auto) const noexcept {}
  void change_pinned(cpu_id, unsigned, unsigned, unsigned) const noexcept {}
};
}  // namespace detail

/// Every function runs under the owner lock and answers with nothing changed when it refuses.
template <class System>
class kernel_side : public posted_side<System> {
 protected:
  using base = posted_side<System>;
  using typename base::mask;
  using typename base::row_type;
  using breakpoint_type = kernel_breakpoint<System>;
  using base::base;

  static constexpr bool several_pools = pool_count<System> > 1;

  // Every verb of both sides, under the owner lock, begins with what handlers have left to do. How it begins is the same code
  // for all.

  /// Runs a verb's body under the lock.
  template <class Body>
  [[gnu::always_inline]] auto owned(Body body) noexcept {
    begin();
    const typename base::ending unlock(*this);
    return body();
  }
  template <class Body>
  [[gnu::always_inline]] refusal owned(verb what, const char* name, Body body) noexcept {
    return owned([&] { return this->told(what, name, body()); });
  }
  /// The same if the lock is free, else would_block.
  template <class Body>
  [[gnu::always_inline]] refusal tried(verb what, const char* name, Body body) noexcept {
    if (!try_begin()) return reason::would_block;
    const typename base::ending unlock(*this);
    return this->told(what, name, body());
  }
  [[gnu::noinline]] void begin() noexcept {
    this->expect_thread();
    this->own();
    reap_departed();
  }
  [[gnu::noinline]] bool try_begin() noexcept {
    this->expect_thread();
    if (!this->try_own()) return false;
    reap_departed();
    return true;
  }
  template <class Body>
  refusal owned(verb what, breakpoint_type& b, Body body) noexcept {
    return owned(what, b.name(), body);
  }
  template <class Body>
  refusal tried(verb what, breakpoint_type& b, Body body) noexcept {
    return tried(what, b.name(), body);
  }

  refusal do_register(breakpoint_type& b, const request& r, const mask& m, start how) noexcept {
    if constexpr (can_post<System>)  // acquire, with depart(): what left it behind is seen
      while (detail::load_acquire(b.state_) == breakpoint_type::leaving) reap_departed();
    if (!b.idle()) return reason::already_registered;
    if (m.none()) return reason::empty_mask;
    const auto encoded = this->accepted(side::kernel, r);
    if (!encoded) return encoded.why();
    const unsigned pool = this->pool_of(encoded.value());
    if (const refusal no = take(pool, m)) return no;

    this->leave_in(b, breakpoint_type::claimed);
    b.intent_.start(encoded.value(), how == start::enabled);
    if (const refusal no = place_on(b, m)) {
      release(pool, m);
      this->leave_in(b, breakpoint_type::unused);
      return no;
    }
    this->replace(b.cpus_, m);
    this->leave_in(b, breakpoint_type::registered);
    return {};
  }

  refusal do_unregister(breakpoint_type& b) noexcept {
    if (!claim(b)) return reason::not_registered;
    return withdraw(b);
  }

  refusal do_set_on(breakpoint_type& b, bool wanted) noexcept {
    if (!claim(b)) return reason::not_registered;
    const std::uint32_t generation = b.intent_.next();
    const refusal no = this->on_each(
        b.cpus_,
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = up_to_date(b, r, true);
          r.remember(s);
          if (!r.set_on(this->system_, cpu, r.slots_of(&b), wanted, if_it_fails::go_back)) return false;
          r.acknowledge(s, generation);
          return true;
        },
        [&](row_type& r, cpu_id cpu) {
          return r.set_on(this->system_, cpu, r.slots_of(&b), r.undo.on != 0, if_it_fails::go_on);
        });
    if (!no) b.intent_.turn(wanted);
    unclaim(b);
    return no;
  }

  [[gnu::cold]] refusal do_modify(breakpoint_type& b, const request& q) noexcept {
    if (!claim(b)) return reason::not_registered;
    const refusal no = modify_claimed(b, q);
    unclaim(b);
    return no;
  }
  [[gnu::cold]] refusal modify_claimed(breakpoint_type& b, const request& q) noexcept {
    const auto encoded = this->accepted(side::kernel, q);
    if (!encoded) return encoded.why();
    const auto& setting = encoded.value();
    const unsigned from = pool_now(b);
    const unsigned to = this->pool_of(setting);
    if (several_pools && from != to)
      if (const refusal no = take(to, b.cpus_)) return no;
    const std::uint32_t generation = b.intent_.next();
    const refusal no = this->on_each(
        b.cpus_,
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = up_to_date(b, r, false);
          r.remember(s);
          if (several_pools && from != to)
            return swap(b, r, cpu, s, kernel_slot(System::pools[to], r.kernel), setting, generation, if_it_fails::go_back);
          if (!r.retarget(this->system_, cpu, s, setting, generation, if_it_fails::go_back)) return false;
          r.acknowledge(s, generation);
          return true;
        },
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = r.slot_of(&b);
          if (!several_pools || from == to)
            return r.retarget(this->system_, cpu, s, r.undo.aim, r.undo.generation, if_it_fails::go_on);
          return swap(b, r, cpu, s, r.undo.slot, r.undo.aim, r.undo.generation, if_it_fails::go_on);
        });
    if (several_pools && from != to) release(no ? to : from, b.cpus_);
    if (no)
      b.intent_.skip();  // CPUs that had it may have hit
    else
      b.intent_.aim(setting);
    return no;
  }

  [[gnu::cold]] refusal do_move(breakpoint_type& b, const mask& m) noexcept {
    if (!claim(b)) return reason::not_registered;
    const refusal no = m.none() ? refusal{reason::empty_mask} : move_claimed(b, m);
    unclaim(b);
    return no;
  }
  /// Gives all its slots back and stays registered, on no CPU, until do_move() names some.
  [[gnu::cold]] refusal do_vacate(breakpoint_type& b) noexcept {
    if (!claim(b)) return reason::not_registered;
    const refusal no = move_claimed(b, {});
    unclaim(b);
    return no;
  }
  [[gnu::cold]] refusal move_claimed(breakpoint_type& b, const mask& m) noexcept {
    const unsigned pool = pool_now(b);
    const mask added = m - b.cpus_;
    const mask left = b.cpus_ - m;
    if (const refusal no = take(pool, added)) return no;
    if (const refusal no = place_on(b, added)) {
      release(pool, added);
      return no;
    }
    const refusal no = this->on_each(
        left,
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = r.slot_of(&b);
          r.remember(s);
          return drop(r, cpu, row_type::bit(s), if_it_fails::go_back);
        },
        [&](row_type& r, cpu_id cpu) {
          return r.occupy(this->system_, cpu, r.undo.slot, b, r.undo.aim, r.undo.generation, r.undo.on != 0, this->seated(r, cpu),
                          if_it_fails::go_on);
        });
    if (no) {
      (void)this->run(added, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
      release(pool, added);
      return no;
    }
    release(pool, left);
    this->replace(b.cpus_, m);
    return {};
  }

  /// no_slot if so many more would not fit on each CPU of m. Takes nothing.
  refusal room(unsigned pool, const mask& m, unsigned more) noexcept {
    return this->in_pool(pool, [&](auto& l) {
      detail::only_asked asked{l, more};
      return take_from(asked, pool, m);
    });
  }

  [[gnu::cold]] refusal do_withhold(cpu_id cpu, slot_mask slots) noexcept {
    if (cpu >= System::max_cpus) return {reason::bad_cpu, cpu};
    BOOKEND_ASSERT((slots & ~all_slots<System>) == 0, "no such slot");
    row_type& r = this->rows_[cpu];
    for (unsigned p = 0; p < pool_count<System>; ++p) {
      const slot_mask wanted = slots & System::pools[p];
      if ((wanted & r.kernel) != 0 || !this->in_pool(p, [&](auto& l) { return l.fits_kernel(cpu, detail::count_bits(wanted)); }))
        return this->no_slot(p, cpu, this->in_pool(p, [&](auto& l) { return l.tallest_user(cpu); }));
    }
    const refusal no = this->on_each(
        mask::of(cpu),
        [&](row_type& here, cpu_id c) {
          return here.vacate(this->system_, c, slots, true, this->seated(here, c), if_it_fails::go_back);
        },
        [](row_type&, cpu_id) { return true; });
    if (no) return no;
    for (unsigned p = 0; p < pool_count<System>; ++p)
      if (const slot_mask taken = slots & System::pools[p]; taken != 0)
        this->in_pool(p, [&](auto& l) { l.take_kernel(cpu, detail::count_bits(taken)); });
    return {};
  }

  [[nodiscard]] static unsigned pool_now(const breakpoint_type& b) noexcept {
    if constexpr (several_pools)
      return base::pool_of(b.intent_.read().setting);
    else
      return 0;
  }

 private:
  // tests/models/post.pml: claim, withdraw, reap, and step for what runs on each CPU.
  /// False if it is not registered, or not any more. A post is over in a few instructions; the caller keeps others out after it.
  bool claim(breakpoint_type& b) noexcept {
    if constexpr (can_post<System>) {
      for (;;) switch (this->try_claim(b)) {
          case breakpoint_type::registered:
            return true;
          case breakpoint_type::unused:
            return false;
          case breakpoint_type::leaving:
            reap_departed();
            break;
          default:
            break;
        }
    } else {
      return !b.idle();
    }
  }
  void unclaim(breakpoint_type& b) noexcept {
    if constexpr (can_post<System>) this->leave_in(b, breakpoint_type::registered);
  }
  /// Takes it from all its CPUs. Precondition: nobody else has claimed it, nor will.
  refusal withdraw(breakpoint_type& b) noexcept {
    const mask stuck = this->run(b.cpus_, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
    release(pool_now(b), b.cpus_);
    this->replace(b.cpus_, {});
    this->leave_in(b, breakpoint_type::unused);
    return this->hardware_on(stuck);
  }
  void reap_departed() noexcept {
    if constexpr (can_post<System>)
      for (breakpoint_type* b = this->departed(); b != nullptr;) {
        breakpoint_type& gone = *b;
        b = b->next_leaving_;
        (void)withdraw(gone);
      }
  }
  /// Its slot here, and in the row what was posted for it before. The verb that asks flushes, and acknowledges its own change.
  slot_id up_to_date(breakpoint_type& b, row_type& r, bool aims) noexcept {
    const slot_id s = r.slot_of(&b);
    if constexpr (can_post<System>) {
      std::uint32_t has[System::slots];
      (void)r.absorb(row_type::bit(s), has, aims);
    }
    return s;
  }
  refusal take(unsigned pool, const mask& m) noexcept {
    return this->in_pool(pool, [&](auto& l) { return take_from(l, pool, m); });
  }
  template <class Ledger>
  refusal take_from(Ledger& l, unsigned pool, const mask& m) noexcept {
    if (!l.fits_kernel(m)) {
      const cpu_id cpu = l.full_kernel(m).first();
      return this->no_slot(pool, cpu, l.tallest_user(cpu));
    }
    l.take_kernel(m);
    return {};
  }
  void release(unsigned pool, const mask& m) noexcept {
    this->in_pool(pool, [&](auto& l) { l.release_kernel(m); });
  }

  [[gnu::always_inline]] refusal place_on(breakpoint_type& b, const mask& m) noexcept {
    return this->on_each(
        m, [&](row_type& r, cpu_id cpu) { return place(b, r, cpu); }, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
  }

  bool place(breakpoint_type& b, row_type& r, cpu_id cpu) noexcept {
    const auto wanted = b.intent_.read();
    const slot_id s = kernel_slot(System::pools[base::pool_of(wanted.setting)], r.kernel);
    r.acknowledge(s, wanted.generation);
    return occupy(b, r, cpu, s, wanted.setting, wanted.aimed, wanted.on, if_it_fails::go_back);
  }
  /// Takes a slot that neither the kernel nor the running task holds.
  bool occupy(breakpoint_type& b, row_type& r, cpu_id cpu, slot_id s, const typename System::setting& setting,
              std::uint32_t generation, bool on, if_it_fails then) noexcept {
    return r.occupy(this->system_, cpu, s, b, setting, generation, on, nullptr, then);
  }
  bool remove(breakpoint_type& b, row_type& r, cpu_id cpu) noexcept {
    return drop(r, cpu, row_type::bit(r.slot_of(&b)), if_it_fails::go_on);
  }
  bool drop(row_type& r, cpu_id cpu, slot_mask freed, if_it_fails then) noexcept {
    return r.vacate(this->system_, cpu, freed, false, this->seated(r, cpu), then);
  }
  /// Takes slot `to`, then frees slot `from`, which is of another pool. In between it has both, so that a handler's enable or
  /// disable finds it whenever it comes.
  bool swap(breakpoint_type& b, row_type& r, cpu_id cpu, slot_id from, slot_id to, const typename System::setting& setting,
            std::uint32_t generation, if_it_fails then) noexcept {
    r.acknowledge(to, generation);
    const bool taken = occupy(b, r, cpu, to, setting, generation, false, then);
    if (!taken && then == if_it_fails::go_back) return false;
    r.carry(from, to);
    if (drop(r, cpu, row_type::bit(from), then)) return taken;
    if (then == if_it_fails::go_back) (void)drop(r, cpu, row_type::bit(to), if_it_fails::go_on);
    return false;
  }
};

}  // namespace bookend
