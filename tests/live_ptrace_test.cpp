// SPDX-License-Identifier: MIT
// tests/live_ptrace_test.cpp — this machine's debug registers in another process' threads, through ptrace: who hit what, exactly.
#include <live/perf_event.hpp>
#include <live/permission.hpp>
#include <live/scene.hpp>
#include <optional>

namespace {

using namespace bookend;
using namespace live;
using bookend::access;  // not unistd.h's
using lnx::happened;
using watch = debugger::watch;
using mask = debugger::mask;

TEST_SUITE_BEGIN("ptrace" * doctest::skip(may_not_trace()));

TEST_CASE("N writes are N hits, on the thread that wrote, with the values that it wrote") {
  scene s(2);
  watch w("x");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  for (int lane : {1, 0}) {
    w.hits.clear();
    s.call(lane, store8, s.v.room(), 1000, 500);
    REQUIRE(w.hits.size() == 500);
    for (std::uint64_t i = 0; i < 500; ++i) {
      CHECK(w.hits[i].value == 1000 + i);
      CHECK(w.hits[i].tid == s.v.tid(lane));
      CHECK(w.hits[i].cpu == s.cpu(lane));
      CHECK(w.hits[i].slot == 3);
      CHECK(w.hits[i].ip > address_of(store8));
      CHECK(w.hits[i].ip < address_of(store8) + 8);
    }
  }
  CHECK(s.d.count(happened::trap) == 1000);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  w.hits.clear();
  s.call(0, store8, s.v.room(), 1, 10);
  CHECK(w.hits.empty());
}

TEST_CASE("two threads that write at the same time are told apart, and none of their hits is lost") {
  scene s(3);
  watch w("x");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.v.order_calls(1, store8, s.v.room(), 10000, 400);
  s.v.order_calls(2, store8, s.v.room(), 20000, 400);
  s.d.run_until([&] { return !s.v.busy(1) && !s.v.busy(2); });
  int by[3] = {};
  for (const auto& h : w.hits)
    for (int lane : {0, 1, 2}) by[lane] += h.tid == s.v.tid(lane);
  CHECK(by[0] == 0);
  CHECK(by[1] == 400);
  CHECK(by[2] == 400);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("one store across two watches is one trap and both their hits") {
  scene s;
  watch low("low");
  watch high("high");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(low, at(s.v.room() + 4, 4)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(high, at(s.v.room() + 8, 4)));
  s.call(0, store8, s.v.room() + 4, 0x2222'2222'1111'1111);
  REQUIRE(low.hits.size() == 1);
  REQUIRE(high.hits.size() == 1);
  CHECK((low.hits[0].value & 0xffff'ffff) == 0x1111'1111);
  CHECK((high.hits[0].value & 0xffff'ffff) == 0x2222'2222);
  CHECK(low.hits[0].slot == 3);
  CHECK(high.hits[0].slot == 2);
  CHECK(s.d.count(happened::trap) == 1);
  s.call(0, store4, s.v.room() + 8);
  CHECK(low.hits.size() == 1);
  CHECK(high.hits.size() == 2);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(low));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(high));
}

TEST_CASE("a write watch does not see reads, a read-write watch sees both") {
  scene s;
  watch w("w");
  watch rw("rw");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(rw, at(s.v.room(), 8, access::read_write)));
  s.call(0, load8, s.v.room(), 0, 5);
  s.call(0, store8, s.v.room(), 0, 3);
  CHECK(w.hits.size() == 3);
  CHECK(rw.hits.size() == 8);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(rw));
}

TEST_CASE("a function is seen each time it runs, once, before it has run") {
  scene s;
  watch x("run_me");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(x, run_of(run_me)));
  s.call(0, run_me, s.v.room(), 0, 300);
  CHECK(x.hits.size() == 300);
  for (const auto& h : x.hits) CHECK(h.ip == address_of(run_me));
  CHECK(*reinterpret_cast<std::uint64_t*>(s.v.room()) == 300);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(x));
}

