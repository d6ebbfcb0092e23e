// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/event.hpp — what a tracer is told, and what the kernel's wait status meant.
#pragma once
#include <bookend/cpumask.hpp>
#include <csignal>
#include <cstdint>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace bookend::lnx {

/// An errno. True when something failed; nothing has changed then.
struct [[nodiscard]] error {
  int code = 0;
  constexpr explicit operator bool() const noexcept { return code != 0; }
};

enum class happened : std::uint8_t {
  nothing,      ///< the time given to wait() is over
  interrupted,  ///< a signal handler of the tracer ran
  woken,        ///< the descriptor given to wake_on() is readable
  trap,         ///< a debug trap, already dispatched
  signal,       ///< `signal` is about to be delivered, others' SIGTRAPs included: resume() delivers it
  started,      ///< a new thread, which has not run an instruction
  exited,       ///< the thread is gone; its number is free from the next wait() on
  exec,         ///< a new program image in this thread, its registers clean; the other threads have been reported as exited
  ended,        ///< the process is gone, with `status` as of waitpid(2); nothing is traced any more
  crowded,      ///< a new thread for which there is no number left: let go, unwatched
};

/// What wait() returns. The thread of a trap, signal, started or exec stays stopped until resume().
struct event {
  happened what = happened::nothing;
  int tid = 0;
  cpu_id cpu = 0;
  int signal = 0;
  int status = 0;
};

/// What a waitpid(2) status of a seized thread says. ptrace(2), "Stopped states".
enum class stop : std::uint8_t {
  dead,       ///< exited or killed
  parked,     ///< PTRACE_EVENT_STOP: an interrupt, a new thread's first stop, or the end of a group stop
  group,      ///< PTRACE_EVENT_STOP of a group stop: it must not run until SIGCONT, so it goes on with PTRACE_LISTEN
  clone,      ///< made a thread; PTRACE_GETEVENTMSG names it
  exec,       ///< PTRACE_GETEVENTMSG says which thread it was before
  exit,       ///< about to exit
  signalled,  ///< about to get WSTOPSIG(status)
};

/// Pure.
constexpr stop stop_of(int status) noexcept {
  if (!WIFSTOPPED(status)) return stop::dead;
  switch (status >> 16) {
    case PTRACE_EVENT_STOP:
      return WSTOPSIG(status) == SIGTRAP ? stop::parked : stop::group;
    case PTRACE_EVENT_CLONE:
      return stop::clone;
    case PTRACE_EVENT_EXEC:
      return stop::exec;
    case PTRACE_EVENT_EXIT:
      return stop::exit;
    default:
      return stop::signalled;
  }
}

}  // namespace bookend::lnx
