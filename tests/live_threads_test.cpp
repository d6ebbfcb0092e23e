// SPDX-License-Identifier: MIT
// tests/live_threads_test.cpp — threads come and go under ptrace: each is a CPU from its first instruction to its last.
#include <live/permission.hpp>
#include <live/scene.hpp>

namespace {

using namespace bookend;
using namespace live;
using lnx::happened;
using watch = debugger::watch;
using mask = debugger::mask;

bool process_alive(int pid) { return kill(pid, 0) == 0 && !lnx::status_of_thread(pid).over(); }

TEST_SUITE_BEGIN("ptrace" * doctest::skip(may_not_trace()));

TEST_CASE("a new thread is watched from its very first instruction") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  for (int lane = 1; lane < 8; ++lane) {
    w.hits.clear();
    s.v.prepare_calls(lane, store8, s.v.room(), 500, 3);
    s.start(lane);
    REQUIRE(w.hits.size() == 3);
    for (const auto& h : w.hits) CHECK(h.tid == s.v.tid(lane));
    CHECK(w.hits[2].value == 502);
  }
  CHECK(s.d.count(happened::started) == 7);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("watches of every thread count on numbers that no thread has yet") {
  scene s;
  watch a("a"), b("b"), c("c"), e("e"), fifth("fifth");
  int word = 0;
  for (watch* w : {&a, &b, &c}) REQUIRE_FALSE(s.d.slots.register_breakpoint(*w, at(s.v.room() + 8 * word++)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(e, at(s.v.room() + 24), mask::of(9)));
  const refusal no = s.d.slots.register_breakpoint(fifth, at(s.v.room() + 32));
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 9);
  for (watch* w : {&a, &b, &c, &e}) REQUIRE_FALSE(s.d.slots.unregister_breakpoint(*w));
}

TEST_CASE("a thread that ends frees its number, and the next thread that gets it is watched as every other") {
  scene s(3);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  const int gone = s.v.tid(1);
  const cpu_id number = s.cpu(1);
  s.v.order(1, deed::leave);
  s.d.run_until([&] { return s.d.count(happened::exited) == 1; });
  CHECK(s.d.log.back().tid == gone);
  CHECK(s.d.log.back().cpu == number);
  CHECK_FALSE(s.d.slots.online().test(number));
  s.d.run_until([&] { return s.d.tracee().tid_of(number) == 0; });
  CHECK(s.d.cpu_of(gone) == 16);
  for (int tid : s.d.tracee().threads()) CHECK(tid != gone);

  s.start(4);
  CHECK(s.cpu(4) == number);
  s.call(4, store8, s.v.room(), 0, 2);
  REQUIRE(w.hits.size() == 2);
  CHECK(w.hits[0].cpu == number);
  CHECK(w.hits[0].tid == s.v.tid(4));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("verbs go on when the process' first thread has ended before the others") {
  scene s(3);
  watch w("w"), later("later");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.v.order(0, deed::leave);
  s.d.run_until([&] { return s.d.count(happened::exited) == 1; });
  CHECK(s.d.log.back().tid == s.v.pid());
  REQUIRE_FALSE(s.d.slots.register_breakpoint(later, at(s.v.room() + 8)));
  REQUIRE_FALSE(s.d.slots.disable(later));
  s.call(1, store8, s.v.room(), 0, 3);
  s.start(4, 1);
  s.call(4, store8, s.v.room(), 0, 3);
  CHECK(w.hits.size() == 6);
  CHECK(process_alive(s.v.tid(1)));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(later));
}

TEST_CASE("a thread that is killed between two verbs refuses neither") {
  scene s(2);
  watch w("w");
  for (int i = 0; i < 20; ++i) {
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
    s.v.order(1, deed::leave);  // ends some time during what follows
    REQUIRE_FALSE(s.d.slots.modify(w, at(s.v.room() + 8)));
    REQUIRE_FALSE(s.d.slots.disable(w));
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
    s.d.run_until([&] { return s.d.count(happened::exited) == i + 1; });
    s.start(1);
  }
}

TEST_CASE("a process that is killed at any time refuses no verb") {
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    scene s(3);
    watch w("w");
    for (int lane : {1, 2}) s.v.order_calls(lane, store8, s.v.room(), 0, 1'000'000'000'000);
    const pid_t killer = fork();
    if (killer == 0) {
      usleep(static_cast<useconds_t>(500 + 37 * round));
      kill(s.v.pid(), SIGKILL);
      _exit(0);
    }
    while (s.d.count(happened::ended) == 0) {
      REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
      REQUIRE_FALSE(s.d.slots.modify(w, at(s.v.room() + 8)));
      REQUIRE_FALSE(s.d.slots.disable(w));
      REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
      s.d.turn(0);
    }
    CHECK(s.d.slots.online().none());
    s.v.reaped();
    waitpid(killer, nullptr, 0);
  }
}

