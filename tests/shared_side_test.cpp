// SPDX-License-Identifier: MIT
// tests/shared_side_test.cpp — verbs of different tasks side by side, on a machine of one host thread: whatever comes in between
// comes out of a cross-call. The same with real threads: shared_threads_test.cpp.
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>
#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <random>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace bookend;
constexpr unsigned cpu_count = 4;

/// Says how often its lock was taken, and lets a test act in the middle of a cross-call.
template <unsigned Slots, unsigned Pools>
struct plain : mock::backend<cpu_count, Slots, Pools> {
  static constexpr unsigned max_cpus = cpu_count;
  static constexpr bool cpus_are_numbers = true;
  void lock() noexcept {
    REQUIRE(try_lock());
    ++locks;
  }
  bool try_lock() noexcept { return !std::exchange(locked, true); }
  void unlock() noexcept { locked = false; }
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  void run_on(const cpumask<cpu_count>& mask, call f, void* argument) noexcept {
    ++calls;
    for (cpu_id cpu : mask) f(argument, cpu);
    if (auto act = std::exchange(in_call, nullptr)) act();
  }
  void post_on(const cpumask<cpu_count>&) noexcept {}
  template <class Task>
  Task* current_task(cpu_id cpu) const noexcept {
    return static_cast<Task*>(current[cpu]);
  }
  template <class Task>
  cpumask<cpu_count> cpus_of(const Task& task) const noexcept {
    cpumask<cpu_count> m;
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu)
      if (current[cpu] == &task) m.set(cpu);
    return m;
  }
  static bool may_watch(side, range) noexcept { return true; }
  void on_verb(const event& e) noexcept {
    ++told;
    last = e.outcome.why;
  }
  void* current[cpu_count]{};
  std::function<void()> in_call;
  bool locked = false;
  unsigned locks = 0, calls = 0, told = 0;
  reason last{};
};
template <unsigned Slots, unsigned Pools>
struct striped : plain<Slots, Pools> {
  static constexpr unsigned stripes = 3;
  unsigned stripe() noexcept { return at; }
  void relax() noexcept {
    if (auto act = std::exchange(in_wait, nullptr)) return act();
    FAIL("nobody can leave: there is one thread");
  }
  unsigned at = 0;
  std::function<void()> in_wait;
};

using os = striped<4, 1>;
using two_pools = striped<6, 2>;
using manager = slot_manager<os>;
static_assert(can_share<os> && !can_share<plain<4, 1>> && has_stripes<os>);
// Where writes can fail, a verb has to be undone on other CPUs: exclusively.
struct unsure : mock::backend<1, 4, 1, true> {
  static constexpr unsigned stripes = 1;
  static unsigned stripe() noexcept { return 0; }
  static void relax() noexcept {}
};
static_assert(has_stripes<unsure> && !can_share<unsure>);
// Whoever does not ask for it has nothing of it.
static_assert(std::is_empty_v<stripes<plain<4, 1>>> && sizeof(task<plain<4, 1>>) == 2 * sizeof(void*));

constexpr request somewhere{0x1000, 8, access::write};

template <class Os>
struct scene {
  scene() {
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) REQUIRE(!slots.cpu_online(cpu));
    system().locks = system().told = 0;
  }
  ~scene() {
    for (auto& t : tasks) slots.on_exit(t);
    for (auto& b : kernels) (void)slots.unregister_breakpoint(b);
  }
  Os& system() { return slots.system(); }
  void run(cpu_id cpu, typename slot_manager<Os>::task& t) {
    auto* was = static_cast<typename slot_manager<Os>::task*>(system().current[cpu]);
    system().current[cpu] = &t;
    slots.on(cpu).switch_to(was != nullptr ? *was : idle, t);
  }
  slot_manager<Os> slots;
  typename slot_manager<Os>::task idle, tasks[cpu_count];
  typename slot_manager<Os>::user_breakpoint users[16];
  static void ignore(const typename slot_manager<Os>::hit&) {}
  typename slot_manager<Os>::kernel_breakpoint kernels[4] = {{"k0", ignore}, {"k1", ignore}, {"k2", ignore}, {"k3", ignore}};
};

}  // namespace

