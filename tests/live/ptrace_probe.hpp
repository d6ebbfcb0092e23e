// SPDX-License-Identifier: MIT
// tests/live/ptrace_probe.hpp — a victim's threads as CPUs for the backend suite: real accesses, real traps.
#pragma once
#include <bookend/linux/ptrace.hpp>
#include <conformance/probe.hpp>
#include <live/victim.hpp>
#include <doctest/doctest.h>

namespace live {

/// Every thread is stopped between two calls: that is the guard.
class ptrace_probe {
 public:
  using system = bookend::lnx::ptrace_system<4>;
  static constexpr unsigned threads = 2;

  ptrace_probe() {
    for (int lane = 1; lane < static_cast<int>(threads); ++lane) {
      victim_.order_thread(0, lane);
      while (victim_.busy(lane) || victim_.busy(0)) sched_yield();
    }
    system_.on_trap(
        [](void* self, bookend::cpu_id cpu, bookend::lnx::frame& f) -> std::uint64_t {
          auto& p = *static_cast<ptrace_probe*>(self);
          p.seen_.trapped = true;
          p.seen_.before = f.ip() == p.at_;
          p.seen_.seen = p.system_.take_status(cpu);
          return 0;
        },
        this);
    REQUIRE(!system_.attach(victim_.pid()));
    for (int lane = 0; lane < static_cast<int>(threads); ++lane) REQUIRE(system_.stop(victim_.tid(lane)));
  }

  system& backend() { return system_; }
  static constexpr unsigned cpus() { return threads; }
  std::uint64_t room() { return reinterpret_cast<std::uint64_t>(victim_.room()); }
  std::uint64_t code() { return reinterpret_cast<std::uint64_t>(victim_.shared().code); }

  conformance::observation write(bookend::cpu_id cpu, std::uint64_t address, std::uint64_t length) {
    return call(cpu, store_of(length), address);
  }
  conformance::observation read(bookend::cpu_id cpu, std::uint64_t address, std::uint64_t length) {
    return call(cpu, load_of(length), address);
  }
  conformance::observation execute(bookend::cpu_id cpu, std::uint64_t address) {
    return call(cpu, reinterpret_cast<access_function>(address), reinterpret_cast<std::uint64_t>(&victim_.shared().executions));
  }
  conformance::observation step(bookend::cpu_id cpu) {
    const int tid = system_.tid_of(cpu);
    const int lane = lane_of(tid);
    victim_.order_calls(lane, run_me, nullptr, 0, 0);  // or its next instruction would wait for an order, and never be over
    int status = 0;
    for (int i = 0; i < 2; ++i) {  // the first ends a system call, of which the kernel tells without a #DB
      REQUIRE(ptrace(PTRACE_SINGLESTEP, tid, nullptr, nullptr) == 0);
      REQUIRE(waitpid(tid, &status, __WALL) == tid);
    }
    const conformance::observation seen{
        .trapped = WSTOPSIG(status) == SIGTRAP, .before = false, .seen = system_.take_status(cpu)};
    finish(tid, lane);
    return seen;
  }

  // For the platform suite.
  system& platform() { return system_; }
  bookend::cpumask<4> online() { return bookend::cpumask<4>::of(0, 1); }
  bool guarded(bookend::cpu_id cpu) { return bookend::lnx::status_of_thread(system_.tid_of(cpu)).state == 't'; }
  bookend::lnx::frame frame() {
    REQUIRE(system_.stop(system_.tid_of(0)));
    return {system_.tid_of(0)};
  }
  static bool passes(const bookend::lnx::frame& f) { return (f.flags() & bookend::x86::resume_flag) != 0; }
  static constexpr std::uint64_t denied() { return bookend::lnx::user_end; }

 private:
  conformance::observation call(bookend::cpu_id cpu, access_function f, std::uint64_t address) {
    const int tid = system_.tid_of(cpu);
    const int lane = lane_of(tid);
    at_ = address_of(f);
    seen_ = {};
    std::uint64_t same = 0;  // what is there: code stays code
    std::memcpy(&same, reinterpret_cast<const void*>(address), sizeof same);
    victim_.order_calls(lane, f, reinterpret_cast<void*>(address), same, 1);
    finish(tid, lane);
    return seen_;
  }
  void finish(int tid, int lane) {
    system_.resume(tid);
    while (victim_.busy(lane)) system_.resume(system_.wait(0).tid);
    REQUIRE(system_.stop(tid));
  }
  int lane_of(int tid) {
    int lane = 0;
    while (victim_.tid(lane) != tid) ++lane;
    return lane;
  }

  victim victim_;
  system system_;
  std::uint64_t at_ = 0;
  conformance::observation seen_;
};

}  // namespace live
