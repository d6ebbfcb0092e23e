// SPDX-License-Identifier: MIT
// include/bookend/row_registers.hpp — what one CPU's row holds, and the only code that writes its registers.
#pragma once
#include <bookend/breakpoint.hpp>
#include <bookend/cpu_slots.hpp>
#include <bookend/platform.hpp>

namespace bookend {

/// What a row is about, without the hardware's side of it; also a wish handed to `row::change`.
template <class System>
struct row_image {
  typename System::setting settings[System::slots];
  void* holders[System::slots];  // kernel_breakpoint where `kernel` says so, user_breakpoint where `user` does; null: withheld
  std::uint32_t generations[System::slots];  // of the holder when it was installed
  // Intent, 0 or 1. A byte a slot: a plain store cannot undo the store of a handler that interrupts it, so no atomic
  // read-modify-write is needed. Whole words of them, so that they are read as such; those beyond the last slot stay 0.
  std::uint8_t on[(System::slots + 7) / 8 * 8];
  slot_mask kernel;  // held by the kernel, withheld ones included
  slot_mask user;    // held by the running task
};

/// The registers of one CPU and the protocols that write them (include/README.md, "Writing order" and "Quiet"). A verb changes
/// the row, then calls flush(), which makes the hardware as the row wishes. Every function runs on that CPU under its guard, or
/// anywhere while the CPU is offline; a debug trap or NMI may interrupt any of them at any point and do the same: interruptions
/// on one CPU nest, so compiler barriers are enough. Functions that return bool say false only where can_fail<System>.
/// tests/models/quiet.pml has the same steps under the same names.
template <class System>
class row_registers : public row_image<System> {
  using image = row_image<System>;

 public:
  using setting = typename System::setting;
  using control = typename System::control;
  using image::holders, image::kernel, image::on, image::settings, image::user;

  constexpr row_registers() noexcept : image{} {}

  static constexpr slot_mask bit(slot_id slot) noexcept { return slot_mask{1} << slot; }

  /// Slots whose hits are dispatched, and that the hardware has on unless quiet: wished on, not being edited, and with their
  /// own address in the register.
  [[nodiscard]] constexpr slot_mask armed() const noexcept { return wished() & known_ & ~edit_; }
  /// Slots that are to be on. A byte at a time: a word of them would have to wait for a byte that has just been stored.
  [[nodiscard]] constexpr slot_mask wished() const noexcept {
    slot_mask m = 0;
#pragma GCC unroll 4
    for (slot_id s = 0; s < System::slots; ++s) m |= static_cast<slot_mask>(detail::load_relaxed(on[s])) << s;
    return m;
  }
  /// The same while the registers are ours. `now`: version().
  [[nodiscard]] constexpr slot_mask dispatched(std::uint32_t now) const noexcept {
    if (now == flushed_) [[likely]]
      return lit_;
    return online() && !away() ? armed() : 0;
  }
  /// Slots that the hardware may have on although the row does not wish it: a control write has failed.
  [[nodiscard]] constexpr slot_mask stuck() const noexcept { return can_fail<System> && is_.dirty ? lit_ : 0; }
  /// Changes with every wish: what was read of the row between two equal ones is of one moment.
  [[nodiscard, gnu::always_inline]] constexpr std::uint32_t version() const noexcept { return detail::load_relaxed(version_); }
  /// A verb is rewriting some slot: whoever interrupted it must not rewrite another.
  [[nodiscard]] constexpr bool editing() const noexcept { return edit_ != 0; }
  [[nodiscard]] constexpr bool online() const noexcept { return is_.online != 0; }
  [[nodiscard]] constexpr bool away() const noexcept { return (is_.lent | is_.silenced) != 0; }
  /// A register write failed last: the hardware may differ from the row until one succeeds. Any verb on this CPU tries again.
  [[nodiscard]] constexpr bool broken() const noexcept { return is_.dirty; }
  /// A trap is being dispatched here, or a quiet scope is open.
  [[nodiscard]] constexpr bool in_trap() const noexcept { return (dispatching_ | in_.quiet) != 0; }
  void dispatch_begins() noexcept { dispatching_ = dispatching_ + 1; }
  void dispatch_ends() noexcept { dispatching_ = dispatching_ - 1; }