TEST_CASE("a task's verbs leave the owner lock alone: registering, turning, re-aiming, forking, exec and exit") {
  scene<os> s;
  s.run(1, s.tasks[0]);
  for (unsigned i = 0; i < 4; ++i) REQUIRE(!s.slots.register_breakpoint(s.users[i], s.tasks[0], somewhere));
  CHECK(s.slots.register_breakpoint(s.users[4], s.tasks[0], somewhere).why == reason::no_slot);
  CHECK(s.users[4].idle());
  CHECK(s.slots.register_breakpoint(s.users[0], s.tasks[0], {0x1001, 8, access::write}).why == reason::already_registered);
  s.system().locks = 0;  // two verbs of one breakpoint are exclusive, and so is the second look at one that is registered
  CHECK(s.slots.register_breakpoint(s.users[4], s.tasks[1], {0x1001, 8, access::write}).why == reason::misaligned);
  CHECK(s.users[4].idle());
  CHECK(!s.slots.disable(s.users[0]));
  CHECK(!s.slots.enable(s.users[0]));
  CHECK(!s.slots.modify(s.users[0], {0x2000, 4, access::write}));
  CHECK(s.slots.modify(s.users[0], {0x2001, 4, access::write}).why == reason::misaligned);
  s.slots.on_fork(s.tasks[0], s.tasks[1], [&](const auto& b) { return &s.users[8 + b.index()]; });
  CHECK(!s.users[8].idle());
  s.system().told = s.system().calls = 0;
  s.slots.on_exec(s.tasks[1]);
  CHECK(s.users[8].idle());
  CHECK(s.system().told == 1);
  CHECK(s.system().calls == 0);  // it runs nowhere
  CHECK(!s.slots.unregister_breakpoint(s.users[3]));
  s.slots.on_exit(s.tasks[0]);
  CHECK(s.users[0].idle());
  CHECK(s.system().locks == 0);
  CHECK(s.system().bank(1).control().on == 0);
  CHECK(s.slots.unregister_breakpoint(s.users[0]).why == reason::not_registered);
}

TEST_CASE("while one task's verb waits for its cross-call, another's is granted; what would need the first to be over is not") {
  scene<os> s;
  s.run(0, s.tasks[0]);
  s.run(1, s.tasks[1]);
  s.system().in_call = [&] {
    CHECK(s.users[0].owner() == &s.tasks[0]);
    CHECK_FALSE(s.slots.register_breakpoint(s.users[1], s.tasks[1], somewhere));
    CHECK_FALSE(s.slots.unregister_breakpoint(s.users[1]));
    CHECK_FALSE(s.slots.try_register_breakpoint(s.users[1], s.tasks[1], somewhere));
    CHECK(s.slots.try_register_breakpoint(s.users[2], s.tasks[0], somewhere).why == reason::would_block);  // the same task
    CHECK(s.users[2].idle());
    CHECK(s.slots.try_disable(s.users[0]).why == reason::would_block);  // the same breakpoint
    CHECK(s.slots.try_register_breakpoint(s.users[0], s.tasks[1], somewhere).why == reason::would_block);
    CHECK(s.slots.try_register_breakpoint(s.kernels[0], somewhere).why == reason::would_block);
    CHECK(s.slots.try_register_breakpoint(s.users[3], s.tasks[2], somewhere, pinned{2}).why == reason::would_block);
    CHECK_FALSE(s.slots.try_disable(s.users[1]));  // and it is open again
  };
  REQUIRE(!s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere));
  CHECK(s.system().locks == 0);
  CHECK_FALSE(s.system().locked);
  CHECK_FALSE(s.slots.try_disable(s.users[0]));
  CHECK_FALSE(s.slots.try_register_breakpoint(s.kernels[0], somewhere));
}

