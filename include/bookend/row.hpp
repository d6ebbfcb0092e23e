// SPDX-License-Identifier: MIT
// include/bookend/row.hpp — one CPU's slots and what can be done to them there.
#pragma once
#include <bookend/row_registers.hpp>

namespace bookend {

/// The slots of one CPU. Where each function runs, and what may interrupt it: see row_registers. Where one returns false (only where
/// can_fail<System>) it has put things back.
template <system System>
class alignas(64) row : public row_registers<System> {
  using base = row_registers<System>;
  using image = row_image<System>;

 public:
  using setting = typename System::setting;
  using base::bit, base::generations, base::holders, base::kernel, base::on, base::settings, base::user;

  /// Whose user breakpoints are in `user`, or would be: the task switched to last. Unused where the platform has current_task.
  const task<System>* current = nullptr;
  /// Between a verb's step and its undoing, under the owner lock: did the step fail here, and what was there before it.
  struct {
    bool failed;
    std::uint8_t on;
    slot_id slot;
    std::uint32_t generation;
    setting aim;
  } undo{};

  /// The slot that a kernel breakpoint holds here; `slots` if none.
  [[nodiscard]] constexpr slot_id slot_of(const void* holder) const noexcept {
    for (slot_id s = 0; s < System::slots; ++s)
      if ((kernel & bit(s)) != 0 && holders[s] == holder) return s;
    return System::slots;
  }

  /// Makes the slots of `which` as in `wish`, `kernel` and `user` included; other slots of `wish` are not read. Addresses are written
  /// only where they change, control at most twice, and not at all if its value stays.
  bool change(System& sys, cpu_id cpu, const image& wish, slot_mask which) noexcept {
    if constexpr (!can_fail<System>) {
      (void)write(sys, cpu, wish, which);
      return true;
    } else {
      const image was = *this;
      if (write(sys, cpu, wish, which)) return true;
      if (!write(sys, cpu, was, which)) give_up(which);
      return false;
    }
  }

  /// Arms or disarms a slot; reservation, address and setting stay. At most one control write.
  bool set_on(System& sys, cpu_id cpu, slot_id slot, bool wanted) noexcept {
    const std::uint8_t was = detail::load_relaxed(on[slot]);
    detail::store_relaxed(on[slot], static_cast<std::uint8_t>(wanted));
    this->bump();
    if (this->flush(sys, cpu)) return true;
    detail::store_relaxed(on[slot], was);
    this->bump();
    if (!this->flush(sys, cpu)) give_up(bit(slot));
    return false;
  }

  /// Re-aims a slot in place; armed stays armed, disarmed stays disarmed. Precondition: not editing().
  bool retarget(System& sys, cpu_id cpu, slot_id slot, const setting& to, std::uint32_t generation) noexcept {
    const setting was = settings[slot];
    const std::uint32_t was_generation = generations[slot];
    if (aim(sys, cpu, slot, to, generation)) return true;
    if (!aim(sys, cpu, slot, was, was_generation)) give_up(bit(slot));
    return false;
  }

  /// Takes slots off the row though the hardware does not answer: their hits are nobody's from now on, and the next write that does
  /// work turns them off.
  void abandon(slot_mask which) noexcept {
    kernel &= ~which;
    user &= ~which;
    give_up(which);
  }

  /// The CPU's registers are ours from now on, with unknown contents.
  bool come_online(System& sys, cpu_id cpu) noexcept {
    this->online_ = 1;
    this->lent_ = this->silenced_ = 0;
    (void)sys.take_status(cpu);
    if (this->program(sys, cpu)) return true;
    this->online_ = 0;
    return false;
  }
  /// Off, and not written any more. The row stays, to be installed when the CPU comes back; user breakpoints come back with their task.
  void go_offline(System& sys, cpu_id cpu) noexcept {
    each_slot(user, [&](slot_id s) { detail::store_relaxed(on[s], std::uint8_t{0}); });
    user = 0;
    current = nullptr;
    this->bump();
    this->turn_off(sys, cpu);
    this->online_ = 0;
    this->known_ = 0;
    this->dirty_ = false;
  }

 private:
  bool aim(System& sys, cpu_id cpu, slot_id slot, const setting& to, std::uint32_t generation) noexcept {
    if (this->holds(slot, to)) {  // only control changes: one write, no moment in which it is off
      settings[slot] = to;
      generations[slot] = generation;
      this->bump();
      return this->flush(sys, cpu);
    }
    this->edit_ |= bit(slot);
    this->bump();
    bool good = this->flush(sys, cpu) && this->put(sys, cpu, slot, to);
    generations[slot] = generation;
    this->edit_ &= ~bit(slot);
    this->bump();
    if (good) good = this->flush(sys, cpu);
    return good;
  }

  bool write(System& sys, cpu_id cpu, const image& wish, slot_mask which) noexcept {
    const slot_mask held = which & (wish.kernel | wish.user);
    slot_mask moves = 0;  // slots whose address must be written
    slot_mask edits = 0;  // slots that no hit may be attributed to in between
    each_slot(which, [&](slot_id s) {
      const bool stays = (held & bit(s)) != 0;
      if (stays && wish.holders[s] != nullptr && !this->holds(s, wish.settings[s])) moves |= bit(s);
      if (!stays || wish.on[s] == 0) detail::store_relaxed(on[s], std::uint8_t{0});
      if (holders[s] != (stays ? wish.holders[s] : nullptr)) edits |= bit(s);
    });
    this->edit_ |= edits | moves;
    this->bump();
    bool good = true;
    if ((moves & this->lit_) != 0) good = this->flush(sys, cpu);
    each_slot(held, [&](slot_id s) {
      if (wish.holders[s] != nullptr && good) good = this->put(sys, cpu, s, wish.settings[s]);
      generations[s] = wish.generations[s];
    });
    each_slot(which, [&](slot_id s) { holders[s] = (held & bit(s)) != 0 ? wish.holders[s] : nullptr; });
    kernel = (kernel & ~which) | (wish.kernel & which);
    user = (user & ~which) | (wish.user & which);
    detail::compiler_barrier();
    each_slot(held, [&](slot_id s) { detail::store_relaxed(on[s], good ? wish.on[s] : std::uint8_t{0}); });
    this->edit_ &= ~(edits | moves);
    this->bump();
    return this->flush(sys, cpu) && good;
  }

  /// Nothing better can be promised: these slots stay off, and the next write tries the hardware again.
  void give_up(slot_mask which) noexcept {
    each_slot(which, [&](slot_id s) { detail::store_relaxed(on[s], std::uint8_t{0}); });
    this->dirty_ = true;
    this->bump();
  }
};

}  // namespace bookend
