// SPDX-License-Identifier: MIT
// tests/posted_threads_test.cpp — posts from handlers and threads of every CPU, beside everywhere verbs, here-verbs and hotplug.
// Each simulated CPU is a thread; its guard is a mutex, which a cross-call takes; a post is a letter in its mailbox. Meant for
// the thread sanitizer, too.
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>
#include <bookend/mock/compare.hpp>
#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace bookend;
constexpr unsigned cpu_count = 3;

/// The CPU that a thread runs on; a cross-call's is the one called.
thread_local cpu_id my_cpu = 0;

struct base_os : mock::backend<cpu_count, 4> {
  static constexpr unsigned max_cpus = cpu_count;
  static constexpr bool cpus_are_numbers = true;
  void lock() noexcept { owner.lock(); }
  void unlock() noexcept { owner.unlock(); }
  void run_on(const cpumask<cpu_count>& mask, call f, void* argument) noexcept {
    for (cpu_id cpu : mask) {
      const std::lock_guard stopped(guard[cpu]);
      const cpu_id was = my_cpu;
      my_cpu = cpu;
      f(argument, cpu);
      my_cpu = was;
    }
  }
  void post_on(const cpumask<cpu_count>& mask) noexcept {
    for (cpu_id cpu : mask) mail[cpu].store(true, std::memory_order_release);
  }
  static bool may_watch(side, range) noexcept { return true; }
  std::mutex owner;
  std::recursive_mutex guard[cpu_count];
  std::atomic<bool> mail[cpu_count]{};
};
/// Whoever posts names the CPUs; no thread is on one.
struct numbers : base_os {
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
};
/// Every thread is on a CPU.
struct here : base_os {
  cpu_id traps_off() noexcept {
    guard[my_cpu].lock();
    return my_cpu;
  }
  void traps_restore(cpu_id was) noexcept { guard[was].unlock(); }
  static cpu_id this_cpu() noexcept { return my_cpu; }
};
static_assert(can_post<numbers> && can_post<here> && has_this_cpu<here> && !has_this_cpu<numbers>);

std::atomic<unsigned> wrong = 0;

template <class Os>
struct scene {
  using manager = slot_manager<Os>;
  using hit = typename manager::hit;
  using ticket = typename manager::ticket;
  using mask = typename manager::mask;

  /// Never touched: its hits are counted exactly.
  struct counted : manager::kernel_breakpoint {
    counted()
        : manager::kernel_breakpoint("counted", [](const hit& h) { ++static_cast<counted&>(h.kernel()).hits[h.here.cpu()]; }) {}
    unsigned hits[cpu_count]{};  // each written by its own CPU only
  };
  /// Its handler, other CPUs' and threads change it in every way.
  struct hot : manager::kernel_breakpoint {
    explicit hot(scene& s) : manager::kernel_breakpoint("hot", &hot::called), of(s) {}
    static void called(const hit& h) { static_cast<hot&>(h.kernel()).act(h); }
    void act(const hit& h) {
      const cpu_id cpu = h.here.cpu();
      if (later(before[cpu], h.generation)) ++wrong;  // it had settled on something newer before the access
      ++of.hot_hits;
      auto& random = of.luck[cpu];
      auto& on = *of.hots[random() % 2];
      switch (random() % 32) {
        case 0:
          of.note(of.slots.post().unregister_breakpoint(on));
          break;
        case 1:
          (void)of.slots.post().disable(on);
          break;
        case 2:
          h.here.disable(on);
          break;
        case 3:
          if (const auto no = h.here.modify(on, of.somewhere(random)); no && no.why != reason::not_registered) ++wrong;
          break;
        case 4:
        case 5:
          (void)of.slots.post().enable(on);
          break;
        default:
          of.note(of.slots.post().modify(on, of.somewhere(random)));
          break;
      }
    }
    scene& of;
    std::uint32_t before[cpu_count]{};         // what it had settled on before this CPU's access
    std::atomic<std::uint32_t> settled_on{0};  // no hit older than this from now on
  };
  /// Leaves at its first hit, whoever that is; its storage goes as soon as it is idle.
  struct fleeting : manager::kernel_breakpoint {
    explicit fleeting(scene& s) : manager::kernel_breakpoint("fleeting", &fleeting::called), of(s) {}
    static void called(const hit& h) {
      auto& me = static_cast<fleeting&>(h.kernel());
      (void)me.of.slots.post().unregister_breakpoint(me);
      ++me.of.left;
    }
    scene& of;
  };

  manager slots;
  std::unique_ptr<hot> hots[2] = {std::make_unique<hot>(*this), std::make_unique<hot>(*this)};
  std::mt19937 luck[cpu_count];
  std::atomic<unsigned> hot_hits = 0, left = 0, settled = 0;
  std::mutex noted;
  std::vector<ticket> tickets;

  static request somewhere(std::mt19937& random) { return {0x9000 + 8 * (random() % 8), 8, access::write}; }
  /// A change after which no hit is older than it: somebody will see it settle.
  void note(const result<ticket>& t) {
    if (!t) return;
    const std::lock_guard lock(noted);
    if (tickets.size() < 64) tickets.push_back(t.value());
  }
  void look_at_tickets() {
    const std::lock_guard lock(noted);
    for (auto& t : tickets) {
      if (!slots.settled(t)) continue;
      for (auto& b : hots) {
        if (t.breakpoint != b.get()) continue;
        std::uint32_t was = b->settled_on.load();
        while (later(t.generation, was) && !b->settled_on.compare_exchange_weak(was, t.generation)) {
        }
      }
      ++settled;
      t = tickets.back();
      tickets.pop_back();
      return;
    }
  }

