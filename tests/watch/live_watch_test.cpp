// SPDX-License-Identifier: MIT
// tests/watch/live_watch_test.cpp — examples/watch on real processes, through this machine's debug registers: counts are exact.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/watch/process.hpp"

using namespace watch_test;
using nlohmann::json;

namespace {

/// What `watch --json` said, taken apart.
struct story {
  explicit story(const std::string& text) {
    for (const std::string& line : lines(text)) {
      if (line.empty() || line[0] != '{') continue;  // the command's own output
      const json j = json::parse(line);
      if (j["event"] == "hit") hits.push_back(j);
      if (j["event"] == "toggled") toggles.push_back(j);
      if (j["event"] == "thread") ++threads_started;
      if (j["event"] == "begin") begin = j;
      if (j["event"] == "end") end = j;
    }
  }
  /// How many hits of a watch, by anybody or by one thread.
  [[nodiscard]] int count(const std::string& watch, const std::string& thread = "") const {
    int n = 0;
    for (const json& h : hits) n += h["name"] == watch && (thread.empty() || h["thread"]["name"] == thread);
    return n;
  }
  /// The slots of the thread of that name, from the report's last words.
  [[nodiscard]] json slots(const std::string& thread) const {
    for (const json& t : end["threads"])
      if (t["name"] == thread) return t["slots"];
    return {};
  }
  json begin, end;
  std::vector<json> hits, toggles;
  int threads_started = 0;
};

json held(const char* by, const char* name, bool enabled) { return {{"holder", by}, {"name", name}, {"enabled", enabled}}; }
const json free_slot{{"holder", "free"}};

std::vector<std::string> watch_bank(const bank& b, const std::vector<std::string>& words) {
  std::vector<std::string> all{watch_program, "--json", "--pid", b.pid_text()};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

/// The number of the line of victim.cpp that has `text` in it.
int line_with(const std::string& text) {
  const auto source = lines(content("examples/watch/victim.cpp"));
  for (std::size_t i = 0; i < source.size(); ++i)
    if (source[i].find(text) != std::string::npos) return static_cast<int>(i + 1);
  return 0;
}

}  // namespace

TEST_CASE("this machine lets us watch") {
  process p({watch_program, "--probe"});
  CHECK(p.wait() == 0);
  CHECK(p.out().find("can be used here") != std::string::npos);
}

TEST_CASE("every write of every thread is seen, with its old and its new value and its source line") {
  bank b(25);
  process w(watch_bank(b, {"balance"}));
  w.await("begin");
  b.open();
  CHECK(b.wait() == 0);
  CHECK(w.wait() == 0);
  CHECK(w.err().empty());
  const story s(w.out());
  CHECK(s.begin["pid"] == b.pid());
  CHECK(s.count("balance") == 50);
  CHECK(s.count("balance", "teller-1") == 25);
  CHECK(s.count("balance", "teller-2") == 25);
  int expected = 0;
  for (const json& h : s.hits) {
    CHECK(h["old"] == expected);
    CHECK(h["new"] == ++expected);
    CHECK(h["at"]["function"] == "deposit");
    CHECK(h["at"]["line"] == line_with("balance = balance + 1;"));
    CHECK(h["at"]["file"].get<std::string>().find("victim.cpp") != std::string::npos);
  }
  CHECK(s.end["hits"] == 50);
  REQUIRE(s.end["touched"].size() == 2);
  CHECK(s.end["touched"][0]["hits"] == 25);
  CHECK(s.end["touched"][1]["hits"] == 25);
  CHECK(s.end["why"] == "the process ended with exit status 0");
}

TEST_CASE("a command is watched from its first instruction, and so are the threads that it starts") {
  process w({watch_program, "audits", "closed", "--thread", "#4", "balance:4", "--json", "--", victim_program, "20"});
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.threads_started == 3);
  CHECK(s.count("audits") == 20);
  CHECK(s.count("audits", "auditor") == 20);
  CHECK(s.count("closed") == 1);
  CHECK(s.count("balance:4") == 0);  // the fourth thread is the auditor, who only reads it
  REQUIRE(s.end["threads"].size() == 4);
  CHECK(s.end["threads"][3]["slots"] ==
        json{held("user", "balance:4", true), free_slot, held("kernel", "closed", true), held("kernel", "audits", true)});
  CHECK(s.end["threads"][0]["slots"] ==
        json{free_slot, free_slot, held("kernel", "closed", true), held("kernel", "audits", true)});
}