TEST_CASE("an execution watch and a data watch take turns in the same function, and neither is lost") {
  scene s;
  watch x("run_me");
  watch count("count");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(x, run_of(run_me)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(count, at(s.v.room())));
  s.call(0, run_me, s.v.room(), 0, 200);
  CHECK(x.hits.size() == 200);
  REQUIRE(count.hits.size() == 200);
  for (std::uint64_t i = 0; i < 200; ++i) CHECK(count.hits[i].value == i + 1);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(x));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(count));
}

TEST_CASE("a disabled watch stops nobody and keeps its slot, so a fifth is refused, naming who holds what") {
  scene s(2);
  watch a("a"), b("b"), c("c"), e("e"), fifth("fifth");
  const auto word = [&](int i) { return at(s.v.room() + 8 * i); };
  REQUIRE_FALSE(s.d.slots.register_breakpoint(a, word(0)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(b, word(1)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(c, word(2)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(e, word(3)));
  REQUIRE_FALSE(s.d.slots.disable(b));
  for (int i = 0; i < 4; ++i) s.call(1, store8, s.v.room() + 8 * i, 0, 10);
  CHECK(a.hits.size() == 10);
  CHECK(b.hits.empty());
  CHECK(c.hits.size() == 10);
  CHECK(e.hits.size() == 10);
  CHECK(s.d.count(happened::trap) == 30);

  const refusal no = s.d.slots.register_breakpoint(fifth, word(4));
  CHECK(no.why == reason::no_slot);
  CHECK(no.kernel_held == 4);
  CHECK(no.cpu == 0);
  const auto shelf = s.d.slots.snapshot(s.cpu(1));
  CHECK(std::strcmp(shelf.slots[3].name, "a") == 0);
  CHECK(std::strcmp(shelf.slots[2].name, "b") == 0);
  CHECK_FALSE(shelf.slots[2].on);
  CHECK(shelf.slots[2].watched == word(1));

  REQUIRE_FALSE(s.d.slots.enable(b));
  s.call(0, store8, s.v.room() + 8, 0, 7);
  CHECK(b.hits.size() == 7);
  CHECK(b.hits[0].slot == 2);
  for (watch* w : {&a, &b, &c, &e}) REQUIRE_FALSE(s.d.slots.unregister_breakpoint(*w));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(fifth, word(4)));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(fifth));
}

TEST_CASE("a modified watch sees the new place and length at once, and the old one no more") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room(), 8)));
  struct aim {
    request to;
    access_function inside;
    int offset;
  };
  // Each from the last: longer to shorter, aligned to odd, data to code and back. A stale length would make some of them illegal.
  const aim aims[] = {{at(s.v.room() + 33, 1), store1, 33},
                      {at(s.v.room() + 64, 8), store8, 64},
                      {run_of(run_me), run_me, 0},
                      {at(s.v.room() + 34, 2, access::read_write), load2, 34},
                      {at(s.v.room() + 96, 4), store4, 96}};
  for (const aim& a : aims) {
    w.hits.clear();
    REQUIRE_FALSE(s.d.slots.modify(w, a.to));
    s.call(0, a.inside, s.v.room() + a.offset, 0, 6);
    CHECK(w.hits.size() == 6);
    s.call(0, store1, s.v.room() + 128, 0, 6);
    for (const aim& other : aims)
      if (&other != &a) s.call(0, other.inside, s.v.room() + other.offset, 0, 2);
    CHECK(w.hits.size() == 6);
  }
  CHECK(s.d.slots.modify(w, at(s.v.room() + 1, 8)).why == reason::misaligned);
  w.hits.clear();
  s.call(0, store4, s.v.room() + 96);
  CHECK(w.hits.size() == 1);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a watch of some threads sees those only, and moves to others") {
  scene s(3);
  watch w("w");
  const auto write_in_all = [&] {
    w.hits.clear();
    for (int lane : {0, 1, 2}) s.call(lane, store8, s.v.room(), 0, 4);
  };
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room()), mask::of(s.cpu(1))));
  write_in_all();
  REQUIRE(w.hits.size() == 4);
  for (const auto& h : w.hits) CHECK(h.tid == s.v.tid(1));
  REQUIRE_FALSE(s.d.slots.move(w, mask::of(s.cpu(0), s.cpu(2))));
  write_in_all();
  REQUIRE(w.hits.size() == 8);
  for (const auto& h : w.hits) CHECK(h.tid != s.v.tid(1));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a thread's own watches fill its shelf from the bottom, its watchers' from the top, until they meet") {
  scene s(2);
  debugger::slot_manager::task none, mine;
  debugger::slot_manager::user_breakpoint u0("u0", 70), u1("u1", 71), u2("u2", 72);
  watch k3("k3"), k2("k2");
  static std::vector<std::uint64_t> cookies;
  cookies.clear();
  s.d.tracee().on_trap(
      [](void* slots, cpu_id cpu, lnx::frame& f) {
        const auto t = static_cast<debugger::slot_manager*>(slots)->on(cpu).trap(f);
        for (unsigned i = 0; i < t.user_count; ++i) cookies.push_back(t.user_hits[i].cookie);
        return t.rest;
      },
      &s.d.slots);
  const auto word = [&](int i) { return at(s.v.room() + 8 * i); };
  REQUIRE_FALSE(s.d.slots.register_breakpoint(u0, mine, word(0)));
  REQUIRE_FALSE(lnx::run_as(s.d.slots, s.v.tid(1), mine));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(k3, word(3)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(u1, mine, word(1)));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(k2, word(2)));

  const auto shelf = s.d.slots.snapshot(s.cpu(1));
  const char* expected[] = {"u0", "u1", "k2", "k3"};
  for (int i = 0; i < 4; ++i) CHECK(std::strcmp(shelf.slots[i].name, expected[i]) == 0);
  const refusal no = s.d.slots.register_breakpoint(u2, mine, word(4));
  CHECK(no.why == reason::no_slot);
  CHECK(no.kernel_held == 2);
  CHECK(no.user_held == 2);

  for (int i = 0; i < 4; ++i) s.call(1, store8, s.v.room() + 8 * i, 0, 3);
  CHECK(cookies == std::vector<std::uint64_t>{70, 70, 70, 71, 71, 71});
  CHECK(k2.hits.size() == 3);
  CHECK(k3.hits.size() == 3);
  s.call(0, store8, s.v.room());  // another thread: not its watches
  s.call(0, store8, s.v.room() + 24);
  CHECK(cookies.size() == 6);
  CHECK(k3.hits.size() == 4);

  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(k2));  // room for the third, wherever it lands
  REQUIRE_FALSE(s.d.slots.register_breakpoint(u2, mine, word(4)));
  s.call(1, store8, s.v.room() + 32);
  CHECK(cookies.back() == 72);
  REQUIRE_FALSE(lnx::run_as(s.d.slots, s.v.tid(1), none));
  s.call(1, store8, s.v.room() + 32);
  CHECK(cookies.size() == 7);
  CHECK_FALSE(lnx::run_as(s.d.slots, 1, mine));  // none of ours
  s.d.slots.on_exit(mine);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(k3));
}

