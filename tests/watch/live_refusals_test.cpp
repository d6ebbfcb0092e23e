// SPDX-License-Identifier: MIT
// tests/watch/live_refusals_test.cpp — what examples/watch refuses: one clear line, an exit code, and nothing has changed.
#include <doctest/doctest.h>

#include "tests/watch/process.hpp"

using namespace watch_test;

namespace {

struct refusal {
  std::vector<std::string> words;
  std::vector<std::string> said;  // all of it is in the line
  int code = 1;
};

/// One line on standard error, nothing on standard output, and the exit code.
void check_refused(process& w, const refusal& r) {
  CHECK(w.wait() == r.code);
  CHECK(w.out().empty());
  const auto said = lines(w.err());
  REQUIRE_MESSAGE(said.size() == 1, w.err());
  CHECK(said[0].rfind("watch: ", 0) == 0);
  for (const std::string& part : r.said) CHECK_MESSAGE(said[0].find(part) != std::string::npos, part, " is not in: ", said[0]);
}

/// Is there a process with this word on its command line?
bool is_running(const std::string& word) {
  bool found = false;
  DIR* const all = opendir("/proc");
  while (const dirent* entry = readdir(all)) {
    if (std::atoi(entry->d_name) == 0 || std::atoi(entry->d_name) == getpid()) continue;
    std::string words = content("/proc/" + std::string(entry->d_name) + "/cmdline");
    for (char& c : words) c = c == '\0' ? ' ' : c;
    found = found || words.find(" " + word + " ") != std::string::npos;
  }
  closedir(all);
  return found;
}

const std::vector<refusal> of_what_to_watch{
    {{"balanec"}, {"no symbol 'balanec'", "did you mean balance"}},
    {{"audtis"}, {"no symbol 'audtis'", "did you mean audits?"}},
    {{"-x", "depsoit"}, {"no symbol 'depsoit'", "deposit"}},
    {{"nothing_like_it_at_all"}, {"no symbol 'nothing_like_it_at_all'"}},
    {{"ledger"}, {"'ledger' has 128 bytes", "for example ledger:8"}},
    {{"ledger+1:4"}, {"is not a multiple of its length 4", "watch 0x"}},
    {{"ledger+128:8"}, {"lies outside 'ledger'"}},
    {{"ledger:3"}, {"no debug register watches 3 bytes", "1, 2, 4 or 8"}},
    {{"ledger:16"}, {"no debug register watches 16 bytes"}},
    {{"ledger:0"}, {"no debug register watches 0 bytes"}},
    {{"0x1001:2"}, {"0x1001 is not a multiple of its length 2"}},
    {{"0xffffffff81000000:8"}, {"0xffffffff81000000 is no address of a user program"}},
    {{"0x7ffffffffff8:8"}, {"is no address of a user program"}},
    {{"own_rounds"}, {"'own_rounds' is thread-local"}},
    {{"-x", "balance"}, {"'balance' is a variable"}},
    {{"deposit"}, {"'deposit' is a function", "--exec"}},
    {{"-x", "deposit:2"}, {"its length is 1, not 2"}},
    {{"--thread", "#0", "balance"}, {"'#0' is no thread"}},
    {{"--thread", "1", "balance"}, {"no thread '1'"}},
    {{"balance", "audits", "last", "limit", "closed"},
     {"no debug register is left for 'closed' (all threads)", "slot 3 holds 'balance' (all threads)",
      "slot 2 holds 'audits' (all threads)", "slot 1 holds 'last' (all threads)", "slot 0 holds 'limit' (all threads)"}},
    {{"balance", "-d", "audits", "-e", "--thread", "#1", "last", "limit", "--all", "closed"},
     {"no debug register is left for 'closed' (all threads)", "slot 3 holds 'balance' (all threads)",
      "slot 2 holds 'audits' (all threads, disabled)", "slot 1 holds 'limit' (thread #1)", "slot 0 holds 'last' (thread #1)"}},
    {{"balance", "audits", "last", "--thread", "#1", "limit", "closed"},
     {"no debug register is left for 'closed' (thread #1)", "slot 3 holds 'balance'", "slot 0 holds 'limit' (thread #1)"}},
    {{"balance", "-o", "/nowhere/at/all"}, {"cannot write '/nowhere/at/all'"}},
    {{"--count", "0", "balance"}, {"'0' is not a number above 0"}, 2},
    {{"--sideways", "balance"}, {"--sideways"}, 2},
    {{}, {"nothing to watch"}, 2},
};

}  // namespace

