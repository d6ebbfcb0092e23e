// SPDX-License-Identifier: MIT
// bench/live_bench.cpp — on this machine's real debug registers: what does the framework add to the system calls that a program
// would make itself, through ptrace (a stopped thread of another process) and through perf (this thread)?
#include <bookend/bookend.hpp>
#include <bookend/linux/perf.hpp>
#include <bookend/linux/ptrace.hpp>
#include "rows.hpp"
#include <csignal>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace {

using namespace bookend;
using bookend::access;  // not unistd.h's
using lnx::happened;

/// Shared with the child: what it stores to while `go` says so.
struct board {
  alignas(64) volatile std::uint64_t word[8];
  volatile int go, ready;
};

/// A child that does nothing but store to word[0].
class storing_child {
 public:
  storing_child()
      : board_(static_cast<board*>(mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      board_->ready = 1;
      for (;;) board_->word[0] = board_->word[0] + 1;
    }
    while (board_->ready == 0) usleep(100);
  }
  ~storing_child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, __WALL);
    munmap(board_, sizeof(board));
  }
  storing_child(const storing_child&) = delete;
  storing_child& operator=(const storing_child&) = delete;
  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] request at(unsigned i) const { return {reinterpret_cast<std::uint64_t>(&board_->word[i]), 8, access::write}; }

 private:
  board* board_;
  int pid_;
};

// The raw calls.

bool poke(int pid, unsigned index, std::uint64_t value) {
  return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + 8 * index, value) == 0;
}
constexpr std::uint32_t off = 0x400, slot3 = 0x9000'0680;  // slot 3, write, 8 bytes
bool seize_and_stop(int pid) {
  int status = 0;
  return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0 && ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0 &&
         waitpid(pid, &status, __WALL) == pid;
}

using tracer = slot_manager<lnx::ptrace_system<4>>;
/// A child whose thread is stopped, with a manager for it.
struct stopped {
  storing_child child;
  tracer slots;
  tracer::kernel_breakpoint watch{"word", [](const tracer::hit&) {}};
  cpu_id cpu = 0;
  bool good = false;
  stopped() {
    lnx::connect(slots);
    auto& tracee = slots.system();
    if (tracee.attach(child.pid())) return;
    cpu = tracee.cpu_of(child.pid());
    good = tracee.stop(child.pid()) && !slots.cpu_online(cpu);
  }
  ~stopped() { slots.unregister_breakpoint(watch); }
};
constexpr const char* no_ptrace = "ptrace is not permitted here";

// The works, of a stopped thread and of none. at(i): something to watch.

void turn_off_and_on(bench::state& state, tracer& slots, tracer::kernel_breakpoint& watch, cpu_id cpu) {
  const auto here = slots.on(cpu);
  for (auto _ : state) {
    if (here.disable(watch)) break;
    if (here.enable(watch)) break;
  }
}
void re_aim(bench::state& state, tracer& slots, tracer::kernel_breakpoint& watch, cpu_id cpu, auto at) {
  const auto here = slots.on(cpu);
  unsigned i = 0;
  for (auto _ : state)
    if (here.modify(watch, at(1 + (++i & 1)))) break;
}
void come_and_go(bench::state& state, tracer& slots, tracer::kernel_breakpoint& watch, auto at) {
  unsigned i = 0;
  for (auto _ : state) {
    if (slots.register_breakpoint(watch, at(1 + (++i & 1)))) break;
    if (slots.unregister_breakpoint(watch)) break;
  }
}

ASKS(ptrace_here, "through ptrace, thread stopped: disable and enable a breakpoint; by hand two writes of DR7");
void BM_ptrace_here(bench::state& state) {
  stopped s;
  if (!s.good || s.slots.register_breakpoint(s.watch, s.child.at(1))) return state.skip(no_ptrace);
  turn_off_and_on(state, s.slots, s.watch, s.cpu);
}
void BM_ptrace_here_by_hand(bench::state& state) {
  storing_child child;
  if (!seize_and_stop(child.pid()) || !poke(child.pid(), 3, child.at(1).address) || !poke(child.pid(), 7, slot3))
    return state.skip(no_ptrace);
  for (auto _ : state) {
    if (!poke(child.pid(), 7, off)) break;
    if (!poke(child.pid(), 7, slot3)) break;
  }
}