TEST_CASE("all threads from the top, one thread from the bottom, and nobody else stops for that one") {
  bank b(15);
  process w(watch_bank(b, {"balance", "--thread", "teller-1", "--rw", "limit"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.count("balance") == 30);
  CHECK(s.count("limit") == 15);
  CHECK(s.count("limit", "teller-1") == 15);
  for (const json& h : s.hits)
    if (h["name"] == "limit") CHECK(h["old"] == h["new"]);
  CHECK(s.slots("teller-1") == json{held("user", "limit", true), free_slot, free_slot, held("kernel", "balance", true)});
  CHECK(s.slots("teller-2") == json{free_slot, free_slot, free_slot, held("kernel", "balance", true)});
}

TEST_CASE("a thread is chosen by its id, too") {
  bank b(5);
  pid_t second = 0;
  for (const pid_t tid : threads_of(b.pid()))
    if (content("/proc/" + std::to_string(tid) + "/comm") == "teller-2\n") second = tid;
  process w(watch_bank(b, {"--thread", std::to_string(second), "balance"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.count("balance") == 5);
  CHECK(s.count("balance", "teller-2") == 5);
}

TEST_CASE("calls of a function are counted, at its first instruction") {
  bank b(12);
  process w(watch_bank(b, {"--exec", "deposit", "close_books"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.count("deposit") == 24);
  CHECK(s.count("close_books") == 1);
  for (const json& h : s.hits) CHECK(h["at"]["offset"] == 0);
}

TEST_CASE("one store into two watches is a hit of both") {
  bank b(6);
  process w(watch_bank(b, {"balance", "balance:4"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.count("balance") == 12);
  CHECK(s.count("balance:4") == 12);
}

TEST_CASE("a part of a table is watched alone") {
  process w({watch_program, "ledger+24:8", "--json", "--", victim_program, "32"});
  CHECK(w.wait() == 0);
  CHECK(story(w.out()).count("ledger+24:8") == 4);  // rounds 3 and 19 of two tellers
}

TEST_CASE("a disabled watch stops nobody and keeps its slot") {
  bank b(10);
  process w(watch_bank(b, {"balance", "-d", "last"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.begin["watches"][1]["enabled"] == false);
  CHECK(s.count("balance") == 20);
  CHECK(s.count("last") == 0);
  CHECK(s.slots("teller-1") == json{free_slot, free_slot, held("kernel", "last", false), held("kernel", "balance", true)});
}

TEST_CASE("signals toggle a watch: silent while it is off, exact while it is on") {
  bank b(10);
  process w(watch_bank(b, {"balance", "-d", "last"}));
  w.await("begin");
  w.signal(SIGUSR1);
  w.await(R"("watch":1,"name":"balance","enabled":false)");
  w.signal(SIGUSR2);
  w.await(R"("watch":2,"name":"last","enabled":true)");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.toggles.size() == 2);
  CHECK(s.count("balance") == 0);
  CHECK(s.count("last") == 20);
  CHECK(s.slots("teller-2") == json{free_slot, free_slot, held("kernel", "last", true), held("kernel", "balance", false)});
}

TEST_CASE("a watch that was silent while its variable changed knows the value again when it is back") {
  bank b(1'000'000, /*stays=*/true, /*pause_ms=*/1);
  process w(watch_bank(b, {"-d", "balance"}));
  w.await("begin");
  b.open();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  w.signal(SIGUSR1);
  w.await("hit");
  w.signal(SIGUSR1);
  w.await(R"("name":"balance","enabled":false})");
  const auto silent_since = story(w.out()).hits.size();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(story(w.out()).hits.size() == silent_since);
  w.signal(SIGTERM);
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.hits.size() == silent_since);
  CHECK(s.hits[0]["old"] > 0);
  for (std::size_t i = 1; i < s.hits.size(); ++i) {
    CHECK(s.hits[i]["old"] == s.hits[i - 1]["new"]);
    CHECK(s.hits[i]["new"] == s.hits[i]["old"].get<int>() + 1);
  }
}

TEST_CASE("a watch of one thread is toggled like any other") {
  bank b(10);
  process w(watch_bank(b, {"--thread", "teller-2", "balance", "last"}));
  w.await("begin");
  w.signal(SIGUSR2);
  w.await(R"("name":"last","enabled":false)");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.count("balance") == 10);
  CHECK(s.count("last") == 0);
  CHECK(s.slots("teller-2") == json{held("user", "balance", true), held("user", "last", false), free_slot, free_slot});
}

TEST_CASE("a watch that does not exist cannot be toggled, and nothing happens") {
  bank b(3);
  process w(watch_bank(b, {"balance"}));
  w.await("begin");
  w.signal(SIGUSR2);
  CHECK(eventually([&] { return w.err().find("there is no watch 2") != std::string::npos; }));
  b.open();
  CHECK(w.wait() == 0);
  CHECK(story(w.out()).count("balance") == 6);
}

TEST_CASE("--count ends after exactly so many hits, and the process runs on, clean") {
  bank b(1000, /*stays=*/true);
  process w(watch_bank(b, {"balance", "--count", "7"}));
  w.await("begin");
  b.open();
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.hits.size() == 7);
  CHECK(s.end["hits"] == 7);
  CHECK(s.end["why"] == "that was --count 7; the process runs on");
  b.check_unharmed();
  // The rest of its work is done without us: somebody else sees where it ends.
  process later(watch_bank(b, {"closed", "--for", "0.2"}));
  CHECK(later.wait() == 0);
  b.check_unharmed();
}

TEST_CASE("--for ends after so long, and the process runs on, clean") {
  bank b(1, /*stays=*/true);
  process w(watch_bank(b, {"balance", "--for", "0.3"}));
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.hits.empty());
  CHECK(s.end["why"] == "that was --for 0.3; the process runs on");
  CHECK(s.end["time"] >= 0.3);
  b.check_unharmed();
}

TEST_CASE("whatever signal ends the watching, the process runs on, clean") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    CAPTURE(signal);
    bank b(1'000'000, /*stays=*/true, /*pause_ms=*/1);
    process w(watch_bank(b, {"balance", "--thread", "teller-1", "last"}));
    w.await("begin");
    b.open();
    w.await("hit");
    w.signal(signal);
    CHECK(w.wait() == 0);
    CHECK(story(w.out()).end["why"].get<std::string>().find("the process runs on") != std::string::npos);
    b.check_unharmed();
  }
}

TEST_CASE("even when the watching process is killed, the other runs on, clean") {
  bank b(1'000'000, /*stays=*/true, /*pause_ms=*/1);
  process w(watch_bank(b, {"balance"}));
  w.await("begin");
  b.open();
  w.await("hit");
  w.signal(SIGKILL);
  CHECK(w.wait() == 128 + SIGKILL);
  CHECK(eventually([&] { return status_of(b.pid(), "TracerPid") == "0"; }));
  b.check_unharmed();
}

TEST_CASE("a command that was started runs on after the watching, and its Ctrl-C is not ours") {
  process w({watch_program, "balance", "--count", "3", "--json", "--", victim_program, "1000000", "1"});
  CHECK(w.wait() == 0);
  const story s(w.out());
  CHECK(s.hits.size() == 3);
  const pid_t command = s.begin["pid"];
  CHECK(status_of(command, "TracerPid") == "0");
  CHECK(registers_are_clean(command));
  CHECK(getpgid(command) == command);
  kill(command, SIGKILL);
}

TEST_CASE("when nobody reads the report any more, the process runs on, clean") {
  bank b(1'000'000, /*stays=*/true, /*pause_ms=*/1);
  process w({"sh", "-c", watch_program + " balance --pid " + b.pid_text() + " | head -n 1"});
  w.await("watching process");
  b.open();
  CHECK(w.wait() == 0);
  CHECK(eventually([&] { return status_of(b.pid(), "TracerPid") == "0"; }));
  b.check_unharmed();
}

TEST_CASE("a process that becomes another program is no longer watched") {
  process w({watch_program, "environ", "--json", "--", "sh", "-c", "exec sleep 0"});
  CHECK(w.wait() == 0);
  CHECK(story(w.out()).end["why"].get<std::string>().find("the process became another program") == 0);
}

TEST_CASE("a process's own signals reach it") {
  for (const auto& [signal, name] : {std::pair(SIGTERM, "SIGTERM"), std::pair(SIGRTMIN, "signal 34")}) {
    process w({watch_program, "balance", "--json", "--", victim_program, "1000000", "1"});
    w.await("hit");
    const pid_t command = story(w.out()).begin["pid"];
    kill(command, signal);
    CHECK(w.wait() == 0);
    CHECK(story(w.out()).end["why"] == std::string("the process was killed by ") + name);
  }
}

TEST_CASE("the report for people is text and nothing else when it is no terminal") {
  bank b(2);
  process w({watch_program, "balance", "-d", "last", "--thread", "teller-1", "-e", "-r", "limit", "--pid", b.pid_text()});
  w.await("limit");
  b.open();
  CHECK(w.wait() == 0);
  CHECK(w.err().empty());
  const std::string out = w.out();
  for (const char* part : {"all threads (kernel side)", "thread teller-1 (user side)", "disabled", "3 -> 4", "= 1000000",
                           "deposit+0x", "victim.cpp:", "6 hits in", "the process ended with exit status 0", "debug registers of",
                           "limit [user]", "last [kernel, off]", "balance [kernel]"})
    CHECK_MESSAGE(out.find(part) != out.npos, part, " is not in\n", out);
  CHECK(out.find('\r') == out.npos);
  CHECK(out.find('\033') == out.npos);
}

TEST_CASE("--output takes the report, so that a command's own output stays its own") {
  process w({watch_program, "closed", "-o", "/dev/null", "--", "sh", "-c", "true"});
  CHECK(w.wait() == 1);  // sh has no such symbol
  char report[] = "/tmp/watch_output_XXXXXX";
  close(mkstemp(report));
  process v({watch_program, "closed", "-o", report, "--", victim_program, "1"});
  CHECK(v.wait() == 0);
  CHECK(v.out().empty());
  CHECK(content(report).find("close_books") != std::string::npos);
  std::remove(report);
}

TEST_CASE("a program that nobody here wrote" * doctest::skip(access("/usr/bin/sqlite3", X_OK) != 0)) {
  process w({watch_program, "sqlite3_temp_directory", "--json", "--", "sqlite3",
             ":memory:", "pragma temp_store_directory='/var/tmp'; pragma temp_store_directory='';"});
  CHECK(w.wait() == 0);
  const story s(w.out());
  REQUIRE(s.count("sqlite3_temp_directory") == 2);
  CHECK(s.hits[0]["old"] == 0);
  CHECK(s.hits[0]["new"] != 0);
  CHECK(s.hits[1]["new"] == 0);
  CHECK(s.hits[0]["at"]["module"].get<std::string>().find("libsqlite3") != std::string::npos);
}
