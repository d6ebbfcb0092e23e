// SPDX-License-Identifier: MIT
// tests/live/perf_probe.hpp — the test's own threads as CPUs for the suites: real accesses, real signals.
#pragma once
#include <bookend/linux/perf.hpp>
#include <conformance/probe.hpp>
#include <live/accesses.hpp>
#include <live/crew.hpp>
#include <cstring>
#include <doctest/doctest.h>
#include <sys/mman.h>

namespace live {

class perf_probe {
 public:
  using system = bookend::lnx::perf_system<4>;

  perf_probe() {
    self = this;
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    memory_ = static_cast<unsigned char*>(page);
    std::memcpy(memory_ + code_offset, reinterpret_cast<const void*>(run_me), run_me_bytes);
    system::listen([](int, siginfo_t*, void* context) {
      const bookend::lnx::signal_frame f{static_cast<ucontext_t*>(context)};
      self->seen_.trapped = true;
      self->seen_.before = f.ip() == self->at_;
      self->seen_.seen = self->system_.take_status(self->system_.this_cpu());
    });
    for (worker& w : crew_) w.run([&] { CHECK(system_.join() < cpus()); });
    CHECK(system_.join() == cpus());
  }
  ~perf_probe() {
    for (worker& w : crew_) w.run([&] { system_.leave(); });
    system_.leave();
    munmap(memory_, 4096);
    self = nullptr;
  }
  perf_probe(const perf_probe&) = delete;
  perf_probe& operator=(const perf_probe&) = delete;

  system& backend() { return system_; }
  static constexpr unsigned cpus() { return 2; }
  std::uint64_t room() { return reinterpret_cast<std::uint64_t>(memory_); }
  std::uint64_t code() { return room() + code_offset; }

  conformance::observation write(bookend::cpu_id cpu, std::uint64_t address, std::uint64_t length) {
    return call(cpu, store_of(length), address);
  }
  conformance::observation read(bookend::cpu_id cpu, std::uint64_t address, std::uint64_t length) {
    return call(cpu, load_of(length), address);
  }
  conformance::observation execute(bookend::cpu_id cpu, std::uint64_t address) {
    return call(cpu, reinterpret_cast<access_function>(address), reinterpret_cast<std::uint64_t>(&executions_));
  }

  // For the platform suite.
  static constexpr bool excludes = true;
  system& platform() { return system_; }
  bookend::cpumask<4> online() { return bookend::cpumask<4>::of(0, 1, 2); }
  bookend::lnx::signal_frame frame() {
    context_ = {};
    return {&context_};
  }
  static bool passes(const bookend::lnx::signal_frame& f) {
    return (static_cast<std::uint64_t>(f.context->uc_mcontext.gregs[REG_EFL]) & bookend::x86::resume_flag) != 0;
  }
  static constexpr std::uint64_t denied() { return bookend::lnx::user_end; }

 private:
  static constexpr int code_offset = 1024;
  static inline perf_probe* self = nullptr;

  conformance::observation call(bookend::cpu_id cpu, access_function f, std::uint64_t address) {
    std::uint64_t same = 0;  // what is there: code stays code
    std::memcpy(&same, reinterpret_cast<const void*>(address), sizeof same);
    seen_ = {};
    at_ = address_of(f);
    crew_[cpu].run([=] { f(reinterpret_cast<void*>(address), same); });
    return seen_;
  }

  unsigned char* memory_ = nullptr;
  std::uint64_t executions_ = 0;
  std::uint64_t at_ = 0;
  conformance::observation seen_;
  ucontext_t context_{};
  system system_;
  worker crew_[2];
};

}  // namespace live