ASKS(ptrace_modify, "the same: re-aim it; by hand DR7, the address, DR7");
void BM_ptrace_modify(bench::state& state) {
  stopped s;
  if (!s.good || s.slots.register_breakpoint(s.watch, s.child.at(1))) return state.skip(no_ptrace);
  re_aim(state, s.slots, s.watch, s.cpu, [&](unsigned i) { return s.child.at(i); });
}
void BM_ptrace_modify_by_hand(bench::state& state) {
  storing_child child;
  if (!seize_and_stop(child.pid()) || !poke(child.pid(), 3, child.at(1).address) || !poke(child.pid(), 7, slot3))
    return state.skip(no_ptrace);
  unsigned i = 0;
  for (auto _ : state) {
    if (!poke(child.pid(), 7, off)) break;
    if (!poke(child.pid(), 3, child.at(1 + (++i & 1)).address)) break;
    if (!poke(child.pid(), 7, slot3)) break;
  }
}

ASKS(ptrace_register, "the same: register and unregister it everywhere, one thread; by hand the address and DR7, then DR7");
void BM_ptrace_register(bench::state& state) {
  stopped s;
  if (!s.good) return state.skip(no_ptrace);
  come_and_go(state, s.slots, s.watch, [&](unsigned i) { return s.child.at(i); });
}
void BM_ptrace_register_by_hand(bench::state& state) {
  storing_child child;
  if (!seize_and_stop(child.pid())) return state.skip(no_ptrace);
  unsigned i = 0;
  for (auto _ : state) {
    if (!poke(child.pid(), 3, child.at(1 + (++i & 1)).address)) break;
    if (!poke(child.pid(), 7, slot3)) break;
    if (!poke(child.pid(), 7, off)) break;
  }
}

/// A CPU whose thread is gone takes every write: what is left is the framework's own part.
struct no_thread {
  tracer slots;
  tracer::kernel_breakpoint watch{"word", [](const tracer::hit&) {}};
  no_thread() { (void)slots.cpu_online(0); }
  ~no_thread() { slots.unregister_breakpoint(watch); }
};
request somewhere(unsigned i) { return {0x1000 + 8 * i, 8, access::write}; }

ASKS(ptrace_here_share, "of ptrace_here, the framework's own part: a thread that is gone, so no system calls; by hand the calls");
TARGET("ptrace_here_share", "by_hand", 0.02);
void BM_ptrace_here_share(bench::state& state) {
  no_thread s;
  if (s.slots.register_breakpoint(s.watch, somewhere(1))) return state.skip("refused");
  turn_off_and_on(state, s.slots, s.watch, 0);
}
void BM_ptrace_here_share_by_hand(bench::state& state) { BM_ptrace_here_by_hand(state); }

ASKS(ptrace_modify_share, "of ptrace_modify, the same");
TARGET("ptrace_modify_share", "by_hand", 0.02);
void BM_ptrace_modify_share(bench::state& state) {
  no_thread s;
  if (s.slots.register_breakpoint(s.watch, somewhere(1))) return state.skip("refused");
  re_aim(state, s.slots, s.watch, 0, somewhere);
}
void BM_ptrace_modify_share_by_hand(bench::state& state) { BM_ptrace_modify_by_hand(state); }

ASKS(ptrace_register_share, "of ptrace_register, the same");
TARGET("ptrace_register_share", "by_hand", 0.02);
void BM_ptrace_register_share(bench::state& state) {
  no_thread s;
  come_and_go(state, s.slots, s.watch, somewhere);
}
void BM_ptrace_register_share_by_hand(bench::state& state) { BM_ptrace_register_by_hand(state); }

ASKS(ptrace_hit,
     "a hit through ptrace: the thread stops, the handler is called, it goes on; by hand wait, DR6, its reset, continue");
TARGET("ptrace_hit", "by_hand", 1.02);
void BM_ptrace_hit(bench::state& state) {
  stopped s;
  if (!s.good || s.slots.register_breakpoint(s.watch, s.child.at(0))) return state.skip(no_ptrace);
  auto& tracee = s.slots.system();
  tracee.resume(s.child.pid());
  for (auto _ : state) {
    const auto e = tracee.wait();
    if (e.what != happened::trap) break;
    tracee.resume(e.tid);
  }
}
void BM_ptrace_hit_by_hand(bench::state& state) {
  storing_child child;
  const int pid = child.pid();
  if (!seize_and_stop(pid) || !poke(pid, 3, child.at(0).address) || !poke(pid, 7, slot3)) return state.skip(no_ptrace);
  ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  for (auto _ : state) {
    int status = 0;
    if (waitpid(pid, &status, __WALL) != pid) break;
    siginfo_t why;
    if (ptrace(PTRACE_GETSIGINFO, pid, nullptr, &why) != 0) break;
    errno = 0;
    const long dr6 = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg) + 8 * 6, nullptr);
    if (errno != 0 || (dr6 & 8) == 0 || !poke(pid, 6, 0xffff0ff0)) break;
    ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  }
}
#define BY_THE_CLOCK(f) ROW(f, nullptr, {}, bench::figure::wall)
ROW(BM_ptrace_here);
ROW(BM_ptrace_here_by_hand);
ROW(BM_ptrace_modify);
ROW(BM_ptrace_modify_by_hand);
ROW(BM_ptrace_register);
ROW(BM_ptrace_register_by_hand);
ROW(BM_ptrace_here_share);
ROW(BM_ptrace_here_share_by_hand);
ROW(BM_ptrace_modify_share);
ROW(BM_ptrace_modify_share_by_hand);
ROW(BM_ptrace_register_share);
ROW(BM_ptrace_register_share_by_hand);
BY_THE_CLOCK(BM_ptrace_hit);
BY_THE_CLOCK(BM_ptrace_hit_by_hand);

