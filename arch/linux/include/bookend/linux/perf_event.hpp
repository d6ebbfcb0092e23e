// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/perf_event.hpp — one debug register of one thread as a perf event. perf_event_open(2).
#pragma once
#include <bookend/linux/user_space.hpp>
#include <cerrno>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bookend::lnx {

/// Holds a register of a thread for as long as it is open, on or off. A hit counts, and sends the thread that hit a SIGTRAP
/// (TRAP_PERF) that it takes before its next instruction. All zero is closed. Not copied: its owner closes it.
class perf_event {
 public:
  /// Switched off. False if the thread has no register left (ENOSPC), or perf events are not for this process (EACCES).
  bool open(int tid, const x86::setting& s) noexcept {
    perf_event_attr a = attributes(s, true);
    const long fd = syscall(SYS_perf_event_open, &a, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0) fd_plus_one_ = static_cast<int>(fd) + 1;
    return fd >= 0;
  }
  void close() noexcept {
    if (is_open()) ::close(fd());
    fd_plus_one_ = 0;
  }
  [[nodiscard]] bool is_open() const noexcept { return fd_plus_one_ != 0; }

  /// Watches `s` from now on, and is on. False: it watches what it did before.
  bool turn_on(const x86::setting& s) noexcept {
    perf_event_attr a = attributes(s, false);
    if (ioctl(fd(), PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &a) != 0) return false;
    taken_ = now_ = count();  // what it saw in its last place is nobody's
    return true;
  }
  bool turn_off() const noexcept { return ioctl(fd(), PERF_EVENT_IOC_DISABLE, 0) == 0; }

  /// It has hit since take().
  [[nodiscard]] bool has_hit() noexcept {
    now_ = count();
    return now_ != taken_;
  }
  void take() noexcept { taken_ = now_; }

 private:
  [[nodiscard]] int fd() const noexcept { return fd_plus_one_ - 1; }

  static perf_event_attr attributes(const x86::setting& s, bool off) noexcept {
    const access on = x86::access_of(s.kind);
    perf_event_attr a{};
    a.size = sizeof a;
    a.type = PERF_TYPE_BREAKPOINT;
    a.bp_type = on == access::execute ? HW_BREAKPOINT_X : on == access::write ? HW_BREAKPOINT_W : HW_BREAKPOINT_RW;
    a.bp_addr = s.address;
    a.bp_len = on == access::execute ? sizeof(long) : x86::length_of(s.kind);  // how Linux spells LEN 00 there
    a.sample_period = 1;
    a.disabled = off;
    a.pinned = 1;          // always in a register, never taking turns with others
    a.exclude_kernel = 1;  // else it needs a privilege
    a.exclude_hv = 1;
    a.sigtrap = 1;
    a.remove_on_exec = 1;  // sigtrap asks for it
    return a;
  }
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t n = 0;
    return read(fd(), &n, sizeof n) == sizeof n ? n : now_;
  }

  int fd_plus_one_ = 0;
  std::uint64_t now_ = 0;    // hits when last asked
  std::uint64_t taken_ = 0;  // of which so many were taken
};

}  // namespace bookend::lnx
