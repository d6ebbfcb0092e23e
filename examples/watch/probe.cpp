// SPDX-License-Identifier: MIT
// examples/watch/probe.cpp — does this machine let us watch at all? Containers, emulators and security settings may not.
#include "probe.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <bookend/bookend.hpp>
#include <bookend/linux/ptrace.hpp>
#include <cerrno>
#include <cstring>

#include "complaint.hpp"

namespace watch {
namespace {

volatile int written_by_the_child = 0;

using manager = bookend::slot_manager<bookend::lnx::ptrace_system<1>>;

complaint not_here(const std::string& why) {
  return complaint(fmt::format("debug registers cannot be used here: {}", why), not_allowed_here);
}

/// A child that writes once when told to. It has the same variable at the same address.
class writer {
 public:
  writer() {
    if (pipe(bell_) != 0 || (pid_ = fork()) < 0) throw not_here(std::strerror(errno));
    if (pid_ != 0) return;
    char rung = 0;
    close(bell_[1]);
    if (read(bell_[0], &rung, 1) == 1) written_by_the_child = 1;
    _exit(0);
  }
  ~writer() {
    close(bell_[0]);
    close(bell_[1]);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void write_now() { (void)!write(bell_[1], "", 1); }

 private:
  int bell_[2]{};
  pid_t pid_ = -1;
};

}  // namespace

void probe() {
  writer child;
  manager slots;
  bookend::lnx::connect(slots);
  static bool seen = false;
  manager::kernel_breakpoint watch{"probe", [](const manager::hit&) { seen = true; }};
  auto& tracee = slots.system();
  if (const auto failed = tracee.attach(child.pid())) throw not_here(fmt::format("ptrace says '{}'", std::strerror(failed.code)));
  const bookend::registration guard{slots, watch};
  if (slots.cpu_online(0) || slots.register_breakpoint(watch, bookend::write_to(&written_by_the_child)))
    throw not_here("they take no values");
  child.write_now();
  for (bool running = true; running && !seen;) {
    const auto e = tracee.wait(5000);
    running = e.what != bookend::lnx::happened::ended && e.what != bookend::lnx::happened::nothing;
    tracee.resume(e.tid);
  }
  if (!seen) throw not_here("they take values, but a write that they watch is not reported");
  fmt::print("debug registers can be used here: a write that one of them watched was reported\n");
}

}  // namespace watch
