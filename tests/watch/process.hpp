// SPDX-License-Identifier: MIT
// tests/watch/process.hpp — a program that a test runs, talks to, reads and buries. Every wait ends after a minute.
#pragma once
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace watch_test {

inline const std::string watch_program = "examples/watch/watch";
inline const std::string victim_program = "examples/watch/victim";

/// Asks until `done()` says yes. False after a minute.
template <class Done>
bool eventually(Done done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

inline std::string content(const std::string& path) {
  std::stringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

/// What /proc/PID/status says after `field:`, or nothing when the process is gone.
inline std::string status_of(pid_t pid, const std::string& field) {
  for (const std::string& line : lines(content("/proc/" + std::to_string(pid) + "/status")))
    if (line.rfind(field + ":\t", 0) == 0) return line.substr(field.size() + 2);
  return {};
}

inline std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> all;
  DIR* const tasks = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (tasks == nullptr) return all;
  while (const dirent* entry = readdir(tasks))
    if (const int tid = std::atoi(entry->d_name); tid > 0) all.push_back(tid);
  closedir(tasks);
  return all;
}

/// True when every thread of a live process has nothing switched on in DR7. Traces it for a moment, so nobody else may.
inline bool registers_are_clean(pid_t pid) {
  const auto threads = threads_of(pid);
  bool clean = !threads.empty();
  for (const pid_t tid : threads) {
    if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) return false;
    ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    int status = 0;
    waitpid(tid, &status, __WALL);
    const long control = ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, u_debugreg[7]), nullptr);
    clean = clean && (control & 0xff) == 0;
    const int signal = WIFSTOPPED(status) && status >> 16 == 0 ? WSTOPSIG(status) : 0;
    ptrace(PTRACE_DETACH, tid, nullptr, signal);
  }
  return clean;
}

class process {
 public:
  /// Starts it, its standard input a pipe, its outputs in files.
  explicit process(std::vector<std::string> words) {
    char name[] = "/tmp/watch_test_XXXXXX";
    folder_ = mkdtemp(name);
    int in[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    const std::string out = out_path(), err = err_path();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(in[0]);
    to_ = in[1];
  }
  /// Ends it, if nobody has.
  ~process() {
    if (!over_) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
    close(to_);
    std::remove(out_path().c_str());
    std::remove(err_path().c_str());
    rmdir(folder_.c_str());
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] std::string out() const { return content(out_path()); }
  [[nodiscard]] std::string err() const { return content(err_path()); }
  void say(const std::string& line) const { REQUIRE(write(to_, (line + "\n").data(), line.size() + 1) > 0); }
  void signal(int number) const { ::kill(pid_, number); }
  /// Until its standard output has `text` in it.
  void await(const std::string& text) {
    const bool came = eventually([&] { return out().find(text) != std::string::npos || is_over(); });
    REQUIRE_MESSAGE((came && out().find(text) != std::string::npos), text, " did not come: ", out(), err());
  }
  /// Its exit status; 128 + n if signal n ended it.
  int wait() {
    REQUIRE_MESSAGE(eventually([&] { return is_over(); }), "it does not end: ", out(), err());
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }
  [[nodiscard]] bool is_over() {
    if (!over_) over_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    return over_;
  }

 private:
  [[nodiscard]] std::string out_path() const { return folder_ + "/out"; }
  [[nodiscard]] std::string err_path() const { return folder_ + "/err"; }
  std::string folder_;
  pid_t pid_ = -1;
  int to_ = -1;
  int status_ = 0;
  bool over_ = false;
};

/// The bank of examples/watch/victim.cpp, its tellers there and waiting for open().
class bank : public process {
 public:
  explicit bank(int rounds, bool stays = false, int pause_ms = 0)
      : process({victim_program, std::to_string(rounds), std::to_string(pause_ms), "wait", stays ? "stay" : "wait"}) {
    await("ready");
  }
  void open() const { say("open"); }
  [[nodiscard]] std::string pid_text() const { return std::to_string(pid()); }
  /// Running on as if nothing had been.
  void check_unharmed() const {
    CHECK(status_of(pid(), "TracerPid") == "0");
    CHECK(status_of(pid(), "State").find_first_of("RSD") == 0);
    CHECK(registers_are_clean(pid()));
  }
};

}  // namespace watch_test
