// SPDX-License-Identifier: MIT
// tests/live_perf_test.cpp — this machine's debug registers in the program's own threads, through perf events.
#include <bookend/bookend.hpp>
#include <bookend/linux/perf.hpp>
#include <live/accesses.hpp>
#include <live/crew.hpp>
#include <live/perf_event.hpp>
#include <live/permission.hpp>
#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <memory>
#include <sys/wait.h>
#include <vector>

namespace {

using namespace bookend;
using namespace live;
using bookend::access;  // not unistd.h's
using system_type = lnx::perf_system<8>;
using slot_manager = bookend::slot_manager<system_type>;
using mask = slot_manager::mask;

slot_manager* slots;  // the handler's
alignas(64) unsigned char room[256];

request at(const void* where, std::uint64_t length = 8, access on = access::write) {
  return {reinterpret_cast<std::uint64_t>(where), length, on};
}

/// Counts its hits per CPU; keeps the first values.
struct watch : slot_manager::kernel_breakpoint {
  explicit watch(const char* name, void (*then)(const slot_manager::hit&) = nullptr)
      : kernel_breakpoint(
            name,
            [](const auto& h) {
              auto& self = static_cast<watch&>(h.kernel());
              const unsigned n = self.hits[h.here.cpu()]++;
              if (n < 16 && h.watched().on == access::write)  // a handler that reads what it watches reads of would hit again
                std::memcpy(&self.value[h.here.cpu()][n], reinterpret_cast<const void*>(h.watched().address), 8);
              self.ip = h.frame.ip();
              self.slot = h.slot;
              if (self.and_then != nullptr) self.and_then(h);
            }),
        and_then(then) {}
  unsigned total() const {
    unsigned sum = 0;
    for (const auto& n : hits) sum += n;
    return sum;
  }
  void forget() {
    for (auto& n : hits) n = 0;
  }
  std::atomic<unsigned> hits[8]{};
  std::uint64_t value[8][16]{};
  std::uint64_t ip = 0;
  slot_id slot = 99;
  void (*and_then)(const slot_manager::hit&);
};

/// A manager, and workers that are online: worker i is CPU i. The test's own thread has joined, to say verbs, and is not online.
struct scene {
  explicit scene(unsigned workers = 1) : crew(workers) {
    slots = &manager;
    system_type::listen([](int, siginfo_t*, void* context) {
      lnx::signal_frame f{static_cast<ucontext_t*>(context)};
      ++traps;
      user += slots->here().trap(f).user_count;
    });
    user = traps = 0;
    for (unsigned i = 0; i < workers; ++i) join(i);
    CHECK(manager.system().join() == workers);
  }
  ~scene() {
    manager.system().leave();
    for (auto& w : crew)
      if (w) leave(*w);
    slots = nullptr;
  }
  void join(unsigned i) {
    if (!crew[i]) crew[i] = std::make_unique<worker>();
    crew[i]->run([&] {
      const cpu_id cpu = manager.system().join();
      CHECK(cpu == i);
      CHECK_FALSE(manager.cpu_online(cpu));
    });
  }
  void leave(worker& w) {
    w.run([&] {
      CHECK_FALSE(manager.cpu_offline(manager.system().this_cpu()));
      manager.system().leave();
    });
  }
  void call(unsigned i, access_function f, void* where, std::uint64_t value = 0, std::uint64_t count = 1) {
    start(i, f, where, value, count);
    crew[i]->wait();
  }
  void start(unsigned i, access_function f, void* where, std::uint64_t value, std::uint64_t count) {
    crew[i]->start([=] {
      for (std::uint64_t n = 0; n < count; ++n) f(where, value + n);
    });
  }
  slot_manager manager;
  std::vector<std::unique_ptr<worker>> crew;
  static inline std::atomic<unsigned> user{0};   // hits of tasks' watches
  static inline std::atomic<unsigned> traps{0};  // signals
};

TEST_SUITE_BEGIN("perf" * doctest::skip(may_not_open_perf_events()));

TEST_CASE("N writes are N hits, on the thread that wrote, with the values that it wrote") {
  scene s(3);
  watch w("x");
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  s.call(1, store8, room, 700, 10);
  CHECK(w.hits[1] == 10);
  CHECK(w.total() == 10);
  CHECK(w.slot == 3);
  CHECK(w.ip > address_of(store8));
  CHECK(w.ip < address_of(store8) + 8);
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(w.value[1][i] == 700 + i);
  store8(room, 1);  // this thread is not online
  CHECK(w.total() == 10);
  for (unsigned i : {0u, 1u, 2u}) s.start(i, store8, room, 0, 20'000);  // at once, and no throttling
  for (auto& c : s.crew) c->wait();
  CHECK(w.hits[0] == 20'000);
  CHECK(w.hits[1] == 20'010);
  CHECK(w.hits[2] == 20'000);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
  s.call(0, store8, room);
  CHECK(w.hits[0] == 20'000);
}

TEST_CASE("one store across two watches is both their hits") {
  scene s;
  watch low("low"), high("high");
  REQUIRE_FALSE(s.manager.register_breakpoint(low, at(room + 4, 4)));
  REQUIRE_FALSE(s.manager.register_breakpoint(high, at(room + 8, 4)));
  s.call(0, store8, room + 4, 5, 100);
  CHECK(low.hits[0] == 100);
  CHECK(high.hits[0] == 100);
  s.call(0, store4, room + 8);
  CHECK(low.hits[0] == 100);
  CHECK(high.hits[0] == 101);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(low));
  REQUIRE_FALSE(s.manager.unregister_breakpoint(high));
}

TEST_CASE("a function is seen each time it runs, once, before it has run") {
  scene s;
  watch x("run_me"), count("count");
  std::uint64_t runs = 0;
  REQUIRE_FALSE(s.manager.register_breakpoint(x, {address_of(run_me), 1, access::execute}));
  REQUIRE_FALSE(s.manager.register_breakpoint(count, at(&runs)));
  s.call(0, run_me, &runs, 0, 1000);
  CHECK(x.hits[0] == 1000);
  CHECK(x.ip == address_of(run_me));
  CHECK(count.hits[0] == 1000);
  CHECK(count.value[0][0] == 1);
  CHECK(runs == 1000);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(x));
  REQUIRE_FALSE(s.manager.unregister_breakpoint(count));
}

TEST_CASE("a disabled watch is silent and keeps its slot, so a fifth is refused") {
  scene s(2);
  watch a("a"), b("b"), c("c"), e("e"), fifth("fifth");
  int word = 0;
  for (watch* w : {&a, &b, &c, &e}) REQUIRE_FALSE(s.manager.register_breakpoint(*w, at(room + 8 * word++)));
  REQUIRE_FALSE(s.manager.disable(b));
  s.call(1, store8, room + 8, 0, 10);
  CHECK(b.total() == 0);
  CHECK(scene::traps == 0);
  CHECK(s.manager.register_breakpoint(fifth, at(room + 64)).why == reason::no_slot);
  REQUIRE_FALSE(s.manager.enable(b));
  CHECK(b.total() == 0);  // what it did not see while it was off
  s.call(1, store8, room + 8, 0, 10);
  CHECK(b.hits[1] == 10);
  CHECK(b.slot == 2);
  REQUIRE_FALSE(s.manager.modify(b, at(room + 65, 1, access::read_write)));
  s.call(0, load1, room + 65, 0, 7);
  s.call(0, load1, room + 66, 0, 7);
  s.call(0, store8, room + 8, 0, 7);
  CHECK(b.hits[0] == 7);
  CHECK(a.total() + c.total() + e.total() == 0);
  for (watch* w : {&a, &b, &c, &e}) REQUIRE_FALSE(s.manager.unregister_breakpoint(*w));
}

TEST_CASE("verbs of several threads in a storm of hits lose none") {
  scene s(4);
  watch steady("steady"), one("one"), two("two");
  REQUIRE_FALSE(s.manager.register_breakpoint(steady, at(room)));
  std::atomic<bool> over = false;
  worker outside;  // joins, and is not online
  const auto verbs = [&](watch& w, int offset) {
    while (!over) {
      CHECK_FALSE(s.manager.register_breakpoint(w, at(room + offset)));
      CHECK_FALSE(s.manager.disable(w));
      CHECK_FALSE(s.manager.move(w, mask::of(0, 3)));
      CHECK_FALSE(s.manager.modify(w, at(room + offset + 8, 4)));
      CHECK_FALSE(s.manager.enable(w));
      CHECK_FALSE(s.manager.unregister_breakpoint(w));
    }
  };
  s.start(1, store8, room, 0, 30'000);
  s.start(2, store8, room, 0, 30'000);
  s.crew[3]->start([&] { verbs(one, 64); });
  outside.start([&] {
    CHECK(s.manager.system().join() == 5);
    verbs(two, 128);
    s.manager.system().leave();
  });
  s.crew[1]->wait();
  s.crew[2]->wait();
  over = true;
  s.crew[3]->wait();
  outside.wait();
  CHECK(steady.hits[1] == 30'000);
  CHECK(steady.hits[2] == 30'000);
  CHECK(one.total() + two.total() == 0);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(steady));
}

TEST_CASE("a handler re-aims and silences its own watch on its thread alone") {
  scene s(2);
  watch w("w", [](const slot_manager::hit& h) { CHECK_FALSE(h.here.disable(h.kernel())); });
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  s.call(1, store8, room, 0, 10);
  s.call(0, store8, room, 0, 10);
  CHECK(w.hits[0] == 1);
  CHECK(w.hits[1] == 1);
  REQUIRE_FALSE(s.manager.enable(w));
  w.and_then = [](const slot_manager::hit& h) {
    CHECK_FALSE(h.here.modify(h.kernel(), {h.watched().address + 8, 8, access::write}));
  };
  for (int i = 0; i < 4; ++i) s.call(1, store8, room + 8 * i, 0, 3);
  CHECK(w.hits[1] == 5);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_CASE("a view's verb is this thread's only, and a cross-call waits for its guard") {
  scene s(2);
  watch w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  s.crew[1]->run([&] { CHECK_FALSE(s.manager.here().disable(w)); });
  for (unsigned i : {0u, 1u}) s.call(i, store8, room, 0, 5);
  CHECK(w.hits[0] == 5);
  CHECK(w.hits[1] == 0);

  std::atomic<int> stage = 0;
  s.crew[1]->start([&] {
    auto& os = s.manager.system();
    const auto outer = os.traps_off();
    const auto inner = os.traps_off();
    stage = 1;
    os.traps_restore(inner);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
    while (std::chrono::steady_clock::now() < until) sched_yield();
    CHECK(stage == 1);
    os.traps_restore(outer);
  });
  while (stage == 0) sched_yield();
  REQUIRE_FALSE(s.manager.enable(w));
  stage = 2;
  s.crew[1]->wait();
  s.call(1, store8, room, 0, 5);
  CHECK(w.hits[1] == 5);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_CASE("threads come and go: a number is free again with clean registers, and no verb waits for who has ended") {
  scene s(3);
  watch w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  s.leave(*s.crew[1]);
  s.call(1, store8, room, 0, 5);
  CHECK(w.total() == 0);
  {
    const int tid = s.crew[1]->tid();
    const rival_breakpoint four[] = {{tid, room}, {tid, room}, {tid, room}, {tid, room}};
    CHECK(four[3].opened());
  }
  s.crew[1].reset();
  s.join(1);
  s.call(1, store8, room, 0, 5);
  CHECK(w.hits[1] == 5);

  s.crew[2].reset();  // without a word
  REQUIRE_FALSE(s.manager.disable(w));
  REQUIRE_FALSE(s.manager.enable(w));
  s.call(0, store8, room, 0, 5);
  CHECK(w.total() == 10);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_CASE("the scheduler of a program's own tasks: each task's watches hit while it runs, from the lowest slot up") {
  scene s(2);
  slot_manager::task none, red, blue;
  slot_manager::user_breakpoint r("red", 1), b("blue", 2);
  watch w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(r, red, at(room)));
  REQUIRE_FALSE(s.manager.register_breakpoint(b, blue, at(room + 8)));
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room + 16)));
  const auto as = [&](const slot_manager::task& task) {
    s.crew[1]->run([&] {
      auto& os = s.manager.system();
      const auto token = os.traps_off();
      CHECK_FALSE(s.manager.here().switch_to(none, task));
      os.traps_restore(token);
    });
    scene::user = 0;
    w.forget();
    for (int i = 0; i < 3; ++i) s.call(1, store8, room + 8 * i, 0, static_cast<std::uint64_t>(10 + i));
  };
  as(red);
  CHECK(scene::user == 10);
  CHECK(w.total() == 12);
  CHECK(std::strcmp(s.manager.snapshot(1).slots[0].name, "red") == 0);
  as(blue);
  CHECK(scene::user == 11);
  CHECK(w.total() == 12);
  as(none);
  CHECK(scene::user == 0);
  s.manager.on_exit(red);
  s.manager.on_exit(blue);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_CASE("a thread whose registers somebody else holds: refused as hardware, naming it, and every thread is as before") {
  scene s(3);
  watch held("held"), w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(held, at(room)));
  {
    const rival_breakpoint rivals[] = {
        {s.crew[1]->tid(), room + 200}, {s.crew[1]->tid(), room + 200}, {s.crew[1]->tid(), room + 200}};
    REQUIRE(rivals[2].opened());
    const refusal no = s.manager.register_breakpoint(w, at(room + 8));
    CHECK(no.why == reason::hardware);
    CHECK(no.cpu == 1);
    CHECK(w.idle());
    for (unsigned i : {0u, 1u, 2u}) {
      s.call(i, store8, room + 8);
      s.call(i, store8, room);
      CHECK(s.manager.snapshot(i).slots[2].state == slot_state::free);
    }
    CHECK(w.total() == 0);
    CHECK(held.total() == 3);
  }
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room + 8)));
  for (unsigned i : {0u, 1u, 2u}) s.call(i, store8, room + 8);
  CHECK(w.total() == 3);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
  REQUIRE_FALSE(s.manager.unregister_breakpoint(held));
}

TEST_CASE("a hit that could not be delivered before its watch was switched off is nobody's") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  sigset_t trap;
  sigemptyset(&trap);
  sigaddset(&trap, SIGTRAP);
  s.crew[0]->run([&] {
    pthread_sigmask(SIG_BLOCK, &trap, nullptr);
    store8(room, 1);
  });
  REQUIRE_FALSE(s.manager.modify(w, at(room + 8)));
  s.crew[0]->run([&] { pthread_sigmask(SIG_UNBLOCK, &trap, nullptr); });
  CHECK(w.total() == 0);
  s.call(0, store8, room + 8);
  CHECK(w.total() == 1);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_CASE("a control write that fails switches nothing on, and the next one is possible") {
  scene s;
  auto& registers = s.manager.system();
  struct sigaction leave_it_to_us{};
  leave_it_to_us.sa_handler = [](int) { ++scene::traps; };
  sigaction(SIGTRAP, &leave_it_to_us, nullptr);
  const auto kind = x86::kind_of(access::write, 8);
  x86::setting mine[4] = {};
  mine[0] = {reinterpret_cast<std::uint64_t>(room), 0, kind};
  REQUIRE(registers.write_address(0, 0, mine[0]));
  REQUIRE(registers.write_address(0, 2, mine[0]));
  CHECK_FALSE(registers.write_address(0, 1, x86::setting{~std::uint64_t{7}, 0, kind}));  // not the program's
  mine[2] = {reinterpret_cast<std::uint64_t>(room) + 1, 0, kind};
  REQUIRE(registers.write_address(0, 2, mine[2]));  // is taken, but not for 8 bytes
  CHECK_FALSE(registers.write_control(0, registers.control_of(mine, 5)));
  s.call(0, store8, room);
  CHECK(scene::traps == 0);
  mine[2] = {reinterpret_cast<std::uint64_t>(room) + 8, 0, kind};
  REQUIRE(registers.write_address(0, 2, mine[2]));
  REQUIRE(registers.write_control(0, registers.control_of(mine, 4)));
  s.call(0, store8, room);
  s.call(0, store8, room + 8);
  CHECK(registers.take_status(0).hits == 4);
  REQUIRE(registers.write_control(0, registers.control_of(mine, 0)));
}

TEST_CASE("a fork's child has none of the watches") {
  scene s;
  watch w("w");
  REQUIRE_FALSE(s.manager.register_breakpoint(w, at(room)));
  int status = -1;
  s.crew[0]->run([&] {
    const pid_t child = fork();
    if (child == 0) {
      store8(room, 1);
      _exit(static_cast<int>(w.total()));
    }
    waitpid(child, &status, 0);
  });
  CHECK(status == 0);
  CHECK(w.total() == 0);
  REQUIRE_FALSE(s.manager.unregister_breakpoint(w));
}

TEST_SUITE_END();

}  // namespace
