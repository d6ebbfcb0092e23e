// SPDX-License-Identifier: MIT
// tests/shared_threads_test.cpp — many threads register for tasks of their own, beside kernel verbs: never overcommitted, never
// refused wrongly, nothing lost. Each thread is a CPU, which serves its cross-calls only where it waits for something, as the
// owner-lock rule has it. Meant for the thread sanitizer, too.
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace bookend;
constexpr unsigned cpu_count = 4;
thread_local cpu_id my_cpu = 0;

struct os : mock::backend<cpu_count, 4> {
  static constexpr unsigned max_cpus = cpu_count, stripes = 2;
  static cpu_id this_cpu() noexcept { return my_cpu; }
  static unsigned stripe() noexcept { return my_cpu % stripes; }
  void relax() noexcept {
    ++relaxed;
    serve();
  }
  void lock() noexcept {
    while (owned.exchange(true)) serve();
    progress = clock::now();
  }
  void unlock() noexcept { owned = false; }
  // Nothing comes to a CPU that does not wait: no guard is needed.
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  void run_on(const cpumask<cpu_count>& mask, call f, void* argument) noexcept {
    cross_call call{f, argument, {mask.count()}};
    node nodes[cpu_count];
    for (cpu_id cpu : mask) {
      if (cpu == my_cpu) continue;
      nodes[cpu] = {&call, mail[cpu].load()};
      while (!mail[cpu].compare_exchange_weak(nodes[cpu].next, &nodes[cpu])) {
      }
    }
    if (mask.test(my_cpu)) {
      f(argument, my_cpu);
      --call.running;
    }
    while (call.running != 0) serve();
  }
  static bool may_watch(side, range) noexcept { return true; }
  template <class Task>
  static Task* current_task(cpu_id cpu) noexcept {
    return static_cast<Task*>(current[cpu].load());
  }
  template <class Task>
  static cpumask<cpu_count> cpus_of(const Task& t) noexcept {
    cpumask<cpu_count> m;
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu)
      if (current[cpu] == &t || leaving[cpu] == &t) m.set(cpu);
    return m;
  }

  void serve() noexcept {
    node* taken = mail[my_cpu].exchange(nullptr);
    while (taken != nullptr) {
      node* const next = taken->next;
      cross_call& call = *taken->call;
      call.f(call.argument, my_cpu);
      ++served;
      progress = clock::now();
      --call.running;  // the call may be gone behind this line
      taken = next;
    }
    if (clock::now() < progress.load() + std::chrono::seconds(20)) return std::this_thread::yield();
    std::fputs("two CPUs wait for each other\n", stderr);
    std::_Exit(1);
  }
  struct cross_call {
    call f;
    void* argument;
    std::atomic<unsigned> running;
  };
  struct node {
    cross_call* call;
    node* next;
  };
  std::atomic<node*> mail[cpu_count]{};
  std::atomic<bool> owned = false;
  static inline std::atomic<void*> current[cpu_count]{}, leaving[cpu_count]{};
  std::atomic<unsigned> relaxed = 0, served = 0;
  using clock = std::chrono::steady_clock;
  std::atomic<clock::time_point> progress = clock::now();  // a call answered, the lock taken
};
using manager = slot_manager<os>;
static_assert(can_share<os>);

struct silent : manager::kernel_breakpoint {
  silent() : kernel_breakpoint("silent", [](const manager::hit&) {}) {}
};

struct machine {
  manager slots;
  manager::task idle;
  machine() {
    for (my_cpu = 0; my_cpu < cpu_count; ++my_cpu) REQUIRE(!slots.cpu_online(my_cpu));
    my_cpu = 0;
  }
  /// As a scheduler does: what cpus_of() looks at first.
  void run(manager::task& next) {
    auto* was = static_cast<manager::task*>(os::current[my_cpu].load());
    os::leaving[my_cpu] = was;
    os::current[my_cpu] = &next;
    slots.here().switch_to(was != nullptr ? *was : idle, next);
    os::leaving[my_cpu] = nullptr;
  }
  /// This CPU writes there: the number of the task's breakpoints that say so.
  unsigned touch(std::uint64_t address) {
    mock::frame f;
    return slots.system().bank(my_cpu).touched(mock::touch::write, {address, 8}) ? slots.here().trap(f).user_count : 0;
  }
  /// f(cpu) on every CPU. Whoever is done serves until all are.
  template <class F>
  void on_all(F f) {
    std::atomic<unsigned> left = cpu_count;
    std::vector<std::thread> threads;
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu)
      threads.emplace_back([&, cpu] {
        my_cpu = cpu;
        f(cpu);
        --left;
        while (left != 0) slots.system().serve();
        run(idle);
      });
    for (auto& t : threads) t.join();
  }
};

}  // namespace

