// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/tracer.hpp — what a debugger's loop calls: attach, wait, resume, detach.
#pragma once
#include <bookend/linux/attachment.hpp>
#include <bookend/linux/frame.hpp>
#include <bookend/linux/launch.hpp>
#include <bookend/linux/thread_list.hpp>
#include <bookend/linux/traced_note.hpp>
#include <bookend/platform.hpp>

namespace bookend::lnx {

/// Traces one process. Everything is called by one thread, the one that attaches: ptrace(2) belongs to it. Threads that the
/// process starts are seized before their first instruction; processes that it forks are not followed.
template <unsigned MaxThreads>
class tracer : protected attachment<MaxThreads> {
 public:
  constexpr tracer() noexcept = default;
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;
  /// Detaches.
  constexpr ~tracer() {
    if (!__builtin_is_constant_evaluated()) detach();
  }

  /// Traces every thread of a process; they run on. ESRCH: there is none; EPERM: not ours to trace, or somebody traces it;
  /// EUSERS: more than MaxThreads. Then nothing is attached. Precondition: nothing is traced.
  error attach(int pid) noexcept {
    BOOKEND_ASSERT(this->pid_ == 0, "this tracer traces a process already");
    const thread_status s = status_of_thread(pid);
    if (s.process == 0) return {ESRCH};
    begin(s.process);
    const error failed = this->seize_all(s.process);
    if (failed) detach();
    return failed;
  }

  /// Starts a command, stopped before its first instruction until resume(). The error is exec's (ENOENT, EACCES, ...) or
  /// ptrace's. It is this process' child; wait() takes its status. Preconditions: nothing is traced; argv ends with a null
  /// pointer. See launch_seized().
  error launch(char* const argv[], bool own_group = false) noexcept {
    BOOKEND_ASSERT(this->pid_ == 0, "this tracer traces a process already");
    const launched child = launch_seized(argv, attachment<MaxThreads>::options, own_group);
    if (child.failed) return child.failed;
    begin(child.pid);
    tracee* const t = this->add(child.pid, whereabouts::stopped);
    t->known = t->kept = true;
    return {};
  }

  /// Lets every thread run on, its registers clean, whatever state it is in; a signal that it stopped for is delivered. Waits
  /// until each has stopped for it. Nothing happens if nothing is traced. A launched command stays this process' child.
  void detach() noexcept {
    if (this->pid_ == 0) return;
    this->let_all_go();
    end();
  }
  /// SIGKILL for the process; wait() says when it has ended.
  void kill() noexcept {
    if (this->pid_ != 0) (void)::kill(this->pid_, SIGKILL);
  }

  /// How a trap gets to the manager: f(argument, cpu, frame) calls slots.on(cpu).trap(frame) and returns what that left
  /// (trap_result::rest); if it is not 0, the thread gets its SIGTRAP when it goes on. Called by wait(), and by a verb's
  /// cross-call for a thread whose trap was waiting: before that thread's registers change. Needed before the first breakpoint is
  /// registered; lnx::connect() is the usual one.
  using trap_call = std::uint64_t (*)(void* argument, cpu_id cpu, frame& f);
  constexpr void on_trap(trap_call f, void* argument) noexcept {
    on_trap_ = f;
    argument_ = argument;
  }

  /// wait() returns `woken` while this descriptor is readable: a signalfd, standard input, an epoll set. -1 for none.
  constexpr void wake_on(int fd) noexcept { this->sleep_.also(fd); }

  /// The next event; `nothing` after timeout_ms (-1: never). With nothing traced: `ended`.
  [[nodiscard]] event wait(int timeout_ms = -1) noexcept {
    BOOKEND_ASSERT(!dispatching_, "wait() in a handler");
    this->forget_the_told();
    // A process that never stops trapping must not keep the program from hearing its user.
    if (++turns_ % 16 == 0 && this->sleep_.called()) return {.what = happened::woken};
    const std::int64_t until = now_ms() + timeout_ms;
    for (;;) {
      if (tracee* const t = this->oldest_report()) return tell(*t);
      if (this->crowded_ != 0) {
        const int tid = this->crowded_;
        this->crowded_ = 0;
        return {.what = happened::crowded, .tid = tid, .cpu = MaxThreads};
      }
      if (this->over()) {
        const event e{.what = happened::ended, .tid = this->pid_, .cpu = MaxThreads, .status = this->status_};
        if (this->pid_ != 0) end();
        return e;
      }
      if (this->sweep()) continue;
      using enum child_signal::woke;
      switch (this->sleep_.sleep(timeout_ms < 0 ? -1 : until > now_ms() ? until - now_ms() : 0)) {
        case child:
          break;
        case timeout:
          return {};
        case descriptor:
          return {.what = happened::woken};
        case handler:
          return {.what = happened::interrupted};
      }
    }
  }

