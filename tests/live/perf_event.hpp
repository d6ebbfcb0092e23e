// SPDX-License-Identifier: MIT
// tests/live/perf_event.hpp — somebody else's breakpoint in a thread: takes one of its debug registers away.
#pragma once
#include <cstdint>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace live {

class rival_breakpoint {
 public:
  rival_breakpoint(int tid, const void* address) {
    perf_event_attr a{};
    a.size = sizeof a;
    a.type = PERF_TYPE_BREAKPOINT;
    a.bp_addr = reinterpret_cast<std::uint64_t>(address);
    a.bp_len = HW_BREAKPOINT_LEN_1;
    a.bp_type = HW_BREAKPOINT_W;
    a.exclude_kernel = 1;
    fd_ = static_cast<int>(syscall(SYS_perf_event_open, &a, tid, -1, -1, PERF_FLAG_FD_CLOEXEC));
  }
  ~rival_breakpoint() {
    if (fd_ >= 0) close(fd_);
  }
  rival_breakpoint(const rival_breakpoint&) = delete;
  rival_breakpoint& operator=(const rival_breakpoint&) = delete;
  [[nodiscard]] bool opened() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace live