TEST_CASE("a handler re-aims, silences and wakes its own watch on its thread alone") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  w.and_then = [](const debugger::slot_manager::hit& h) { CHECK_FALSE(h.here.disable(h.kernel())); };
  s.call(1, store8, s.v.room(), 0, 10);
  CHECK(w.hits.size() == 1);
  s.call(0, store8, s.v.room(), 0, 10);
  CHECK(w.hits.size() == 2);
  REQUIRE_FALSE(s.d.slots.enable(w));
  w.and_then = [](const debugger::slot_manager::hit& h) {
    const request r = h.watched();
    CHECK_FALSE(h.here.modify(h.kernel(), {r.address + 8, r.length, r.on}));
  };
  for (int i = 0; i < 4; ++i) s.call(1, store8, s.v.room() + 8 * i, 0, 3);
  CHECK(w.hits.size() == 6);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a thread that is stopped may be changed alone, by its view") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  REQUIRE(s.d.tracee().stop(s.v.tid(1)));
  CHECK_FALSE(s.d.slots.on(s.cpu(1)).disable(w));
  s.v.order_calls(1, store8, s.v.room(), 0, 5);
  s.d.run_for(20);
  CHECK(s.v.busy(1));  // still stopped
  s.d.tracee().resume(s.v.tid(1));
  s.d.run_lane(s.v, 1);
  s.call(0, store8, s.v.room(), 0, 5);
  REQUIRE(w.hits.size() == 5);
  CHECK(w.hits[0].tid == s.v.tid(0));
  CHECK_FALSE(s.d.tracee().stop(1));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a trap that waits is dispatched before a verb changes what its thread watches") {
  scene s(2);
  watch w("w");
  for (int verb = 0; verb < 4; ++verb) {
    CAPTURE(verb);
    w.hits.clear();
    REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
    s.v.order_calls(1, store8, s.v.room(), 77, 1);
    REQUIRE(eventually([&] { return lnx::status_of_thread(s.v.tid(1)).state == 't'; }));
    if (verb == 1) REQUIRE_FALSE(s.d.slots.disable(w));
    if (verb == 2) REQUIRE_FALSE(s.d.slots.modify(w, at(s.v.room() + 8)));
    if (verb == 3) REQUIRE_FALSE(s.d.slots.move(w, mask::of(s.cpu(0))));
    REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
    REQUIRE(w.hits.size() == 1);
    CHECK(w.hits[0].value == 77);
    s.d.run_lane(s.v, 1);
    CHECK(w.hits.size() == 1);
    CHECK(s.d.count(happened::trap) == 0);
  }
}

