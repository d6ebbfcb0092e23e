// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/launch.hpp — starts a command, seized before it runs an instruction of its own.
#pragma once
#include <bookend/linux/child_signal.hpp>
#include <bookend/linux/event.hpp>
#include <cerrno>
#include <fcntl.h>

namespace bookend::lnx {

/// A command that has been seized with PTRACE_O_TRACEEXEC among the options, and is stopped behind its exec.
struct launched {
  error failed{};
  int pid = 0;
};

/// argv[0] is looked up in PATH. Precondition: argv ends with a null pointer, options has PTRACE_O_TRACEEXEC. On failure, exec's
/// own included, there is no child. With `own_group` the command has a process group of its own: the terminal's Ctrl-C is not for
/// it.
inline launched launch_seized(char* const argv[], long options, bool own_group) noexcept {
  // One pipe holds the child back until it is seized, the other carries exec's errno; exec closes it.
  int go[2];
  int said[2];
  if (pipe2(go, O_CLOEXEC) != 0) return {{errno}};
  if (pipe2(said, O_CLOEXEC) != 0) {
    const int why = errno;
    close(go[0]);
    close(go[1]);
    return {{why}};
  }
  const pid_t pid = fork();
  if (pid == 0) {
    char byte = 0;
    close(go[1]);
    if (read(go[0], &byte, 1) != 1) _exit(127);  // the tracer failed, or is gone
    if (own_group) setpgid(0, 0);
    child_signal::allow();
    execvp(argv[0], argv);
    const int why = errno;
    (void)!write(said[1], &why, sizeof why);
    _exit(127);
  }
  int why = pid < 0 ? errno : 0;
  close(go[0]);
  close(said[1]);
  if (why == 0 && ptrace(PTRACE_SEIZE, pid, nullptr, options) != 0) why = errno;
  if (why == 0 && write(go[1], "", 1) != 1) why = errno;
  close(go[1]);

  bool dead = pid < 0;
  while (!dead) {
    int status = 0;
    if (waitpid(pid, &status, __WALL) < 0) {
      if (errno == EINTR) continue;
      why = errno;
      break;
    }
    const stop what = stop_of(status);
    dead = what == stop::dead;
    if (what == stop::exec) break;
    if (!dead) (void)ptrace(PTRACE_CONT, pid, nullptr, what == stop::signalled ? WSTOPSIG(status) : 0);
  }
  if (dead && why == 0 && read(said[0], &why, sizeof why) != sizeof why) why = ECHILD;  // killed before its exec
  close(said[0]);
  return {{why}, dead ? 0 : pid};
}

}  // namespace bookend::lnx