  /// No trap is under way here: one that was when this CPU was reset (INIT in the middle of an NMI) does not end any more.
  void begin_anew() noexcept {
    in_ = {};
    dispatching_ = 0;
  }
  /// Kernel-mode #DB and NMI entry: everything off until the matching quiet_leave, which is given what this returns. Scopes
  /// nest. At most one control write.
  [[nodiscard]] std::uint32_t quiet_enter(System& sys, cpu_id cpu) noexcept {
    const std::uint32_t since = version_;  // before the look: a silence() that comes between leaves another version
    detail::compiler_barrier();
    if (settled(since)) [[likely]] {
      detail::compiler_barrier();
      set_nesting({.quiet = 1});
      detail::compiler_barrier();
      if (lit_ != 0) hush(sys, cpu, 1);
      return since;
    }
    return quiet_enter_unusual(sys, cpu);
  }
  /// The outermost one writes what is wanted by then: what it found, if nobody has asked for anything else since.
  void quiet_leave(System& sys, cpu_id cpu, std::uint32_t since) noexcept {
    // Else it was as usual when this scope began, and is but for the scope: whatever happens inside brings another version.
    if (version_ != since) [[unlikely]]
      return quiet_leave_unusual(sys, cpu, since);
    unsettle(since);
    set_nesting({});
    detail::compiler_barrier();
    const bool good = lit_ == 0 || wrote([&] { return sys.write_control(cpu, control_); });
    detail::compiler_barrier();
    flushed_ = since;
    detail::compiler_barrier();
    if (version_ == since && good) [[likely]]
      return;
    if (!good) is_.dirty = true;
    bump();
    (void)flush_whole(sys, cpu, true);
  }

  /// Hands the registers to somebody else (a guest, a suspend): off, and nothing of them is written until take_back.
  bool lend(System& sys, cpu_id cpu) noexcept {
    BOOKEND_ASSERT(is_.lent == 0, "lent twice");
    return leave_registers(sys, cpu, [&] { is_.lent = 1; });
  }
  /// Writes everything anew, whatever the registers hold now.
  bool take_back(System& sys, cpu_id cpu) noexcept {
    return enter_registers(sys, cpu, [&] { is_.lent = is_.silenced = 0; });
  }
  /// Crash and kexec: off now and from now on. Any context.
  void silence(System& sys, cpu_id cpu) noexcept {
    const bool interrupts = flushed_ != version_;  // a write that may be to come: whoever opens a quiet scope before must look
    is_.silenced = 1;
    bump();
    if (is_.online != 0) (void)wrote([&] { return sys.write_control(cpu, all_off()); });
    lit_ = 0;
    if (!interrupts) flushed_ = version_;
  }

 protected:
  static constexpr control all_off() noexcept {
    constexpr setting none[System::slots]{};
    return System::control_of(none, 0);
  }

  /// Every change of a wish is followed by this, so that a flush that it interrupted looks again.
  [[gnu::always_inline]] void bump() noexcept {
    detail::compiler_barrier();
    version_ = version_ + 1;
    detail::compiler_barrier();
  }

