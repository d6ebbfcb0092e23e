// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/virtual_registers.hpp — DR0 to DR7 as a task or a guest sees them, on slots that are reserved.
// Intel SDM vol. 3, "Debug Registers", "Debug Exceptions"; vol. 2, "MOV—Move to/from Debug Registers".
#pragma once
#include <bookend/slot_manager.hpp>
#include <bookend/x86/dr6.hpp>
#include <bookend/x86/dr7.hpp>

namespace bookend::x86 {

/// The bits of DR6 and DR7 that a MOV changes, on a CPU without bus-lock and transaction debugging; the others are fixed.
inline constexpr std::uint32_t dr6_writable = 0xE00F;       ///< B0-B3, BD, BS, BT; the rest as in dr6_reset
inline constexpr std::uint32_t dr7_writable = 0xFFFF'23FF;  ///< all but bits 10 to 12, 14 and 15; of those bit 10 is 1

/// What a guest's MOV DR raises in place of being carried out, by its vector.
enum class exception : std::uint8_t {
  none = 0,
  debug = 1,                ///< #DB, general detect: DR6.BD is set and DR7.GD cleared, so that the handler's own MOV passes
  invalid_opcode = 6,       ///< #UD: no such register, or DR4 or DR5 while CR4.DE is set
  general_protection = 13,  ///< #GP(0): a 1 in the upper half of DR6 or DR7
};

/// What became of a guest's MOV DR: nothing was moved if it raises something, or is refused.
struct mov_result {
  exception raise = exception::none;
  refusal no = reason::granted;  ///< mov_to: why the machine cannot watch what the guest asked for
  std::uint64_t value = 0;       ///< mov_from: what was read
};

/// The debug registers of one task or one virtual CPU, of which only the watching is real: every register reads as it was
/// written, and what DR7 enables is a user breakpoint of the task, in whatever slot, beside the kernel's, of which nothing shows.
/// For PTRACE_POKEUSER in a kernel (peek, poke), and for MOV DR in a hypervisor or emulator (mov_from, mov_to), whose manager is
/// then that of the registers as the guest runs with them, and whose task is the virtual CPU.
///
/// Values mean what they mean to the CPU: a register watches when its L or G bit is set; the address bits that LEN covers are
/// not compared; an address that does not exist is never hit. Addresses may be written before DR7 enables them and after.
///
/// Slots. A register has one from when it is first enabled until reset() or give_back(), disabled or not: a debugger that writes
/// DR7 = 0, then the addresses, then DR7 anew, as gdb does, cannot be refused what it had, whoever asks in between.
///
/// Writes are all or nothing. What is refused leaves everything as it was: what is read, what is watched, the slots, DR6. First
/// all is judged, then slots are taken for what has none, then what had one is changed: nothing is given back before everything
/// is granted, and from there on only a machine whose writes fail can refuse. If it then fails to put a register back as well,
/// that one is silent, without slot, and the next write that enables it tries again.
///
/// Contexts: thread context for poke, mov_to, reset and give_back; they use the manager's verbs. One at a time, while the task
/// does not run (it is stopped, or calls itself). Cost: as four verbs at most; only what changes asks the manager for anything.
template <class System>
class virtual_registers {
 public:
  using breakpoint = user_breakpoint<System>;

  /// Nothing enabled, DR6 as after reset. Both must outlive it; reset() before it goes, or on_exit() of the task.
  /// Beside its task in a static array of a kernel's threads: `constinit thread threads[64] = {};`. Without the braces g++ 12
  /// leaves what refers to the same element null, and says nothing.
  constexpr virtual_registers(slot_manager<System>& manager, task<System>& t) noexcept : slots_(&manager), task_(&t) {}

  // As a tracer sees them.

