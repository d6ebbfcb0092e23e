// SPDX-License-Identifier: MIT
// include/bookend/row.hpp — one CPU's slots and what can be done to them there.
#pragma once
#include <bookend/row_registers.hpp>

namespace bookend {

/// What a row does when a register write fails (only where can_fail<System>): `go_back`: as before, and say false. `go_on`: as
/// wished all the same, and say false; the slots concerned are silent until a later write on this CPU succeeds, and then as
/// wished.
enum class if_it_fails : bool { go_back, go_on };

/// The slots of one CPU. Where each function runs, and what may interrupt it: see row_registers.
template <system System>
class alignas(64) row : public row_registers<System> {
  using base = row_registers<System>;
  using image = row_image<System>;

 public:
  using setting = typename System::setting;
  using base::bit, base::generations, base::holders, base::kernel, base::on, base::settings, base::user;

  /// Whose user breakpoints are in `user`, or would be: the task switched to last. Unused where the platform has current_task.
  const task<System>* current = nullptr;
  /// Between a verb's step and its undoing, under the owner lock: did the step fail here, and what was there before it. A
  /// here-verb of a handler that comes in between says so here, too.
  struct {
    bool failed;
    std::uint8_t on;
    slot_id slot;
    std::uint32_t generation;
    setting aim;
  } undo{};
  void remember(slot_id s) noexcept {
    if constexpr (can_fail<System>) undo = {false, on[s], s, generations[s], settings[s]};
  }

  /// The slots that a kernel breakpoint holds here: none or one; two for a moment, while it changes pool.
  [[nodiscard]] constexpr slot_mask slots_of(const void* holder) const noexcept {
    slot_mask m = 0;
#pragma GCC unroll 4
    for (slot_id i = 0; i < System::slots; ++i) {
      const slot_id s = System::slots - 1 - i;  // the kernel's are the upper ones
      if (holders[s] != holder) continue;
      m |= bit(s);
      if constexpr (pool_count<System> == 1) break;
    }
    return m & kernel;
  }
  /// Precondition: it holds one.
  [[nodiscard, gnu::always_inline]] constexpr slot_id slot_of(const void* holder) const noexcept {
    return detail::lowest_bit(slots_of(holder));
  }

  // Where `running` is a task, its breakpoints are placed anew in the same go; null: users stay where they are.

  /// A kernel breakpoint takes a slot that the kernel does not hold.
  [[gnu::noinline]] bool occupy(System& sys, cpu_id cpu, slot_id s, kernel_breakpoint<System>& b, const setting& to,
                                std::uint32_t generation, bool wanted, const task<System>* running, if_it_fails then) noexcept {
    const auto was = before();
    edit(bit(s));
    hold(s, &b, to, generation, static_cast<std::uint8_t>(wanted));
    detail::compiler_barrier();
    kernel |= bit(s);
    edited(bit(s));
    if (running != nullptr) place_users(*running, cpu);
    return changed(sys, cpu, was, bit(s), then);
  }
  /// Slots are free again; or, with `withhold`, nobody's from now on.
  [[gnu::noinline]] bool vacate(System& sys, cpu_id cpu, slot_mask which, bool withhold, const task<System>* running,
                                if_it_fails then) noexcept {
    const auto was = before();
    edit(which);
    each_slot(which, [&](slot_id s) { let_go(s); });
    if (withhold) this->withheld_ |= which;
    detail::compiler_barrier();
    kernel = withhold ? kernel | which : kernel & ~which;
    edited(which);
    if (running != nullptr) place_users(*running, cpu);
    return changed(sys, cpu, was, which, then);
  }
  /// Makes the user side that of `t`.
  bool seat(System& sys, cpu_id cpu, const task<System>& t, if_it_fails then) noexcept {
    const auto was = before();
    place_users(t, cpu);
    return changed(sys, cpu, was, 0, then);
  }

