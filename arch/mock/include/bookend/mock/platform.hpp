// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/platform.hpp — a simulated kernel, which checks how it is called.
#pragma once
#include <bookend/mock/backend.hpp>
#include <bookend/platform.hpp>

namespace bookend::mock {

/// Told when the caller of a platform breaks its contract. Without one, a broken contract is an assertion.
struct complaint_desk {
  void* context = nullptr;
  void (*file)(void* context, const char* text) noexcept = nullptr;
};

/// All CPUs of a kernel, simulated by one host thread: one of them runs at a time, a cross-call runs at once, and only traps
/// interrupt. Both ways to say where one is exist: this_cpu() and CPU numbers. Checked, and reported with its text:
///   lock       thread context only (no guard, no trap), and not while it is held
///   guard      tokens come back in the reverse order, on the CPU that gave them
///   this_cpu   under the guard or in a trap
///   post_on    under the guard or in a trap
///   run_on     lock held, no guard, only online CPUs, not inside a cross-call or a trap
template <unsigned Cpus>
class platform {
 public:
  static constexpr unsigned max_cpus = Cpus;
  static constexpr bool cpus_are_numbers = true;

  constexpr void lock() noexcept {
    expect(!locked_, "lock() while it is held");
    expect(thread_context(), "lock() outside thread context");
    locked_ = true;
  }
  constexpr bool try_lock() noexcept {
    expect(thread_context(), "try_lock() outside thread context");
    if (locked_) return false;
    return locked_ = true;
  }
  constexpr void unlock() noexcept {
    expect(locked_, "unlock() while it is free");
    locked_ = false;
  }
  constexpr unsigned traps_off() noexcept { return guards_[current_]++; }
  constexpr void traps_restore(unsigned token) noexcept {
    expect(guards_[current_] == token + 1, "traps_restore() in another order, or on another CPU, than traps_off()");
    guards_[current_] = token;
  }
  constexpr cpu_id this_cpu() const noexcept {
    expect(!thread_context(), "this_cpu() without the guard: the thread may migrate");
    return current_;
  }
  constexpr void run_on(const cpumask<Cpus>& mask, call f, void* argument) noexcept {
    expect(locked_, "run_on() without the lock");
    expect(thread_context(), "run_on() outside thread context");
    expect((mask - online_).none(), "run_on() with a CPU that is offline");
    for (cpu_id cpu : mask) {
      const place here = enter_guard(cpu);
      f(argument, cpu);
      leave_guard(here);
    }
  }
  /// Noted, and answered when the test says so: as late as on a machine whose CPUs have other things to do.
  constexpr void post_on(const cpumask<Cpus>& mask) noexcept {
    expect(!thread_context(), "post_on() without the guard");
    posted_ |= mask;
  }
  constexpr bool may_watch(side s, range r) const noexcept {
    if (denied_.length != 0 && r.overlaps(denied_)) return false;
    return s == side::kernel || user_end_ == 0 || r.last() < user_end_;
  }

  // What a test holds in its hand.

  /// The CPUs that answer cross-calls.
  [[nodiscard]] constexpr const cpumask<Cpus>& online() const noexcept { return online_; }
  constexpr void set_online(cpu_id cpu, bool yes) noexcept { yes ? online_.set(cpu) : online_.clear(cpu); }
  /// The CPUs that were asked by post_on() and have not answered.
  [[nodiscard]] constexpr const cpumask<Cpus>& posted() const noexcept { return posted_; }
  constexpr void answered(cpu_id cpu) noexcept { posted_.clear(cpu); }
  /// Nobody may watch these bytes: where this kernel's trap entry would be.
  constexpr void deny(range r) noexcept { denied_ = r; }
  /// The first address that a user may not watch; 0, as at first: all are theirs.
  constexpr void user_space_ends_at(std::uint64_t address) noexcept { user_end_ = address; }
  /// Thread context moves to another CPU, as a scheduler would do.
  constexpr void migrate(cpu_id cpu) noexcept {
    expect(thread_context(), "migration under the guard");
    current_ = cpu;
  }
  [[nodiscard]] constexpr bool locked() const noexcept { return locked_; }
  [[nodiscard]] constexpr unsigned guard_depth(cpu_id cpu) const noexcept { return guards_[cpu]; }
  [[nodiscard]] constexpr unsigned trap_depth(cpu_id cpu) const noexcept { return traps_[cpu]; }
  constexpr void complain_to(complaint_desk desk) noexcept { desk_ = desk; }
  constexpr void expect(bool kept, const char* text) const noexcept {
    if (kept) return;
    BOOKEND_ASSERT(desk_.file != nullptr, "a contract of platform.hpp is broken");
    desk_.file(desk_.context, text);
  }

  // Contexts, for whoever drives the CPUs. What enter_*() returns goes to the matching leave_*(), latest first.
  struct place {
    cpu_id cpu;
    bool in_call;
  };
  /// The scheduler's, or a cross-call's: guarded. Not from within a trap.
  constexpr place enter_guard(cpu_id cpu) noexcept {
    const place was = enter(cpu);
    expect(traps_[cpu] == 0, "a task switch or cross-call inside a trap");
    ++guards_[cpu];
    return was;
  }
  constexpr void leave_guard(place was) noexcept {
    --guards_[current_];
    leave(was);
  }
  /// A debug trap or NMI, whatever was going on there.
  constexpr place enter_trap(cpu_id cpu) noexcept {
    const place was = enter(cpu);
    ++traps_[cpu];
    return was;
  }
  constexpr void leave_trap(place was) noexcept {
    --traps_[current_];
    leave(was);
  }

 private:
  constexpr bool thread_context() const noexcept { return !in_call_ && traps_[current_] == 0 && guards_[current_] == 0; }
  constexpr place enter(cpu_id cpu) noexcept {
    const place was{current_, in_call_};
    current_ = cpu;
    in_call_ = true;
    return was;
  }
  constexpr void leave(place was) noexcept {
    current_ = was.cpu;
    in_call_ = was.in_call;
  }

  cpumask<Cpus> online_{};
  cpumask<Cpus> posted_{};
  unsigned guards_[Cpus]{};
  unsigned traps_[Cpus]{};
  cpu_id current_ = 0;
  bool in_call_ = false;
  bool locked_ = false;
  range denied_{};
  std::uint64_t user_end_ = 0;
  complaint_desk desk_{};
};

/// Simulated registers and simulated kernel in one: what `slot_manager` asks for.
template <unsigned Cpus, unsigned Slots, unsigned Pools = 1, bool Fallible = false>
struct system : backend<Cpus, Slots, Pools, Fallible>, platform<Cpus> {};

/// One that also knows which task is current where: the abilities current_task() and cpus_of(). The scheduler notes each switch,
/// with a null task for "none". For `machine_of<system_with_tasks<2, 4>>`.
template <unsigned Cpus, unsigned Slots, unsigned Pools = 1, bool Fallible = false>
struct system_with_tasks : system<Cpus, Slots, Pools, Fallible> {
  constexpr void note_current(cpu_id cpu, void* task) noexcept { tasks_[cpu] = task; }
  template <class Task>
  Task* current_task(cpu_id cpu) const noexcept {
    return static_cast<Task*>(tasks_[cpu]);
  }
  template <class Task>
  constexpr cpumask<Cpus> cpus_of(const Task& task) const noexcept {
    cpumask<Cpus> m;
    for (cpu_id cpu = 0; cpu < Cpus; ++cpu)
      if (tasks_[cpu] == &task) m.set(cpu);
    return m;
  }

 private:
  void* tasks_[Cpus]{};
};

}  // namespace bookend::mock