  /// Makes the hardware as the row wishes. Addresses are written only where they differ, and only while their slot is off;
  /// control at most twice, and not at all if its value stays. Whoever interrupts between two of these lines has flushed its
  /// own wish by the time it returns, and left another version: go round and write again.
  bool flush(System& sys, cpu_id cpu) noexcept {
    const std::uint32_t seen = version_;
    detail::compiler_barrier();
    if (!as_usual() || missing() != 0) [[unlikely]]
      return flush_whole(sys, cpu, false);
    return settle_or_flush(sys, cpu, armed(), seen);
  }
  /// Wishes these slots on or off, and flushes. Precondition: the kernel holds them, and whoever interrupts the rewriting of one
  /// has opened a quiet scope.
  bool turn(System& sys, cpu_id cpu, slot_mask which, bool on_or_off) noexcept {
    const std::uint32_t seen = version_ + 1;
    detail::compiler_barrier();
    wish(which, on_or_off);
    if (!settled(seen - 1)) [[unlikely]]  // else this is the only change
      return flush_whole(sys, cpu, false);
    return settle_or_flush(sys, cpu, on_or_off ? lit_ | which : lit_ & ~which, seen);
  }
  /// The hardware is as wished, and nobody is in the middle of anything.
  [[nodiscard]] bool settled(std::uint32_t now) const noexcept { return flushed_ == now && as_usual(); }
  /// Control is going to be written: whoever interrupts must not rely on control_ and lit_, and leaves it so.
  void unsettle(std::uint32_t now) noexcept {
    flushed_ = now - 1;
    detail::compiler_barrier();
  }
  void wish(slot_mask which, bool on_or_off) noexcept {
    each_slot(which, [&](slot_id s) { detail::store_relaxed(on[s], static_cast<std::uint8_t>(on_or_off)); });
    bump();
  }
  /// Makes the control as the row wishes it, in the usual case: `asked` on, as it was wished when the version was `seen`.
  bool settle(System& sys, cpu_id cpu, slot_mask asked, std::uint32_t seen) noexcept {
    const control wanted = System::control_of(settings, asked);
    if (wanted != control_) {
      if (!wrote([&] { return sys.write_control(cpu, wanted); })) [[unlikely]]
        return record(false, wanted, asked);
      control_ = wanted;
    }
    lit_ = asked;
    detail::compiler_barrier();
    flushed_ = seen;
    detail::compiler_barrier();
    return true;
  }
  /// The same, and round again if somebody has come in between.
  bool settle_or_flush(System& sys, cpu_id cpu, slot_mask asked, std::uint32_t seen) noexcept {
    const bool good = settle(sys, cpu, asked, seen);
    return version_ == seen ? good : flush_whole(sys, cpu, true);
  }
  /// `again`: what was written last may not be what was wished then.
  [[gnu::noinline]] bool flush_whole(System& sys, cpu_id cpu, bool again) noexcept {
    bool good = true;
    for (again = again || is_.dirty;; again = true) {
      const std::uint32_t seen = version_;
      detail::compiler_barrier();
      unsettle(seen);
      if (is_.online != 0 && (in_.quiet | is_.lent | is_.silenced) == 0) {
        bool force = again;
        good = missing() == 0 || write_addresses(sys, cpu, missing(), force);
        if (good) good = write_control(sys, cpu, force || in_.hushed);
        detail::compiler_barrier();
        if (good) flushed_ = seen;
      } else if (is_.online != 0 && is_.silenced != 0) {
        if (again) good = put_control(sys, cpu, all_off(), 0);  // silence() interrupted a write
        in_.hushed = false;
        flushed_ = seen;
      } else if (is_.online != 0 && is_.dirty && in_.quiet != 0 && is_.lent == 0) {
        good = put_control(sys, cpu, all_off(), 0);  // the registers came back inside a quiet scope
      }
      detail::compiler_barrier();
      if (version_ == seen) return good;
    }
  }

  /// Off in the hardware; control_ and lit_ stay, to be written again. While a flush is under way (it was interrupted), they may
  /// not be what the hardware has.
  void turn_off(System& sys, cpu_id cpu) noexcept {
    if (is_.online == 0 || is_.lent != 0 || in_.hushed) return;
    if (flushed_ != version_ || is_.dirty)
      (void)put_control(sys, cpu, all_off(), 0);
    else if (lit_ != 0)
      hush(sys, cpu, in_.quiet);
  }
  /// Precondition: clean, and something is on.
  void hush(System& sys, cpu_id cpu, std::uint8_t depth) noexcept {
    if (wrote([&] { return sys.write_control(cpu, all_off()); })) {
      set_nesting({.quiet = depth, .hushed = true});
    } else {
      is_.dirty = true;
      bump();
    }
  }

  /// Off, then `leave()` makes the registers somebody else's, with nobody switching on again in between.
  template <class Leave>
  bool leave_registers(System& sys, cpu_id cpu, Leave leave) noexcept {
    ++in_.quiet;
    detail::compiler_barrier();
    turn_off(sys, cpu);
    const bool good = !is_.dirty;
    leave();
    detail::compiler_barrier();
    known_ = 0;
    lit_ = 0;
    is_.dirty = in_.hushed = false;
    detail::compiler_barrier();
    --in_.quiet;
    bump();
    return good;
  }
  /// `enter()` makes the registers ours, with unknown contents; then everything is written.
  template <class Enter>
  bool enter_registers(System& sys, cpu_id cpu, Enter enter) noexcept {
    known_ = 0;
    is_.dirty = true;
    detail::compiler_barrier();
    enter();
    bump();
    return flush(sys, cpu);
  }

  /// What the registers of these slots hold is not to be relied on: their hits are nobody's until a flush has written them.
  void distrust(slot_mask which) noexcept {
    known_ &= ~which;
    is_.dirty = true;
    bump();
  }

