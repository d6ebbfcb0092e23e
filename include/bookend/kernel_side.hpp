// SPDX-License-Identifier: MIT
// include/bookend/kernel_side.hpp — the everywhere verbs of kernel breakpoints. Bodies; the promises stand in slot_manager.hpp.
#pragma once
#include <bookend/shelf.hpp>

namespace bookend {

/// Every function runs under the owner lock and answers with nothing changed when it refuses.
template <class System>
class kernel_side : public shelf<System> {
 protected:
  using base = shelf<System>;
  using typename base::image;
  using typename base::mask;
  using typename base::row_type;
  using breakpoint_type = kernel_breakpoint<System>;
  using base::base;

  refusal do_register(breakpoint_type& b, const request& r, const mask& m, start how) noexcept {
    if (!b.idle()) return reason::already_registered;
    if (m.none()) return reason::empty_mask;
    const auto encoded = this->accept(side::kernel, r);
    if (!encoded) return encoded.why();
    const unsigned pool = this->pool_of(encoded.value());
    if (const refusal no = take(pool, m)) return no;

    b.setting_ = encoded.value();
    b.enabled_ = how == start::enabled;
    ++b.generation_;
    if (const refusal no = place_on(b, m)) {
      release(pool, m);
      return no;
    }
    b.cpus_ = m;
    detail::store_release(b.registered_, std::uint8_t{1});
    return {};
  }

  refusal do_unregister(breakpoint_type& b) noexcept {
    if (b.idle()) return reason::not_registered;
    const mask stuck = this->run(b.cpus_, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
    release(this->pool_of(b.setting_), b.cpus_);
    b.cpus_ = {};
    detail::store_release(b.registered_, std::uint8_t{0});
    return this->hardware_on(stuck);
  }

  refusal do_set_on(breakpoint_type& b, bool wanted) noexcept {
    if (b.idle()) return reason::not_registered;
    const refusal no = this->on_each(
        b.cpus_,
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = r.slot_of(&b);
          r.remember(s);
          return r.set_on(this->system_, cpu, r.slots_of(&b), wanted, if_it_fails::go_back);
        },
        [&](row_type& r, cpu_id cpu) {
          return r.set_on(this->system_, cpu, r.slots_of(&b), r.undo.on != 0, if_it_fails::go_on);
        });
    if (!no) b.enabled_ = wanted;
    return no;
  }

  refusal do_modify(breakpoint_type& b, const request& q) noexcept {
    if (b.idle()) return reason::not_registered;
    const auto encoded = this->accept(side::kernel, q);
    if (!encoded) return encoded.why();
    const auto& setting = encoded.value();
    const unsigned from = this->pool_of(b.setting_);
    const unsigned to = this->pool_of(setting);
    if (from != to)
      if (const refusal no = take(to, b.cpus_)) return no;
    const std::uint32_t generation = ++b.generation_;  // a failed attempt has used it up: CPUs that had it may have hit
    const refusal no = this->on_each(
        b.cpus_,
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = r.slot_of(&b);
          r.remember(s);
          if (from == to) return r.retarget(this->system_, cpu, s, setting, generation, if_it_fails::go_back);
          return swap(b, r, cpu, s, kernel_slot(System::pools[to], r.kernel), setting, generation, if_it_fails::go_back);
        },
        [&](row_type& r, cpu_id cpu) {
          const slot_id s = r.slot_of(&b);
          if (from == to) return r.retarget(this->system_, cpu, s, r.undo.aim, r.undo.generation, if_it_fails::go_on);
          return swap(b, r, cpu, s, r.undo.slot, r.undo.aim, r.undo.generation, if_it_fails::go_on);
        });
    if (from != to) release(no ? to : from, b.cpus_);
    if (no) return no;
    b.setting_ = setting;
    return {};
  }

