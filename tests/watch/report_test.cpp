// SPDX-License-Identifier: MIT
// tests/watch/report_test.cpp — mirrors examples/watch/report.hpp, tally.hpp and console.hpp: the shape of both reports.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "examples/watch/complaint.hpp"
#include "examples/watch/console.hpp"
#include "examples/watch/report.hpp"
#include "examples/watch/tally.hpp"

namespace {

struct file {
  file() { close(mkstemp(path)); }
  ~file() { std::remove(path); }
  [[nodiscard]] std::string text() const {
    std::stringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  }
  [[nodiscard]] std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> all;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
  char path[32] = "/tmp/watch_report_XXXXXX";
};

const std::vector<watch::watched> watches{{"balance", {0x1000, 8, bookend::access::write}, "", true},
                                          {"limit", {0x2000, 4, bookend::access::read_write}, "auditor", false},
                                          {"audit", {0x3000, 1, bookend::access::execute}, "", true}};

watch::code_place place(std::uint64_t pc) {
  watch::code_place p;
  p.pc = pc;
  p.function = "deposit";
  p.offset = 0x39;
  p.module_pc = 0x1300;
  p.file = "dir/victim.cpp";
  p.line = 52;
  p.module = "/bin/victim";
  return p;
}

watch::code_place place_of_nothing() {
  watch::code_place p;
  p.pc = 0x9000;
  return p;
}

watch::hit_seen hit(std::size_t watch, pid_t tid, std::uint64_t pc) { return {0.25, watch, {tid, "teller"}, place(pc), 41, 42}; }

void tell(watch::report& r) {
  r.begins(7, "victim", watches);
  r.thread_started({8, "teller"}, 0.125);
  r.hit(watches[0], hit(0, 8, 0x5000));
  r.hit(watches[2], {0.5, 2, {8, "teller"}, place_of_nothing(), std::nullopt, std::nullopt});
  watch::watched off = watches[0];
  off.enabled = false;
  r.toggled(off, 0, 0.75);
  watch::tally t;
  t.add(hit(0, 8, 0x5000));
  t.add(hit(0, 8, 0x5000));
  watch::ending e{"the process ended", 1.5, t.total(), watches, t.rows(), {}};
  e.threads.push_back({{8, "teller"},
                       true,
                       {{"user", "limit", false}, {"free", "", false}, {"withheld", "", false}, {"kernel", "balance", true}}});
  r.ends(e);
}

}  // namespace

TEST_CASE("a tally counts by watch, thread and place") {
  watch::tally t;
  for (int i = 0; i < 3; ++i) t.add(hit(0, 8, 0x5000));
  t.add(hit(0, 9, 0x5000));
  t.add(hit(0, 8, 0x6000));
  t.add(hit(1, 8, 0x5000));
  CHECK(t.total() == 6);
  const auto rows = t.rows();
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].hits == 3);
  CHECK(rows[1].where.pc == 0x6000);
  CHECK(rows[2].thread.tid == 9);
  CHECK(rows[3].watch == 1);
}

