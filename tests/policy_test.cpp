// SPDX-License-Identifier: MIT
// tests/policy_test.cpp — the same requests, in the same order, first come and by priority: what each refuses and evicts, and who
// is without a slot for how long. README.md has these figures.
#include <bookend/by_priority.hpp>
#include <bookend/mock/machine.hpp>
#include <array>
#include <doctest/doctest.h>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace bookend;
using os = mock::system<4, 4>;
constexpr unsigned tasks = 2, steps = 100'000;
/// Watches of the kernel that can do without a register, a task's that cannot, and the kernel's that let go of nothing.
enum kind : unsigned { unobtrusive, debugger, rock, kinds };

struct figures {
  unsigned asked = 0, refused = 0, evicted = 0, back = 0;
  unsigned wanted = 0, without = 0;  // steps
  bool operator==(const figures&) const = default;
  friend std::ostream& operator<<(std::ostream& to, const figures& f) {
    return to << f.asked << " asked, " << f.refused << " refused, " << f.evicted << " evicted, " << f.back
              << " back, without a slot " << f.without << " of " << f.wanted << " steps";
  }
};
using outcome = std::array<figures, kinds>;
outcome now;

struct first_come {
  using slots = slot_manager<os>;
  struct watch : slots::kernel_breakpoint {
    watch(kind, handler f) : kernel_breakpoint("kernel", f) {}
    [[nodiscard]] bool seated() const { return !idle(); }
  };
  struct own : slots::user_breakpoint {
    [[nodiscard]] bool seated() const { return !idle(); }
  };
};
struct priority {
  using slots = by_priority<os>;
  struct watch : slots::kernel_breakpoint {
    static void told(priority_kernel_breakpoint&, seat s) {
      ++(s == seat::lost ? now[unobtrusive].evicted : now[unobtrusive].back);
    }
    watch(kind k, handler f) : priority_kernel_breakpoint("kernel", f, 0, k == unobtrusive ? told : nullptr) {}
  };
  struct own : slots::user_breakpoint {
    own() : priority_user_breakpoint("user", 1) {}
  };
};

/// Everybody comes and goes as the seed says, whether granted or not.
template <class Policy>
outcome day(unsigned seed) {
  now = {};
  mock::machine_of<os, typename Policy::slots> m;
  typename Policy::slots::task task[tasks];
  std::vector<std::unique_ptr<typename Policy::watch>> kernel;
  for (unsigned i = 0; i < 6; ++i)
    kernel.push_back(
        std::make_unique<typename Policy::watch>(i < 5 ? unobtrusive : rock, [](const typename Policy::slots::hit&) {}));
  std::vector<std::unique_ptr<typename Policy::own>> users;
  for (unsigned i = 0; i < 4 * tasks; ++i) users.push_back(std::make_unique<typename Policy::own>());
  std::vector<bool> here(kernel.size() + users.size());

  std::minstd_rand random(seed);
  const auto roll = [&](std::size_t n) { return static_cast<unsigned>(random() / 7 % n); };
  for (unsigned step = 0; step < steps; ++step) {
    const unsigned i = roll(here.size());
    const unsigned where = 1 + roll(15);  // CPUs, a bit each
    const auto come_or_go = [&](kind k, auto& b, auto take) {
      here[i] = !here[i];
      if (!here[i]) {
        if (!b.idle()) CHECK_FALSE(m.slots.unregister_breakpoint(b));
        return;
      }
      ++now[k].asked;
      now[k].refused += static_cast<bool>(take());
    };
    if (i < kernel.size()) {
      cpumask<4> cpus;
      for (unsigned c = 0; c < 4; ++c)
        if ((where >> c & 1) != 0) cpus.set(c);
      come_or_go(i < 5 ? unobtrusive : rock, *kernel[i],
                 [&] { return m.slots.register_breakpoint(*kernel[i], {0x1000, 8, access::write}, cpus); });
    } else {
      auto& b = *users[i - kernel.size()];
      come_or_go(debugger, b, [&] { return m.slots.register_breakpoint(b, task[i % tasks], {0x2000, 8, access::write}); });
    }
    for (unsigned j = 0; j < here.size(); ++j) {
      if (!here[j]) continue;
      const bool seated = j < kernel.size() ? kernel[j]->seated() : users[j - kernel.size()]->seated();
      figures& f = now[j >= kernel.size() ? debugger : j < 5 ? unobtrusive : rock];
      ++f.wanted;
      f.without += !seated;
    }
  }
  CHECK(m.consistent());
  for (auto& t : task) m.slots.on_exit(t);
  for (auto& k : kernel)
    if (!k->idle()) CHECK_FALSE(m.slots.unregister_breakpoint(*k));
  return now;
}

}  // namespace

TEST_CASE("the same requests under both policies") {
  const std::string of[] = {"unobtrusive", "debuggers", "rock"};
  const outcome left = day<first_come>(1), right = day<priority>(1);
  for (unsigned k = 0; k < kinds; ++k) {
    MESSAGE(of[k] << ", first come: " << left[k]);
    MESSAGE(of[k] << ", by priority: " << right[k]);
  }
  // asked, refused, evicted, back; steps wanted, and without a slot
  CHECK(left[unobtrusive] == figures{17813, 6248, 0, 0, 250128, 88267});
  CHECK(right[unobtrusive] == figures{17813, 8382, 6865, 5332, 250128, 140470});
  CHECK(left[debugger] == figures{28523, 7209, 0, 0, 399854, 101932});
  CHECK(right[debugger] == figures{28523, 696, 0, 0, 399854, 9883});
  CHECK(left[rock] == figures{3667, 1282, 0, 0, 49604, 16729});
  CHECK(right[rock] == figures{3667, 1751, 0, 0, 49604, 23250});
}