// perf: this thread's own registers.

using self = slot_manager<lnx::perf_system<4>>;
constinit self watching;
alignas(64) volatile std::uint64_t words[8];
constexpr const char* no_perf = "perf_event_open is not permitted here";
request word(unsigned i) { return {reinterpret_cast<std::uint64_t>(&words[i]), 8, access::write}; }

/// This thread joined and online while it lives.
struct joined {
  cpu_id cpu = watching.system().join();
  self::kernel_breakpoint watch{"word", [](const self::hit&) {}};
  bool good = !watching.cpu_online(cpu);
  ~joined() {
    (void)watching.unregister_breakpoint(watch);
    (void)watching.cpu_offline(cpu);
    watching.system().leave();
  }
};
void listen() {
  lnx::perf_system<4>::listen([](int, siginfo_t*, void* context) {
    lnx::signal_frame f{static_cast<ucontext_t*>(context)};
    watching.here().trap(f);
  });
}
perf_event_attr attributes(unsigned i) {
  perf_event_attr a{};
  a.size = sizeof a;
  a.type = PERF_TYPE_BREAKPOINT;
  a.bp_type = HW_BREAKPOINT_W;
  a.bp_addr = word(i).address;
  a.bp_len = 8;
  a.sample_period = 1;
  a.pinned = 1;
  a.exclude_kernel = 1;
  a.exclude_hv = 1;
  a.sigtrap = 1;
  a.remove_on_exec = 1;
  return a;
}
int open_event(unsigned i) {
  perf_event_attr a = attributes(i);
  return static_cast<int>(syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}
std::uint64_t count_of(int fd) {
  std::uint64_t n = 0;
  return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

ASKS(perf_here, "through perf, in the thread itself: disable and enable; by hand the ioctls that do so, and the event's count");
TARGET("perf_here", "by_hand", 1.02);
void BM_perf_here(bench::state& state) {
  listen();
  joined j;
  if (!j.good || watching.register_breakpoint(j.watch, word(1), self::mask::of(j.cpu))) return state.skip(no_perf);
  for (auto _ : state) {
    if (watching.here().disable(j.watch)) break;
    if (watching.here().enable(j.watch)) break;
  }
}
void BM_perf_here_by_hand(bench::state& state) {
  const int fd = open_event(1);
  if (fd < 0) return state.skip(no_perf);
  perf_event_attr a = attributes(1);
  std::uint64_t seen = 0;
  for (auto _ : state) {
    if (ioctl(fd, PERF_EVENT_IOC_DISABLE, 0) != 0) break;
    if (ioctl(fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &a) != 0) break;
    seen = count_of(fd);
    benchmark::DoNotOptimize(seen);
  }
  close(fd);
}

ASKS(perf_hit, "a hit through perf: SIGTRAP, the handler, back; by hand the signal and a read of the event's count");
TARGET("perf_hit", "by_hand", 1.02);
void BM_perf_hit(bench::state& state) {
  listen();
  joined j;
  if (!j.good || watching.register_breakpoint(j.watch, word(2), self::mask::of(j.cpu))) return state.skip(no_perf);
  for (auto _ : state) words[2] = 1;
}
void BM_perf_hit_by_hand(bench::state& state) {
  static int fd;
  static std::uint64_t seen;
  static volatile std::uint64_t hits;
  struct sigaction a{};
  a.sa_flags = SA_SIGINFO | SA_RESTART;
  a.sa_sigaction = [](int, siginfo_t*, void*) {
    const std::uint64_t now = count_of(fd);
    if (now != seen) hits = hits + 1;
    seen = now;
  };
  sigaction(SIGTRAP, &a, nullptr);
  fd = open_event(2);
  if (fd < 0) return state.skip(no_perf);
  for (auto _ : state) words[2] = 1;
  close(fd);
}
ROW(BM_perf_here);
ROW(BM_perf_here_by_hand);
BY_THE_CLOCK(BM_perf_hit);
BY_THE_CLOCK(BM_perf_hit_by_hand);

}  // namespace