TEST_CASE("of one who enters a stripe and one who closes them at the same moment, at most one is inside") {
  stripes<os> gate;
  os sys;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  std::atomic<unsigned> at[2]{}, inside = 0, wrong = 0, ends = 0;
  std::atomic<bool> last = false;
  // True if neither had to wait for its processor.
  const auto meet = [&](unsigned me, unsigned step) {
    at[me] = step;
    unsigned n = 0;
    for (; at[1 - me].load(std::memory_order_relaxed) < step; ++n)
      if (n % 256 == 255) std::this_thread::yield();
    (void)at[1 - me].load();
    return n < 256;
  };
  const auto go = [&](unsigned me, auto enter, auto leave) {
    unsigned close_calls = 0;
    for (unsigned round = 1; !last; ++round) {
      close_calls += meet(me, 2 * round - 1) ? 1 : 0;
      for (unsigned n = 0; n < round % 16; ++n) detail::compiler_barrier();  // now this one, now that one is a little later
      const bool in = enter();
      if (in && inside.fetch_add(1) != 0) ++wrong;
      if (me == 0) last = close_calls > 200000 || (round % 256 == 0 && std::chrono::steady_clock::now() > until);
      (void)meet(me, 2 * round);
      if (in) {
        --inside;
        leave();
        ++ends;
      }
    }
  };
  std::thread other([&] {
    my_cpu = 1;
    unsigned s = 0;
    go(1, [&] { return (s = gate.try_enter(sys)) != gate.none; }, [&] { gate.leave(s); });
  });
  go(0, [&] { return gate.try_close([](unsigned, unsigned, std::uint32_t) {}); }, [&] { gate.open(); });
  other.join();
  CHECK(wrong == 0);
  CHECK(ends > 0);
}

TEST_CASE("a kernel's verb that waits for a task's, which waits for a cross-call to it: both end, every time") {
  machine m;
  manager::task tasks[cpu_count];
  std::atomic<unsigned> wrong = 0, ready = 0;
  m.on_all([&](cpu_id cpu) {
    m.run(tasks[cpu]);
    ++ready;
    while (ready != cpu_count) m.slots.system().serve();
    silent k;
    manager::user_breakpoint u;
    for (unsigned round = 0; round < 1000 || (m.slots.system().relaxed == 0 && round < 20000); ++round)
      if (cpu % 2 == 0) {  // for the task that runs on the next CPU
        if (m.slots.register_breakpoint(u, tasks[cpu + 1], {0x1000, 8, access::write})) ++wrong;
        if (m.slots.unregister_breakpoint(u)) ++wrong;
      } else {
        if (m.slots.register_breakpoint(k, {0x2000, 8, access::write})) ++wrong;
        if (m.slots.unregister_breakpoint(k)) ++wrong;
      }
  });
  CHECK(wrong == 0);
  WARN(m.slots.system().relaxed > 0);  // but for a processor that one thread has to itself all the time
  CHECK(m.slots.system().served > 0);
  CHECK(m.slots.full().none());
}