  /// Arms or disarms slots; reservation, address and setting stay. At most one control write.
  bool set_on(System& sys, cpu_id cpu, slot_mask which, bool wanted, if_it_fails then) noexcept {
    const bool was = on[detail::lowest_bit(which)] != 0;
    if (this->turn(sys, cpu, which, wanted) || !can_fail<System>) return true;
    return undone(sys, cpu, [=] { return which; }, then, [&] { this->wish(which, was); });
  }

  /// Re-aims a slot in place; armed stays armed, disarmed stays disarmed. Precondition: not editing().
  /// `generation` is looked at when the slot is in edit_: it may be the slot's own, which somebody who interrupts changes before.
  bool retarget(System& sys, cpu_id cpu, slot_id slot, const setting to, const std::uint32_t& generation,
                if_it_fails then) noexcept {
    if constexpr (!can_fail<System>) {
      const std::uint32_t seen = this->version_;
      detail::compiler_barrier();
      this->edit_ = bit(slot);  // before the look: nobody switches it on any more
      detail::compiler_barrier();
      if (this->settled(seen)) [[likely]] {
        const slot_mask lit = this->lit_;
        if (!System::same_address(settings[slot], to)) {
          if ((lit & bit(slot)) != 0) {
            this->unsettle(seen);
            this->settle(sys, cpu, lit & ~bit(slot), seen);
          }
          sys.write_address(cpu, slot, to);
        }
        settings[slot] = to;
        generations[slot] = generation;
        edited(bit(slot));
        if (!this->settled(seen)) [[unlikely]]  // somebody has come in between
          return this->flush_whole(sys, cpu, true);
        return this->settle_or_flush(sys, cpu, lit, seen + 1);
      }
    }
    const setting was = settings[slot];
    const std::uint32_t was_generation = generations[slot];
    return attempt(
        sys, cpu, [=] { return bit(slot); }, then, [&] { aim(slot, to, generation); }, [&] { aim(slot, was, was_generation); });
  }

  /// Gives slot `to` what slot `from` of the same breakpoint is at that moment, on or off: whichever a handler asks for
  /// meanwhile.
  void carry(slot_id from, slot_id to) noexcept {
    std::uint32_t seen;
    do {
      seen = this->version_;
      detail::compiler_barrier();
      detail::store_relaxed(on[to], detail::load_relaxed(on[from]));
      detail::compiler_barrier();
    } while (this->version_ != seen);
    this->bump();
  }

  /// The CPU's registers are ours from now on, with unknown contents; if they take no writes, they are not.
  bool come_online(System& sys, cpu_id cpu) noexcept {
    current = nullptr;
    (void)sys.take_status(cpu);
    if (this->enter_registers(sys, cpu, [&] {
          this->is_.lent = this->is_.silenced = 0;
          this->is_.online = 1;
        }))
      return true;
    go_offline(sys, cpu);
    return false;
  }
  /// Off, and not written any more. The row stays, to be installed when the CPU comes back; user breakpoints come back with
  /// their task.
  bool go_offline(System& sys, cpu_id cpu) noexcept {
    const bool good = this->leave_registers(sys, cpu, [&] { this->is_.online = 0; });
    const slot_mask gone = user;
    user = 0;
    each_slot(gone, [&](slot_id s) { let_go(s); });  // their storage may be a kernel breakpoint's next
    current = nullptr;
    return good;
  }
  [[nodiscard]] bool silenced() const noexcept { return this->is_.silenced != 0; }

  // The posted scope. A breakpoint's intent is what it shall be here; what was last taken over of it, `applied_` says.
  // tests/models/post.pml: absorb, catch_up.