TEST_CASE("threads that start while the process is being attached to are found, every one") {
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    victim v;
    v.order(0, deed::chain);  // lane 1's thread starts lane 2's, that one lane 3's, ...
    REQUIRE(eventually([&] { return v.tid(1 + round % 10) != 0; }));
    debugger d;
    watch w("w");
    d.attach(v);
    REQUIRE_FALSE(d.slots.register_breakpoint(w, at(v.room())));
    for (int lane = 1; lane < lanes; ++lane) d.run_until([&] { return v.tid(lane) != 0; });
    for (int lane = 0; lane < lanes; ++lane) {
      v.order_calls(lane, store8, v.room(), 0, 2);
      d.run_lane(v, lane);
    }
    CHECK(w.hits.size() == 2 * lanes);
    REQUIRE_FALSE(d.slots.unregister_breakpoint(w));
  }
}

TEST_CASE("a process with more threads than numbers is not attached to, and nothing stays attached") {
  scene s(4);
  s.d.tracee().detach();
  debugger_of<3> small;
  CHECK(small.tracee().attach(s.v.pid()).code == EUSERS);
  CHECK(small.tracee().pid() == 0);
  for (int lane = 0; lane < 4; ++lane) {
    CHECK(lnx::status_of_thread(s.v.tid(lane)).tracer == 0);
    s.v.order_calls(lane, store8, s.v.room(), 0, 1);
    REQUIRE(eventually([&] { return !s.v.busy(lane); }));
  }
}

TEST_CASE("a thread for which there is no number left runs unwatched, and the program is told") {
  scene_of<3> s(3);
  typename debugger_of<3>::watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.v.prepare_calls(5, store8, s.v.room(), 0, 5);
  s.start(5);
  CHECK(w.hits.empty());
  s.d.run_until([&] { return s.d.count(happened::crowded) == 1; });
  CHECK(s.d.log.back().tid == s.v.tid(5));
  CHECK(s.cpu(5) == 3);
  s.call(1, store8, s.v.room(), 0, 5);
  CHECK(w.hits.size() == 5);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a forked child is not followed, not watched and not harmed") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  for (deed how : {deed::forked_access, deed::strange_clone}) {
    s.v.order_calls(1, store8, s.v.room(), 0, 5, how);
    s.d.run_lane(s.v, 1);
    CHECK(s.v.result(1) == 0);
    CHECK(s.d.count(happened::started) == 0);
  }
  CHECK(w.hits.empty());
  s.call(1, store8, s.v.room());
  CHECK(w.hits.size() == 1);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("exec, by any thread, leaves one thread with clean registers that is armed again when it comes online") {
  for (int lane : {0, 2}) {
    CAPTURE(lane);
    scene s(3);
    watch w("w");
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
    std::uint64_t dr7 = 1, dr0 = 1, armed = 0;
    bool seen = false;
    s.v.order(lane, deed::exec);
    for (int i = 0; i < 2000 && !seen; ++i) {
      const auto e = s.d.tracee().wait(5);
      if (e.what == happened::exec) {
        seen = true;
        CHECK(e.tid == s.v.pid());
        CHECK(e.cpu == s.d.cpu_of(s.v.pid()));
        dr7 = lnx::peek_debugreg(e.tid, 7, 99);
        dr0 = lnx::peek_debugreg(e.tid, 3, 99);
        int others = 0;
        for (int tid : s.d.tracee().threads()) others += tid != e.tid;
        CHECK(others == 0);
      }
      CHECK_FALSE(lnx::follow(s.d.slots, e));
      if (seen) armed = lnx::peek_debugreg(e.tid, 7, 0);
      s.d.tracee().resume(e.tid);
    }
    REQUIRE(seen);
    CHECK(dr7 == 0);
    CHECK(dr0 == 0);
    CHECK(x86::dr7_decode(armed).on() == 8);
    CHECK(s.d.slots.online() == mask::of(s.d.cpu_of(s.v.pid())));
    s.d.run_for(20);
    CHECK(process_alive(s.v.pid()));
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  }
}

