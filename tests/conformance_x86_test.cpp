// SPDX-License-Identifier: MIT
// tests/conformance_x86_test.cpp — the x86 backend passes the backend suite, over CPUs simulated from the manuals.
#include <bookend/x86/verified.hpp>
#include <conformance/backend_suite.hpp>
#include <conformance/simulated_x86.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;
using conformance::simulated_x86_probe;

TEST_CASE("x86 is a backend") {
  simulated_x86_probe<conformance::simulated_file<>> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("x86 where I/O may be watched is a backend") {
  simulated_x86_probe<conformance::simulated_file<true>> probe;
  conformance::backend_suite(probe);
  SUBCASE("ports are watched, and are not memory") {
    conformance::hands cpu{probe, 0};
    REQUIRE(cpu.arm(3, probe.backend().encode({0x3f8, 4, access::io}).value()));
    CHECK(probe.touch(0, conformance::x86_access::io, 0x3fb, 1).seen.hits == 8);
    CHECK_FALSE(probe.touch(0, conformance::x86_access::io, 0x3fc, 1).trapped);
    CHECK_FALSE(probe.write(0, 0x3f8, 4).trapped);
    CHECK_FALSE(probe.read(0, 0x3f8, 4).trapped);
  }
}
TEST_CASE("x86 with address masks is a backend") {
  simulated_x86_probe<conformance::simulated_amd_file> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("x86 over registers that refuse a write is a backend") {
  simulated_x86_probe<conformance::simulated_poor_file> probe;
  conformance::backend_suite(probe);
}
TEST_CASE("x86 over registers that drop bits and are read back is a backend") {
  simulated_x86_probe<x86::verified<conformance::simulated_poor_file>> probe;
  probe.machine.drops = true;
  conformance::backend_suite(probe);
}

}  // namespace