  /// Takes over what has been posted for the breakpoints that hold slots here, in one go. One that is being written at this
  /// moment is left out, its writer will ask again; or, with `wait`, waited for. Not inside a trap, nor another verb of this CPU.
  void catch_up(System& sys, cpu_id cpu, bool wait = false) noexcept {
    while (!catch_up(sys, cpu, kernel & ~this->withheld_) && wait) {
    }
  }
  /// The same for some of them, also inside a trap: there it may interrupt somebody who is rewriting a slot of this CPU, and then
  /// it does no more than to switch off what shall be off. False if something is left to do.
  bool catch_up(System& sys, cpu_id cpu, slot_mask which) noexcept {
    if (this->editing() || catching_up_) return only_switch_off(sys, cpu, which);
    catching_up_ = true;
    std::uint32_t has[System::slots];
    const slot_mask whole = absorb(which, has);
    (void)this->flush(sys, cpu);
    each_slot(whole, [&](slot_id s) { acknowledge(s, has[s]); });
    detail::compiler_barrier();
    catching_up_ = false;
    return whole == which;
  }
  /// What catch_up() does to the row; the caller flushes, then acknowledges the generations in `has`. The slots that are done.
  /// Without `aims`: for a verb that re-aims them next; until it has, they stay in edit_, since they may be on by now.
  slot_mask absorb(slot_mask which, std::uint32_t (&has)[System::slots], bool aims = true) noexcept {
    slot_mask whole = 0;
    each_slot(which, [&](slot_id s) {
      const std::uint32_t had = has[s] = applied_[s];
      typename intent<setting>::value v;
      if (!intent_of(s).try_read(v)) return;
      whole |= bit(s);
      if (!later(v.generation, had)) return;
      edit(bit(s));
      std::uint32_t seen;
      do {  // whoever interrupts this switches off at once: what is stored after it must have been read after it
        seen = this->version_;
        detail::compiler_barrier();
        while (!intent_of(s).try_read(v)) {  // by another CPU, in a few instructions
        }
        if (aims && later(v.aimed, had)) put(s, v.setting, v.aimed);
        if (later(v.turned, had)) detail::store_relaxed(on[s], static_cast<std::uint8_t>(v.on));
        detail::compiler_barrier();
      } while (this->version_ != seen);
      if (aims) this->edit_ &= ~bit(s);
      this->bump();
      has[s] = v.generation;
    });
    return whole;
  }
  /// This CPU has all of a holder's changes up to this one, in the hardware, too. Release, with behind(): whoever sees the
  /// number may rely on it.
  void acknowledge(slot_id s, std::uint32_t generation) noexcept {
    if constexpr (can_post<System>) detail::store_release(applied_[s], generation);
  }
  /// True when `holder` holds a slot here and has not got that change yet. Any context, on any CPU.
  /// Acquire, with hold() and acknowledge(): the number is that holder's, and what it says was written before.
  [[nodiscard]] bool behind(const void* holder, std::uint32_t generation) const noexcept {
    for (slot_id s = 0; s < System::slots; ++s)
      if (detail::load_acquire(holders[s]) == holder && later(generation, detail::load_acquire(applied_[s]))) return true;
    return false;
  }

 private:
  /// What a change needs to be undone; nothing where it never is.
  struct nothing {};
  [[nodiscard]] auto before() const noexcept {
    if constexpr (can_fail<System>)
      return image(*this);
    else
      return nothing{};
  }
  /// Users' slots before and after are always part of what is changed.
  bool changed(System& sys, cpu_id cpu, const auto& was, slot_mask which, if_it_fails then) noexcept {
    if constexpr (can_fail<System>) {
      const auto all = [&] { return which | was.user | user; };
      return attempt(sys, cpu, all, then, [] {}, [&] { restore(was, all()); });
    } else {
      return this->flush(sys, cpu);
    }
  }
  template <class Which, class Do, class Undo>
  bool attempt(System& sys, cpu_id cpu, Which which, if_it_fails then, Do change, Undo change_back) noexcept {
    change();
    if (this->flush(sys, cpu) || !can_fail<System>) return true;
    return undone(sys, cpu, which, then, change_back);
  }
  template <class Which, class Undo>
  bool undone(System& sys, cpu_id cpu, Which which, if_it_fails then, Undo change_back) noexcept {
    if (then == if_it_fails::go_back) {
      change_back();
      if (this->flush(sys, cpu)) return false;
    }
    this->distrust(which());
    return false;
  }

