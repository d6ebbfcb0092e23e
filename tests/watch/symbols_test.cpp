// SPDX-License-Identifier: MIT
// tests/watch/symbols_test.cpp — mirrors examples/watch/symbols.hpp and aim.hpp. The process that is read is this test itself.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "examples/watch/aim.hpp"
#include "examples/watch/complaint.hpp"
#include "examples/watch/symbols.hpp"

extern "C" {
volatile std::uint32_t plain_counter = 1;
volatile std::uint64_t big_table[16];
struct three {
  char bytes[3];
} odd_one;
thread_local volatile int per_thread = 0;
[[gnu::noinline]] void plain_function() { plain_counter = plain_counter + 1; }
}
namespace house {
volatile std::uint16_t door = 2;
[[gnu::noinline]] void open(unsigned) { door = 3; }
}  // namespace house
namespace attic {
volatile std::uint8_t lamp = 1;
}
namespace cellar {
volatile std::uint8_t lamp = 2;
}

namespace {

std::uint64_t address_of(const volatile void* p) { return reinterpret_cast<std::uint64_t>(p); }

bookend::request aim_at(const char* text, bookend::access on = bookend::access::write) {
  static watch::symbols names(getpid());
  return watch::aim({text, watch::parse_place(text), on, "", true}, names);
}

std::string complaint_about(const char* text, bookend::access on = bookend::access::write) {
  try {
    (void)aim_at(text, on);
    return {};
  } catch (const watch::complaint& c) {
    CHECK(c.code == watch::refused);
    return c.what();
  }
}
constexpr auto execute = bookend::access::execute;

}  // namespace

TEST_CASE("a variable is watched with its own address and size") {
  CHECK(aim_at("plain_counter") == bookend::request{address_of(&plain_counter), 4, bookend::access::write});
  CHECK(aim_at("plain_counter", bookend::access::read_write).on == bookend::access::read_write);
}

TEST_CASE("a C++ name is found as people write it, with and without its namespace, and as the linker writes it") {
  CHECK(aim_at("house::door") == bookend::request{address_of(&house::door), 2, bookend::access::write});
  CHECK(aim_at("door") == aim_at("house::door"));
  CHECK(aim_at("_ZN5house4doorE") == aim_at("house::door"));
}

TEST_CASE("a part of a large variable is watched by offset and length") {
  CHECK(aim_at("big_table+8:8") == bookend::request{address_of(&big_table[1]), 8, bookend::access::write});
  CHECK(aim_at("big_table:4").length == 4);
  CHECK(aim_at("big_table+120") == bookend::request{address_of(&big_table[15]), 8, bookend::access::write});
}

TEST_CASE("a function is watched at its first instruction") {
  CHECK(aim_at("plain_function", execute) == bookend::request{reinterpret_cast<std::uint64_t>(&plain_function), 1, execute});
  CHECK(aim_at("house::open", execute).address == reinterpret_cast<std::uint64_t>(&house::open));
}

TEST_CASE("an address is taken as it is, for four bytes unless told otherwise") {
  CHECK(aim_at("0x1000") == bookend::request{0x1000, 4, bookend::access::write});
  CHECK(aim_at("0x1000:2").length == 2);
  CHECK(aim_at("0x1000", execute).length == 1);
}

TEST_CASE("a name of a library is found too, where the program uses it") {
  CHECK(aim_at("getppid", execute).address == reinterpret_cast<std::uint64_t>(dlsym(RTLD_DEFAULT, "getppid")));
}

TEST_CASE("an unknown name is told what is near") {
  CHECK(complaint_about("plain_countre").find("no symbol 'plain_countre'") == 0);
  CHECK(complaint_about("plain_countre").find("did you mean plain_counter?") != std::string::npos);
  CHECK(complaint_about("plain_functoin", execute).find("plain_function") != std::string::npos);
  CHECK(complaint_about("nobody_would_call_it_so").find("did you mean") == std::string::npos);
}

TEST_CASE("what a register cannot hold is refused with something that it can") {
  CHECK(complaint_about("big_table").find("has 128 bytes") != std::string::npos);
  CHECK(complaint_about("big_table").find("for example big_table:8") != std::string::npos);
  CHECK(complaint_about("odd_one").find("has 3 bytes") != std::string::npos);
  CHECK(complaint_about("big_table+128:8").find("lies outside") != std::string::npos);
  CHECK(complaint_about("big_table+124:8").find("lies outside") != std::string::npos);
  CHECK(complaint_about("per_thread").find("thread-local") != std::string::npos);
}

TEST_CASE("a function is not written and a variable is not executed") {
  CHECK(complaint_about("plain_function").find("give --exec") != std::string::npos);
  CHECK(complaint_about("plain_counter", execute).find("is a variable") != std::string::npos);
  CHECK(complaint_about("plain_function:4", execute).find("its length is 1, not 4") != std::string::npos);
}

TEST_CASE("a name that several have an equal right to is refused with their addresses") {
  const auto line = complaint_about("lamp");
  CHECK(line.find("'lamp' is 2 symbols") == 0);
  CHECK(line.find("0x") != std::string::npos);
  CHECK(complaint_about("attic::lamp").empty());
}

TEST_CASE("an address of code is a function, a file and a line") {
  watch::symbols names(getpid());
  const auto start = reinterpret_cast<std::uint64_t>(&plain_function);
  CHECK(names.at(start, false).function == "plain_function");
  CHECK(names.at(start, false).offset == 0);
  CHECK(names.at(start, false).text().find("plain_function+0x0") == 0);
  CHECK(names.at(start, false).file.find("symbols_test.cpp") != std::string::npos);
  CHECK(names.at(start, false).line > 0);
  CHECK(names.at(reinterpret_cast<std::uint64_t>(&house::open), false).function == "house::open");
}

TEST_CASE("after an access, the instruction before the address is meant") {
  watch::symbols names(getpid());
  const auto start = reinterpret_cast<std::uint64_t>(&plain_function);
  CHECK(names.at(start, true).function != "plain_function");
  CHECK(names.at(start + 1, true).function == "plain_function");
  CHECK(names.at(start + 1, true).offset == 1);
}

TEST_CASE("code without a symbol is an address in its file") {
  watch::code_place p;
  p.pc = 0x7f0000001234;
  p.module = "/usr/lib/libnothing.so";
  p.module_pc = 0x1234;
  CHECK(p.text() == "0x1234 in libnothing.so");
  watch::symbols names(getpid());
  const auto start = reinterpret_cast<std::uint64_t>(&plain_function);
  CHECK(names.at(start, false).module_pc <= start);
  CHECK((start - names.at(start, false).module_pc) % 0x1000 == 0);
}

TEST_CASE("an address of nothing is only an address") {
  watch::symbols names(getpid());
  CHECK(names.at(0x10, false).text() == "0x10");
  CHECK(names.at(0x10, false).function.empty());
}

TEST_CASE("a process that is not there cannot be read") { CHECK_THROWS_AS(watch::symbols(0x7ffffff), watch::complaint); }

TEST_CASE("what the machine refuses is said with a cure") {
  using bookend::reason;
  CHECK(watch::describe(reason::misaligned, "x+1:4", {0x1001, 4}).find("watch 0x1000:4") != std::string::npos);
  CHECK(watch::describe(reason::bad_length, "x:3", {0x1000, 3}).find("give 1, 2, 4 or 8") != std::string::npos);
  CHECK(watch::describe(reason::forbidden, "0xffff888000000000", {0xffff888000000000, 4}).find("no address of a user program") !=
        std::string::npos);
}
