// SPDX-License-Identifier: MIT
// tests/conformance/platform_suite.hpp — the suite that every platform passes: each meaning in platform.hpp that can be tried.
//   TEST_CASE("my kernel is a platform") { my_probe probe; conformance::platform_suite(probe); }
#pragma once
#include <bookend/platform.hpp>
#include <doctest/doctest.h>
#include <type_traits>
#include <utility>

namespace conformance {

/// A kernel to try. The suite runs in thread context and follows the rules: run_on() with the lock held and for CPUs of online().
/// Optional:
///   guarded(cpu)         true while that CPU is under the guard
///   excludes             a static constant: try_lock() is false while the lock is held (without it: there is one thread)
///   user_end()           the first address that users may not watch, and may just below it; the kernel may watch both
///   denied()             an address that nobody may watch
///   passes(frame)        true when execution breakpoints would not come again on return to that frame
///   answer(f)            with post_on(): every CPU that was asked answers by f(cpu) where it would call sync(); returns when
///                       none
///                        has anything left to answer. f may ask again
template <class P>
concept platform_probe = requires(P p) {
  requires bookend::platform<std::remove_cvref_t<decltype(p.platform())>>;
  { p.online() } -> std::convertible_to<bookend::cpumask<std::remove_cvref_t<decltype(p.platform())>::max_cpus>>;
  { p.frame() } -> std::convertible_to<typename std::remove_cvref_t<decltype(p.platform())>::frame>;
};

template <platform_probe Probe>
void platform_suite(Probe& probe) {
  auto& os = probe.platform();
  using kernel = std::remove_cvref_t<decltype(os)>;
  using mask = bookend::cpumask<kernel::max_cpus>;
  using bookend::cpu_id;
  using bookend::side;
  static_assert(kernel::max_cpus >= 1);
  const mask online = probe.online();
  REQUIRE(online.any());

  struct calls {
    kernel* os;
    Probe* probe;
    unsigned times[kernel::max_cpus];
    unsigned handed_in;  // stored before the call
    bool seen;           // every call saw it
    bool placed;         // every call was where and how it should be
  } log{&os, &probe, {}, 0, true, true};
  const bookend::call note = [](void* argument, cpu_id cpu) noexcept {
    auto& c = *static_cast<calls*>(argument);
    if (cpu >= kernel::max_cpus) return static_cast<void>(c.placed = false);
    ++c.times[cpu];
    c.seen &= c.handed_in == 77;
    if constexpr (bookend::has_this_cpu<kernel>) c.placed &= c.os->this_cpu() == cpu;
    if constexpr (requires { c.probe->guarded(cpu); }) c.placed &= c.probe->guarded(cpu);
  };
  const auto call_on = [&](const mask& m) {
    log.handed_in = 77;
    os.lock();
    os.run_on(m, note, &log);
    os.unlock();
    log.handed_in = 0;
  };

  SUBCASE("the lock can be taken again when it was given back") {
    for (int i = 0; i < 3; ++i) {
      os.lock();
      os.unlock();
    }
  }

  if constexpr (bookend::has_try_lock<kernel>) {
    SUBCASE("try_lock takes the lock when it is free, and only then") {
      REQUIRE(os.try_lock());
      if constexpr (requires { Probe::excludes; }) CHECK_FALSE(os.try_lock());
      os.unlock();
      REQUIRE(os.try_lock());
      os.unlock();
      os.lock();
      os.unlock();
    }
  }

  SUBCASE("the guard nests, and is left when its first token comes back") {
    auto outer = os.traps_off();
    auto inner = os.traps_off();
    if constexpr (bookend::has_this_cpu<kernel>) CHECK(os.this_cpu() < kernel::max_cpus);
    os.traps_restore(inner);
    if constexpr (bookend::has_this_cpu<kernel>) CHECK(os.this_cpu() == os.this_cpu());
    os.traps_restore(outer);
    call_on(online);  // would hang, or complain, under the guard
    CHECK(log.times[online.first()] == 1);
  }

  SUBCASE("a cross-call runs once on each CPU of the mask, there, under its guard, and has run when run_on returns") {
    call_on(online);
    for (cpu_id cpu = 0; cpu < kernel::max_cpus; ++cpu) CHECK(log.times[cpu] == online.test(cpu));
    CHECK(log.seen);
    CHECK(log.placed);
  }

  SUBCASE("a cross-call to one CPU leaves the others alone") {
    unsigned rounds = 0;
    for (cpu_id cpu : online) {
      call_on(mask::of(cpu));
      ++rounds;
      unsigned sum = 0;
      for (unsigned t : log.times) sum += t;
      CHECK(sum == rounds);
      CHECK(log.times[cpu] == 1);
    }
    CHECK(log.seen);
    CHECK(log.placed);
  }

  SUBCASE("a cross-call to nobody runs nothing and returns") {
    call_on({});
    for (unsigned t : log.times) CHECK(t == 0);
  }

  if constexpr (bookend::has_post_on<kernel> && requires { probe.answer([](cpu_id) {}); }) {
    const auto ask = [&](const mask& m) {
      auto token = os.traps_off();
      log.handed_in = 77;
      os.post_on(m);
      os.traps_restore(token);
    };
    const auto answer = [&](cpu_id cpu) { note(&log, cpu); };

    SUBCASE("who is asked by post_on answers, there and under its guard, and sees what was stored before; others do not") {
      probe.answer(answer);
      for (unsigned t : log.times) CHECK(t == 0);
      for (cpu_id cpu : online) {
        for (unsigned& t : log.times) t = 0;
        ask(mask::of(cpu));
        probe.answer(answer);
        for (cpu_id other = 0; other < kernel::max_cpus; ++other) CHECK((log.times[other] != 0) == (other == cpu));
      }
      ask(online);
      probe.answer(answer);
      for (cpu_id cpu : online) CHECK(log.times[cpu] != 0);
      CHECK(log.seen);
      CHECK(log.placed);
    }

    SUBCASE("requests may merge, but there is an answer after the last; then there is none any more") {
      ask(online);
      log.handed_in = 0;
      ask(mask::of(online.first()));
      ask(online);
      probe.answer(answer);
      for (cpu_id cpu : online) CHECK((log.times[cpu] >= 1 && log.times[cpu] <= 3));
      CHECK(log.seen);
      for (unsigned& t : log.times) t = 0;
      probe.answer(answer);
      for (unsigned t : log.times) CHECK(t == 0);
    }

    SUBCASE("a request that comes while a CPU answers makes it answer again") {
      bool asked[kernel::max_cpus]{};
      unsigned after[kernel::max_cpus]{};
      ask(online);
      probe.answer([&](cpu_id cpu) {
        if (asked[cpu]) return static_cast<void>(++after[cpu]);
        asked[cpu] = true;
        os.post_on(mask::of(cpu));
      });
      for (cpu_id cpu : online) CHECK(after[cpu] != 0);
    }
  }

  SUBCASE("the kernel may watch address 0 or not, but says the same each time") {
    for (const auto who : {side::kernel, side::user}) CHECK(os.may_watch(who, {0, 8}) == os.may_watch(who, {0, 8}));
  }

  if constexpr (requires { probe.user_end(); }) {
    SUBCASE("users may watch user addresses, by both ends; the kernel both") {
      const std::uint64_t end = probe.user_end();
      CHECK(os.may_watch(side::user, {end - 8, 8}));
      CHECK_FALSE(os.may_watch(side::user, {end - 8, 9}));
      CHECK_FALSE(os.may_watch(side::user, {end - 4, 8}));
      CHECK_FALSE(os.may_watch(side::user, {end, 1}));
      CHECK_FALSE(os.may_watch(side::user, {~std::uint64_t{0} - 7, 8}));
      CHECK(os.may_watch(side::kernel, {end - 8, 8}));
      CHECK(os.may_watch(side::kernel, {end, 8}));
    }
  }

  if constexpr (requires { probe.denied(); }) {
    SUBCASE("what runs while a trap is delivered is nobody's to watch, not even a byte of it") {
      for (const auto who : {side::kernel, side::user}) {
        CHECK_FALSE(os.may_watch(who, {probe.denied(), 1}));
        CHECK_FALSE(os.may_watch(who, {probe.denied() - 7, 8}));
      }
    }
  }

  if constexpr (requires(typename kernel::frame f) { probe.passes(f); }) {
    SUBCASE("step_past lets the interrupted instruction pass its execution breakpoints") {
      typename kernel::frame f = probe.frame();
      CHECK_FALSE(probe.passes(f));
      os.step_past(f);
      CHECK(probe.passes(f));
    }
  }
}

}  // namespace conformance
