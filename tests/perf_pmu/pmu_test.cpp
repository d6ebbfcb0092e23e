// SPDX-License-Identifier: MIT
// tests/perf_pmu/pmu_test.cpp — the events of examples/perf_pmu: what they count, what is refused, what is kept and given back.
#include <bookend/mock/machine.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <random>

#include "examples/perf_pmu/pmu.hpp"

namespace {

using namespace bookend;
using perf::context;
using perf::event;
using machine = mock::machine<3, 4>;

struct kernel {
  machine m;
  machine::slot_manager& slots = m.slots;
  template <class F>
  void on_cpu(cpu_id c, F f) {
    m.guarded(c, [&](const auto&) { f(); });
  }
};
using pmu = perf::pmu<kernel, mock::system<3, 4>>;

/// A kernel with its pmu, which ends with every event closed.
struct world {
  kernel k;
  pmu p{k};
  void in(context& t, cpu_id c) {
    k.on_cpu(c, [&] { p.schedule_in(t, c); });
  }
  void out(context& t, cpu_id c) {
    k.on_cpu(c, [&] { p.schedule_out(t, c); });
  }
  unsigned write(cpu_id c, std::uint64_t at) { return k.m.write(c, at, 4); }
  unsigned reserved(cpu_id c) {
    unsigned n = 0;
    for (const auto& slot : k.slots.snapshot(c).slots) n += slot.state == slot_state::kernel ? 1u : 0u;
    return n;
  }
};
request at(std::uint64_t address) { return {address, 4, access::write}; }

TEST_CASE("an event counts its task only, and keeps its slot on every CPU while the task is out") {
  world w;
  context t, other;
  event e{.what = at(0x100)};
  REQUIRE(!w.p.open(e, t));
  for (cpu_id c = 0; c < 3; ++c) CHECK(w.reserved(c) == 1);
  CHECK(w.write(0, 0x100) == 0);
  w.in(t, 0);
  CHECK(w.write(0, 0x100) == 1);
  CHECK(w.write(1, 0x100) == 0);
  w.out(t, 0);
  CHECK(w.write(0, 0x100) == 0);
  w.in(other, 0);
  CHECK(w.write(0, 0x100) == 0);
  w.out(other, 0);
  w.in(t, 1);
  CHECK(w.write(1, 0x100) == 1);
  CHECK(e.count == 2);
  CHECK(w.reserved(2) == 1);
  w.p.close(e);
  CHECK(w.write(1, 0x100) == 0);
  CHECK(w.reserved(1) == 0);
}

TEST_CASE("tasks do not compete, a CPU's own events do, and what does not fit is refused and leaves everything as it was") {
  world w;
  context a, b;
  event of_a[4], of_b[4], of_cpu{.what = at(0x900), .cpu = 1};
  for (unsigned i = 0; i < 3; ++i) {
    of_a[i].what = at(0x100 + 0x10 * i);
    of_b[i].what = at(0x200 + 0x10 * i);
    REQUIRE(!w.p.open(of_a[i], a));
    REQUIRE(!w.p.open(of_b[i], b));
  }
  CHECK(w.reserved(0) == 3);
  REQUIRE(!w.p.open(of_cpu));
  CHECK(w.reserved(1) == 4);
  of_a[3].what = at(0x130);
  const auto no = w.p.open(of_a[3], a);
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  for (cpu_id c = 0; c < 3; ++c) CHECK(w.reserved(c) == (c == 1 ? 4 : 3));
  of_a[3].cpu = 2;
  CHECK(!w.p.open(of_a[3], a));  // there is room there
  machine::kernel_breakpoint stranger{"stranger", [](const machine::hit&) {}};
  REQUIRE(!w.k.slots.register_breakpoint(stranger, at(0x1000), machine::slot_manager::mask::of(0)));
  of_b[3] = event{.what = at(0x230)};
  const auto taken = w.p.open(of_b[3], b);
  CHECK(taken.why == reason::no_slot);
  w.in(a, 2);
  w.in(b, 1);
  CHECK(w.write(2, 0x130) == 1);
  CHECK(w.write(1, 0x900) == 1);
  CHECK(w.write(1, 0x220) == 1);
  CHECK(w.k.m.consistent());
  for (auto* all : {&of_a, &of_b})
    for (auto& e : *all)
      if (e.of != nullptr) w.p.close(e);
  w.p.close(of_cpu);
  CHECK(!w.k.slots.unregister_breakpoint(stranger));
  CHECK(w.k.slots.full().none());
  for (cpu_id c = 0; c < 3; ++c) CHECK(w.reserved(c) == 0);
}

TEST_CASE("what was reserved on some CPUs before another one refused is given back") {
  world w;
  context t;
  event of_cpu{.what = at(0x100), .cpu = 1}, wide{.what = at(0x110)};
  REQUIRE(!w.p.open(of_cpu));
  machine::kernel_breakpoint strangers[3] = {{"a", nullptr}, {"b", nullptr}, {"c", nullptr}};
  for (auto& b : strangers) REQUIRE(!w.k.slots.register_breakpoint(b, at(0x1000), machine::slot_manager::mask::of(1)));
  const auto no = w.p.open(wide, t);
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 1);
  CHECK(w.reserved(0) == 0);
  CHECK(w.reserved(1) == 4);
  w.p.close(of_cpu);
  for (auto& b : strangers) CHECK(!w.k.slots.unregister_breakpoint(b));
}

