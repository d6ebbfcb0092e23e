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
  void* holders[System::slots];              // kernel_breakpoint where `kernel` says so, user_breakpoint where `user` does; null: withheld
  std::uint32_t generations[System::slots];  // of the holder when it was installed
  std::uint8_t on[System::slots];            // intent, and the trap's filter. A byte a slot: a plain store cannot undo the store of a
                                             // handler that interrupts it, so no atomic read-modify-write is needed
  slot_mask kernel;                          // held by the kernel, withheld ones included
  slot_mask user;                            // held by the running task
};

/// The registers of one CPU and the protocols that write them (DESIGN 5, "Writing order" and "Quiet").
/// Every function runs on that CPU under its guard, or anywhere while the CPU is offline; a debug trap or NMI may interrupt any of them at
/// any point and do the same: interruptions on one CPU nest, so compiler barriers are enough. Functions that return bool say false only
/// where can_fail<System>.
template <class System>
class row_registers : public row_image<System> {
  using image = row_image<System>;

 public:
  using setting = typename System::setting;
  using control = typename System::control;
  using image::holders, image::kernel, image::on, image::settings, image::user;

  constexpr row_registers() noexcept : image{} {}

  static constexpr slot_mask bit(slot_id slot) noexcept { return slot_mask{1} << slot; }
  static constexpr control all_off() noexcept {
    constexpr setting none[System::slots]{};
    return System::control_of(none, 0);
  }

  /// Slots whose hits are dispatched, and that the hardware is to have on unless quiet or away.
  [[nodiscard]] constexpr slot_mask armed() const noexcept {
    slot_mask m = 0;
    for (slot_id s = 0; s < System::slots; ++s) m |= static_cast<slot_mask>(detail::load_relaxed(on[s])) << s;
    return m & ~edit_;
  }
  /// A verb is rewriting some slot: whoever interrupted it must not rewrite another.
  [[nodiscard]] constexpr bool editing() const noexcept { return edit_ != 0; }
  [[nodiscard]] constexpr bool online() const noexcept { return online_ != 0; }
  [[nodiscard]] constexpr bool away() const noexcept { return (lent_ | silenced_) != 0; }
  /// A trap is being dispatched here, or a quiet scope is open.
  [[nodiscard]] constexpr bool in_trap() const noexcept { return (dispatching_ | quiet_) != 0; }
  constexpr void dispatch_begins() noexcept { ++dispatching_; }
  constexpr void dispatch_ends() noexcept { --dispatching_; }
  /// A control write failed last, so the hardware may differ from the row until one succeeds.
  [[nodiscard]] constexpr bool broken() const noexcept { return dirty_; }

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
  void lend(System& sys, cpu_id cpu) noexcept {
    BOOKEND_ASSERT(lent_ == 0, "lent twice");
    turn_off(sys, cpu);
    lent_ = 1;
    bump();
    known_ = 0;
  }
  /// Writes everything anew, whatever the registers hold now.
  bool take_back(System& sys, cpu_id cpu) noexcept {
    lent_ = silenced_ = 0;
    return program(sys, cpu);
  }
  /// Crash and kexec: off now and from now on. Any context.
  void silence(System& sys, cpu_id cpu) noexcept {
    silenced_ = 1;
    bump();
    if (online()) (void)wrote([&] { return sys.write_control(cpu, all_off()); });
  }

 protected:
  /// Every change of a wish is followed by this, so that a flush that it interrupted looks again.
  void bump() noexcept {
    detail::compiler_barrier();
    version_ = version_ + 1;
    detail::compiler_barrier();
  }

  /// Brings the control register to what is wanted now. Whoever interrupts between two of these lines has flushed its own wish by the
  /// time it returns, and left another version: go round and write again. (quiet.pml: without the loop it fails.)
  bool flush(System& sys, cpu_id cpu) noexcept {
    const bool outer_writing = writing_;
    writing_ = true;
    bool good = true;
    for (bool again = dirty_;; again = true) {
      const std::uint32_t seen = version_;
      detail::compiler_barrier();
      if (online_ != 0 && (quiet_ | lent_ | silenced_) == 0) {
        const slot_mask asked = armed();
        const control wanted = System::control_of(settings, asked);
        if (again || !(wanted == control_)) good = write_control(sys, cpu, wanted, asked);
      } else if (again && silenced_ != 0 && online_ != 0) {  // silence() interrupted a write: the write came last
        good = write_control(sys, cpu, all_off(), 0);
      }
      detail::compiler_barrier();
      if (version_ == seen) break;
    }
    writing_ = outer_writing;
    return good;
  }

  /// Off in the hardware. While a flush is under way (it was interrupted), lit_ may not be what the hardware has.
  void turn_off(System& sys, cpu_id cpu) noexcept {
    if (ours() && (writing_ || dirty_ || lit_ != 0)) (void)write_control(sys, cpu, all_off(), 0);
  }

  [[nodiscard]] bool holds(slot_id slot, const setting& s) const noexcept {
    return (known_ & bit(slot)) != 0 && System::same_address(settings[slot], s);
  }
  /// Moves an address. Precondition: the slot is off by the last control value asked for.
  bool put(System& sys, cpu_id cpu, slot_id slot, const setting& s) noexcept {
    const bool held = holds(slot, s);
    settings[slot] = s;
    if (held) return true;
    known_ &= ~bit(slot);
    if (!ours()) return true;                           // written when the registers come back
    if (dirty_ && !flush(sys, cpu)) return false;       // it may be on after all
    if (!wrote([&] { return sys.write_address(cpu, slot, s); })) return false;
    known_ |= bit(slot);
    return true;
  }

  /// Everything anew: off, every held address, then what is wanted.
  bool program(System& sys, cpu_id cpu) noexcept {
    known_ = 0;
    dirty_ = true;  // whatever it holds, write it
    edit_ = kernel | user;
    bump();
    bool good = flush(sys, cpu);
    each_slot(kernel | user, [&](slot_id s) {
      if (holders[s] != nullptr && good) good = put(sys, cpu, s, settings[s]);
    });
    edit_ = 0;
    bump();
    return good && flush(sys, cpu);
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

  control control_{};          // last written
  slot_mask lit_ = 0;          // slots that it has on
  slot_mask known_ = 0;        // slots whose address register holds settings[s]
  slot_mask edit_ = 0;         // slots being rewritten: off, and their hits are nobody's
  std::uint32_t version_ = 0;  // changes with every wish
  std::uint8_t quiet_ = 0, dispatching_ = 0;  // depths
  std::uint8_t lent_ = 0, silenced_ = 0, online_ = 0;
  bool writing_ = false;       // a flush is under way on this CPU
  bool dirty_ = false;         // what control_ says may not be what the register has

 private:
  [[nodiscard]] bool ours() const noexcept { return online_ != 0 && (lent_ | silenced_) == 0; }

  bool write_control(System& sys, cpu_id cpu, const control& value, slot_mask lit) noexcept {
    dirty_ = !wrote([&] { return sys.write_control(cpu, value); });
    control_ = value;
    lit_ = dirty_ ? lit_ | lit : lit;
    return !dirty_;
  }
};

}  // namespace bookend