TEST_CASE("threads register for their own tasks, for common ones and for the kernel, fork and exit, beside each other") {
  machine m;
  manager& slots = m.slots;
  // Of each CPU: a task that only it changes, one whose breakpoints all turn and re-aim, and a child that comes and goes.
  // `common`: everybody does everything to it.
  struct {
    manager::task own, open;
    manager::user_breakpoint of_own[4], of_open[2], of_child[2];
    silent k;
    std::unique_ptr<manager::task> child;
  } cpus[cpu_count];
  manager::task common;
  manager::user_breakpoint of_common[4];
  // No more than what is held at any moment: counted up behind a grant, down before giving back.
  std::atomic<unsigned> kernel_holds[cpu_count]{};
  std::atomic<unsigned> wrong = 0, granted = 0, refused = 0, over = 0;

  m.on_all([&](cpu_id cpu) {
    auto& mine = cpus[cpu];
    std::mt19937 random(cpu + 1);
    const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    const auto at = [&](unsigned i) { return request{0x1000 * (cpu + 1) + 8 * i, 8, access::write}; };
    const auto said = [&](const refusal& no) {
      if (no.why == reason::no_slot && no.kernel_held + no.user_held + 1 <= 4) ++wrong;
      (no ? refused : granted) += 1;
      return !no;
    };
    cpumask<cpu_count> held;  // by `k`
    unsigned wide = 0;        // of `own`
    for (unsigned round = 0; round < 6000; ++round) {
      slots.system().serve();
      const unsigned i = pick(4);
      auto& b = mine.of_own[i];
      switch (pick(12)) {
        case 0:
          m.run(mine.own);
          break;
        case 1:
          m.run(mine.open);
          break;
        case 2:
          if (!mine.k.idle()) break;
          held = pick(2) != 0 ? cpumask<cpu_count>::all() : cpumask<cpu_count>::of(pick(cpu_count), cpu);
          if (said(slots.register_breakpoint(mine.k, at(9), held)))
            for (cpu_id c : held) ++kernel_holds[c];
          break;
        case 3:
          if (mine.k.idle()) break;
          for (cpu_id c : held) --kernel_holds[c];
          if (slots.unregister_breakpoint(mine.k)) ++wrong;
          break;
        case 4:
          (void)said(slots.register_breakpoint(mine.of_open[i % 2], mine.open, at(4 + i % 2)));
          break;
        case 5:
          (void)slots.unregister_breakpoint(mine.of_open[i % 2]);
          break;
        case 6: {
          auto& theirs = cpus[pick(cpu_count)];
          auto& other = pick(2) != 0 ? theirs.of_open[i % 2] : theirs.of_child[i % 2];
          const refusal no = pick(3) == 0   ? slots.enable(other)
                             : pick(2) == 0 ? slots.disable(other)
                                            : slots.modify(other, {0x9000, 8, access::write});
          if (no && no.why != reason::not_registered) ++wrong;
          break;
        }
        case 7:
          mine.child = std::make_unique<manager::task>();
          slots.on_fork(mine.open, *mine.child, [&](const auto& of) { return &mine.of_child[of.index()]; });
          slots.on_exit(*mine.child);
          mine.child.reset();
          break;
        case 8:
          if (const refusal no = slots.register_breakpoint(of_common[i], common, at(6)); no.why != reason::already_registered)
            (void)said(no);
          break;
        case 9:
          if (const refusal no = slots.unregister_breakpoint(of_common[i]); no && no.why != reason::not_registered) ++wrong;
          break;
        default:
          if (b.idle()) {
            const refusal no = slots.register_breakpoint(b, mine.own, at(i));
            if (no && (no.user_held != wide || no.kernel_held + wide + 1 <= 4)) ++wrong;
            if (said(no)) {
              ++wide;
              m.run(mine.own);
              if (m.touch(at(i).address) != 1) ++wrong;
            }
          } else {
            --wide;
            if (slots.unregister_breakpoint(b)) ++wrong;
            if (m.touch(at(i).address) != 0) ++wrong;
          }
          break;
      }
      for (const auto& now : kernel_holds)
        if (now + wide > 4) ++over;
    }
  });

  CHECK(wrong == 0);
  CHECK(over == 0);
  CHECK(granted > 1000);
  CHECK(refused > 100);
  // What the ledger says is what is registered.
  my_cpu = 0;
  const auto length = [](const manager::task& t) {
    unsigned n = 0;
    for (const auto* b = t.first(); b != nullptr; b = b->next()) ++n;
    return n;
  };
  unsigned widest = length(common);
  for (const auto& c : cpus) widest = std::max({widest, length(c.own), length(c.open)});
  cpumask<cpu_count> full;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu)
    if (kernel_holds[cpu] + widest == 4) full.set(cpu);
  m.on_all([&](cpu_id cpu) {
    if (cpu != 0) return;
    CHECK(slots.full() == full);
    slots.on_exit(common);
    for (auto& c : cpus) {
      slots.on_exit(c.own);
      slots.on_exit(c.open);
      (void)slots.unregister_breakpoint(c.k);
    }
    silent all[4];
    for (auto& k : all) CHECK(!slots.register_breakpoint(k, {0x8000, 8, access::write}));
    for (auto& k : all) CHECK(!slots.unregister_breakpoint(k));
  });
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(slots.system().bank(cpu).control().on == 0);
}
