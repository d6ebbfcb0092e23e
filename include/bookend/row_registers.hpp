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
  std::uint8_t on[System::slots];  // intent. A byte a slot: a plain store cannot undo the store of a handler that interrupts
                                   // it, so no atomic read-modify-write is needed
  slot_mask kernel;                // held by the kernel, withheld ones included
  slot_mask user;                  // held by the running task
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
  [[nodiscard]] constexpr slot_mask armed() const noexcept {
    slot_mask m = 0;
    for (slot_id s = 0; s < System::slots; ++s) m |= static_cast<slot_mask>(detail::load_relaxed(on[s])) << s;
    return m & known_ & ~edit_;
  }
  /// Slots that the hardware may have on although the row does not wish it: a control write has failed.
  [[nodiscard]] constexpr slot_mask stuck() const noexcept { return dirty_ ? lit_ : 0; }
  /// A verb is rewriting some slot: whoever interrupted it must not rewrite another.
  [[nodiscard]] constexpr bool editing() const noexcept { return edit_ != 0; }
  [[nodiscard]] constexpr bool online() const noexcept { return online_ != 0; }
  [[nodiscard]] constexpr bool away() const noexcept { return (lent_ | silenced_) != 0; }
  /// A register write failed last: the hardware may differ from the row until one succeeds. Any verb on this CPU tries again.
  [[nodiscard]] constexpr bool broken() const noexcept { return dirty_; }
  /// A trap is being dispatched here, or a quiet scope is open.
  [[nodiscard]] constexpr bool in_trap() const noexcept { return (dispatching_ | quiet_) != 0; }
  constexpr void dispatch_begins() noexcept { ++dispatching_; }
  constexpr void dispatch_ends() noexcept { --dispatching_; }

  /// Kernel-mode #DB and NMI entry: everything off until the matching quiet_leave. Scopes nest. At most one control write.
  void quiet_enter(System& sys, cpu_id cpu) noexcept {
    ++quiet_;
    detail::compiler_barrier();
    turn_off(sys, cpu);
  }
  /// The outermost one writes what is wanted by then.
  void quiet_leave(System& sys, cpu_id cpu) noexcept {
    --quiet_;
    bump();
    (void)flush(sys, cpu);
  }

  /// Hands the registers to somebody else (a guest, a suspend): off, and nothing of them is written until take_back.
  bool lend(System& sys, cpu_id cpu) noexcept {
    BOOKEND_ASSERT(lent_ == 0, "lent twice");
    return leave_registers(sys, cpu, [&] { lent_ = 1; });
  }
  /// Writes everything anew, whatever the registers hold now.
  bool take_back(System& sys, cpu_id cpu) noexcept {
    return enter_registers(sys, cpu, [&] { lent_ = silenced_ = 0; });
  }
  /// Crash and kexec: off now and from now on. Any context.
  void silence(System& sys, cpu_id cpu) noexcept {
    silenced_ = 1;
    bump();
    if (online_ != 0) (void)wrote([&] { return sys.write_control(cpu, all_off()); });
  }

 protected:
  static constexpr control all_off() noexcept {
    constexpr setting none[System::slots]{};
    return System::control_of(none, 0);
  }

  /// Every change of a wish is followed by this, so that a flush that it interrupted looks again.
  void bump() noexcept {
    detail::compiler_barrier();
    version_ = version_ + 1;
    detail::compiler_barrier();
  }

  /// Makes the hardware as the row wishes. Addresses are written only where they differ, and only while their slot is off;
  /// control at most twice, and not at all if its value stays. Whoever interrupts between two of these lines has flushed its
  /// own wish by the time it returns, and left another version: go round and write again.
  bool flush(System& sys, cpu_id cpu) noexcept {
    const bool outer_writing = writing_;
    writing_ = true;
    bool good = true;
    for (bool again = dirty_;; again = true) {
      const std::uint32_t seen = version_;
      detail::compiler_barrier();
      if (online_ != 0 && (quiet_ | lent_ | silenced_) == 0) {
        const slot_mask missing = (kernel | user) & ~(withheld_ | known_ | edit_);
        bool force = again;
        good = missing == 0 || write_addresses(sys, cpu, missing, force);
        if (good) good = write_control(sys, cpu, force);
      } else if (online_ != 0 && ((again && silenced_ != 0) || (dirty_ && quiet_ != 0 && lent_ == 0))) {
        // It ought to be off, and may not be: silence() interrupted a write, or the registers came back inside a quiet scope.
        good = put_control(sys, cpu, all_off(), 0);
      }
      detail::compiler_barrier();
      if (version_ == seen) break;
    }
    writing_ = outer_writing;
    return good;
  }

  /// Off in the hardware. While a flush is under way (it was interrupted), lit_ may not be what the hardware has.
  void turn_off(System& sys, cpu_id cpu) noexcept {
    if (online_ != 0 && (lent_ | silenced_) == 0 && (writing_ || dirty_ || lit_ != 0)) (void)put_control(sys, cpu, all_off(), 0);
  }

  /// Off, then `leave()` makes the registers somebody else's, with nobody switching on again in between.
  template <class Leave>
  bool leave_registers(System& sys, cpu_id cpu, Leave leave) noexcept {
    ++quiet_;
    detail::compiler_barrier();
    turn_off(sys, cpu);
    const bool good = !dirty_;
    leave();
    detail::compiler_barrier();
    known_ = 0;
    lit_ = 0;
    dirty_ = false;
    detail::compiler_barrier();
    --quiet_;
    bump();
    return good;
  }
  /// `enter()` makes the registers ours, with unknown contents; then everything is written.
  template <class Enter>
  bool enter_registers(System& sys, cpu_id cpu, Enter enter) noexcept {
    known_ = 0;
    dirty_ = true;
    detail::compiler_barrier();
    enter();
    bump();
    return flush(sys, cpu);
  }

  /// What the registers of these slots hold is not to be relied on: their hits are nobody's until a flush has written them.
  void distrust(slot_mask which) noexcept {
    known_ &= ~which;
    dirty_ = true;
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
  std::uint8_t lent_ = 0, silenced_ = 0, online_ = 0;
  bool dirty_ = false;         // a register write failed last
  std::uint32_t version_ = 0;  // changes with every wish

 private:
  bool put_control(System& sys, cpu_id cpu, const control& value, slot_mask lit) noexcept {
    dirty_ = !wrote([&] { return sys.write_control(cpu, value); });
    control_ = value;
    lit_ = dirty_ ? lit_ | lit : lit;
    return !dirty_;
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
    if ((missing & lit_) != 0 || force) {  // off first
      good = write_control(sys, cpu, true);
      force = false;
    }
    each_slot(missing, [&](slot_id s) {
      if (!good) return;
      good = wrote([&] { return sys.write_address(cpu, s, settings[s]); });
      if (good) known_ |= bit(s);
    });
    if (!good) dirty_ = true;
    detail::compiler_barrier();
    edit_ &= ~missing;
    return good;
  }

  control control_{};                         // last written
  slot_mask lit_ = 0;                         // slots that it has on
  std::uint8_t quiet_ = 0, dispatching_ = 0;  // depths
  bool writing_ = false;                      // a flush is under way on this CPU
};

}  // namespace bookend
