// SPDX-License-Identifier: MIT
// tests/live/permission.hpp — whether this machine lets anybody trace or open perf events at all, by asking the kernel.
#pragma once
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace live {

/// True, and one line said, if the kernel does not permit a process to trace its own child. For `TEST_SUITE("..." *
/// doctest::skip(...))`.
inline bool may_not_trace() {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const bool forbidden = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) != 0 && errno == EPERM;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (forbidden) std::puts("skipped: ptrace is not permitted here (EPERM)");
  return forbidden;
}

/// The same for breakpoints of the process' own, as perf events.
inline bool may_not_open_perf_events() {
  perf_event_attr a{};
  a.size = sizeof a;
  a.type = PERF_TYPE_BREAKPOINT;
  a.bp_addr = reinterpret_cast<std::uint64_t>(&a);
  a.bp_len = HW_BREAKPOINT_LEN_1;
  a.bp_type = HW_BREAKPOINT_W;
  a.exclude_kernel = 1;
  a.disabled = 1;
  const long fd = syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  const bool forbidden = fd < 0 && (errno == EPERM || errno == EACCES);
  if (fd >= 0) close(static_cast<int>(fd));
  if (forbidden) std::puts("skipped: perf_event_open is not permitted here (EPERM)");
  return forbidden;
}

}  // namespace live