TEST_CASE("what cannot be watched is refused, and so is an event twice") {
  world w;
  context t;
  event e{.what = {0x101, 4, access::write}};
  CHECK(w.p.open(e, t).why == reason::misaligned);
  e.what = {0x100, 4, access::io};
  CHECK(w.p.open(e, t).why == reason::unsupported);
  w.k.slots.system().deny({0x100, 4});
  e.what = at(0x100);
  CHECK(w.p.open(e, t).why == reason::forbidden);
  e.what = at(0x200);
  CHECK(w.p.open(e).why == reason::bad_cpu);
  REQUIRE(!w.p.open(e, t));
  CHECK(w.p.open(e, t).why == reason::already_registered);
  context other;
  event where_a_slot_is_reserved{.what = at(0x100)};
  CHECK(w.p.open(where_a_slot_is_reserved, other).why == reason::forbidden);
  w.p.close(e);
}

TEST_CASE("open and close while the task runs: the others move together, and none is lost") {
  world w;
  context t;
  event e[3] = {{.what = at(0x100)}, {.what = at(0x110)}, {.what = at(0x120)}}, of_cpu{.what = at(0x130), .cpu = 0};
  w.in(t, 0);
  for (auto& one : e) REQUIRE(!w.p.open(one, t));
  REQUIRE(!w.p.open(of_cpu));
  for (unsigned i = 0; i < 4; ++i) CHECK(w.write(0, 0x100 + 0x10 * i) == 1);
  w.p.close(e[2]);
  w.p.close(e[0]);
  CHECK(w.reserved(0) == 2);
  CHECK(w.reserved(1) == 1);
  CHECK(w.write(0, 0x100) == 0);
  CHECK(w.write(0, 0x110) == 1);
  CHECK(w.write(0, 0x120) == 0);
  CHECK(w.write(0, 0x130) == 1);
  CHECK(e[1].count == 2);
  CHECK(of_cpu.count == 2);
  w.p.close(e[1]);
  w.p.close(of_cpu);
}

TEST_CASE("a stopped event keeps its place, in and out") {
  world w;
  context t;
  event e{.what = at(0x100)};
  REQUIRE(!w.p.open(e, t));
  w.in(t, 0);
  w.k.on_cpu(0, [&] { w.p.stop(e); });
  CHECK(w.write(0, 0x100) == 0);
  CHECK(w.k.slots.snapshot(0).slots[3].state == slot_state::kernel);
  w.out(t, 0);
  w.in(t, 1);
  CHECK(w.write(1, 0x100) == 0);
  w.k.on_cpu(1, [&] { w.p.start(e); });
  CHECK(w.write(1, 0x100) == 1);
  w.p.close(e);
}

