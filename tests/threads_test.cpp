// SPDX-License-Identifier: MIT
// tests/threads_test.cpp — registering is safe from any thread while other CPUs trap and switch without a lock.
// Meant for the thread sanitizer, too.
#include <bookend/bookend.hpp>
#include <conformance/cpus_as_threads.hpp>
#include <atomic>
#include <doctest/doctest.h>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace bookend;
constexpr unsigned cpu_count = 3;

using os = conformance::cpus_as_threads<cpu_count>;
using manager = slot_manager<os>;

struct counted : manager::kernel_breakpoint {
  counted()
      : kernel_breakpoint("counted", [](const manager::hit& h) { ++static_cast<counted&>(h.kernel()).hits[h.here.cpu()]; }) {}
  unsigned hits[cpu_count]{};  // each written by its own CPU only
};

}  // namespace

TEST_CASE(
    "verbs of two owners beside switches, hits and here-verbs on every CPU: every hit is its holder's, and nothing is left") {
  manager slots;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) REQUIRE(!slots.cpu_online(cpu));
  manager::task tasks[cpu_count][2];  // two a CPU, so that no task runs on two CPUs at a time
  counted steady;
  REQUIRE(!slots.register_breakpoint(steady, {0x8000, 8, access::write}));
  std::atomic<bool> stop = false;
  std::atomic<unsigned> wrong = 0, user_hits = 0;
  unsigned touched[cpu_count]{};

  const auto cpu_thread = [&](cpu_id cpu) {
    unsigned running = 0;
    const auto view = slots.on(cpu);
    for (unsigned turn = 0; !stop; ++turn) {
      if (turn % 64 == 0) std::this_thread::yield();
      const std::lock_guard guard(slots.system().guard[cpu]);
      if (turn % 3 == 0) {
        view.switch_to(tasks[cpu][running], tasks[cpu][1 - running]);
        running = 1 - running;
      }
      auto& bank = slots.system().bank(cpu);
      mock::frame f;
      if (bank.touched(mock::touch::write, {0x8000, 8})) view.trap(f);
      ++touched[cpu];
      const std::uint64_t own = 0x1000 * (1 + cpu * 2 + running);
      if (bank.touched(mock::touch::write, {own, 64})) {
        const auto r = view.trap(f);
        for (unsigned i = 0; i < r.user_count; ++i) {
          ++user_hits;
          if (r.user_hits[i].cookie != cpu * 2 + running) ++wrong;
        }
      }
      const std::uint64_t others = 0x1000 * (1 + cpu * 2 + (1 - running));
      if (bank.touched(mock::touch::write, {others, 64})) ++wrong;
    }
  };
  const auto owner_thread = [&](unsigned seed) {
    std::mt19937 random(seed);
    const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    std::vector<manager::user_breakpoint*> mine;
    counted k;
    for (unsigned round = 0; round < 30000 || user_hits == 0; ++round) {
      const cpu_id cpu = pick(cpu_count);
      const unsigned which = pick(2);
      const request r{0x1000ULL * (1 + cpu * 2 + which) + 8 * pick(8), 8, access::write};
      switch (pick(6)) {
        case 0:
          if (mine.size() < 4) {
            auto* b = new manager::user_breakpoint("u", cpu * 2 + which);
            const refusal no = pick(2) != 0 ? slots.register_breakpoint(*b, tasks[cpu][which], r)
                                            : slots.register_breakpoint(*b, tasks[cpu][which], r, pinned{cpu});
            if (no)
              delete b;
            else
              mine.push_back(b);
          }
          break;
        case 1:
          if (!mine.empty()) {
            if (slots.unregister_breakpoint(*mine.back())) ++wrong;
            delete mine.back();
            mine.pop_back();
          }
          break;
        case 2:
          for (auto* b : mine) (void)(pick(2) != 0 ? slots.enable(*b) : slots.disable(*b));
          break;
        case 3:
          for (auto* b : mine) {
            const std::uint64_t base = 0x1000 * (1 + b->cookie());
            if (slots.modify(*b, {base + 8 * pick(8), 8, access::write})) ++wrong;
          }
          break;
        case 4:
          if (k.idle())
            (void)slots.register_breakpoint(k, {0x9000, 8, access::write}, cpumask<cpu_count>::of(pick(cpu_count)));
          else if (pick(2) != 0)
            (void)slots.move(k, cpumask<cpu_count>::of(pick(cpu_count)));
          else
            (void)slots.unregister_breakpoint(k);
          break;
        default:
          (void)slots.snapshot(cpu);
          break;
      }
    }
    for (auto* b : mine) {
      if (slots.unregister_breakpoint(*b)) ++wrong;
      delete b;
    }
    if (!k.idle() && slots.unregister_breakpoint(k)) ++wrong;
  };

  std::vector<std::thread> machine, owners;
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) machine.emplace_back(cpu_thread, cpu);
  for (unsigned seed = 1; seed <= 2; ++seed) owners.emplace_back(owner_thread, seed);
  for (auto& t : owners) t.join();
  stop = true;
  for (auto& t : machine) t.join();

  CHECK(wrong == 0);
  CHECK(user_hits > 0);
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(steady.hits[cpu] == touched[cpu]);  // never lost, never doubled
  CHECK(!slots.unregister_breakpoint(steady));
  for (cpu_id cpu = 0; cpu < cpu_count; ++cpu) CHECK(slots.system().bank(cpu).control().on == 0);
  counted all[4];
  for (auto& b : all) CHECK(!slots.register_breakpoint(b, {0x8000, 8, access::write}));  // nothing leaked
  for (auto& b : all) CHECK(!slots.unregister_breakpoint(b));
}