  void touch(cpu_id cpu, range bytes) {
    mock::frame f;
    if (slots.system().bank(cpu).touched(mock::touch::write, bytes)) (void)slots.on(cpu).trap(f);
  }
  void answer(cpu_id cpu) {
    if (slots.system().mail[cpu].exchange(false)) slots.on(cpu).sync();
  }

  void run() {
    auto& os = slots.system();
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) {
      luck[cpu].seed(cpu + 1);
      REQUIRE(!slots.cpu_online(cpu));
    }
    counted steady;
    REQUIRE(!slots.register_breakpoint(steady, {0x8000, 8, access::write}));
    std::atomic<bool> stop = false, parked = false;
    unsigned touched[cpu_count]{};

    const auto cpu_thread = [&](cpu_id cpu) {
      my_cpu = cpu;
      for (unsigned turn = 0; !stop; ++turn) {
        if (turn % 32 == 0) std::this_thread::yield();
        if (cpu == 2 && parked) continue;
        const std::lock_guard guard(os.guard[cpu]);
        if (turn % 4 == 0) answer(cpu);
        mock::frame f;
        if (os.bank(cpu).touched(mock::touch::write, {0x8000, 8})) {
          (void)slots.on(cpu).trap(f);
          ++touched[cpu];
        } else if (cpu != 2 || os.bank(cpu).control().on != 0) {  // only the CPU that goes offline may miss it
          ++wrong;
        }
        for (auto& b : hots) b->before[cpu] = b->settled_on.load();
        touch(cpu, {0x9000, 64});
        touch(cpu, {0xf000, 8});
      }
    };
    const auto owner_thread = [&](unsigned seed) {
      my_cpu = seed % 2;
      std::mt19937 random(seed);
      for (unsigned round = 0; round < 3000 || (round < 300000 && (hot_hits < 2000 || settled < 100)); ++round) {
        auto& b = *hots[random() % 2];
        switch (random() % 16) {
          case 0:
            (void)slots.unregister_breakpoint(b);
            break;
          case 1:
            (void)slots.modify(b, somewhere(random));
            break;
          case 2:
            (void)(random() % 4 == 0 ? slots.disable(b) : slots.enable(b));
            break;
          case 3:
            if (!b.idle()) (void)slots.move(b, random() % 4 == 0 ? mask::of(random() % cpu_count) : mask::all());
            break;
          case 4:
            note(slots.post().modify(b, somewhere(random)));
            break;
          case 5:
            (void)slots.post().enable(b);
            break;
          case 6:
            slots.reap();
            break;
          default: {
            const refusal no = slots.register_breakpoint(b, somewhere(random));
            if (no && no.why != reason::already_registered && no.why != reason::no_slot) ++wrong;
            look_at_tickets();
            break;
          }
        }
      }
    };
    const auto fleeting_thread = [&] {
      my_cpu = 0;
      for (unsigned round = 0; round < 200; ++round) {
        auto b = std::make_unique<fleeting>(*this);
        if (slots.register_breakpoint(*b, {0xf000, 8, access::write})) {
          ++wrong;
          break;
        }
        for (unsigned n = 0; !b->idle(); ++n) {
          if (n > 100) (void)slots.post().unregister_breakpoint(*b);
          std::this_thread::yield();
          slots.reap();
        }
      }
    };
    const auto hotplug_thread = [&] {
      my_cpu = 0;
      for (unsigned round = 0; round < 300; ++round) {
        if (slots.cpu_offline(2)) ++wrong;
        parked = round % 2 == 0;
        for (unsigned n = 0; n < 20; ++n) std::this_thread::yield();
        parked = false;
        if (slots.cpu_online(2)) ++wrong;
        for (unsigned n = 0; n < 20; ++n) std::this_thread::yield();
      }
    };

    wrong = 0;
    std::vector<std::thread> machine, others;
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) machine.emplace_back(cpu_thread, cpu);
    for (unsigned seed = 1; seed <= 2; ++seed) others.emplace_back(owner_thread, seed);
    others.emplace_back(fleeting_thread);
    others.emplace_back(hotplug_thread);
    for (auto& t : others) t.join();
    stop = true;
    for (auto& t : machine) t.join();

    CHECK(wrong == 0);
    CHECK(hot_hits > 0);
    CHECK(settled > 0);
    CHECK(left > 0);
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(steady.hits[cpu] == touched[cpu]);  // never lost, never doubled
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) {
      my_cpu = cpu;
      answer(cpu);
    }
    my_cpu = 0;
    for (const auto& t : tickets) CHECK(slots.settled(t));
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) {
      CHECK_FALSE(os.mail[cpu]);
      CHECK_FALSE(mock::difference(slots.snapshot(cpu), os.bank(cpu)));
    }
    for (auto& b : hots)
      if (!b->idle()) CHECK(!slots.unregister_breakpoint(*b));
    CHECK(!slots.unregister_breakpoint(steady));
    for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(os.bank(cpu).control().on == 0);
    counted all[4];
    for (auto& b : all) CHECK(!slots.register_breakpoint(b, {0x8000, 8, access::write}));  // nothing leaked
    for (auto& b : all) CHECK(!slots.unregister_breakpoint(b));
  }
};

}  // namespace

TEST_CASE_TEMPLATE(
    "posts beside everywhere verbs, here-verbs and hotplug: no hit is older than what has settled, and nothing is left", Os, here,
    numbers) {
  scene<Os>().run();
}
