// SPDX-License-Identifier: MIT
// tests/watch/arguments_test.cpp — mirrors examples/watch/arguments.hpp.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "examples/watch/arguments.hpp"
#include "examples/watch/complaint.hpp"

using bookend::access;

namespace {

watch::options parse(std::vector<const char*> words) {
  words.insert(words.begin(), "watch");
  return watch::parse_arguments(static_cast<int>(words.size()), words.data());
}

/// What the person reads, and the exit code after it; empty when nobody complains.
std::string complaint_about(const std::vector<const char*>& words) {
  try {
    (void)parse(words);
    return {};
  } catch (const watch::complaint& c) {
    CHECK(c.code == watch::bad_usage);
    const std::string line = c.what();
    CHECK(line.find('\n') == line.npos);
    return line;
  }
}

}  // namespace

TEST_CASE("a place is a symbol or an address, with an offset and a length if wanted") {
  const auto plain = watch::parse_place("balance");
  CHECK(plain.symbol == "balance");
  CHECK(plain.address == 0);
  CHECK_FALSE(plain.length);
  const auto part = watch::parse_place("ledger+0x10:4");
  CHECK(part.symbol == "ledger");
  CHECK(part.address == 16);
  CHECK(part.length == 4);
  const auto address = watch::parse_place("0x7fff00001000:8");
  CHECK(address.symbol.empty());
  CHECK(address.address == 0x7fff'0000'1000);
  CHECK(address.length == 8);
}

TEST_CASE("the colons of a C++ name are not a length's") {
  CHECK(watch::parse_place("bank::interest").symbol == "bank::interest");
  CHECK_FALSE(watch::parse_place("bank::interest").length);
  CHECK(watch::parse_place("bank::interest:2").symbol == "bank::interest");
  CHECK(watch::parse_place("bank::interest:2").length == 2);
  CHECK(watch::parse_place("operator+").symbol == "operator+");
}

TEST_CASE("a length is passed on as typed: whether it fits is for the machine to say") {
  CHECK(watch::parse_place("x:3").length == 3);
  CHECK(watch::parse_place("x:0").length == 0);
}

TEST_CASE("a word in brackets is no watch, but may be a thread") {
  for (const char* word : {"[]", "[a]", "[a,b]"}) CHECK(complaint_about({"x", word, "--pid", "7"}).find(word) == 1);
  const auto o = parse({"--thread=[io]", "c", "--pid", "7"});
  CHECK(o.watches.at(0).thread == "[io]");
}

TEST_CASE("an option holds for the watches after it") {
  const auto o = parse({"a", "--rw", "b", "--thread", "auditor", "c", "-d", "d", "--all", "-e", "--exec", "f", "--pid", "7"});
  REQUIRE(o.watches.size() == 5);
  CHECK(o.watches[0].on == access::write);
  CHECK(o.watches[0].thread.empty());
  CHECK(o.watches[0].enabled);
  CHECK(o.watches[1].on == access::read_write);
  CHECK(o.watches[2].on == access::read_write);
  CHECK(o.watches[2].thread == "auditor");
  CHECK(o.watches[2].enabled);
  CHECK(o.watches[3].thread == "auditor");
  CHECK_FALSE(o.watches[3].enabled);
  CHECK(o.watches[4].thread.empty());
  CHECK(o.watches[4].enabled);
  CHECK(o.watches[4].on == access::execute);
  CHECK(o.watches[4].text == "f");
  CHECK(o.pid == 7);
}

TEST_CASE("what follows -- is the command's own") {
  const auto o = parse({"a", "--count", "3", "--", "ls", "--json", "--", "-p"});
  CHECK(o.command == std::vector<std::string>{"ls", "--json", "--", "-p"});
  CHECK_FALSE(o.json);
  CHECK(o.count == 3);
}

TEST_CASE("the ends of a watching: a number of hits, a time, half a second too") {
  const auto o = parse({"a", "--count=12", "--for", "0.5", "--json", "-o", "out", "--pid", "1"});
  CHECK(o.count == 12);
  CHECK(o.seconds == 0.5);
  CHECK(o.json);
  CHECK(o.output == "out");
}

TEST_CASE("--help says everything and asks for nothing") {
  const auto o = parse({"--help"});
  for (const char* word : {"--rw", "--exec", "--thread", "--count", "--for", "--json", "--pid", "SIGUSR1", "Exit code"})
    CHECK_MESSAGE(o.help.find(word) != std::string::npos, word);
}

TEST_CASE("a command line that makes no sense gets one line that says what does") {
  CHECK(complaint_about({}).find("nothing to watch") == 0);
  CHECK(complaint_about({"--pid", "1"}).find("nothing to watch") == 0);
  CHECK(complaint_about({"a"}).find("watch whom?") == 0);
  CHECK(complaint_about({"a", "--"}).find("no command after --") == 0);
  CHECK(complaint_about({"a", "--pid", "1", "--", "ls"}).find("either --pid or a command") == 0);
  CHECK(complaint_about({"a", "--pid", "x"}).find("'x' is no process id") == 0);
  CHECK(complaint_about({"a", "--pid", "0"}).find("'0' is no process id") == 0);
  CHECK(complaint_about({"a", "--pid", "-1"}).find("process id") != std::string::npos);
  CHECK(complaint_about({"a", "--pid", "4294967297"}).find("is no process id") != std::string::npos);
  CHECK(complaint_about({"a", "--count", "0", "--pid", "1"}).find("'0' is not a number above 0") != std::string::npos);
  CHECK(complaint_about({"a", "--count", "many", "--pid", "1"}).find("'many' is not a number above 0") != std::string::npos);
  CHECK_FALSE(complaint_about({"a", "--count", "1.5", "--pid", "1"}).empty());
  CHECK(complaint_about({"a", "--for", "-2", "--pid", "1"}).find("'-2' is not a number above 0") != std::string::npos);
  CHECK(complaint_about({"a", "--for", "nan", "--pid", "1"}).find("'nan' is not a number above 0") != std::string::npos);
  CHECK(complaint_about({"a", "--frequently", "--pid", "1"}).find("--frequently") != std::string::npos);
  CHECK(complaint_about({"a", "--thread"}).find("--thread") != std::string::npos);
  CHECK(complaint_about({"a:b", "--pid", "1"}).find("'b' is no length") == 0);
  CHECK(complaint_about({"a:", "--pid", "1"}).find("'' is no length") == 0);
  CHECK(complaint_about({":4", "--pid", "1"}).find("':4' names nothing") == 0);
  CHECK(complaint_about({"1234", "--pid", "1"}).find("an address starts with 0x") != std::string::npos);
  CHECK(complaint_about({"0xfoo", "--pid", "1"}).find("'0xfoo' is no address") == 0);
  CHECK(complaint_about({"0x12345678901234567", "--pid", "1"}).find("is no address") != std::string::npos);
}
