// SPDX-License-Identifier: MIT
// tests/conformance/cpus_as_threads.hpp — a system whose simulated CPUs are threads: a CPU's guard is a mutex, which a cross-call
// takes.
#pragma once
#include <bookend/mock/backend.hpp>
#include <bookend/platform.hpp>
#include <mutex>

namespace conformance {

/// Whoever acts as CPU c holds `guard[c]`.
template <unsigned Cpus>
struct cpus_as_threads : bookend::mock::backend<Cpus, 4> {
  static constexpr unsigned max_cpus = Cpus;
  static constexpr bool cpus_are_numbers = true;
  void lock() noexcept { owner.lock(); }
  void unlock() noexcept { owner.unlock(); }
  static bool traps_off() noexcept { return false; }
  static void traps_restore(bool) noexcept {}
  void run_on(const bookend::cpumask<Cpus>& mask, bookend::call f, void* argument) noexcept {
    for (bookend::cpu_id cpu : mask) {
      const std::lock_guard stopped(guard[cpu]);
      f(argument, cpu);
    }
  }
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
  std::mutex owner;
  std::mutex guard[Cpus];
};

}  // namespace conformance