TEST_CASE("a child inherits what was asked for, and its counts are its parent's when it ends") {
  world w;
  context parent, child, grandchild;
  event inherited{.what = at(0x100), .inherit = true}, own{.what = at(0x110)}, its, its_childs;
  REQUIRE(!w.p.open(inherited, parent));
  REQUIRE(!w.p.open(own, parent));
  w.p.fork(parent, child, [&](const event&) { return &its; });
  w.p.fork(child, grandchild, [&](const event&) { return &its_childs; });
  CHECK(child.wants(0) == 1);
  w.in(child, 0);
  w.in(grandchild, 1);
  w.write(0, 0x100), w.write(0, 0x110), w.write(1, 0x100), w.write(1, 0x100);
  CHECK(inherited.count == 0);
  CHECK(w.p.read(inherited) == 3);
  CHECK(w.p.read(own) == 0);
  w.out(child, 0);
  w.p.exit(child);  // before its own child
  CHECK(inherited.count == 1);
  CHECK(w.p.read(inherited) == 3);
  w.write(1, 0x100);
  CHECK(w.p.read(inherited) == 4);
  w.out(grandchild, 1);
  w.p.exit(grandchild);
  CHECK(inherited.count == 4);
  CHECK(own.count == 0);
  w.p.exit(parent);
  CHECK(w.reserved(0) == 0);
}

TEST_CASE("at random: whatever is opened, closed, forked and switched, every count is exact and no slot is lost") {
  world w;
  std::mt19937 random(7);
  const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  constexpr unsigned tasks = 5, events = 16;
  context of[tasks];
  context* in[3]{};
  event e[events];
  std::uint64_t due[events]{};
  unsigned refused = 0, opened = 0, forked = 0, counted = 0;
  const auto idle = [&] {
    for (auto& one : e)
      if (one.of == nullptr) return &one;
    return static_cast<event*>(nullptr);
  };
  for (unsigned step = 0; step < 6000; ++step) {
    const cpu_id c = any(3);
    context& t = of[any(tasks)];
    switch (any(6)) {
      case 0:
      case 1: {  // a switch
        context* next = any(4) == 0 ? nullptr : &t;
        for (const context* running : in)
          if (running == next) next = nullptr;
        if (in[c] != nullptr) w.out(*in[c], c);
        if (next != nullptr) w.in(*next, c);
        in[c] = next;
        break;
      }
      case 2:
        if (event* const one = idle()) {
          *one = event{.what = at(0x100 + 0x10 * any(4)), .cpu = any(2) == 0 ? perf::any_cpu : any(3), .inherit = any(2) == 0};
          due[one - e] = 0;
          const bool of_cpu = one->cpu != perf::any_cpu && any(3) == 0;
          const auto no = of_cpu ? w.p.open(*one) : w.p.open(*one, t);
          ++(no ? refused : opened);
          if (no) CHECK(no.why == reason::no_slot);
        }
        break;
      case 3: {
        event& one = e[any(events)];
        if (one.of != nullptr) w.p.close(one);
        break;
      }
      case 4: {
        context& child = of[any(tasks)];
        if (child.first != nullptr || &child == &t) break;
        bool runs = false;
        for (const context* running : in) runs = runs || running == &child;
        if (runs) break;
        w.p.fork(t, child, [&](const event&) {
          event* const one = idle();
          if (one != nullptr) due[one - e] = 0, ++forked;
          return one;
        });
        break;
      }
      default:
        break;
    }
    const unsigned where = 0x100 + 0x10 * any(4);
    w.write(c, where);
    for (unsigned i = 0; i < events; ++i) {
      if (e[i].of == nullptr || e[i].what.address != where || !e[i].counts_on(c)) continue;
      bool of_task = false;
      for (const context& task : of) of_task = of_task || e[i].of == &task;
      if (!of_task || e[i].of == in[c]) ++due[i], ++counted;
    }
    for (unsigned i = 0; i < events; ++i) REQUIRE(e[i].count == due[i]);
    if (step % 50 == 0) REQUIRE(w.k.m.consistent());
  }
  CHECK(refused > 50);
  CHECK(opened > 50);
  CHECK(forked > 20);
  CHECK(counted > 500);
  for (auto& one : e)
    if (one.of != nullptr) w.p.close(one);
  for (cpu_id c = 0; c < 3; ++c) CHECK(w.reserved(c) == 0);
  CHECK(w.k.slots.full().none());
}

}  // namespace