  void aim(slot_id slot, const setting& to, const std::uint32_t& generation) noexcept {
    edit(bit(slot));
    put(slot, to, generation);
    edited(bit(slot));
  }

  /// Precondition: the slot is in edit_.
  void put(slot_id slot, const setting& to, std::uint32_t generation) noexcept {
    if (!System::same_address(settings[slot], to)) this->known_ &= ~bit(slot);
    settings[slot] = to;
    generations[slot] = generation;
  }

  // tests/models/quiet.pml: begin_edit, put, end_edit, and who changes the row with them.
  // While a slot is in edit_, no hit is attributed to it, and no handler re-aims it. A handler that finds a breakpoint in
  // `kernel` changes an `on` that stands: it is stored before the mask, and after the holder of a slot that is let go.

  void edit(slot_mask which) noexcept {
    this->edit_ |= which;
    this->bump();
  }
  [[gnu::always_inline]] void edited(slot_mask which) noexcept {
    detail::compiler_barrier();
    this->edit_ &= ~which;
    this->bump();
  }
  void hold(slot_id s, void* holder, const setting& to, std::uint32_t generation, std::uint8_t how) noexcept {
    detail::store_release(holders[s], holder);  // with behind(): the number that was acknowledged for it is there already
    put(s, to, generation);
    detail::store_release(on[s], how);  // after the holder, for a handler that comes in between on this CPU
  }
  void let_go(slot_id s) noexcept {
    detail::store_release(holders[s], static_cast<void*>(nullptr));  // with behind(): the flush of the old one came before
    detail::store_release(on[s], std::uint8_t{0});                   // after it, as in hold()
  }

  /// The task's breakpoints for this CPU into the lowest slots that the kernel does not hold.
  [[gnu::noinline]] void place_users(const task<System>& t, cpu_id cpu) noexcept {
    const slot_mask all = all_slots<System> & ~kernel;
    const slot_mask were = user;
    edit(all);
    slot_mask left = all;
    for (user_breakpoint<System>* b = t.first(); b != nullptr; b = b->next()) {
      if (!b->counts_on(cpu)) continue;
      const auto& cell = b->live();
      const slot_id s = next_user_slot(System::pools[System::pool_of(cell.setting)], left);
      hold(s, b, cell.setting, cell.generation, static_cast<std::uint8_t>(cell.on));
    }
    each_slot(were & left, [&](slot_id s) { let_go(s); });
    detail::compiler_barrier();
    user = all & ~left;
    edited(all);
  }

  /// Everything of these slots as it was.
  void restore(const image& was, slot_mask which) noexcept {
    edit(which);
    this->withheld_ &= ~(which & ~was.kernel);
    each_slot(which, [&](slot_id s) {
      if (((was.kernel | was.user) & bit(s)) != 0) return hold(s, was.holders[s], was.settings[s], was.generations[s], was.on[s]);
      let_go(s);
    });
    detail::compiler_barrier();
    kernel = (kernel & ~which) | (was.kernel & which);
    user = was.user;
    edited(which);
  }

  [[nodiscard]] const intent<setting>& intent_of(slot_id s) const noexcept {
    return static_cast<const kernel_breakpoint<System>*>(holders[s])->intent_;
  }
  bool only_switch_off(System& sys, cpu_id cpu, slot_mask which) noexcept {
    slot_mask off = 0;
    bool left = false;
    each_slot(which, [&](slot_id s) {
      typename intent<setting>::value v;
      const bool whole = intent_of(s).try_read(v);
      left = left || !whole || later(v.generation, applied_[s]);
      if (whole && !v.on && later(v.turned, applied_[s])) off |= bit(s);
    });
    if (off != 0) (void)this->turn(sys, cpu, off, false);
    return !left;
  }

  std::uint32_t applied_[System::slots]{};  // the holder's generation that this CPU has
  bool catching_up_ = false;
};

}  // namespace bookend
