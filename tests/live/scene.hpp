// SPDX-License-Identifier: MIT
// tests/live/scene.hpp — a victim and a debugger that has all its threads online, ready to be told what to do.
#pragma once
#include <live/debugger.hpp>

namespace live {

inline bookend::request at(const void* where, std::uint64_t length = 8, bookend::access on = bookend::access::write) {
  return {reinterpret_cast<std::uint64_t>(where), length, on};
}
inline bookend::request run_of(access_function f) { return {address_of(f), 1, bookend::access::execute}; }

/// Waits for something that happens without the debugger's help. False if it does not.
template <class Done>
bool eventually(Done done) {
  for (const auto until = bookend::lnx::now_ms() + 20'000; bookend::lnx::now_ms() < until; sched_yield())
    if (done()) return true;
  return false;
}

/// A victim with threads in lanes 0, 1, ..., all traced and online.
template <unsigned MaxThreads>
struct scene_of {
  explicit scene_of(int threads = 1) {
    d.attach(v);
    for (int lane = 1; lane < threads; ++lane) start(lane);
    d.log.clear();
  }
  void start(int lane, int by = 0) {
    v.order_thread(by, lane);
    d.run_lane(v, lane);
    d.run_lane(v, by);
  }
  /// Has a lane call f(where, value...) `count` times, and everything handled that comes of it.
  void call(int lane, access_function f, void* where, std::uint64_t value = 0, std::uint64_t count = 1) {
    v.order_calls(lane, f, where, value, count);
    d.run_lane(v, lane);
  }
  void tell(int lane, deed what, int number = 0) {
    v.order(lane, what, number);
    d.run_lane(v, lane);
  }
  bookend::cpu_id cpu(int lane) { return d.cpu_of(v.tid(lane)); }

  victim v;
  debugger_of<MaxThreads> d;
};
using scene = scene_of<16>;

}  // namespace live
