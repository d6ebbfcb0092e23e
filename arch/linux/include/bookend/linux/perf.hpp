// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/perf.hpp — a system for a program that watches itself: each of its threads is a CPU.
#pragma once
#include <bookend/linux/cross_call.hpp>
#include <bookend/linux/perf_registers.hpp>
#include <ucontext.h>

namespace bookend::lnx {

/// The third argument of a SIGTRAP handler, as a trap frame.
struct signal_frame {
  ucontext_t* context = nullptr;

  /// After a data hit: the instruction after the one that hit. At an execution hit: that instruction.
  [[nodiscard]] std::uint64_t ip() const noexcept { return static_cast<std::uint64_t>(context->uc_mcontext.gregs[REG_RIP]); }
  /// Lets it run that instruction without its execution breakpoints. (Linux does so too.)
  void step_past() const noexcept { context->uc_mcontext.gregs[REG_EFL] |= static_cast<greg_t>(x86::resume_flag); }
};

/// Backend and platform together: slot_manager<lnx::perf_system<64>>. A program says how its traps get to the manager, once:
///   lnx::perf_system<64>::listen([](int, siginfo_t*, void* context) {
///     lnx::signal_frame f{static_cast<ucontext_t*>(context)};
///     slots.here().trap(f);
///   });
/// Each thread that calls a verb or is to be watched joins; those to be watched come online, and go offline before they leave.
/// Cross-calls are signals (SIGRTMIN), so a thread that is online does not block it. The handler runs with SIGTRAP and SIGRTMIN
/// blocked: what it touches itself while it is watched comes as a trap of its own behind it, so it is not for watching.
template <unsigned MaxThreads>
class perf_system : public user_space<perf_registers<MaxThreads>> {
 public:
  static constexpr unsigned max_cpus = MaxThreads;
  using frame = signal_frame;
  using handler = void (*)(int, siginfo_t*, void*);

  constexpr perf_system() noexcept = default;
  perf_system(const perf_system&) = delete;
  perf_system& operator=(const perf_system&) = delete;

  /// Installs the handlers of SIGTRAP and SIGRTMIN for the process.
  static void listen(handler on_trap) noexcept {
    struct sigaction a{};
    a.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaddset(&a.sa_mask, SIGRTMIN);
    a.sa_sigaction = on_trap;
    sigaction(SIGTRAP, &a, nullptr);
    a.sa_sigaction = [](int, siginfo_t*, void*) {
      const int kept = errno;
      if (here_.system != nullptr) here_.system->mail_[here_.cpu].serve(here_.cpu);
      errno = kept;
    };
    sigaction(SIGRTMIN, &a, nullptr);
  }

  /// Gives the calling thread a number, and so makes it a CPU. MaxThreads if there is none left. Precondition: it has none.
  cpu_id join() noexcept {
    BOOKEND_ASSERT(here_.system == nullptr, "a thread joined twice");
    lock();
    auto* const b = this->threads_.add(static_cast<int>(syscall(SYS_gettid)));
    if (b != nullptr) here_ = {this, this->threads_.number(*b)};
    unlock();
    return b != nullptr ? here_.cpu : MaxThreads;
  }
  /// Gives its number and its registers back. Precondition: it is offline.
  void leave() noexcept {
    lock();
    auto& b = this->threads_[this_cpu()];
    here_ = {};
    b.close();
    this->threads_.remove(b);
    unlock();
  }

  // The platform.

  /// Precondition: this thread has joined.
  [[nodiscard]] cpu_id this_cpu() const noexcept {
    BOOKEND_ASSERT(here_.system == this, "this thread has not joined");
    return here_.cpu;
  }
  void lock() noexcept { lock_.lock(); }
  bool try_lock() noexcept { return lock_.try_lock(); }
  void unlock() noexcept { lock_.unlock(); }
  bool traps_off() noexcept {
    mail_[this_cpu()].guard();
    return true;
  }
  void traps_restore(bool) noexcept { mail_[this_cpu()].unguard(this_cpu()); }
  static constexpr bool may_watch(side, range r) noexcept { return r.last() < user_end; }
  static void step_past(const frame& f) noexcept { f.step_past(); }

  void run_on(const cpumask<MaxThreads>& mask, call f, void* argument) noexcept {
    mailbox::letter letter{f, argument, static_cast<int>(mask.count())};
    for (cpu_id cpu : mask) {
      if (here_.system == this && here_.cpu == cpu) continue;
      mail_[cpu].post(letter);
      // A thread that ended without leaving: nobody runs there.
      if (syscall(SYS_tgkill, getpid(), this->threads_[cpu].tid, SIGRTMIN) != 0 && mail_[cpu].withdraw()) letter.run(cpu);
    }
    if (here_.system == this && mask.test(here_.cpu)) letter.run(here_.cpu);
    letter.wait();
  }

 private:
  struct place {
    perf_system* system = nullptr;
    cpu_id cpu = 0;
  };
  static inline thread_local place here_{};

  futex_lock lock_;
  mailbox mail_[MaxThreads]{};
};

}  // namespace bookend::lnx