TEST_CASE("of a running process: it is told why, and the process goes on as if nothing had been") {
  bank b(3, /*stays=*/true);
  for (const refusal& r : of_what_to_watch) {
    std::vector<std::string> words{watch_program, "--pid", b.pid_text()};
    words.insert(words.end(), r.words.begin(), r.words.end());
    process w(words);
    check_refused(w, r);
    CHECK(status_of(b.pid(), "TracerPid") == "0");
  }
  b.check_unharmed();
}

TEST_CASE("of a command: it is told why, and the command does not go on") {
  const std::string mark = "7654321";
  for (const refusal& r : of_what_to_watch) {
    std::vector<std::string> words{watch_program};
    words.insert(words.end(), r.words.begin(), r.words.end());
    for (const std::string& w : {std::string("--"), victim_program, mark, std::string("5")}) words.push_back(w);
    process w(words);
    check_refused(w, r);
    CHECK_FALSE(is_running(mark));
  }
}

TEST_CASE("five watches of a thread that is there: the refusal names its own and everybody's") {
  bank b(1);
  process w({watch_program, "--pid", b.pid_text(), "balance", "--thread", "teller-1", "last", "limit", "audits", "closed"});
  check_refused(w, {{},
                    {"no debug register is left for 'closed' (thread teller-1)", "slot 3 holds 'balance' (all threads)",
                     "slot 2 holds 'audits' (thread teller-1)", "slot 1 holds 'limit' (thread teller-1)",
                     "slot 0 holds 'last' (thread teller-1)"}});
  b.check_unharmed();
}

TEST_CASE("threads do not compete: four of one and four of another fit") {
  bank b(4);
  process w({watch_program, "--pid", b.pid_text(), "--thread", "teller-1", "balance", "last", "limit", "audits", "--thread",
             "teller-2", "balance", "last", "limit", "audits"});
  w.await("audits");
  b.open();
  CHECK(w.wait() == 0);
  CHECK(w.out().find("16 hits") != std::string::npos);
}

TEST_CASE("a thread's name that nobody has") {
  bank b(1);
  process near({watch_program, "--pid", b.pid_text(), "--thread", "teller-3", "balance"});
  check_refused(near, {{}, {"no thread 'teller-3': did you mean teller-1 or teller-2?"}});
  process far({watch_program, "--pid", b.pid_text(), "--thread", "cashier", "balance"});
  check_refused(far, {{}, {"no thread 'cashier': there is victim (", "teller-1 (", "teller-2 ("}});
  b.check_unharmed();
}

TEST_CASE("a process that is not there, or not ours") {
  pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  process gone({watch_program, "--pid", std::to_string(dead), "x"});
  check_refused(gone, {{}, {"there is no process " + std::to_string(dead)}});

  bank b(1);
  process first({watch_program, "balance", "--pid", b.pid_text()});
  first.await("watching");
  process second({watch_program, "balance", "--pid", b.pid_text()});
  check_refused(second, {{}, {"process " + b.pid_text() + " is being traced already, by process "}});
  first.signal(SIGINT);
  CHECK(first.wait() == 0);

  if (getuid() == 0) {
    process kernels({watch_program, "x", "--pid", "2"});
    check_refused(kernels, {{}, {"not allowed to trace process 2"}});
    // As nobody, on our process.
    process nobodys({"setpriv", "--reuid=65534", "--clear-groups", watch_program, "balance", "--pid", b.pid_text()});
    check_refused(nobodys, {{}, {"not allowed to trace process " + b.pid_text()}});
  }
  b.check_unharmed();
}

TEST_CASE("a command that cannot be started") {
  process missing({watch_program, "balance", "--", "/nowhere/at/all", "x"});
  check_refused(missing, {{}, {"cannot start '/nowhere/at/all': No such file or directory"}});
  process no_program({watch_program, "balance", "--", "examples/watch/victim.cpp"});
  check_refused(no_program, {{}, {"cannot start 'examples/watch/victim.cpp': "}});
  process none({watch_program, "balance", "--"});
  check_refused(none, {{}, {"no command after --"}, 2});
  process nobody({watch_program, "balance"});
  check_refused(nobody, {{}, {"watch whom?"}, 2});
}
