// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/child_signal.hpp — sleeping until a traced thread stops, time is over, or somebody else calls.
#pragma once
#include <csignal>
#include <cstdint>
#include <ctime>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace bookend::lnx {

/// Milliseconds of a clock that only goes forward.
inline std::int64_t now_ms() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1000} + t.tv_nsec / 1'000'000;
}

/// A stop of a traced thread sends SIGCHLD to its tracer. While open, that signal is blocked in this thread and read from a
/// descriptor: so a stop between "nobody has stopped" and going to sleep still wakes. It steals no child's status from the
/// program.
class child_signal {
 public:
  enum class woke : std::uint8_t { child, timeout, descriptor, handler };

  void open() noexcept {
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &chld, &before);
    was_blocked_ = sigismember(&before, SIGCHLD) == 1;
    fd_ = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  void close() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    if (!was_blocked_) allow();
  }
  /// Unblocks SIGCHLD in this thread: also what a child does before it becomes another program.
  static void allow() noexcept {
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &chld, nullptr);
  }

  /// Also wakes when this is readable; -1 for none.
  constexpr void also(int fd) noexcept { also_ = fd; }
  [[nodiscard]] bool called() const noexcept {
    pollfd p{also_, POLLIN, 0};
    return also_ >= 0 && poll(&p, 1, 0) > 0;
  }

  /// Sleeps at most `ms` (-1: no limit). `child` may be wrong: look, and sleep again.
  [[nodiscard]] woke sleep(std::int64_t ms) const noexcept {
    pollfd fds[] = {{fd_, POLLIN, 0}, {also_, POLLIN, 0}};
    // A SIGCHLD may go to another thread of the program that does not block it, where it is ignored. So look now and then.
    constexpr std::int64_t at_most = 100;
    const bool last = ms >= 0 && ms <= at_most;
    const int n = poll(fds, 2, static_cast<int>(last ? ms : at_most));
    if (n < 0) return woke::handler;
    if (n == 0) return last ? woke::timeout : woke::child;
    if (fds[1].revents != 0) return woke::descriptor;
    signalfd_siginfo drain[8];
    while (read(fd_, drain, sizeof drain) == static_cast<ssize_t>(sizeof drain)) {
    }
    return woke::child;
  }

 private:
  int fd_ = -1;
  int also_ = -1;
  bool was_blocked_ = false;
};

}  // namespace bookend::lnx