  /// Lets a thread go on that an event named, with the signal that it stopped for, or that stop() holds. Nothing happens to any
  /// other.
  void resume(int tid) noexcept {
    tracee* const t = find(tid);
    if (t == nullptr || !t->kept) return;
    t->kept = false;
    this->settle(*t);
  }
  /// The same with another signal, 0 for none, in place of that of a `trap` or `signal` event. Elsewhere the kernel takes none.
  void resume(int tid, int signal) noexcept {
    tracee* const t = find(tid);
    if (t != nullptr && t->kept && t->report == happened::nothing) t->signal = signal;
    resume(tid);
  }
  /// Stops a thread until resume(), for the views' verbs: slots.on(cpu_of(tid)).disable(b). A trap that was waiting is dispatched
  /// first. False if it is gone.
  bool stop(int tid) noexcept {
    tracee* const t = find(tid);
    if (t == nullptr) return false;
    with_stopped(
        cpumask<MaxThreads>::of(this->threads_.number(*t)),
        [](void* at, cpu_id) noexcept { static_cast<tracee*>(at)->kept = true; }, t);
    return t->stopped();
  }

  [[nodiscard]] int pid() const noexcept { return this->pid_; }
  /// The thread's number, MaxThreads if it is not traced.
  [[nodiscard]] cpu_id cpu_of(int tid) noexcept {
    const tracee* const t = find(tid);
    return t != nullptr ? this->threads_.number(*t) : MaxThreads;
  }
  /// 0 if no thread has that number.
  [[nodiscard]] int tid_of(cpu_id cpu) noexcept { return this->threads_[cpu].tid; }

  /// The tids that attach(), launch() or a `started` have brought and no `exited` has taken: `for (int tid : tracee.threads())`.
  /// Good until the next wait().
  [[nodiscard]] thread_list threads() const noexcept { return {this->threads_.begin(), this->threads_.end()}; }

  /// Stops the threads of a mask, hands on the traps that were waiting there, runs f(argument, number) for each number, and lets
  /// go on those that nobody else keeps. Not in a handler.
  void with_stopped(const cpumask<MaxThreads>& mask, call f, void* argument) noexcept {
    BOOKEND_ASSERT(!dispatching_, "an everywhere verb in a handler");
    this->stop_those([&](const tracee& t) { return mask.test(this->threads_.number(t)); });
    for (cpu_id cpu : mask) {
      tracee& t = this->threads_[cpu];
      // Its trap may be waiting here, or its signal be still to come: then DR6 tells.
      if (t.stopped() && (t.trap || t.hits() != 0)) {
        if (t.report == happened::trap) t.report = happened::nothing;
        dispatch(t);
      }
      f(argument, cpu);
    }
    this->release_all();
  }

 private:
  void begin(int pid) noexcept {
    this->pid_ = pid;
    this->status_ = 0;
    this->sleep_.open();
    detail::note_traced(pid);
  }
  void end() noexcept {
    detail::note_free(this->pid_);
    this->threads_.clear();
    this->pid_ = this->crowded_ = 0;
    this->sleep_.close();
  }

  void dispatch(tracee& t) noexcept {
    BOOKEND_ASSERT(on_trap_ != nullptr, "a trap before on_trap()");
    const bool signal_is_here = t.trap;
    t.trap = false;
    dispatching_ = true;
    frame f{t.tid};
    const std::uint64_t rest = on_trap_(argument_, this->threads_.number(t), f);
    dispatching_ = false;
    if (signal_is_here) t.signal = rest != 0 ? SIGTRAP : 0;
  }

  event tell(tracee& t) noexcept {
    const event e{.what = t.report, .tid = t.tid, .cpu = this->threads_.number(t), .signal = t.signal};
    t.report = happened::nothing;
    t.known = true;
    t.told = e.what == happened::exited;
    t.kept = !t.told;
    if (t.trap) dispatch(t);
    return e;
  }

  /// Null for a thread that is not traced.
  tracee* find(int tid) noexcept { return tid > 0 ? this->threads_.find(tid) : nullptr; }

  trap_call on_trap_ = nullptr;
  void* argument_ = nullptr;
  bool dispatching_ = false;
  unsigned turns_ = 0;
};

}  // namespace bookend::lnx
