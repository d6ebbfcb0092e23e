// SPDX-License-Identifier: MIT
// tests/live/debugger.hpp — a small debugger: a slot manager over a victim's threads, that notes every event and every hit.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/linux/ptrace.hpp>
#include <live/victim.hpp>
#include <ctime>
#include <doctest/doctest.h>
#include <vector>

namespace live {

template <unsigned MaxThreads>
struct debugger_of {
  using system = bookend::lnx::ptrace_system<MaxThreads>;
  using slot_manager = bookend::slot_manager<system>;
  using mask = typename slot_manager::mask;
  using event = bookend::lnx::event;
  using happened = bookend::lnx::happened;

  struct seen {
    int tid;
    bookend::cpu_id cpu;
    bookend::slot_id slot;
    std::uint64_t ip;
    std::uint64_t value;  // 8 bytes at the watched address, read in the handler
  };
  /// Notes its hits. `and_then` runs in the handler.
  struct watch : slot_manager::kernel_breakpoint {
    explicit watch(const char* name)
        : slot_manager::kernel_breakpoint(name, [](const typename slot_manager::hit& h) {
            auto& self = static_cast<watch&>(h.kernel());
            seen s{h.frame.tid, h.here.cpu(), h.slot, h.frame.ip(), 0};
            (void)bookend::lnx::read_memory(s.tid, h.watched().address, &s.value, sizeof s.value);
            self.hits.push_back(s);
            if (self.and_then != nullptr) self.and_then(h);
          }) {}
    std::vector<seen> hits;
    void (*and_then)(const typename slot_manager::hit&) = nullptr;
  };

  debugger_of() { bookend::lnx::connect(slots); }

  /// Attaches, and takes every thread online.
  void attach(const victim& v) {
    REQUIRE(!tracee().attach(v.pid()));
    for (int tid : tracee().threads()) REQUIRE(!slots.cpu_online(cpu_of(tid)));
  }
  /// One event, and what a debugger does about it.
  event turn(int timeout_ms) {
    const event e = tracee().wait(timeout_ms);
    if (e.what == happened::nothing) return e;
    log.push_back(e);
    CHECK_FALSE(follow(slots, e));
    tracee().resume(e.tid);
    return e;
  }
  template <class Done>
  void run_until(Done done) {
    const auto since = std::time(nullptr);
    while (!done()) {
      turn(1);
      if (std::time(nullptr) - since > 60) {
        FAIL("nothing more happens");
      }
    }
  }
  /// Gives an order's time to whoever carries it out.
  void run_lane(const victim& v, int lane) {
    run_until([&] { return !v.busy(lane); });
  }
  void run_for(int ms) {
    const auto until = bookend::lnx::now_ms() + ms;
    while (bookend::lnx::now_ms() < until) turn(5);
  }
  [[nodiscard]] int count(happened what) const {
    int n = 0;
    for (const event& e : log) n += e.what == what;
    return n;
  }

  system& tracee() { return slots.system(); }
  bookend::cpu_id cpu_of(int tid) { return tracee().cpu_of(tid); }

  slot_manager slots;
  std::vector<event> log;
};
using debugger = debugger_of<16>;

}  // namespace live