TEST_CASE("while a kernel's verb is under way, no task's is; afterwards it is") {
  scene<os> s;
  s.system().in_call = [&] {
    CHECK(s.slots.try_register_breakpoint(s.users[0], s.tasks[0], somewhere).why == reason::would_block);
  };
  REQUIRE(!s.slots.register_breakpoint(s.kernels[0], somewhere));
  CHECK(s.users[0].idle());
  CHECK_FALSE(s.slots.try_register_breakpoint(s.users[0], s.tasks[0], somewhere));
}

TEST_CASE("as many are side by side as there are stripes, wherever they begin to look") {
  for (unsigned at = 0; at < os::stripes; ++at) {
    scene<os> s;
    s.system().at = at;
    for (cpu_id cpu = 0; cpu < 3; ++cpu) s.run(cpu, s.tasks[cpu]);
    s.system().in_call = [&] {
      s.system().in_call = [&] {
        s.system().in_call = [&] {
          CHECK(s.slots.try_register_breakpoint(s.users[3], s.tasks[3], somewhere).why == reason::would_block);
        };
        CHECK_FALSE(s.slots.register_breakpoint(s.users[2], s.tasks[2], somewhere));
        CHECK_FALSE(s.slots.try_register_breakpoint(s.users[3], s.tasks[3], somewhere));
      };
      CHECK_FALSE(s.slots.register_breakpoint(s.users[1], s.tasks[1], somewhere));
    };
    CHECK_FALSE(s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere));
    CHECK(s.system().locks == 0);
  }
}

TEST_CASE("who closes the stripes waits for each that is taken, and who enters all of them for one that is free") {
  stripes<os> all;
  os sys;
  const auto nothing = [](unsigned, unsigned, std::uint32_t) { FAIL("nothing was noted"); };
  for (unsigned i = 0; i < os::stripes; ++i) {
    sys.at = i;
    const unsigned s = all.try_enter(sys);
    REQUIRE(s == i);
    CHECK_FALSE(all.try_close(nothing));
    bool waited = false;
    sys.in_wait = [&] {
      waited = true;
      CHECK(all.try_enter(sys) == all.none);
      all.leave(s);
    };
    all.close(sys, nothing);
    CHECK(waited);
    all.open();
  }
  for (unsigned i = 0; i < os::stripes; ++i) REQUIRE(all.try_enter(sys) != all.none);
  sys.in_wait = [&] { all.leave(1); };
  CHECK(all.enter(sys) == 1);
  CHECK(sys.locks == 1);
  CHECK_FALSE(sys.locked);
}

TEST_CASE("of the manager a task's verbs write the line of their stripe, and nothing else") {
  scene<os> s;
  auto& m = s.slots;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&m);
  std::set<std::size_t> lines[2];
  for (unsigned i = 0; i < 2; ++i) {
    s.system().at = i;
    const std::vector<unsigned char> before(bytes, bytes + sizeof m);
    REQUIRE(!m.register_breakpoint(s.users[i], s.tasks[i], somewhere));
    REQUIRE(!m.register_breakpoint(s.users[2 + i], s.tasks[i], somewhere));
    REQUIRE(!m.modify(s.users[i], {0x2000, 8, access::write}));
    REQUIRE(!m.disable(s.users[i]));
    REQUIRE(!m.unregister_breakpoint(s.users[i]));
    for (std::size_t at = sizeof(os); at < sizeof m; ++at)  // behind the system
      if (bytes[at] != before[at]) lines[i].insert(reinterpret_cast<std::uintptr_t>(bytes + at) / 64);
    CHECK(lines[i].size() == 1);
  }
  CHECK(lines[0] != lines[1]);
}

