// SPDX-License-Identifier: MIT
// tests/watch/live_terminal_test.cpp — examples/watch on a terminal: a live count, and keys.
#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>

#include "tests/watch/process.hpp"

using namespace watch_test;

namespace {

/// A program on a terminal of its own, as a person sees it.
class on_a_terminal {
 public:
  explicit on_a_terminal(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      execvp(argv[0], argv.data());
      _exit(127);
    }
  }
  ~on_a_terminal() {
    kill(pid_, SIGTERM);
    (void)wait();
    close(terminal_);
  }
  on_a_terminal(const on_a_terminal&) = delete;
  on_a_terminal& operator=(const on_a_terminal&) = delete;

  void type(const std::string& keys) const { REQUIRE(write(terminal_, keys.data(), keys.size()) > 0); }
  /// Until `text` is on the screen, after what was awaited before.
  void await(const std::string& text) {
    const bool came = eventually([&] {
      look();
      const auto at = screen_.find(text, seen_);
      if (at != screen_.npos) seen_ = at + text.size();
      return at != screen_.npos;
    });
    REQUIRE_MESSAGE(came, text, " did not come: ", screen_);
  }
  [[nodiscard]] bool echoes() const {
    termios now{};
    tcgetattr(terminal_, &now);
    return (now.c_lflag & ECHO) != 0;
  }
  int wait() {
    CHECK(eventually([&] {
      look();
      return over_ || (over_ = waitpid(pid_, &status_, WNOHANG) == pid_);
    }));
    look();
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }
  [[nodiscard]] const std::string& screen() const noexcept { return screen_; }

 private:
  void look() {
    char some[4096];
    for (pollfd p{terminal_, POLLIN, 0}; poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;) {
      const ssize_t n = read(terminal_, some, sizeof some);
      if (n <= 0) return;
      screen_.append(some, static_cast<std::size_t>(n));
    }
  }
  int terminal_ = -1;
  pid_t pid_ = -1;
  int status_ = 0;
  bool over_ = false;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace

TEST_CASE("a live count while it waits, keys that toggle, and a terminal as it was") {
  bank b(100'000, /*stays=*/true, /*pause_ms=*/2);
  on_a_terminal w({watch_program, "balance", "--pid", b.pid_text()});
  w.await("watching process");
  w.await("0 hits, 3 threads");
  CHECK_FALSE(w.echoes());
  b.open();
  w.await("deposit+0x");
  w.type("1");
  w.await("watch 1 (balance) is disabled");
  w.await("hits, ");  // the count goes on showing
  w.type("s");
  w.await("balance [kernel, off]");
  w.type("2");
  w.await("there is no watch 2");
  w.type("1");
  w.await("watch 1 (balance) is enabled");
  w.await("deposit+0x");
  w.type("q");
  w.await("ended by a key; the process runs on");
  CHECK(w.wait() == 0);
  CHECK(w.echoes());
  CHECK(w.screen().find("\r\033[K") != std::string::npos);
  b.check_unharmed();
}

TEST_CASE("Ctrl-C on the terminal ends the watching, and not the command") {
  on_a_terminal w({watch_program, "balance", "--disabled", "last", "--", victim_program, "1000000", "1"});
  w.await("deposit+0x");
  w.type("\003");
  w.await("interrupted; the process runs on");
  CHECK(w.wait() == 0);
  const auto at = w.screen().find("watching process ");
  REQUIRE(at != std::string::npos);
  const pid_t command = std::atoi(w.screen().c_str() + at + 17);
  CHECK(status_of(command, "TracerPid") == "0");
  CHECK(registers_are_clean(command));
  kill(command, SIGKILL);
}
