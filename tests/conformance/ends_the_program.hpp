// SPDX-License-Identifier: MIT
// tests/conformance/ends_the_program.hpp — broken promises are assertions: seen from outside, in a process of their own.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace conformance {

/// True when f() does not come back: it ran into an assertion (assert.hpp), which by default is a signal.
template <class F>
bool ends_the_program(F f) {
  const pid_t child = fork();
  if (child == 0) {
    for (int s : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV}) std::signal(s, SIG_DFL);  // the test runner's would report it
    f();
    _exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
         (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

}  // namespace conformance
