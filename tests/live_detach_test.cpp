// SPDX-License-Identifier: MIT
// tests/live_detach_test.cpp — how tracing begins and ends: the process lives on with clean registers, whoever ends it and how.
#include <bookend/linux/supervise.hpp>
#include <live/permission.hpp>
#include <live/scene.hpp>
#include <sys/prctl.h>

namespace {

using namespace bookend;
using namespace live;
using lnx::happened;
using watch = debugger::watch;

/// Attaches raw: true if no debug register of the thread holds anything.
bool clean(int tid) {
  if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) return false;
  ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  waitpid(tid, nullptr, __WALL);
  bool good = lnx::peek_debugreg(tid, 7, 99) == x86::dr7_reset || lnx::peek_debugreg(tid, 7, 99) == 0;
  for (unsigned i = 0; i < 4; ++i) good = good && lnx::peek_debugreg(tid, i, 99) == 0;
  good = good && lnx::peek_debugreg(tid, 6, 99) == x86::dr6_reset;
  ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  return good;
}
/// Nobody traces it, its registers are clean, and its threads work, in the watched memory too.
void check_free(victim& v, int threads) {
  for (int lane = 0; lane < threads; ++lane) {
    CAPTURE(lane);
    CHECK(lnx::status_of_thread(v.tid(lane)).tracer == 0);
    CHECK(clean(v.tid(lane)));
    v.order_calls(lane, store8, v.room(), 0, 10);
    CHECK(eventually([&] { return !v.busy(lane); }));
  }
  CHECK(waitpid(v.pid(), nullptr, WNOHANG) == 0);
}

TEST_SUITE_BEGIN("ptrace" * doctest::skip(may_not_trace()));

