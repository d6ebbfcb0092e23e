// SPDX-License-Identifier: MIT
// examples/watch/wishes.cpp — what the person who watches wants meanwhile: keys and signals, as values.
#include "wishes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "complaint.hpp"

namespace watch {
namespace {

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&set, s);
  return set;
}

wish from_signal(int signal) {
  if (signal == SIGUSR1) return {wish::kind::toggle, 0, {}};
  if (signal == SIGUSR2) return {wish::kind::toggle, 1, {}};
  return {wish::kind::end, 0, signal == SIGINT ? "interrupted" : fmt::format("ended by SIG{}", sigabbrev_np(signal))};
}

}  // namespace

void survive_early_toggles() {
  const auto nothing = [](int) {};  // not SIG_IGN, which exec keeps
  for (int s : {SIGUSR1, SIGUSR2}) std::signal(s, nothing);
}

keyboard::keyboard(bool for_a_command) {
  // In the background, a terminal is somebody else's.
  if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp()) return;
  fd_ = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd_ < 0 || tcgetattr(fd_, &before_) != 0) {
    fd_ = -1;
    return;
  }
  termios keys = before_;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  tcsetattr(fd_, TCSADRAIN, &keys);
  if (const int null = for_a_command ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1; null >= 0) {
    dup2(null, STDIN_FILENO);
    close(null);
  }
}

keyboard::~keyboard() {
  if (fd_ < 0) return;
  tcsetattr(fd_, TCSADRAIN, &before_);
  close(fd_);
}

std::optional<wish> keyboard::read() const {
  char key = 0;
  if (::read(fd_, &key, 1) != 1) return wish{wish::kind::end, 0, "the terminal is gone"};
  if (key >= '1' && key <= '9') return wish{wish::kind::toggle, static_cast<unsigned>(key - '1'), {}};
  if (key == 's') return wish{wish::kind::show_slots, 0, {}};
  if (key == 'q' || key == 4) return wish{wish::kind::end, 0, "ended by a key"};
  return std::nullopt;
}

wishes::wishes(const keyboard& keys) : keys_(keys) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away must not end us while a process is stopped
  const sigset_t set = our_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  either_ = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : {signals_, keys.fd()}) {
    epoll_event readable{};
    readable.events = EPOLLIN;
    readable.data.fd = fd;
    if (fd >= 0) epoll_ctl(either_, EPOLL_CTL_ADD, fd, &readable);
  }
}

wishes::~wishes() {
  close(either_);
  close(signals_);
}

std::optional<wish> wishes::next() {
  signalfd_siginfo signal;
  if (read(signals_, &signal, sizeof signal) == sizeof signal) return from_signal(static_cast<int>(signal.ssi_signo));
  epoll_event ready{};
  if (keys_.fd() >= 0 && epoll_wait(either_, &ready, 1, 0) == 1 && ready.data.fd == keys_.fd()) return keys_.read();
  return std::nullopt;
}

}  // namespace watch