TEST_CASE("verbs in the middle of a storm of hits lose none, and give none to the wrong watch") {
  scene s(3);
  watch steady("steady"), other("other");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(steady, at(s.v.room())));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(other, at(s.v.room() + 64)));
  constexpr std::uint64_t n = 3000;
  s.v.order_calls(1, store8, s.v.room(), 1, n);
  s.v.order_calls(2, store8, s.v.room(), 1, n);
  int verbs = 0;
  s.d.run_until([&] {
    // No turn of the loop between the change and the change back: every trap meanwhile is dispatched inside a verb.
    REQUIRE_FALSE(s.d.slots.modify(other, at(s.v.room() + 128, 4)));
    REQUIRE_FALSE(s.d.slots.disable(other));
    REQUIRE_FALSE(s.d.slots.move(other, mask::of(s.cpu(0))));
    REQUIRE_FALSE(s.d.slots.move(other, mask::all()));
    REQUIRE_FALSE(s.d.slots.enable(other));
    verbs += 5;
    return !s.v.busy(1) && !s.v.busy(2);
  });
  CHECK(verbs > 500);
  CHECK(steady.hits.size() == 2 * n);
  CHECK(other.hits.empty());
  // Some of the hits were dispatched in verbs: those had no event of their own.
  CHECK(s.d.count(happened::trap) < 2 * static_cast<int>(n));
  CHECK(s.d.count(happened::signal) == 0);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(steady));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(other));
}