TEST_CASE("a thread that is killed before the program has been told of it never was") {
  scene s;
  s.v.order_thread(0, 1);
  for (int i = 0; i < 3; ++i) {  // its first stop is seen in a verb, and no event is taken
    usleep(10'000);
    (void)s.d.slots.snapshot(s.cpu(0));
  }
  s.d.tracee().kill();
  usleep(20'000);
  (void)s.d.slots.snapshot(s.cpu(0));
  s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
  CHECK(s.d.count(happened::started) == 0);
  CHECK(s.d.count(happened::exited) == 1);
  CHECK(s.d.slots.online().none());
  s.v.reaped();
}

TEST_CASE("the end of the process is told once, with its status, after the end of each thread") {
  SUBCASE("it exits") {
    scene s(3);
    s.v.order(1, deed::quit, 42);
    s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
    CHECK(WIFEXITED(s.d.log.back().status));
    CHECK(WEXITSTATUS(s.d.log.back().status) == 42);
    CHECK(s.d.count(happened::exited) == 3);
    CHECK(s.d.slots.online().none());
    CHECK(s.d.tracee().pid() == 0);
    CHECK(s.d.tracee().wait().what == happened::ended);
    s.v.reaped();
  }
  SUBCASE("it is killed, while its threads are stopped in the debugger's hands") {
    scene s(3);
    watch w("w");
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
    s.v.order_calls(1, store8, s.v.room(), 0, 5);
    while (s.d.tracee().wait().what != happened::trap) {
    }
    for (int lane : {0, 2}) REQUIRE(s.d.tracee().stop(s.v.tid(lane)));
    s.d.tracee().kill();
    usleep(20'000);
    CHECK_FALSE(s.d.slots.disable(w));  // not known to be dead yet, and no registers to write
    s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
    CHECK(WTERMSIG(s.d.log.back().status) == SIGKILL);
    CHECK(s.d.count(happened::exited) == 3);
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
    s.v.reaped();
  }
  SUBCASE("it is killed, while it is being watched closely") {
    scene s(3);
    watch w("w");
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
    s.v.order_calls(1, store8, s.v.room(), 0, 1'000'000);
    s.v.order_calls(2, store8, s.v.room(), 0, 1'000'000);
    s.d.run_for(20);
    s.d.tracee().kill();
    CHECK_FALSE(s.d.slots.disable(w));  // whatever state they are in
    s.d.run_until([&] { return s.d.count(happened::ended) == 1; });
    CHECK(WIFSIGNALED(s.d.log.back().status));
    CHECK(WTERMSIG(s.d.log.back().status) == SIGKILL);
    CHECK(s.d.count(happened::exited) == 3);
    CHECK(s.d.slots.online().none());
    CHECK_FALSE(s.d.slots.enable(w));
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
    s.v.reaped();
  }
}

TEST_SUITE_END();

}  // namespace