TEST_CASE("detach leaves every thread running with clean registers") {
  scene s(3);
  watch a("a"), b("b");
  REQUIRE_FALSE(s.d.slots.register_breakpoint(a, at(s.v.room())));
  REQUIRE_FALSE(s.d.slots.register_breakpoint(b, run_of(run_me)));
  SUBCASE("that were idle") {}
  SUBCASE("that had hit") {
    for (int lane : {0, 1, 2}) s.call(lane, store8, s.v.room());
    for (int lane : {0, 1, 2}) s.call(lane, run_me, s.v.room());
  }
  SUBCASE("that are hitting") {
    for (int lane : {0, 1, 2}) s.v.order_calls(lane, store8, s.v.room(), 0, 100'000);
    s.d.run_for(20);
  }
  SUBCASE("of which some are stopped in the debugger's hands") {
    s.v.order_calls(1, store8, s.v.room(), 0, 10);
    while (s.d.tracee().wait().what != happened::trap) {
    }
    REQUIRE(s.d.tracee().stop(s.v.tid(2)));
  }
  SUBCASE("of which one has a signal to get") {
    s.v.order(1, deed::raise, SIGUSR1);
    while (s.d.tracee().wait().what != happened::signal) {
    }
    s.v.order(2, deed::raise, SIGUSR1);
    usleep(20'000);
  }
  s.d.tracee().detach();
  CHECK(s.d.tracee().pid() == 0);
  for (int lane : {0, 1, 2}) REQUIRE(eventually([&] { return !s.v.busy(lane); }));
  check_free(s.v, 3);
  CHECK_FALSE(s.d.slots.unregister_breakpoint(a));  // the slots of a manager without threads
  CHECK_FALSE(s.d.slots.unregister_breakpoint(b));
}

TEST_CASE("a process may be let go and caught again in the middle of a storm, any number of times") {
  victim v;
  v.order_thread(0, 1);
  REQUIRE(eventually([&] { return !v.busy(1) && !v.busy(0); }));
  v.order_calls(0, store8, v.room(), 0, 1'000'000'000'000'000);
  v.order_calls(1, store8, v.room(), 0, 1'000'000'000'000'000);
  for (int round = 0; round < 600; ++round) {
    debugger d;
    watch w("w");
    d.attach(v);
    REQUIRE_FALSE(d.slots.register_breakpoint(w, at(v.room())));
    for (int i = 0; i < round % 4; ++i) d.turn(5);
    d.tracee().detach();
    CHECK_FALSE(d.slots.unregister_breakpoint(w));
    REQUIRE(waitpid(v.pid(), nullptr, WNOHANG) == 0);
  }
  for (int lane : {0, 1}) CHECK(clean(v.tid(lane)));
}

TEST_CASE("a system that goes out of scope detaches") {
  victim v;
  {
    debugger d;
    d.attach(v);
  }
  check_free(v, 1);
}

TEST_CASE("attach says why not, and nothing stays attached") {
  debugger d;
  CHECK(d.tracee().attach(0x3fffff).code == ESRCH);
  CHECK(d.tracee().attach(getpid()).code == EPERM);
  CHECK(d.tracee().pid() == 0);
  CHECK(d.tracee().wait().what == happened::ended);

  scene s(2);  // somebody traces it already, who happens to be this thread
  CHECK(d.tracee().attach(s.v.pid()).code == EPERM);
  s.call(1, store8, s.v.room());
}

TEST_CASE("launch gives a command that has not run an instruction, or exec's own error") {
  debugger d;
  char missing[] = "/nowhere/at/all", plain[] = "/etc/passwd", sh[] = "sh", c[] = "-c", script[] = "exit 3";
  char* no_file[] = {missing, nullptr};
  CHECK(d.tracee().launch(no_file).code == ENOENT);
  char* no_program[] = {plain, nullptr};
  CHECK(d.tracee().launch(no_program).code == EACCES);
  CHECK(d.tracee().pid() == 0);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);

  char* good[] = {sh, c, script, nullptr};
  REQUIRE_FALSE(d.tracee().launch(good, true));
  const int pid = d.tracee().pid();
  int threads = 0;
  for (int tid : d.tracee().threads()) {
    CHECK(tid == pid);
    ++threads;
  }
  CHECK(threads == 1);
  CHECK(getpgid(pid) == pid);
  CHECK(getpgid(0) != pid);
  watch w("entry");
  const lnx::frame f{pid};
  REQUIRE_FALSE(d.slots.cpu_online(d.cpu_of(pid)));
  REQUIRE_FALSE(d.slots.register_breakpoint(w, {f.ip(), 1, access::execute}));  // the very first instruction
  d.tracee().resume(pid);
  d.run_until([&] { return d.count(happened::ended) == 1; });
  CHECK(w.hits.size() == 1);
  CHECK(WEXITSTATUS(d.log.back().status) == 3);
  REQUIRE_FALSE(d.slots.unregister_breakpoint(w));
}

/// A set of signals in /proc/PID/status.
std::uint64_t signals_of(int pid, const char* which) {
  char path[32], line[256];
  std::snprintf(path, sizeof path, "/proc/%d/status", pid);
  std::uint64_t set = ~std::uint64_t{0};
  std::FILE* const status = std::fopen(path, "re");
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr)
    if (std::strncmp(line, which, std::strlen(which)) == 0) set = std::strtoull(line + std::strlen(which), nullptr, 16);
  if (status != nullptr) std::fclose(status);
  return set;
}

TEST_CASE("a launched command starts with the program's signal mask, not with the tracer's, and lives on when it is let go") {
  const scene busy;  // blocks SIGCHLD
  debugger d;
  char sleep[] = "sleep", forever[] = "100";
  char* command[] = {sleep, forever, nullptr};
  REQUIRE_FALSE(d.tracee().launch(command));
  const int pid = d.tracee().pid();
  CHECK(signals_of(pid, "SigBlk:") == 0);
  d.tracee().detach();
  usleep(20'000);
  CHECK(waitpid(pid, nullptr, WNOHANG) == 0);
  CHECK(clean(pid));
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, nullptr, 0) == pid);
}

// Tracers that are killed. They are processes of their own: the victim is the test's.

struct tracer_orders {
  victim* v;
  int* ready;
};
/// Watches until SIGTERM.
int watch_until_told(void* p) {
  auto& orders = *static_cast<tracer_orders*>(p);
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, nullptr);
  const int told = signalfd(-1, &term, SFD_CLOEXEC);
  debugger d;
  watch w("w");
  d.attach(*orders.v);
  d.tracee().wake_on(told);
  CHECK_FALSE(d.slots.register_breakpoint(w, at(orders.v->room())));
  store(*orders.ready, static_cast<int>(getpid()));
  while (d.turn(-1).what != happened::woken) {
  }
  d.tracee().detach();
  CHECK_FALSE(d.slots.unregister_breakpoint(w));
  return 0;
}

