// SPDX-License-Identifier: MIT
// tests/object_watch/live_follow_test.cpp — examples/object_watch/follow on a process with two bugs: each is found
// once, with its stack.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/watch/process.hpp"

namespace {

using namespace watch_test;

const std::string folder = "examples/object_watch/", service = folder + "service";

std::vector<std::string> following(std::vector<std::string> command, const std::string& of = "session") {
  command.insert(command.begin(), {folder + "follow", of, "32", "16", "24"});
  return command;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

/// Ends the test where the kernel does not let anybody trace.
bool may_trace() {
  process p(following({service, "0"}));
  const bool may = p.wait() != 3;
  if (!may) MESSAGE("skipped: ", p.err());
  return may;
}

TEST_CASE("of 202 sessions two are told, each once: by whom, called from where, allocated and freed where") {
  if (!may_trace()) return;
  process p(following({service, "200"}));
  CHECK(p.wait() == 0);
  CHECK(p.err() == "");
  CHECK(has(p.out(), "service: 202 sessions closed, 0 open, 3014\n"));  // it came to no harm
  std::vector<std::string> told;
  for (const auto& line : lines(p.out()))
    if (!has(line, "service: ") && !has(line, "start_thread") && !has(line, "clone")) told.push_back(line);
  const char* const expected[] = {
      "the guard of an object was written",
      "  by           rename_expired+",
      "  called from  run_timer+",
      "  allocated by open_session+",
      "an object was touched after it was freed",
      "  by           look_at+",
      "  called from  run_timer+",
      "  allocated by open_session+",
      "  freed by     close_session+",
      "2 found",
  };
  INFO(p.out());
  REQUIRE(told.size() == std::size(expected));
  for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i].rfind(expected[i], 0) == 0);
  for (std::size_t i : {1u, 2u, 3u, 5u, 6u, 7u, 8u}) CHECK(has(told[i], "  service.cpp:"));
}

TEST_CASE("what cannot be followed is refused in a line, and the command is ended") {
  if (!may_trace()) return;
  process p(following({service}, "no_such_class"));
  CHECK(p.wait() == 1);
  CHECK(has(p.err(), "follow: no symbol 'no_such_class::no_such_class'"));
  CHECK(p.out() == "");
  process q(following({"./no_such_program"}));
  CHECK(q.wait() == 1);
  CHECK(has(q.err(), "follow: cannot start or trace ./no_such_program: "));
}

}  // namespace