  /// DRn, as it was written: DR7 with its local bits, LE and GE, GD and reserved bits. DR6 has its fixed bits. Any context.
  /// Refused, as Linux's ptrace does: unsupported for 4, 5 and what is no register.
  [[nodiscard]] constexpr result<std::uint64_t> peek(unsigned n) const noexcept {
    if (n < x86::slots) return now_.address[n];
    if (n == 6) return std::uint64_t{dr6_reset | reported_};
    if (n == 7) return std::uint64_t{now_.dr7};
    return reason::unsupported;
  }
  /// Writes DRn. GD and reserved bits of DR7 are kept and switch nothing, as in Linux's ptrace. Refused: unsupported for 4, 5,
  /// what is no register, and a 1 in the upper half of DR6 or DR7; and of what is or becomes enabled: bad_length (execution
  /// whose LEN is not 00, 8 ports), unsupported (RW 10 without I/O breakpoints), forbidden, no_slot, hardware.
  /// may_watch() is not told that a range is of ports: who has I/O breakpoints, but not for tasks, refuses RW 10 before.
  [[nodiscard]] refusal poke(unsigned n, std::uint64_t value) noexcept {
    auto next = now_;
    if (n < x86::slots) {
      next.address[n] = value;
      return become(next);
    }
    if ((n != 6 && n != 7) || value >> 32 != 0) return reason::unsupported;
    next.dr7 = static_cast<std::uint32_t>(value);
    if (n == 7) return become(next);
    reported_ = next.dr7 & dr6_writable;
    return {};
  }

  // As a guest sees them. `debug_extensions` is its CR4.DE.

  /// MOV from DRn: DR4 and DR5 are DR6 and DR7, or #UD. Any context.
  [[nodiscard]] constexpr mov_result mov_from(unsigned n, bool debug_extensions) noexcept {
    if (const exception e = access(n, debug_extensions); e != exception::none) return {.raise = e};
    const std::uint64_t value = peek(n).value();
    return {.value = n == 7 ? (value & dr7_writable) | dr7_reset : value};
  }
  /// MOV to DRn. Exceptions as the CPU's, the first of #UD, #DB and #GP. Fixed bits stay; GD traps the next access. Refused as
  /// by poke(): what to tell the guest, to which its CPU would not say no, is the caller's choice.
  [[nodiscard]] mov_result mov_to(unsigned n, std::uint64_t value, bool debug_extensions) noexcept {
    if (const exception e = access(n, debug_extensions); e != exception::none) return {.raise = e};
    if (n >= 6 && value >> 32 != 0) return {.raise = exception::general_protection};
    return {.no = poke(n, value)};
  }

  /// The trap's caller tells what hit: DR6 gets bit n for DRn, and of `causes` (status::rest) those that are the task's to see,
  /// such as dr6_single_step. Bits stay until they are written, as on a CPU, and GD goes off. Returns the bits of DR0-DR3: 0, no
  /// register of these has hit. For the trap of this task that has just been taken, there or before the task's registers are
  /// written next.
  constexpr slot_mask note_hits(const trap_result<System>& trap, std::uint64_t causes = 0) noexcept {
    slot_mask hits = 0;
    for (unsigned i = 0; i < x86::slots; ++i)
      if (!breakpoints_[i].idle() && (trap.user >> breakpoints_[i].index() & 1) != 0) hits |= 1u << i;
    causes &= dr6_writable & ~0xFu;
    if ((hits | causes) != 0) report(hits | static_cast<std::uint32_t>(causes));
    return hits;
  }

  /// Nothing enabled, no slot held, every register as after reset: exec, exit, detach, a virtual CPU's INIT.
  void reset() noexcept {
    for (auto& b : breakpoints_) release(b);
    now_ = {};
    reported_ = 0;
  }
  /// Gives back the slots of registers that are not enabled, for whom it may concern; enabling them may be refused from now on.
  void give_back() noexcept {
    for (unsigned i = 0; i < x86::slots; ++i)
      if (!exists(wanted(now_, i))) release(breakpoints_[i]);
  }
  /// The registers that have a slot. Any context.
  [[nodiscard]] constexpr slot_mask reserved() const noexcept {
    slot_mask m = 0;
    for (unsigned i = 0; i < x86::slots; ++i) m |= slot_mask{!breakpoints_[i].idle()} << i;
    return m;
  }