TEST_CASE("the kernel sees what tasks hold, whichever stripes it was taken and given back in") {
  scene<os> s;
  s.system().at = 0;
  REQUIRE(!s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere));
  s.system().at = 1;
  REQUIRE(!s.slots.register_breakpoint(s.users[1], s.tasks[0], somewhere));
  REQUIRE(!s.slots.register_breakpoint(s.users[2], s.tasks[1], somewhere));
  for (unsigned i = 0; i < 2; ++i) REQUIRE(!s.slots.register_breakpoint(s.kernels[i], somewhere));
  const refusal no = s.slots.register_breakpoint(s.kernels[2], somewhere);
  CHECK(no.why == reason::no_slot);
  CHECK(no.kernel_held == 2);
  CHECK(no.user_held == 2);
  s.system().at = 2;
  REQUIRE(!s.slots.unregister_breakpoint(s.users[0]));
  CHECK_FALSE(s.slots.register_breakpoint(s.kernels[2], somewhere));
  CHECK(s.slots.register_breakpoint(s.kernels[3], somewhere).user_held == 1);
  const refusal full = s.slots.register_breakpoint(s.users[3], s.tasks[0], somewhere);
  CHECK(full.why == reason::no_slot);
  CHECK(full.kernel_held == 3);
  CHECK(full.user_held == 1);
  s.system().at = 0;
  REQUIRE(!s.slots.unregister_breakpoint(s.users[1]));
  CHECK(s.slots.register_breakpoint(s.kernels[3], somewhere).why == reason::no_slot);
  REQUIRE(!s.slots.unregister_breakpoint(s.users[2]));
  CHECK_FALSE(s.slots.register_breakpoint(s.kernels[3], somewhere));
}

TEST_CASE("a task's request that is refused for a kernel breakpoint on its way out is asked again, and granted; told once") {
  scene<os> s;
  for (auto& k : s.kernels) REQUIRE(!s.slots.register_breakpoint(k, somewhere));
  s.system().locks = s.system().told = 0;
  CHECK(s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere).why == reason::no_slot);
  CHECK(s.system().locks == 0);  // nothing to reap: the answer stands
  CHECK(s.system().told == 1);
  REQUIRE(s.slots.post().unregister_breakpoint(s.kernels[1]));
  CHECK_FALSE(s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere));
  CHECK(s.system().locks == 1);
  CHECK(s.system().told == 2);
  CHECK(s.system().last == reason::granted);
  CHECK(s.kernels[1].idle());
}

TEST_CASE("exec waits for a verb that has claimed one of the task's breakpoints and waits for the task") {
  scene<os> s;
  auto& t = s.tasks[0];
  s.run(1, t);
  for (unsigned i = 0; i < 2; ++i) REQUIRE(!s.slots.register_breakpoint(s.users[i], t, somewhere));
  std::atomic<bool> waits = false, go = false;
  refusal said = reason::would_block;
  std::thread other;
  s.system().in_call = [&] {  // the first verb has the task: the other one claims its breakpoint, and waits
    s.system().in_wait = [&] {
      waits = true;
      while (!go) std::this_thread::yield();
    };
    other = std::thread([&] { said = s.slots.disable(s.users[1]); });
    while (!waits) std::this_thread::yield();
  };
  CHECK(!s.slots.disable(s.users[0]));
  REQUIRE(waits);
  s.system().in_wait = [&] {  // exec, which has closed the stripes, waits for the other one's
    CHECK(!s.users[1].idle());
    go = true;
    other.join();
  };
  s.slots.on_exec(t);
  CHECK(go);
  CHECK(!said);
  CHECK(s.system().locks == 1);
  CHECK(s.users[0].idle());
  CHECK(s.users[1].idle());
  CHECK(t.first() == nullptr);
}

TEST_CASE("pinned breakpoints, and their task while it has one, are exclusive") {
  scene<os> s;
  const auto locks = [&] { return std::exchange(s.system().locks, 0); };
  REQUIRE(!s.slots.register_breakpoint(s.users[0], s.tasks[0], somewhere, pinned{1}));
  CHECK(locks() == 1);
  REQUIRE(!s.slots.register_breakpoint(s.users[1], s.tasks[0], somewhere));
  CHECK(locks() == 1);
  REQUIRE(!s.slots.register_breakpoint(s.users[2], s.tasks[1], somewhere));
  CHECK(locks() == 0);
  const refusal no = s.slots.register_breakpoint(s.kernels[0], somewhere);
  CHECK_FALSE(no);
  CHECK(s.slots.full(cpumask<cpu_count>::all()).none());
  REQUIRE(!s.slots.register_breakpoint(s.kernels[1], somewhere));
  CHECK(s.slots.full(cpumask<cpu_count>::all()) == cpumask<cpu_count>::of(1));
  (void)locks();
  s.slots.on_fork(s.tasks[0], s.tasks[2], [&](const auto& b) { return &s.users[8 + b.index()]; });
  CHECK(locks() == 1);
  s.slots.on_exec(s.tasks[2]);
  CHECK(locks() == 1);
  REQUIRE(!s.slots.unregister_breakpoint(s.users[0]));
  CHECK(locks() == 1);
  REQUIRE(!s.slots.disable(s.users[1]));
  REQUIRE(!s.slots.unregister_breakpoint(s.users[1]));
  CHECK(locks() == 0);
}