  refusal do_move(breakpoint_type& b, const mask& m) noexcept {
    if (b.idle()) return reason::not_registered;
    if (m.none()) return reason::empty_mask;
    const unsigned pool = this->pool_of(b.setting_);
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
          image wish;
          aim(wish, r.undo.slot, b, r.undo.aim, r.undo.generation, r.undo.on != 0);
          return this->change_and_repack(r, cpu, wish, wish.kernel, if_it_fails::go_on);
        });
    if (no) {
      (void)this->run(added, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
      release(pool, added);
      return no;
    }
    release(pool, left);
    b.cpus_ = m;
    return {};
  }

  refusal do_withhold(cpu_id cpu, slot_mask slots) noexcept {
    if (cpu >= System::max_cpus) return {reason::bad_cpu, cpu};
    BOOKEND_ASSERT((slots & ~all_slots()) == 0, "no such slot");
    row_type& r = this->rows_[cpu];
    for (unsigned p = 0; p < pool_count<System>; ++p) {
      const slot_mask wanted = slots & System::pools[p];
      if ((wanted & r.kernel) != 0 || !this->in_pool(p, [&](auto& l) { return l.fits_kernel(cpu, detail::count_bits(wanted)); }))
        return this->no_slot(p, cpu, this->in_pool(p, [&](auto& l) { return l.tallest_user(cpu); }));
    }
    const refusal no = this->on_each(
        mask::of(cpu),
        [&](row_type& here, cpu_id c) {
          image wish;
          wish.kernel = slots;
          each_slot(slots, [&](slot_id s) {
            wish.holders[s] = nullptr;
            wish.generations[s] = 0;
            wish.on[s] = 0;
          });
          return this->change_and_repack(here, c, wish, slots, if_it_fails::go_back);
        },
        [](row_type&, cpu_id) { return true; });
    if (no) return no;
    for (unsigned p = 0; p < pool_count<System>; ++p)
      if (const slot_mask taken = slots & System::pools[p]; taken != 0)
        this->in_pool(p, [&](auto& l) { l.take_kernel(cpu, detail::count_bits(taken)); });
    return {};
  }

 private:
  static constexpr slot_mask all_slots() noexcept {
    slot_mask m = 0;
    for (const slot_mask pool : System::pools) m |= pool;
    return m;
  }
  refusal take(unsigned pool, const mask& m) noexcept {
    return this->in_pool(pool, [&](auto& l) -> refusal {
      if (!l.fits_kernel(m)) {
        const cpu_id cpu = l.full_kernel(m).first();
        return this->no_slot(pool, cpu, l.tallest_user(cpu));
      }
      l.take_kernel(m);
      return {};
    });
  }
  void release(unsigned pool, const mask& m) noexcept {
    this->in_pool(pool, [&](auto& l) { l.release_kernel(m); });
  }

  refusal place_on(breakpoint_type& b, const mask& m) noexcept {
    return this->on_each(
        m, [&](row_type& r, cpu_id cpu) { return place(b, r, cpu); }, [&](row_type& r, cpu_id cpu) { return remove(b, r, cpu); });
  }

  static void aim(image& wish, slot_id s, breakpoint_type& b, const typename System::setting& setting, std::uint32_t generation,
                  bool on) noexcept {
    wish.settings[s] = setting;
    wish.holders[s] = &b;
    wish.generations[s] = generation;
    wish.on[s] = static_cast<std::uint8_t>(on);
    wish.kernel = row_type::bit(s);
  }
  bool place(breakpoint_type& b, row_type& r, cpu_id cpu) noexcept {
    const slot_id s = kernel_slot(System::pools[this->pool_of(b.setting_)], r.kernel);
    return occupy(b, r, cpu, s, b.setting_, b.generation_, b.enabled_, if_it_fails::go_back);
  }
  /// Takes a slot that neither the kernel nor the running task holds.
  bool occupy(breakpoint_type& b, row_type& r, cpu_id cpu, slot_id s, const typename System::setting& setting,
              std::uint32_t generation, bool on, if_it_fails then) noexcept {
    image wish;
    aim(wish, s, b, setting, generation, on);
    wish.user = 0;
    return r.change(this->system_, cpu, wish, wish.kernel, then);
  }
  bool remove(breakpoint_type& b, row_type& r, cpu_id cpu) noexcept {
    return drop(r, cpu, row_type::bit(r.slot_of(&b)), if_it_fails::go_on);
  }
  bool drop(row_type& r, cpu_id cpu, slot_mask freed, if_it_fails then) noexcept {
    image wish;
    wish.kernel = 0;
    return this->change_and_repack(r, cpu, wish, freed, then);
  }
  /// Takes slot `to`, then frees slot `from`, which is of another pool. In between it has both, so that a handler's enable or
  /// disable finds it whenever it comes.
  bool swap(breakpoint_type& b, row_type& r, cpu_id cpu, slot_id from, slot_id to, const typename System::setting& setting,
            std::uint32_t generation, if_it_fails then) noexcept {
    const bool taken = occupy(b, r, cpu, to, setting, generation, false, then);
    if (!taken && then == if_it_fails::go_back) return false;
    r.carry(from, to);
    if (drop(r, cpu, row_type::bit(from), then)) return taken;
    if (then == if_it_fails::go_back) (void)drop(r, cpu, row_type::bit(to), if_it_fails::go_on);
    return false;
  }
};

}  // namespace bookend
