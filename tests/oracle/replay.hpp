// SPDX-License-Identifier: MIT
// tests/oracle/replay.hpp — steps taken again from the beginning, and those that go wrong told as the fewest lines of code.
#pragma once
#include <oracle/shrink.hpp>
#include <oracle/step.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace oracle {

/// What goes wrong when these steps are taken from the beginning, and after how many; empty if nothing does.
template <class World>
std::pair<std::string, std::size_t> replay(const std::vector<step>& steps) {
  const auto w = std::make_unique<World>();
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (std::string wrong = w->take(steps[i]); !wrong.empty()) return {wrong, i + 1};
  std::string wrong = w->look();
  if (wrong.empty()) wrong = w->clear();
  return {wrong, steps.size()};
}
/// The same in a process of its own, since a step may run into an assertion.
template <class World>
std::pair<std::string, std::size_t> replay_apart(const std::vector<step>& steps) {
  int ends[2];
  if (pipe(ends) != 0) return {"no pipe", steps.size()};
  const pid_t child = fork();
  if (child == 0) {
    for (int s : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV}) std::signal(s, SIG_DFL);
    const auto [wrong, after] = replay<World>(steps);
    const std::string said = std::to_string(after) + ' ' + wrong;
    _exit(write(ends[1], said.data(), said.size()) < 0);
  }
  close(ends[1]);
  std::string said;
  char some[256];
  for (ssize_t n; (n = read(ends[0], some, sizeof some)) > 0;) said.append(some, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return {"an assertion", steps.size()};
  return {said.substr(said.find(' ') + 1), static_cast<std::size_t>(std::atol(said.c_str()))};
}
/// The shortest form of steps that go wrong, as lines of code and what is wrong after them.
template <class World>
std::string told_shortly(std::vector<step> steps, const std::string& seen) {
  const auto [wrong, after] = replay_apart<World>(steps);
  if (wrong.empty()) return seen + ", but not when the same steps are taken again";
  steps.resize(after);
  steps = shortest(steps, [](const auto& some) { return !replay_apart<World>(some).first.empty(); });
  std::string lines;
  for (const step& s : steps) lines += "\n  " + text(s);
  return lines + "\n  // " + replay_apart<World>(steps).first;
}
/// While it lives, an assertion, or what a wrong count leads to, ends the program with these words, too.
class last_words {
 public:
  explicit last_words(std::function<std::string()> words) : was_{std::signal(SIGILL, &say), std::signal(SIGSEGV, &say)} {
    now = std::move(words);
  }
  ~last_words() {
    std::signal(SIGILL, was_[0]);
    std::signal(SIGSEGV, was_[1]);
  }
  last_words(const last_words&) = delete;
  last_words& operator=(const last_words&) = delete;

 private:
  // The signal is the thread's own, of a call into the library: mostly one may do what one likes here.
  static void say(int number) {
    for (int s : {SIGILL, SIGSEGV}) std::signal(s, SIG_DFL);
    std::fprintf(stderr, "%s\n", now().c_str());
    std::raise(number);
  }
  static inline std::function<std::string()> now;
  void (*was_[2])(int);
};

}  // namespace oracle
