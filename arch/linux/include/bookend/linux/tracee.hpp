// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/tracee.hpp — one traced thread: where it is, and what is to be told of it.
#pragma once
#include <bookend/linux/debugreg.hpp>
#include <bookend/linux/event.hpp>

namespace bookend::lnx {

/// Where a traced thread is. Only its tracer changes it, and by what waitpid(2) said.
enum class whereabouts : std::uint8_t {
  starting,   ///< new: its first stop has not been seen, and it has not run an instruction
  running,    ///< or about to stop by itself
  stopped,    ///< in a ptrace stop
  listening,  ///< in a group stop (SIGSTOP and the like): does not run, but is not at our hands either
  gone,       ///< has ended, or is ending and will not return to user mode
};

/// One traced thread. All zero is a free number.
struct tracee {
  int tid = 0;
  whereabouts where = whereabouts::starting;
  happened report = happened::nothing;  ///< what wait() has still to say of it
  std::uint32_t since = 0;              ///< orders the reports
  int signal = 0;                       ///< it is given this when it goes on
  bool known = false;                   ///< the program has been told of it
  bool kept = false;                    ///< the program has it stopped, until it says go
  bool wanted = false;                  ///< a cross-call needs it stopped
  bool group = false;                   ///< the stop is a group stop
  bool trap = false;                    ///< stopped for a debug trap that has not been dispatched
  bool reaped = false;                  ///< its exit status has been taken
  bool told = false;                    ///< the program has been told that it is gone: the number is free as soon as it is reaped
  std::uint64_t status = 0;             ///< DR6 with hits that are still to be dispatched, as hits() has read it; 0 is none

  [[nodiscard]] bool stopped() const noexcept { return tid != 0 && where == whereabouts::stopped; }
  [[nodiscard]] bool gone() const noexcept { return tid == 0 || where == whereabouts::gone; }
  [[nodiscard]] bool at_large() const noexcept { return !stopped() && !gone(); }

  /// The slots whose hits DR6 still has. Precondition: stopped.
  [[nodiscard]] slot_mask hits() noexcept {
    status = peek_debugreg(tid, 6, x86::dr6_reset);
    const slot_mask m = x86::status_of(status).hits;
    if (m == 0) status = 0;
    return m;
  }
  /// DR6, of which hits() has asked already. Precondition: stopped.
  [[nodiscard]] std::uint64_t take_dr6() noexcept {
    const std::uint64_t read = status;
    status = 0;
    return read != 0 ? read : peek_debugreg(tid, 6, x86::dr6_reset);
  }

  /// A debug trap's SIGTRAP is still to be delivered: it had stopped for something else first. Precondition: stopped.
  [[nodiscard]] bool trap_to_come() const noexcept {
    siginfo_t pending[8];
    for (std::uint64_t from = 0;;) {
      __ptrace_peeksiginfo_args window{from, 0, 8};
      const long n = ptrace(PTRACE_PEEKSIGINFO, tid, &window, pending);
      for (long i = 0; i < n; ++i)
        if (pending[i].si_signo == SIGTRAP && pending[i].si_code == TRAP_HWBKPT) return true;
      if (n < 8) return false;
      from += 8;
    }
  }

  /// Makes it stop soon, if it has not.
  void interrupt() const noexcept {
    if (where == whereabouts::running || where == whereabouts::listening) (void)ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  }
  /// Lets it go on as it would have. One that was killed meanwhile says so at the next waitpid.
  void go() noexcept {
    if (!stopped()) return;
    status = 0;
    if (group) {
      (void)ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
      where = whereabouts::listening;
    } else {
      (void)ptrace(PTRACE_CONT, tid, nullptr, signal);
      where = whereabouts::running;
    }
    signal = 0;
  }
  /// Ends the tracing, registers clean. Precondition: stopped, and no trap is to come, of which it would die.
  void let_free() const noexcept {
    clear_debugregs(tid);
    (void)ptrace(PTRACE_DETACH, tid, nullptr, signal);
  }
};

}  // namespace bookend::lnx