TEST_CASE("a watch that is switched off in a storm is silent when the verb returns: no trap of it is still to come") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.v.order_calls(1, store8, s.v.room(), 1, 1'000'000'000'000'000);
  std::size_t seen = 0;
  for (int round = 0; round < 8000; ++round) {
    REQUIRE_FALSE(s.d.slots.disable(w));
    seen = w.hits.size();
    usleep(20);
    REQUIRE(s.d.turn(0).what == happened::nothing);
    REQUIRE_FALSE(s.d.slots.enable(w));
    for (int i = 0; i < round % 3; ++i) s.d.turn(1);
  }
  CHECK(s.v.busy(1));
  CHECK(seen > 1000);
  for (std::size_t i = 1; i < w.hits.size(); ++i) CHECK(w.hits[i].value > w.hits[i - 1].value);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_CASE("a thread whose registers somebody else holds: refused as hardware, naming it, and every thread is as before") {
  scene s(3);
  watch held("held"), w("w"), more("more");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(held, at(s.v.room())));
  std::optional<rival_breakpoint> rivals[3];
  for (auto& r : rivals) {
    r.emplace(s.v.tid(1), s.v.room() + 200);
    if (!r->opened()) {
      MESSAGE("skipped: perf_event_open is not permitted here");
      REQUIRE_FALSE(s.d.slots.unregister_breakpoint(held));
      return;
    }
  }
  const refusal no = s.d.slots.register_breakpoint(w, at(s.v.room() + 8));
  CHECK(no.why == reason::hardware);
  CHECK(no.cpu == s.cpu(1));
  CHECK(w.idle());
  for (int lane : {0, 1, 2}) {
    const auto shelf = s.d.slots.snapshot(s.cpu(lane));
    CHECK(shelf.slots[2].state == slot_state::free);
    CHECK_FALSE(shelf.broken);
    s.call(lane, store8, s.v.room() + 8);
    s.call(lane, store8, s.v.room());
  }
  CHECK(w.hits.empty());
  CHECK(held.hits.size() == 3);

  // Where nobody is in the way there is room, and everywhere once the others have gone.
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room() + 8), mask::of(s.cpu(0), s.cpu(2))));
  CHECK(s.d.slots.move(w, mask::all()).why == reason::hardware);
  for (int lane : {0, 1, 2}) s.call(lane, store8, s.v.room() + 8);
  CHECK(w.hits.size() == 2);
  for (auto& r : rivals) r.reset();
  REQUIRE_FALSE(s.d.slots.move(w, mask::all()));
  for (int lane : {0, 1, 2}) s.call(lane, store8, s.v.room() + 8);
  CHECK(w.hits.size() == 5);
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(held));
}

TEST_CASE("addresses that are not the program's are refused before the kernel is asked, and it would refuse them") {
  scene s;
  watch w("w");
  REQUIRE(s.d.tracee().stop(s.v.tid(0)));
  for (const std::uint64_t address : {lnx::user_end, std::uint64_t{0x7fff'ffff'fff8}, std::uint64_t{0x8000'0000'0000},
                                      std::uint64_t{0xffff'8000'0000'0000}, std::uint64_t{0xffff'ffff'ffff'fff8}}) {
    CHECK(s.d.slots.register_breakpoint(w, {address, 8, access::write}).why == reason::unsupported);
    CHECK_FALSE(s.d.tracee().write_address(s.cpu(0), 3, {.address = address, .mask = 0, .kind = x86::kind_of(access::write, 8)}));
  }
  CHECK(
      s.d.tracee().write_address(s.cpu(0), 3, {.address = lnx::user_end - 8, .mask = 0, .kind = x86::kind_of(access::write, 8)}));
  s.d.tracee().resume(s.v.tid(0));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, {lnx::user_end - 8, 8, access::write}));
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
  CHECK(w.hits.empty());
}

TEST_CASE("what the kernel writes for a thread is not seen; that is Linux, and the README says so") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(w, at(s.v.room())));
  s.v.order_calls(0, store8, s.v.room(), 0x1234, 0, deed::kernel_write);
  s.d.run_lane(s.v, 0);
  CHECK(s.v.result(0) == 0);
  CHECK(*reinterpret_cast<std::uint64_t*>(s.v.room()) == 0x1234);
  CHECK(w.hits.empty());
  REQUIRE_FALSE(s.d.slots.unregister_breakpoint(w));
}

TEST_SUITE_END();

}  // namespace
