// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/supervise.hpp — a tracer that may be killed without harm to what it traces.
#pragma once
#include <bookend/linux/debugreg.hpp>
#include <bookend/linux/event.hpp>
#include <bookend/linux/proc.hpp>
#include <bookend/linux/traced_note.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bookend::lnx {

namespace detail {

/// Takes the debug registers off every thread of a stopped process that nobody traces any more, and lets it go on.
inline void clean_up(int pid) noexcept {
  each_thread(pid, [](int tid) {
    if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) return;
    (void)ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    int status = 0;
    if (waitpid(tid, &status, __WALL) != tid || stop_of(status) == stop::dead) return;
    clear_debugregs(tid);
    const bool pending = stop_of(status) == stop::signalled;
    (void)ptrace(PTRACE_DETACH, tid, nullptr, pending && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0);
  });
  kill(pid, SIGCONT);
}

/// What the two processes share.
struct leash {
  pthread_mutex_t held_by_the_child;
  int traced[most_traced];
};

inline pid_t supervised = 0;
/// For the parent: the child is to have it. The terminal's own signals go to the whole group, the child included.
inline void pass_on(int signal, siginfo_t* info, void*) noexcept {
  if (info->si_code != SI_KERNEL) kill(supervised, signal);
}

/// The parent's side: waits until the child ends, and cleans up if it left threads armed.
inline int watch_over(pid_t child, leash& shared) noexcept {
  // A dying process gives up its robust locks first, then its memory, which may take long, and what it traces last. In between,
  // every hit stops a thread that will get its SIGTRAP: so nothing that it traces may run from now on, until its registers are
  // clean. Each thread has to be told: traced threads hand the process' SIGSTOP to their tracer, and the first one would keep it.
  (void)pthread_mutex_lock(&shared.held_by_the_child);
  for (const int& pid : shared.traced)
    if (pid != 0) each_thread(pid, [&](int tid) { (void)syscall(SYS_tgkill, pid, tid, SIGSTOP); });
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  for (const int& pid : shared.traced)
    if (pid != 0) clean_up(pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace detail

/// Runs program(argument) in a child process, where it traces, and returns its exit status (128 + n: killed by signal n). Linux
/// leaves a dead tracer's debug registers armed, and the next hit kills the traced process. So:
///   - this process, whose id the world sees, is killed with SIGKILL: the child gets SIGTERM, on which program detaches and ends;
///   - the child itself is killed, or dies of a bug: this process stops what it traced, clears the registers and continues it.
///     Only a hit that it had not yet been told of at that moment kills.
/// SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and the real-time signals are passed on. Call it before there are threads
/// or anything is traced, in a process that ends soon after it returns. On failure to fork it runs program here.
inline int supervise(int (*program)(void*), void* argument) noexcept {
  void* const page = mmap(nullptr, sizeof(detail::leash), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int tied[2];
  if (page == MAP_FAILED || pipe(tied) != 0) return program(argument);
  auto& shared = *static_cast<detail::leash*>(page);
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&shared.held_by_the_child, &kind);

  sigset_t passed_on;
  sigset_t before;
  sigemptyset(&passed_on);
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&passed_on, s);
  for (int s = SIGRTMIN; s <= SIGRTMAX; ++s) sigaddset(&passed_on, s);
  sigprocmask(SIG_BLOCK, &passed_on, &before);
  std::fflush(nullptr);  // or both would write what is buffered

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    (void)pthread_mutex_lock(&shared.held_by_the_child);
    close(tied[0]);
    close(tied[1]);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    detail::traced_note = shared.traced;
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (getppid() != parent) std::exit(128 + SIGTERM);
    std::exit(program(argument));
  }
  close(tied[1]);
  char tie = 0;
  while (child > 0 && read(tied[0], &tie, 1) < 0 && errno == EINTR) {  // the lock is the child's by the end of this
  }
  close(tied[0]);

  struct sigaction handler{};
  handler.sa_flags = SA_SIGINFO | SA_RESTART;
  handler.sa_sigaction = detail::pass_on;
  if (child > 0) {
    detail::supervised = child;
    for (int s = 1; s <= SIGRTMAX; ++s)
      if (sigismember(&passed_on, s) == 1) sigaction(s, &handler, nullptr);
    // What it launched stays a descendant, which this process may trace where only those may be.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  const int status = child > 0 ? detail::watch_over(child, shared) : program(argument);
  munmap(page, sizeof(detail::leash));
  return status;
}

}  // namespace bookend::lnx