TEST_CASE("the report for programs is one object a line") {
  file f;
  {
    watch::console out(f.path);
    tell(*watch::report_as_json(out));
    CHECK(out.works());
  }
  const auto lines = f.lines();
  REQUIRE(lines.size() == 6);

  CHECK(lines[0]["event"] == "begin");
  CHECK(lines[0]["pid"] == 7);
  CHECK(lines[0]["program"] == "victim");
  REQUIRE(lines[0]["watches"].size() == 3);
  CHECK(lines[0]["watches"][0] == nlohmann::json{{"watch", 1},
                                                 {"name", "balance"},
                                                 {"address", "0x1000"},
                                                 {"length", 8},
                                                 {"on", "write"},
                                                 {"side", "kernel"},
                                                 {"thread", nullptr},
                                                 {"enabled", true}});
  CHECK(lines[0]["watches"][1]["side"] == "user");
  CHECK(lines[0]["watches"][1]["thread"] == "auditor");
  CHECK(lines[0]["watches"][1]["on"] == "read_write");
  CHECK(lines[0]["watches"][1]["enabled"] == false);
  CHECK(lines[0]["watches"][2]["on"] == "execute");

  CHECK(lines[1] == nlohmann::json{{"event", "thread"}, {"time", 0.125}, {"thread", {{"tid", 8}, {"name", "teller"}}}});

  CHECK(lines[2]["event"] == "hit");
  CHECK(lines[2]["time"] == 0.25);
  CHECK(lines[2]["watch"] == 1);
  CHECK(lines[2]["name"] == "balance");
  CHECK(lines[2]["thread"] == nlohmann::json{{"tid", 8}, {"name", "teller"}});
  CHECK(lines[2]["old"] == 41);
  CHECK(lines[2]["new"] == 42);
  CHECK(lines[2]["at"] == nlohmann::json{{"pc", "0x5000"},
                                         {"function", "deposit"},
                                         {"offset", 0x39},
                                         {"file", "dir/victim.cpp"},
                                         {"line", 52},
                                         {"module", "/bin/victim"},
                                         {"module_pc", "0x1300"}});

  CHECK(lines[3]["at"] == nlohmann::json{{"pc", "0x9000"}});
  CHECK_FALSE(lines[3].contains("old"));

  CHECK(lines[4] == nlohmann::json{{"event", "toggled"}, {"time", 0.75}, {"watch", 1}, {"name", "balance"}, {"enabled", false}});

  CHECK(lines[5]["event"] == "end");
  CHECK(lines[5]["why"] == "the process ended");
  CHECK(lines[5]["hits"] == 2);
  REQUIRE(lines[5]["touched"].size() == 1);
  CHECK(lines[5]["touched"][0]["hits"] == 2);
  CHECK(lines[5]["touched"][0]["name"] == "balance");
  REQUIRE(lines[5]["threads"].size() == 1);
  CHECK(lines[5]["threads"][0]["ended"] == true);
  const auto& slots = lines[5]["threads"][0]["slots"];
  REQUIRE(slots.size() == 4);
  CHECK(slots[0] == nlohmann::json{{"holder", "user"}, {"name", "limit"}, {"enabled", false}});
  CHECK(slots[1] == nlohmann::json{{"holder", "free"}});
  CHECK(slots[2] == nlohmann::json{{"holder", "withheld"}});
  CHECK(slots[3] == nlohmann::json{{"holder", "kernel"}, {"name", "balance"}, {"enabled", true}});
}

TEST_CASE("a value that could not be read is null, and a name in no encoding breaks nothing") {
  file f;
  {
    watch::console out(f.path);
    watch::hit_seen h = hit(0, 8, 0x5000);
    h.before = std::nullopt;
    h.thread.name = "\xff\xfe";
    watch::report_as_json(out)->hit(watches[0], h);
  }
  REQUIRE(f.lines().size() == 1);
  CHECK(f.lines()[0]["old"].is_null());
}

TEST_CASE("the report for people says who, what, from what to what, and where") {
  file f;
  {
    watch::console out(f.path);
    tell(*watch::report_for_people(out));
  }
  const auto text = f.text();
  for (const char* part : {"watching process 7 (victim)", "balance  8 bytes at 0x1000", "all threads (kernel side)",
                           "thread auditor (user side)", "1 byte at 0x3000", "teller (8) started", "41 -> 42",
                           "deposit+0x39  victim.cpp:52", "called", "0x9000", "watch 1 (balance) is disabled",
                           "2 hits in 1.500 s; the process ended", "limit [user, off]", "balance [kernel]", "teller (8) ended"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part, " is not in\n", text);
  CHECK(text.find('\r') == text.npos);
  CHECK(text.find('\033') == text.npos);
}

TEST_CASE("of many threads, the report for people shows those that live and counts the others") {
  file f;
  {
    watch::console out(f.path);
    std::vector<watch::thread_slots> threads;
    for (pid_t tid = 100; tid < 200; ++tid) threads.push_back({{tid, "worker"}, tid % 10 != 0, {{"free", "", false}}});
    watch::report_for_people(out)->slots(threads);
  }
  CHECK(f.text().find("worker (110)") != std::string::npos);
  CHECK(f.text().find("worker (111)") == std::string::npos);
  CHECK(f.text().find("and of 90 threads that ended") != std::string::npos);
}

TEST_CASE("a report that cannot be written is noticed") {
  CHECK_THROWS_AS(watch::console("/nowhere/at/all"), watch::complaint);
  watch::console full("/dev/full");
  CHECK(full.works());
  full.line("something");
  CHECK_FALSE(full.works());
}
