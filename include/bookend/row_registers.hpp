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
  /// Slots that are to be on.
  [[nodiscard]] constexpr slot_mask wished() const noexcept {
    if (__builtin_is_constant_evaluated() || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) return wished_lately();
    slot_mask m = 0;
    for (slot_id s = 0; s < System::slots; s += 8) {
      std::uint64_t eight = 0;
      __builtin_memcpy(&eight, &on[s], 8);
      m |= static_cast<slot_mask>(eight * 0x0102040810204080 >> 56) << s;  // bit 0 of byte i to bit i
    }
    return m;
  }
  /// The same a byte at a time, for whoever has just stored one: the word would have to wait for it.
  [[nodiscard]] constexpr slot_mask wished_lately() const noexcept {
    slot_mask m = 0;
    for (slot_id s = 0; s < System::slots; ++s) m |= static_cast<slot_mask>(detail::load_relaxed(on[s])) << s;
    return m;
  }
  /// The same while the registers are ours.
  [[nodiscard]] constexpr slot_mask dispatched() const noexcept { return armed() & ours_; }
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
  [[nodiscard]] constexpr bool in_trap() const noexcept { return (is_.dispatching | is_.quiet) != 0; }
  [[nodiscard]] std::uint8_t dispatch_begins() noexcept {
    const std::uint8_t outer = is_.dispatching;
    is_.dispatching = 1;
    return outer;
  }
  void dispatch_ends(std::uint8_t outer) noexcept { is_.dispatching = outer; }

  /// No trap is under way here: one that was when this CPU was reset (INIT in the middle of an NMI) does not end any more.
  void begin_anew() noexcept {
    is_.quiet = is_.dispatching = 0;
    is_.writing = false;
  }
  /// Kernel-mode #DB and NMI entry: everything off until the matching quiet_leave, which is given what this returns. Scopes
  /// nest. At most one control write.
  [[nodiscard]] std::uint32_t quiet_enter(System& sys, cpu_id cpu) noexcept {
    if (!as_usual()) [[unlikely]]
      return quiet_enter_unusual(sys, cpu);
    const std::uint32_t since = version_;
    detail::compiler_barrier();
    is_.quiet = 1;
    detail::compiler_barrier();
    if (lit_ == 0) return since;
    hush(sys, cpu);
    return since;
  }
  /// The outermost one writes what is wanted by then: what it found, if nobody has asked for anything else since.
  void quiet_leave(System& sys, cpu_id cpu, std::uint32_t since) noexcept {
    if (!is_.hushed || version_ != since) [[unlikely]]  // else it was as usual when this scope began, and is but for the scope
      return quiet_leave_unusual(sys, cpu, since);
    is_.quiet = 0;
    is_.hushed = false;
    detail::compiler_barrier();
    const bool good = wrote([&] { return sys.write_control(cpu, control_); });
    detail::compiler_barrier();
    if (version_ == since && good) [[likely]]
      return;
    if (!good) is_.dirty = true;
    bump();
    (void)flush(sys, cpu, true);
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
    is_.silenced = 1;
    ours_ = 0;
    bump();
    if (is_.online != 0) (void)wrote([&] { return sys.write_control(cpu, all_off()); });
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
  /// `again`: what was written last may not be what was wished then.
  bool flush(System& sys, cpu_id cpu, bool again = false) noexcept {
    if (as_usual() && !again) [[likely]] {
      const std::uint32_t seen = version_;
      detail::compiler_barrier();
      if (missing() == 0) {
        is_.writing = true;
        detail::compiler_barrier();
        const bool good = write_control(sys, cpu, false);
        detail::compiler_barrier();
        is_.writing = false;
        if (version_ == seen) return good;
        again = true;
      }
    }
    return flush_whole(sys, cpu, again);
  }
  [[gnu::noinline]] bool flush_whole(System& sys, cpu_id cpu, bool again) noexcept {
    const bool outer_writing = is_.writing;
    is_.writing = true;
    bool good = true;
    for (again = again || is_.dirty;; again = true) {
      const std::uint32_t seen = version_;
      detail::compiler_barrier();
      if (is_.online != 0 && (is_.quiet | is_.lent | is_.silenced) == 0) {
        bool force = again;
        good = missing() == 0 || write_addresses(sys, cpu, missing(), force);
        if (good) good = write_control(sys, cpu, force || is_.hushed);
      } else if (is_.online != 0 && ((again && is_.silenced != 0) || (is_.dirty && is_.quiet != 0 && is_.lent == 0))) {
        // It ought to be off, and may not be: silence() interrupted a write, or the registers came back inside a quiet scope.
        good = put_control(sys, cpu, all_off(), 0);
      }
      detail::compiler_barrier();
      if (version_ == seen) break;
    }
    is_.writing = outer_writing;
    return good;
  }

  /// Off in the hardware; control_ and lit_ stay, to be written again. While a flush is under way (it was interrupted), they may
  /// not be what the hardware has.
  void turn_off(System& sys, cpu_id cpu) noexcept {
    if (is_.online == 0 || (is_.lent | is_.silenced) != 0) return;
    if (is_.writing || is_.dirty)
      (void)put_control(sys, cpu, all_off(), 0);
    else if (lit_ != 0 && !is_.hushed)
      hush(sys, cpu);
  }
  /// Precondition: clean, and something is on.
  void hush(System& sys, cpu_id cpu) noexcept {
    if (wrote([&] { return sys.write_control(cpu, all_off()); }))
      is_.hushed = true;
    else
      is_.dirty = true;
  }

  /// Off, then `leave()` makes the registers somebody else's, with nobody switching on again in between.
  template <class Leave>
  bool leave_registers(System& sys, cpu_id cpu, Leave leave) noexcept {
    ++is_.quiet;
    detail::compiler_barrier();
    turn_off(sys, cpu);
    const bool good = !is_.dirty;
    ours_ = 0;
    leave();
    detail::compiler_barrier();
    known_ = 0;
    lit_ = 0;
    is_.dirty = is_.hushed = false;
    detail::compiler_barrier();
    --is_.quiet;
    bump();
    return good;
  }
  /// `enter()` makes the registers ours, with unknown contents; then everything is written.
  template <class Enter>
  bool enter_registers(System& sys, cpu_id cpu, Enter enter) noexcept {
    known_ = 0;
    is_.dirty = true;
    detail::compiler_barrier();
    ours_ = ~slot_mask{0};
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
  slot_mask withheld_ = 0;  // slots that nobody may have
  slot_mask ours_ = 0;      // all ones while the registers are: online, neither lent nor silenced
  // One word, so that the usual case is one comparison. Each byte is stored by itself: whoever interrupts may store another.
  struct alignas(8) flags {
    std::uint8_t online = 0;
    std::uint8_t lent = 0;
    std::uint8_t silenced = 0;
    std::uint8_t quiet = 0;  // depth
    bool dirty = false;      // a register write failed last
    bool writing = false;    // a flush is under way on this CPU
    bool hushed = false;     // turned off by a quiet scope: the hardware has nothing on, whatever control_ says
    std::uint8_t dispatching = 0;
  };
  flags is_{};
  /// Online, ours, clean, and nobody in the middle of anything.
  [[nodiscard]] bool as_usual() const noexcept {
    return __builtin_bit_cast(std::uint64_t, is_) == __builtin_bit_cast(std::uint64_t, flags{.online = 1});
  }
  std::uint32_t version_ = 0;  // changes with every wish

 private:
  [[gnu::noinline]] std::uint32_t quiet_enter_unusual(System& sys, cpu_id cpu) noexcept {
    const std::uint32_t never = version_ - 1;  // whatever comes, write anew in the end
    ++is_.quiet;
    detail::compiler_barrier();
    turn_off(sys, cpu);
    return never;
  }
  [[gnu::noinline]] void quiet_leave_unusual(System& sys, cpu_id cpu, std::uint32_t since) noexcept {
    --is_.quiet;
    detail::compiler_barrier();
    if (as_usual() && lit_ == 0 && version_ == since) return;  // nothing was on, and nobody has asked for anything
    bump();
    (void)flush(sys, cpu);
  }
  /// Slots whose address is to be written.
  [[nodiscard]] slot_mask missing() const noexcept { return (kernel | user) & ~(withheld_ | known_ | edit_); }
  bool put_control(System& sys, cpu_id cpu, const control& value, slot_mask lit) noexcept {
    is_.hushed = false;
    detail::compiler_barrier();
    is_.dirty = !wrote([&] { return sys.write_control(cpu, value); });
    control_ = value;
    lit_ = is_.dirty ? lit_ | lit : lit;
    return !is_.dirty;
  }
  bool write_control(System& sys, cpu_id cpu, bool even_if_same) noexcept {
    const slot_mask asked = wished_lately() & known_ & ~edit_;
    const control wanted = System::control_of(settings, asked);
    return (!even_if_same && wanted == control_) || put_control(sys, cpu, wanted, asked);
  }
  bool write_addresses(System& sys, cpu_id cpu, slot_mask missing, bool& force) noexcept {
    edit_ |= missing;
    detail::compiler_barrier();
    bool good = true;
    if (!is_.hushed && ((missing & lit_) != 0 || force)) {  // off first
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

  control control_{};  // last written
  slot_mask lit_ = 0;  // slots that it has on
};

}  // namespace bookend
