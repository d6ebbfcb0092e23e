// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/attachment.hpp — how tracing begins and ends: every thread of the process, without a race.
#pragma once
#include <bookend/linux/tracees.hpp>

namespace bookend::lnx {

/// PTRACE_SEIZE, so that neither attaching nor stopping a thread sends it a signal.
template <unsigned MaxThreads>
class attachment : protected tracees<MaxThreads> {
 protected:
  static constexpr long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

  /// Seizes every thread of the process, those too that it starts meanwhile. On failure the caller lets go.
  error seize_all(int pid) noexcept {
    int failed = 0;
    bool any = false;
    for (bool found = true; found && failed == 0;) {
      found = false;
      each_thread(pid, [&](int tid) {
        if (failed != 0 || this->threads_.find(tid) != nullptr) return;
        const int why = seize(tid, pid, any || found);
        found = found || why == 0;
        if (why != ESRCH) failed = why;  // ESRCH: it ended before its turn
      });
      any = any || found;
      // One that was in clone() when it was seized makes a thread that is not. Once it has stopped, it is out of there.
      this->stop_those([](const tracee&) { return true; });
    }
    if (!any && failed == 0) failed = ESRCH;
    if (failed == 0) this->release_all();
    return {failed};
  }

  /// Lets every thread go, registers clean. One that stopped before its debug trap's signal was delivered is run into that signal
  /// first, which is then dropped.
  void let_all_go() noexcept {
    this->stop_those([](const tracee&) { return true; });
    for (bool more = true; more;) {
      more = false;
      for (tracee& t : this->threads_) {
        t.wanted = true;  // one that was made meanwhile, too
        if (t.stopped() && t.trap_to_come()) {
          clear_debugregs(t.tid);
          t.group = false;  // the kernel stops it again when it is let free
          t.go();
        }
        more = more || t.at_large();
      }
      if (more) this->sweep_or_sleep();
    }
    bool alive = false;
    for (const tracee& t : this->threads_) {
      alive = alive || t.stopped();
      if (t.stopped()) t.let_free();
    }
    // The status of one that is ending is for its tracer only. The first thread's comes when it is the last.
    const auto unreaped = [&] {
      for (const tracee& t : this->threads_)
        if (t.tid != 0 && t.gone() && !t.reaped && (t.tid != this->pid_ || !alive)) return true;
      return false;
    };
    for (int tries = 0; tries < 10 && unreaped(); ++tries) this->sweep_or_sleep();
    this->threads_.clear();
  }

 private:
  int seize(int tid, int pid, bool others) noexcept {
    if (ptrace(PTRACE_SEIZE, tid, nullptr, options) == 0) {
      tracee* const t = this->add(tid, whereabouts::running);
      if (t == nullptr) {
        (void)ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
        this->free_stranger(tid);
        return EUSERS;
      }
      t->known = true;
      return 0;
    }
    const int why = errno;
    const thread_status s = status_of_thread(tid);
    if (s.over()) return ESRCH;
    // Ours already, and not by this system before: made by a thread that has just been seized.
    if (!others || s.tracer != gettid() || s.process != pid) return why;
    return this->add(tid, whereabouts::starting) != nullptr ? 0 : EUSERS;
  }
};

}  // namespace bookend::lnx
