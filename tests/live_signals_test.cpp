// SPDX-License-Identifier: MIT
// tests/live_signals_test.cpp — the process' own signals and stops under ptrace: as if nobody watched. And how wait() sleeps.
#include <live/permission.hpp>
#include <live/scene.hpp>
#include <sys/eventfd.h>

namespace {

using namespace bookend;
using namespace live;
using lnx::happened;
using watch = debugger::watch;

char state_of(int tid) { return lnx::status_of_thread(tid).state; }

TEST_SUITE_BEGIN("ptrace" * doctest::skip(may_not_trace()));

TEST_CASE("a signal is told, and delivered unless the debugger swallows it or gives another") {
  scene s(2);
  s.tell(1, deed::raise, SIGUSR1);  // the victim handles it
  REQUIRE(s.d.count(happened::signal) == 1);
  CHECK(s.d.log.back().signal == SIGUSR1);
  CHECK(s.d.log.back().tid == s.v.tid(1));

  s.v.order(1, deed::raise, SIGTERM);  // would kill it
  lnx::event e;
  do e = s.d.tracee().wait();
  while (e.what != happened::signal);
  CHECK(e.signal == SIGTERM);
  s.d.tracee().resume(e.tid, 0);
  s.d.run_lane(s.v, 1);

  s.v.order(1, deed::raise, SIGUSR1);
  do e = s.d.tracee().wait();
  while (e.what != happened::signal);
  s.d.tracee().resume(e.tid, SIGTERM);
  s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
  CHECK(WTERMSIG(s.d.log.back().status) == SIGTERM);
  s.v.reaped();
}

TEST_CASE("SIGTRAPs of others are signals, right behind a hit too, and kill who does not handle them") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  for (deed what : {deed::breakpoint, deed::raise}) {
    s.call(1, store8, s.v.room());
    s.v.order(1, what, SIGTRAP);
    lnx::event e;
    do e = s.d.tracee().wait();
    while (e.what == happened::nothing);
    CHECK(e.what == happened::signal);
    CHECK(e.signal == SIGTRAP);
    s.d.tracee().resume(e.tid, 0);
    s.d.run_lane(s.v, 1);
  }
  CHECK(w.hits.size() == 2);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  s.v.order(1, deed::breakpoint);
  s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
  CHECK(WTERMSIG(s.d.log.back().status) == SIGTRAP);
  s.v.reaped();
}

TEST_CASE("what a trap leaves is the process' own: the handler's answer decides whether it gets its SIGTRAP") {
  scene s;
  watch w("w");
  static std::uint64_t rest;
  s.d.tracee().on_trap(
      [](void* slots, cpu_id cpu, lnx::frame& f) {
        const auto t = static_cast<debugger::slot_manager*>(slots)->on(cpu).trap(f);
        CHECK(t.rest == 0);
        return rest;
      },
      &s.d.slots);
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  rest = 0;
  s.call(0, store8, s.v.room());
  CHECK(w.hits.size() == 1);
  rest = x86::dr6_single_step;
  s.v.order_calls(0, store8, s.v.room(), 0, 1);
  s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
  CHECK(WTERMSIG(s.d.log.back().status) == SIGTRAP);
  CHECK(w.hits.size() == 2);
  s.v.reaped();
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a thread that blocks SIGTRAP is watched all the same") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.tell(0, deed::mask_sigtrap);
  s.call(0, store8, s.v.room(), 0, 5);
  CHECK(w.hits.size() == 5);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a stopped process stays stopped under verbs, and goes on when it is continued") {
  scene s(3);
  watch w("w");
  const auto all_stopped = [&] {
    for (int lane : {0, 1, 2})
      if (state_of(s.v.tid(lane)) != 't') return false;
    return true;
  };
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    REQUIRE(kill(s.v.pid(), SIGSTOP) == 0);
    s.d.run_until(all_stopped);
    s.v.order_calls(1, store8, s.v.room(), 0, 4);
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room() + 64)));
    REQUIRE_FALSE(s.d.slots.modify(w, at(s.v.room())));
    REQUIRE(s.d.tracee().stop(s.v.tid(2)));
    s.d.tracee().resume(s.v.tid(2));
    s.d.run_for(50);
    CHECK(all_stopped());
    CHECK(s.v.busy(1));
    CHECK(w.hits.empty());
    REQUIRE(kill(s.v.pid(), SIGCONT) == 0);
    s.d.run_lane(s.v, 1);
    CHECK(w.hits.size() == 4);
    w.hits.clear();
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  }
}

