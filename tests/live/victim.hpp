// SPDX-License-Identifier: MIT
// tests/live/victim.hpp — a real process whose threads do what a test tells them, one lane a thread.
#pragma once
#include <live/accesses.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace live {

enum class deed : int {
  access = 1,
  kernel_write,
  spawn,
  chain,
  leave,
  quit,
  exec,
  raise,
  breakpoint,
  mask_sigtrap,
  forked_access,
  strange_clone
};

inline constexpr int lanes = 12;

/// Shared between a test and its victim, at the same address in both.
struct board {
  struct lane {
    int command;  // a futex: the thread waits for it
    int busy;
    int tid;
    access_function call;
    void* at;
    std::uint64_t value, count;  // calls call(at, value), call(at, value + 1), ... count times
    int number;
    int result;
  };
  lane lane_of[lanes];
  int chain;  // each new thread starts the next
  std::uint64_t executions;
  alignas(64) unsigned char room[256];
  alignas(64) unsigned char code[64];  // a copy of run_me() that may be written to
};

inline long futex(int* word, int operation, int value) { return syscall(SYS_futex, word, operation, value, nullptr, nullptr, 0); }
template <class T>
T load(const T& from) {
  return __atomic_load_n(&from, __ATOMIC_SEQ_CST);
}
template <class T>
void store(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_SEQ_CST);
}

/// The victim's side. Runs in the child process only.
class victim_thread {
 public:
  static void serve(board& b, int number) {
    board::lane& l = b.lane_of[number];
    if (l.count != 0) accesses(l);  // its very first instructions, when it was spawned with something to do
    store(l.tid, static_cast<int>(syscall(SYS_gettid)));
    if (load(b.chain) != 0 && number + 1 < lanes) (void)spawn(b, number + 1);
    store(l.busy, 0);
    for (;;) {
      int command = load(l.command);
      while (command == 0) {
        futex(&l.command, FUTEX_WAIT, 0);
        command = load(l.command);
      }
      store(l.command, 0);
      if (!carry_out(b, l, static_cast<deed>(command))) return;
      store(l.busy, 0);
    }
  }

 private:
  struct start {
    board* b;
    int number;
  };
  static void accesses(board::lane& l) {
    for (std::uint64_t i = 0; i < l.count; ++i) l.call(l.at, l.value + i);
    l.count = 0;
  }
  static int spawn(board& b, int number) {
    pthread_t thread;
    const int failed = pthread_create(
        &thread, nullptr,
        [](void* p) -> void* {
          const start mine = *static_cast<start*>(p);
          serve(*mine.b, mine.number);
          return nullptr;
        },
        new start{&b, number});
    if (failed == 0) pthread_detach(thread);
    return failed;
  }
  static bool carry_out(board& b, board::lane& l, deed what) {
    switch (what) {
      case deed::access:
        accesses(l);
        break;
      case deed::kernel_write: {
        int ends[2];
        if (pipe(ends) != 0 || write(ends[1], &l.value, sizeof l.value) != sizeof l.value) std::abort();
        l.result = read(ends[0], l.at, sizeof l.value) == sizeof l.value ? 0 : errno;
        close(ends[0]);
        close(ends[1]);
        break;
      }
      case deed::spawn:
        l.result = spawn(b, l.number);
        break;
      case deed::chain:
        store(b.chain, 1);
        l.result = spawn(b, 1);
        break;
      case deed::leave:
        store(l.tid, 0);
        store(l.busy, 0);
        syscall(SYS_exit, 0);  // this thread only, the first one too
        break;
      case deed::quit:
        _exit(l.number);
      case deed::exec: {
        char path[] = "/bin/sleep";
        char forever[] = "1000";
        char* argv[] = {path, forever, nullptr};
        store(l.busy, 0);
        execv(path, argv);
        _exit(126);
      }
      case deed::raise:
        l.result = static_cast<int>(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), l.number));
        break;
      case deed::breakpoint:
        asm volatile("int3");
        break;
      case deed::mask_sigtrap: {
        sigset_t trap;
        sigemptyset(&trap);
        sigaddset(&trap, SIGTRAP);
        pthread_sigmask(SIG_BLOCK, &trap, nullptr);
        break;
      }
      case deed::forked_access: {
        const pid_t pid = fork();
        if (pid == 0) {
          accesses(l);
          _exit(0);
        }
        waitpid(pid, &l.result, 0);
        break;
      }
      case deed::
          strange_clone: {  // shares nothing, but announces its end by no SIGCHLD: PTRACE_O_TRACECLONE takes it for a thread
        const long pid = syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr);
        if (pid == 0) {
          accesses(l);
          _exit(0);
        }
        waitpid(static_cast<pid_t>(pid), &l.result, __WALL);
        break;
      }
    }
    return true;
  }
};

/// The test's side: starts the process, with its first thread in lane 0, and ends it.
class victim {
 public:
  victim() {
    void* page = mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    board_ = static_cast<board*>(page);
    board_->lane_of[0].busy = 1;
    std::memcpy(board_->code, reinterpret_cast<const void*>(run_me), run_me_bytes);
    pid_ = fork();
    if (pid_ == 0) {
      alarm(120);  // whatever becomes of the test
      for (int signal_of_the_runner : {SIGTERM, SIGSEGV, SIGABRT, SIGILL, SIGFPE, SIGINT}) signal(signal_of_the_runner, SIG_DFL);
      signal(SIGUSR1, [](int) {});
      victim_thread::serve(*board_, 0);
    }
    while (tid(0) == 0 || busy(0)) sched_yield();
  }
  ~victim() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, __WALL);
    }
    munmap(board_, sizeof(board));
  }
  victim(const victim&) = delete;
  victim& operator=(const victim&) = delete;

  /// Orders are carried out in the background: the test runs its tracer until !busy(lane).
  void order(int lane, deed what, int number = 0) {
    auto& l = board_->lane_of[lane];
    l.number = number;
    store(l.busy, 1);
    store(l.command, static_cast<int>(what));
    futex(&l.command, FUTEX_WAKE, 1);
  }
  void prepare_calls(int lane, access_function call, void* at, std::uint64_t value, std::uint64_t count) {
    auto& l = board_->lane_of[lane];
    l.call = call;
    l.at = at;
    l.value = value;
    l.count = count;
  }
  void order_calls(int lane, access_function call, void* at, std::uint64_t value, std::uint64_t count, deed what = deed::access) {
    prepare_calls(lane, call, at, value, count);
    order(lane, what);
  }
  /// Lane `number`'s thread, started by lane `by`; what was prepared for it is the first thing that it does.
  void order_thread(int by, int number) {
    store(board_->lane_of[number].busy, 1);
    order(by, deed::spawn, number);
  }
  [[nodiscard]] bool busy(int lane) const { return load(board_->lane_of[lane].busy) != 0; }
  [[nodiscard]] int tid(int lane) const { return load(board_->lane_of[lane].tid); }
  [[nodiscard]] int result(int lane) const { return load(board_->lane_of[lane].result); }
  [[nodiscard]] int pid() const { return pid_; }
  /// Somebody else has taken its exit status.
  void reaped() { pid_ = 0; }

  board& shared() { return *board_; }
  unsigned char* room() { return board_->room; }

 private:
  board* board_ = nullptr;
  pid_t pid_ = 0;
};

}  // namespace live
