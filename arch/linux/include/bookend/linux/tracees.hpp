// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/tracees.hpp — the threads of one traced process, and what waitpid says of them.
#pragma once
#include <bookend/linux/child_signal.hpp>
#include <bookend/linux/proc.hpp>
#include <bookend/linux/thread_table.hpp>
#include <bookend/linux/tracee.hpp>

namespace bookend::lnx {

/// Turns statuses into states and reports. Knows nothing of slots or handlers. Each thread is waited for by its id, so that no
/// other child's status is taken from the program.
template <unsigned MaxThreads>
class tracees {
 protected:
  /// Takes the statuses that there are, of stopped threads too: they can be killed. True if there was one.
  bool sweep() noexcept {
    bool any = false;
    for (tracee& t : threads_)
      if (t.tid != 0 && !t.reaped) any = collect(t) || any;
    return any;
  }
  /// Waits for one more status, or a little.
  void sweep_or_sleep() noexcept {
    if (!sweep()) (void)sleep_.sleep(-1);
  }

  /// All the threads named are stopped or gone when it returns, and stay so while `wanted`.
  template <class Which>
  void stop_those(Which which) noexcept {
    for (tracee& t : threads_)
      if (t.tid != 0 && which(t)) {
        t.wanted = true;
        t.interrupt();
      }
    const auto pending = [&] {
      for (const tracee& t : threads_)
        if (t.tid != 0 && t.wanted && t.at_large()) return true;
      return false;
    };
    while (pending()) sweep_or_sleep();
  }
  /// The opposite: those go on that nobody else keeps.
  void release_all() noexcept {
    for (tracee& t : threads_) {
      t.wanted = false;
      settle(t);
    }
  }

  /// It goes on unless somebody needs it stopped.
  void settle(tracee& t) noexcept {
    if (t.stopped() && t.report == happened::nothing && !t.kept && !t.wanted) t.go();
  }
  tracee* add(int tid, whereabouts where) noexcept {
    tracee* const t = threads_.add(tid);
    if (t != nullptr) t->where = where;
    return t;
  }
  void say(tracee& t, happened what) noexcept {
    t.report = what;
    t.since = ++reports_;
  }

  /// The first that was said and has not been told. Null: none.
  tracee* oldest_report() noexcept {
    tracee* oldest = nullptr;
    for (tracee& t : threads_)
      if (t.tid != 0 && t.report != happened::nothing && (oldest == nullptr || t.since - oldest->since > ~0u / 2)) oldest = &t;
    return oldest;
  }

  /// Their numbers are free once the program has had its time to take them offline.
  void forget_the_told() noexcept {
    for (tracee& t : threads_)
      if (t.tid != 0 && t.told && t.reaped) threads_.remove(t);
  }
  /// No thread is left, and no status to come.
  [[nodiscard]] bool over() const noexcept {
    for (const tracee& t : threads_)
      if (t.tid != 0 && !t.reaped) return false;
    return true;
  }
  /// A seized thread without a number, at its next stop.
  static void free_stranger(int tid) noexcept {
    if (waitpid(tid, nullptr, __WALL) == tid) (void)ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
  }

  thread_table<tracee, MaxThreads> threads_;
  child_signal sleep_;
  int pid_ = 0;
  int status_ = 0;   // of the process, once it has ended
  int crowded_ = 0;  // the last thread that found no number
  std::uint32_t reports_ = 0;

 private:
  bool collect(tracee& t) noexcept {
    int status = 0;
    const int got = waitpid(t.tid, &status, WNOHANG | __WALL);
    if (got == 0) return false;
    if (got < 0) {                           // ended in another thread's exec, which leaves no status
      if (threads_.find(pid_) == nullptr) {  // or called it, and has the first thread's id now
        t.tid = pid_;
        return true;
      }
      t.reaped = true;
      bury(t);
    } else {
      took(t, status);
    }
    return true;
  }

  void took(tracee& t, int status) noexcept {
    const bool first = t.where == whereabouts::starting;
    const stop why = stop_of(status);
    if (why == stop::dead) {
      if (t.tid == pid_ || status_ == 0) status_ = status;
      t.reaped = true;
      return bury(t);
    }
    if (why == stop::exit) {
      bury(t);
      (void)ptrace(PTRACE_CONT, t.tid, nullptr, nullptr);
      return;
    }
    t.where = whereabouts::stopped;
    t.group = why == stop::group;
    if (why == stop::clone) made_thread(t);
    if (why == stop::exec) became_another(t);
    if (why == stop::signalled) got_signal(t, WSTOPSIG(status));
    if (first) {
      if (status_of_thread(t.tid).process == pid_) {
        say(t, happened::started);
      } else {  // another process that shares a clone() flag with a thread
        t.let_free();
        return threads_.remove(t);
      }
    }
    settle(t);
  }

  void bury(tracee& t) noexcept {
    if (t.where == whereabouts::gone) return;
    t.where = whereabouts::gone;
    t.kept = t.trap = false;
    if (t.known) return say(t, happened::exited);
    t.report = happened::nothing;  // it never started, as far as the program knows
    t.told = true;
  }

  void made_thread(const tracee& parent) noexcept {
    unsigned long message = 0;
    (void)ptrace(PTRACE_GETEVENTMSG, parent.tid, nullptr, &message);
    const int tid = static_cast<int>(message);
    if (tid == 0 || threads_.find(tid) != nullptr || add(tid, whereabouts::starting) != nullptr) return;
    if (status_of_thread(tid).process == pid_) crowded_ = tid;
    free_stranger(tid);
  }

  /// Whichever thread called exec, it now has the first one's id, and all others are gone.
  void became_another(tracee& t) noexcept {
    for (tracee& other : threads_)
      if (other.tid != 0 && &other != &t) bury(other);
    t.trap = t.told = false;
    t.known = true;
    say(t, happened::exec);
  }

  void got_signal(tracee& t, int signal) noexcept {
    siginfo_t info{};
    const bool trap = signal == SIGTRAP && ptrace(PTRACE_GETSIGINFO, t.tid, nullptr, &info) == 0 &&
                      (info.si_code == TRAP_HWBKPT || info.si_code == TRAP_TRACE);
    if (trap && t.hits() != 0) {
      t.trap = true;
      return say(t, happened::trap);
    }
    // Only debug registers cause the one, and they are ours: it was dispatched before its signal came.
    if (trap && info.si_code == TRAP_HWBKPT) return;
    t.signal = signal;
    say(t, happened::signal);
  }
};

}  // namespace bookend::lnx