  // A backend's write returns void or bool; here it is always bool, and constant true where it cannot fail.
  static bool wrote(auto write) noexcept {
    if constexpr (can_fail<System>) {
      return write();
    } else {
      write();
      return true;
    }
  }

  slot_mask known_ = 0;     // slots whose address register holds settings[s]
  slot_mask edit_ = 0;      // slots being rewritten: off, their hits are nobody's, and here-modify is refused
  slot_mask lit_ = 0;       // slots that the last control written has on
  slot_mask withheld_ = 0;  // slots that nobody may have
  // What lasts, and what whoever interrupts puts back before it returns. Each is looked at as one word; a part of the first is
  // stored by itself, since whoever interrupts may store another.
  struct alignas(4) lasting {
    std::uint8_t online = 0;
    std::uint8_t lent = 0;
    std::uint8_t silenced = 0;
    bool dirty = false;  // a register write failed last
  };
  lasting is_{};
  std::uint32_t version_ = 0;  // changes with every wish
  struct alignas(4) nesting {
    std::uint8_t quiet = 0;  // depth
    bool hushed = false;     // turned off by a quiet scope: the hardware has nothing on, whatever control_ says
    std::uint16_t unused = 0;
  };
  nesting in_{};

  /// Online, ours, clean, and no quiet scope.
  [[nodiscard]] bool as_usual() const noexcept {
    return __builtin_bit_cast(std::uint32_t, is_) == __builtin_bit_cast(std::uint32_t, lasting{.online = 1}) &&
           __builtin_bit_cast(std::uint32_t, in_) == 0;
  }
  /// In one store: the next look would have to wait for a part.
  void set_nesting(nesting to) noexcept { __builtin_memcpy(&in_, &to, sizeof in_); }

 private:
  [[gnu::noinline]] std::uint32_t quiet_enter_unusual(System& sys, cpu_id cpu) noexcept {
    // Whatever comes, write anew in the end.
    const bool interrupts = flushed_ != version_ && is_.online != 0 && is_.lent == 0;
    const std::uint32_t never = version_ + (interrupts ? midway : ~std::uint32_t{0});
    detail::compiler_barrier();
    ++in_.quiet;
    detail::compiler_barrier();
    turn_off(sys, cpu);
    return never;
  }
  [[gnu::noinline]] void quiet_leave_unusual(System& sys, cpu_id cpu, std::uint32_t since) noexcept {
    const bool was_midway = version_ - since >= midway;
    --in_.quiet;
    bump();
    (void)flush(sys, cpu);
    // Its write is still to come, and may be older than what has been written now.
    if (was_midway) unsettle(version_);
  }
  /// Of quiet_enter(): the scope interrupts a flush.
  static constexpr std::uint32_t midway = std::uint32_t{1} << 31;
  /// Slots whose address is to be written.
  [[nodiscard]] slot_mask missing() const noexcept { return (kernel | user) & ~(withheld_ | known_ | edit_); }
  bool put_control(System& sys, cpu_id cpu, const control& value, slot_mask lit) noexcept {
    in_.hushed = false;
    detail::compiler_barrier();
    return record(wrote([&] { return sys.write_control(cpu, value); }), value, lit);
  }
  bool record(bool good, const control& value, slot_mask lit) noexcept {
    is_.dirty = !good;
    control_ = value;
    lit_ = good ? lit : lit_ | lit;
    return good;
  }
  bool write_control(System& sys, cpu_id cpu, bool even_if_same) noexcept {
    const slot_mask asked = armed();
    const control wanted = System::control_of(settings, asked);
    return (!even_if_same && wanted == control_) || put_control(sys, cpu, wanted, asked);
  }
  bool write_addresses(System& sys, cpu_id cpu, slot_mask missing, bool& force) noexcept {
    edit_ |= missing;
    detail::compiler_barrier();
    bool good = true;
    if (!in_.hushed && ((missing & lit_) != 0 || force)) {  // off first
      good = write_control(sys, cpu, true);
      force = false;
    }
    each_slot(missing, [&](slot_id s) {
      if (!good) return;
      good = wrote([&] { return sys.write_address(cpu, s, settings[s]); });
      if (good) known_ |= bit(s);
    });
    if (!good) is_.dirty = true;
    detail::compiler_barrier();
    edit_ &= ~missing;
    return good;
  }

  control control_{};              // last written
  std::uint32_t flushed_ = 0;      // version_ as it was when the hardware was last known to be as wished
  std::uint32_t dispatching_ = 0;  // depth
};

}  // namespace bookend