int* shared_int() { return static_cast<int*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)); }

TEST_CASE("kill -9 of the process that the world sees: its child hears of it and detaches") {
  victim v;
  tracer_orders orders{&v, shared_int()};
  const pid_t seen = fork();
  if (seen == 0) _exit(lnx::supervise(watch_until_told, &orders));
  REQUIRE(eventually([&] { return load(*orders.ready) != 0; }));
  v.order_calls(0, store8, v.room(), 0, 5);
  REQUIRE(eventually([&] { return !v.busy(0); }));
  CHECK(load(*orders.ready) != seen);
  kill(seen, SIGKILL);
  CHECK(waitpid(seen, nullptr, 0) == seen);
  REQUIRE(eventually([&] { return lnx::status_of_thread(v.pid()).tracer == 0; }));
  check_free(v, 1);
}

TEST_CASE("kill -9 of the tracer itself: its supervisor clears the registers and continues the process") {
  for (int round = 0; round < 10; ++round) {
    victim v;
    tracer_orders orders{&v, shared_int()};
    const pid_t seen = fork();
    if (seen == 0) _exit(lnx::supervise(watch_until_told, &orders));
    REQUIRE(eventually([&] { return load(*orders.ready) != 0; }));
    v.order_calls(0, store8, v.room(), 0, 5);
    REQUIRE(eventually([&] { return !v.busy(0); }));
    kill(load(*orders.ready), SIGKILL);
    int status = 0;
    CHECK(waitpid(seen, &status, 0) == seen);
    CHECK(WEXITSTATUS(status) == 128 + SIGKILL);
    check_free(v, 1);
  }
}

TEST_CASE("a real-time signal to the supervisor reaches the tracer") {
  const pid_t seen = fork();
  if (seen == 0)
    _exit(lnx::supervise(
        [](void*) {
          sigset_t mine;
          sigemptyset(&mine);
          sigaddset(&mine, SIGRTMIN + 3);
          sigprocmask(SIG_BLOCK, &mine, nullptr);
          const timespec soon{20, 0};
          kill(getppid(), SIGRTMIN + 3);
          return sigtimedwait(&mine, nullptr, &soon) == SIGRTMIN + 3 ? 5 : 6;
        },
        nullptr));
  int status = 0;
  CHECK(waitpid(seen, &status, 0) == seen);
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("signals to the supervisor reach the tracer, and its exit status comes back") {
  victim v;
  tracer_orders orders{&v, shared_int()};
  const pid_t seen = fork();
  if (seen == 0) _exit(lnx::supervise(watch_until_told, &orders));
  REQUIRE(eventually([&] { return load(*orders.ready) != 0; }));
  kill(seen, SIGTERM);
  int status = 1;
  CHECK(waitpid(seen, &status, 0) == seen);
  CHECK(status == 0);
  check_free(v, 1);
}

TEST_CASE("without a supervisor, Linux leaves a killed tracer's registers armed, and the next hit kills") {
  victim v;
  tracer_orders orders{&v, shared_int()};
  const pid_t tracer = fork();
  if (tracer == 0) _exit(watch_until_told(&orders));
  REQUIRE(eventually([&] { return load(*orders.ready) != 0; }));
  v.order_calls(0, store8, v.room(), 0, 5);
  REQUIRE(eventually([&] { return !v.busy(0); }));
  kill(tracer, SIGKILL);
  CHECK(waitpid(tracer, nullptr, 0) == tracer);
  CHECK_FALSE(clean(v.pid()));
  v.order_calls(0, store8, v.room(), 0, 1);
  int status = 0;
  CHECK(waitpid(v.pid(), &status, 0) == v.pid());
  CHECK(WTERMSIG(status) == SIGTRAP);
  v.reaped();
}

TEST_SUITE_END();

}  // namespace
