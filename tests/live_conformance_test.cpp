// SPDX-License-Identifier: MIT
// tests/live_conformance_test.cpp — this machine's real registers pass the suites that every backend and every platform passes.
#include <conformance/backend_suite.hpp>
#include <conformance/platform_suite.hpp>
#include <live/perf_probe.hpp>
#include <live/permission.hpp>
#include <live/ptrace_probe.hpp>

TEST_SUITE("ptrace" * doctest::skip(live::may_not_trace())) {
  TEST_CASE("another process' threads through ptrace are a backend") {
    live::ptrace_probe probe;
    conformance::backend_suite(probe);
  }
  TEST_CASE("a debugger is a platform, whose threads are stopped") {
    live::ptrace_probe probe;
    conformance::platform_suite(probe);
  }
  TEST_CASE("a debugger is a platform, whose threads run") {
    live::ptrace_probe probe;
    for (bookend::cpu_id cpu : probe.online()) probe.backend().resume(probe.backend().tid_of(cpu));
    conformance::platform_suite(probe);
  }
}

TEST_SUITE("perf" * doctest::skip(live::may_not_open_perf_events())) {
  TEST_CASE("the program's own threads through perf events are a backend") {
    live::perf_probe probe;
    conformance::backend_suite(probe);
  }
  TEST_CASE("a program that watches itself is a platform") {
    live::perf_probe probe;
    conformance::platform_suite(probe);
  }
}