TEST_CASE_TEMPLATE("it answers a random walk word for word as a manager without stripes does", Os, os, two_pools) {
  using plain_os = plain<Os::slots, pool_count<Os>>;
  scene<Os> a;
  scene<plain_os> b;
  std::mt19937 random(1);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const auto same = [](const refusal& x, const refusal& y) {
    return x.why == y.why && x.pool == y.pool && x.kernel_held == y.kernel_held && x.user_held == y.user_held && x.cpu == y.cpu;
  };
  unsigned granted = 0, refused = 0;
  for (unsigned round = 0; round < 40000; ++round) {
    a.system().at = pick(Os::stripes);
    const unsigned u = pick(16), t = pick(cpu_count), k = pick(4), cpu = pick(cpu_count), what = pick(24);
    const request r{0x1000 + 8 * pick(8), pick(16) == 0 ? 3u : 8u, pick(3) == 0 ? access::execute : access::write};
    const request x{r.address, r.on == access::execute ? 1u : r.length, r.on};
    const auto mask = pick(2) != 0 ? cpumask<cpu_count>::all() : cpumask<cpu_count>::of(cpu, pick(cpu_count));
    const auto act = [&](auto& s) -> refusal {
      auto& b_u = s.users[u];
      auto& b_k = s.kernels[k];
      switch (what) {
        case 0:
        case 1:
          return s.slots.register_breakpoint(b_k, x, mask);
        case 2:
          return s.slots.unregister_breakpoint(b_k);
        case 3:
          return s.slots.move(b_k, mask);
        case 4:
          return s.slots.modify(b_k, x);
        case 5:
          return s.slots.register_breakpoint(b_u, s.tasks[t], x, pinned{cpu});
        case 6:
          s.slots.on_exec(s.tasks[t]);
          return {};
        case 7:
          s.slots.on_exec(s.tasks[3]);
          s.slots.on_fork(s.tasks[t % 3], s.tasks[3], [&](const auto&) {
            for (auto& free : s.users)
              if (free.idle()) return &free;
            return static_cast<decltype(&b_u)>(nullptr);
          });
          return {};
        case 8:
          (void)s.slots.post().unregister_breakpoint(b_k);
          return {};
        case 9:
          s.run(cpu, s.tasks[cpu]);
          return {};
        case 10:
        case 11:
          return s.slots.modify(b_u, x);
        case 12:
          return s.slots.try_disable(b_u);
        case 13:
          return s.slots.enable(b_u);
        case 14:
        case 15:
        case 16:
        case 17:
          return s.slots.unregister_breakpoint(b_u);
        default:
          return s.slots.register_breakpoint(b_u, s.tasks[t], x, round % 2 != 0 ? start::enabled : start::disabled);
      }
    };
    const refusal of_a = act(a), of_b = act(b);
    (of_a ? refused : granted) += 1;
    REQUIRE_MESSAGE(same(of_a, of_b), "round ", round, ", verb ", what, ": ", to_string(of_a.why), " and ", to_string(of_b.why));
    if (round % 16 == 0)
      for (unsigned pool = 0; pool < pool_count<Os>; ++pool)
        REQUIRE(a.slots.full(cpumask<cpu_count>::all(), pool) == b.slots.full(cpumask<cpu_count>::all(), pool));
    for (unsigned i = 0; i < 16; ++i) REQUIRE(a.users[i].idle() == b.users[i].idle());
  }
  CHECK(granted > 8000);
  CHECK(refused > 8000);
}
