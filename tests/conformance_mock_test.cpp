// SPDX-License-Identifier: MIT
// tests/conformance_mock_test.cpp — every mock machine passes the backend suite, and every mock kernel the platform suite.
#include <bookend/mock/platform.hpp>
#include <conformance/backend_suite.hpp>
#include <conformance/platform_suite.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;

/// A mock machine's accesses.
template <unsigned Cpus, unsigned Slots, unsigned Pools, bool Fallible, bool LowestOnly = false>
struct mock_probe {
  static constexpr bool touches_anywhere = true;
  static constexpr bool shows_all_hits = !LowestOnly;
  mock::backend<Cpus, Slots, Pools, Fallible> machine;
  mock::behaviour how{.shows_disabled = false, .lowest_only = LowestOnly};
  mock::fault kind = mock::fault::refused;

  auto& backend() { return machine; }
  static unsigned cpus() { return Cpus; }
  static std::uint64_t room() { return 0x10'0000; }
  static std::uint64_t code() { return 0x40'0000; }
  conformance::observation write(cpu_id cpu, std::uint64_t at, std::uint64_t n) { return touch(cpu, mock::touch::write, at, n); }
  conformance::observation read(cpu_id cpu, std::uint64_t at, std::uint64_t n) { return touch(cpu, mock::touch::read, at, n); }
  conformance::observation execute(cpu_id cpu, std::uint64_t at) { return touch(cpu, mock::touch::execute, at, 1); }
  conformance::observation step(cpu_id cpu) {
    machine.bank(cpu).stepped();
    return {true, false, machine.take_status(cpu)};
  }
  void fail_next(cpu_id cpu)
    requires Fallible
  {
    machine.faults().fail(1, kind, 1, cpu);
  }
  conformance::observation touch(cpu_id cpu, mock::touch what, std::uint64_t at, std::uint64_t n) {
    if (!machine.bank(cpu).touched(what, {at, n}, how)) return {};
    return {true, what == mock::touch::execute, machine.take_status(cpu)};
  }
};

TEST_CASE("two CPUs of four slots are a backend") {
  mock_probe<2, 4, 1, false> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("one CPU of one slot is a backend") {
  mock_probe<1, 1, 1, false> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("32 slots are a backend") {
  mock_probe<2, 32, 1, false> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("two pools are a backend") {
  mock_probe<2, 9, 2, false> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("a machine that shows disabled slots is a backend") {
  mock_probe<2, 4, 2, false> probe;
  probe.how.shows_disabled = true;
  conformance::backend_suite(probe);
}
TEST_CASE("a machine that shows the lowest data hit only is a backend") {
  mock_probe<2, 4, 1, false, true> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("a machine that refuses writes is a backend") {
  mock_probe<2, 4, 1, true> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("a machine that drops bits is a backend") {
  mock_probe<2, 4, 2, true> probe;
  probe.kind = mock::fault::dropped;
  conformance::backend_suite(probe);
}
TEST_CASE("a machine that says no after it has done what was asked is a backend") {
  mock_probe<2, 4, 1, true> probe;
  probe.kind = mock::fault::late;
  conformance::backend_suite(probe);
}

/// A mock kernel of three CPUs, of which the middle one is offline.
struct kernel_probe {
  static constexpr bool excludes = true;
  mock::system<3, 4> os;
  kernel_probe() {
    for (cpu_id cpu : online()) os.set_online(cpu, true);
    os.user_space_ends_at(user_end());
    os.deny({denied(), 16});
  }
  auto& platform() { return os; }
  static cpumask<3> online() { return cpumask<3>::of(0, 2); }
  static mock::frame frame() { return {}; }
  [[nodiscard]] bool guarded(cpu_id cpu) const { return os.guard_depth(cpu) > 0; }
  static std::uint64_t user_end() { return 0x8000'0000'0000; }
  static std::uint64_t denied() { return 0x5000; }
  static bool passes(const mock::frame& f) { return f.resume; }
  template <class F>
  void answer(F f) {
    while (os.posted().any()) {
      const cpu_id cpu = os.posted().first();
      os.answered(cpu);
      const auto was = os.enter_guard(cpu);
      f(cpu);
      os.leave_guard(was);
    }
  }
};

TEST_CASE("the mock kernel is a platform") {
  kernel_probe probe;
  conformance::platform_suite(probe);
  CHECK_FALSE(probe.os.locked());
}

/// One thread that names its CPUs, as in an emulator.
struct emulator_probe {
  struct system : mock::backend<4, 4>, single_thread<4> {
    static bool may_watch(side, range) noexcept { return true; }
  };
  system os;
  auto& platform() { return os; }
  static cpumask<4> online() { return cpumask<4>::all(); }
  static mock::frame frame() { return {}; }
  static bool passes(const mock::frame& f) { return f.resume; }
};

TEST_CASE("single_thread makes a mock backend a platform") {
  emulator_probe probe;
  conformance::platform_suite(probe);
}
static_assert(single_thread<4>::try_lock());  // nobody else could have it

}  // namespace