 private:
  struct values {
    std::uint64_t address[x86::slots];
    std::uint32_t dr7;
  };
  static constexpr bool exists(const request& r) noexcept { return r.length != 0; }

  /// What DRi watches; of length 0 when it is off, or can never be hit.
  static constexpr request wanted(const values& v, unsigned i) noexcept {
    const std::uint32_t on = dr7_slot(v.dr7, i);
    if (on == 0) return {.length = 0};
    const request r{.length = length_of(on & 0xF), .on = access_of(on)};
    const request there{v.address[i] & ~(r.length - 1), r.length, r.on};
    // Refused where address 0 is not: there is no such address.
    return System::encode(there) || !System::encode(r) ? there : request{.length = 0};
  }

  refusal become(const values& next) noexcept {
    BOOKEND_ASSERT(slots_ != nullptr && task_ != nullptr, "virtual registers without a manager: was the array given `= {}`?");
    request was[x86::slots], is[x86::slots];
    for (unsigned i = 0; i < x86::slots; ++i) {
      was[i] = wanted(now_, i);
      is[i] = wanted(next, i);
      if (!exists(is[i]) || is[i] == was[i]) continue;
      if (const refusal no = slots_->check(side::user, is[i])) return no;
    }
    refusal no;
    slot_mask fresh = 0;
    for (unsigned i = 0; i < x86::slots && !no; ++i) {
      if (!exists(is[i]) || !breakpoints_[i].idle()) continue;
      no = slots_->register_breakpoint(breakpoints_[i], *task_, is[i]);
      if (!no) fresh |= 1u << i;
    }
    unsigned turned = 0;
    while (!no && turned < x86::slots) {
      if ((fresh >> turned & 1) == 0) no = turn(breakpoints_[turned], was[turned], is[turned]);
      if (!no) ++turned;
    }
    if (!no) {
      now_ = next;
      return {};
    }
    for (unsigned i = 0; i < x86::slots; ++i)
      if ((fresh >> i & 1) != 0 || (i < turned && turn(breakpoints_[i], is[i], was[i]))) release(breakpoints_[i]);
    return no;
  }
  refusal turn(breakpoint& b, const request& from, const request& to) noexcept {
    if (from == to || b.idle()) return {};
    if (!exists(to)) return slots_->disable(b);
    if (const refusal no = slots_->modify(b, to)) return no;
    return exists(from) ? refusal{} : slots_->enable(b);
  }
  void release(breakpoint& b) noexcept {
    if (!b.idle()) (void)slots_->unregister_breakpoint(b);
  }

  /// What any MOV of DRn raises. Makes 6 and 7 of 4 and 5.
  constexpr exception access(unsigned& n, bool debug_extensions) noexcept {
    if (n > 7 || ((n == 4 || n == 5) && debug_extensions)) return exception::invalid_opcode;
    if ((now_.dr7 & dr7_general_detect) != 0) {
      report(dr6_debug_register);
      return exception::debug;
    }
    if (n == 4 || n == 5) n += 2;
    return exception::none;
  }
  constexpr void report(std::uint32_t bits) noexcept {
    reported_ |= bits;
    now_.dr7 &= ~dr7_general_detect;
  }

  slot_manager<System>* slots_;
  task<System>* task_;
  values now_{};                // as written
  std::uint32_t reported_ = 0;  // DR6, without its fixed bits
  breakpoint breakpoints_[x86::slots]{breakpoint{"DR0"}, breakpoint{"DR1"}, breakpoint{"DR2"}, breakpoint{"DR3"}};
};

}  // namespace bookend::x86