TEST_CASE("a process that was stopped before it was attached to stays stopped, and is left so") {
  victim v;
  REQUIRE(kill(v.pid(), SIGSTOP) == 0);
  REQUIRE(eventually([&] { return state_of(v.pid()) == 'T'; }));
  debugger d;
  watch w("w");
  d.attach(v);
  REQUIRE_FALSE(d.slots.register_breakpoint(w, at(v.room())));
  v.order_calls(0, store8, v.room(), 0, 1);
  d.run_for(30);
  CHECK(v.busy(0));
  REQUIRE_FALSE(d.slots.unregister_breakpoint(w));
  d.tracee().detach();
  usleep(20'000);
  CHECK(state_of(v.pid()) == 'T');
  REQUIRE(kill(v.pid(), SIGCONT) == 0);
  REQUIRE(eventually([&] { return !v.busy(0); }));
}

TEST_CASE("wait() ends when its time is over, when somebody calls, and when a handler ran") {
  scene s;
  const auto since = lnx::now_ms();
  CHECK(s.d.tracee().wait(30).what == happened::nothing);
  CHECK(lnx::now_ms() - since >= 29);
  CHECK(lnx::now_ms() - since < 1000);
  CHECK(s.d.tracee().wait(0).what == happened::nothing);

  const int called = eventfd(1, EFD_CLOEXEC);
  s.d.tracee().wake_on(called);
  CHECK(s.d.tracee().wait().what == happened::woken);
  s.d.tracee().wake_on(-1);
  CHECK(s.d.tracee().wait(1).what == happened::nothing);
  close(called);

  struct sigaction handle{};
  struct sigaction before{};
  handle.sa_handler = [](int) {};
  sigaction(SIGALRM, &handle, &before);
  ualarm(20'000, 0);
  CHECK(s.d.tracee().wait().what == happened::interrupted);
  sigaction(SIGALRM, &before, nullptr);
}

TEST_CASE("who calls is heard through a storm of hits") {
  scene s(6);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  const int called = eventfd(1, EFD_CLOEXEC);
  w.and_then = [](const debugger::slot_manager::hit&) { usleep(1000); };  // so that the next trap waits already
  for (int lane = 0; lane < 6; ++lane) s.v.order_calls(lane, store8, s.v.room(), 0, 1'000'000'000'000'000);
  s.d.run_for(100);
  s.d.tracee().wake_on(called);
  int turns = 0;
  while (s.d.turn(1000).what != happened::woken) REQUIRE(++turns < 100);
  s.d.tracee().wake_on(-1);
  close(called);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("no other child's status is taken from the program, and its signal mask is given back") {
  sigset_t before, during, after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  {
    scene s;
    pthread_sigmask(SIG_BLOCK, nullptr, &during);
    const pid_t other = fork();
    if (other == 0) _exit(7);
    s.d.run_for(30);
    int status = 0;
    CHECK(waitpid(other, &status, WNOHANG) == other);
    CHECK(WEXITSTATUS(status) == 7);
  }
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  CHECK(sigismember(&before, SIGCHLD) == 0);
  CHECK(sigismember(&during, SIGCHLD) == 1);
  CHECK(sigismember(&after, SIGCHLD) == 0);
}

TEST_CASE("stops are told apart by their status") {
  using lnx::stop;
  using lnx::stop_of;
  static_assert(stop_of(0) == stop::dead);
  static_assert(stop_of(9) == stop::dead);
  static_assert(stop_of(0x057f) == stop::signalled);
  static_assert(stop_of(0x137f) == stop::signalled);
  static_assert(stop_of(PTRACE_EVENT_STOP << 16 | 0x057f) == stop::parked);
  static_assert(stop_of(PTRACE_EVENT_STOP << 16 | 0x137f) == stop::group);
  static_assert(stop_of(PTRACE_EVENT_STOP << 16 | 0x147f) == stop::group);
  static_assert(stop_of(PTRACE_EVENT_CLONE << 16 | 0x057f) == stop::clone);
  static_assert(stop_of(PTRACE_EVENT_EXEC << 16 | 0x057f) == stop::exec);
  static_assert(stop_of(PTRACE_EVENT_EXIT << 16 | 0x057f) == stop::exit);
}

TEST_SUITE_END();

}  // namespace
