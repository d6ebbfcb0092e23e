// SPDX-License-Identifier: MIT
// include/bookend/slot_manager.hpp — the shelf as its users see it: every verb, from every CPU, all or nothing.
#pragma once
#include <bookend/snapshot.hpp>
#include <bookend/trap.hpp>
#include <bookend/user_side.hpp>

namespace bookend {

template <class System>
class locked;

/// Reserves the debug registers of every CPU of a system, the kernel from the top, the running task from the bottom, first come
/// first served, and writes a register only for a slot that is reserved.
///
/// The verbs here act everywhere. Thread context only: they take the owner lock and wait for cross-calls, so never call them
/// under the guard, from an interrupt, a trap or a handler. For those there are the views here() and on(cpu). Each verb is all
/// or nothing: when it is refused, nothing has changed (hits of CPUs that were armed meanwhile may have been delivered).
/// Reasons that any verb may give: hardware (only if the backend can fail), would_block (only the try_ forms, if the lock is
/// taken). Cost: the ledger's arithmetic and one cross-call to the CPUs concerned; never depends on how many tasks or
/// breakpoints there are. All zero when new. Must outlive its breakpoints and tasks.
template <system System>
class slot_manager : public user_side<System> {
  using base = user_side<System>;

 public:
  using mask = cpumask<System::max_cpus>;
  using kernel_breakpoint = bookend::kernel_breakpoint<System>;
  using user_breakpoint = bookend::user_breakpoint<System>;
  using task = bookend::task<System>;
  using hit = bookend::hit<System>;
  using trap_result = bookend::trap_result<System>;
  using ticket = bookend::ticket<System>;
  using snapshot_type = bookend::snapshot<System>;
  using base::base;

  // Registering takes a slot on each CPU, then arms it (unless it starts disabled).

  /// On every CPU of `cpus`, for whoever runs there. Refused: already_registered; empty_mask; as the backend's encode() says
  /// (misaligned, bad_length, unsupported, ...); forbidden; no_slot, naming the first CPU in the way and what is held there.
  [[nodiscard]] refusal register_breakpoint(kernel_breakpoint& b, const request& r, const mask& cpus = mask::all(),
                                            start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b, [&] { return this->do_register(b, r, cpus, how); });
  }
  /// Wide: wherever `t` runs. Refused as above; a task never competes with another task. The request is checked as the user's.
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b, [&] { return this->do_register(b, t, r, how); }, &t);
  }
  /// Pinned: while `t` runs on one CPU. Also refused as bad_cpu.
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, pinned where,
                                            start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b.name(), [&] { return this->do_register(b, t, r, where, how); });
  }
  /// What registering and modify would say of the request itself, slots apart: as encode() says, or forbidden. Any context.
  [[nodiscard]] refusal check(side who, const request& r) noexcept { return this->accepted(who, r).why(); }
  /// Gives the slots back. When it returns, no handler of it runs or will run on any CPU, and its storage is free (user hits
  /// that were collected before may still be delivered: they are values). Refused: not_registered. If a CPU's registers no
  /// longer take writes it says hardware, and the breakpoint is unregistered all the same.
  template <class Breakpoint>
  refusal unregister_breakpoint(Breakpoint& b) noexcept {
    return this->owned(verb::unregister_breakpoint, b, [&] { return this->do_unregister(b); });
  }

  // Reservation kept.

  /// Arms it on all its CPUs, those too that here-verbs had disarmed. Refused: not_registered.
  template <class Breakpoint>
  refusal enable(Breakpoint& b) noexcept {
    return this->owned(verb::enable, b, [&] { return this->do_set_on(b, true); });
  }
  /// Silent on all its CPUs when it returns; the slots stay its own and are handed to nobody. Refused: not_registered.
  template <class Breakpoint>
  refusal disable(Breakpoint& b) noexcept {
    return this->owned(verb::disable, b, [&] { return this->do_set_on(b, false); });
  }
  /// Watches something else from now on, in place: disabled stays disabled, and the slots stay its own unless the new setting
  /// is of another pool, whose slots are then taken first. Refused: not_registered; everything that registering refuses.
  template <class Breakpoint>
  [[nodiscard]] refusal modify(Breakpoint& b, const request& r) noexcept {
    return this->owned(verb::modify, b, [&] { return this->do_modify(b, r); });
  }
  /// Another cpumask: armed on the new CPUs first (if it was last enabled everywhere), then taken from those left out; CPUs in
  /// both see nothing. Refused: not_registered; empty_mask; no_slot.
  [[nodiscard]] refusal move(kernel_breakpoint& b, const mask& cpus) noexcept {
    return this->owned(verb::move, b, [&] { return this->do_move(b, cpus); });
  }

  // The same, for those who would rather not wait for the lock: would_block if it is taken.

  [[nodiscard]] refusal try_register_breakpoint(kernel_breakpoint& b, const request& r, const mask& cpus = mask::all(),
                                                start how = start::enabled) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::register_breakpoint, b, [&] { return this->do_register(b, r, cpus, how); });
  }
  [[nodiscard]] refusal try_register_breakpoint(user_breakpoint& b, task& t, const request& r,
                                                start how = start::enabled) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::register_breakpoint, b, [&] { return this->do_register(b, t, r, how); }, &t);
  }
  [[nodiscard]] refusal try_register_breakpoint(user_breakpoint& b, task& t, const request& r, pinned where,
                                                start how = start::enabled) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::register_breakpoint, b.name(), [&] { return this->do_register(b, t, r, where, how); });
  }
  template <class Breakpoint>
  [[nodiscard]] refusal try_unregister_breakpoint(Breakpoint& b) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::unregister_breakpoint, b, [&] { return this->do_unregister(b); });
  }
  template <class Breakpoint>
  [[nodiscard]] refusal try_enable(Breakpoint& b) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::enable, b, [&] { return this->do_set_on(b, true); });
  }
  template <class Breakpoint>
  [[nodiscard]] refusal try_disable(Breakpoint& b) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::disable, b, [&] { return this->do_set_on(b, false); });
  }
  template <class Breakpoint>
  [[nodiscard]] refusal try_modify(Breakpoint& b, const request& r) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::modify, b, [&] { return this->do_modify(b, r); });
  }
  [[nodiscard]] refusal try_move(kernel_breakpoint& b, const mask& cpus) noexcept
    requires has_try_lock<System>
  {
    return this->tried(verb::move, b, [&] { return this->do_move(b, cpus); });
  }

  // Tasks. The scheduler's own call, switch_to, is on the views.

  /// `child` starts without watches, whatever its bytes hold (they may be a copy of the parent's).
  void on_fork(const task& parent, task& child) noexcept {
    on_fork(parent, child, [](const user_breakpoint&) -> user_breakpoint* { return nullptr; });
  }
  /// The child inherits those of the parent's breakpoints for which `storage_for(parent's)` names an idle object, with its
  /// index, setting and state; null leaves one out. Never refused: what fits the parent fits the child. Before the child first
  /// runs.
  template <class StorageFor>
  void on_fork(const task& parent, task& child, StorageFor storage_for) noexcept {
    (void)this->owned(verb::fork, parent, [&]() -> refusal {
      this->do_fork(parent, child, storage_for);
      return {};
    });
  }
  /// The address space is gone: unregisters all of the task's breakpoints.
  void on_exec(task& t) noexcept {
    (void)this->owned(verb::flush, t, [&] { return this->do_flush(t); });
  }
  /// The same for a task that ends. Its storage is free once it is no longer current anywhere.
  void on_exit(task& t) noexcept { on_exec(t); }

  // CPUs. Reservations count on every CPU of 0 to max_cpus-1, online or not, so coming online never overcommits.

  /// This CPU's registers are the manager's from now on: cleared, then armed with what is registered for it. Nothing happens if
  /// it was online and not silenced. The task running there is loaded by its next switch_to(). Refused: bad_cpu; hardware, and
  /// then it is offline.
  [[nodiscard]] refusal cpu_online(cpu_id cpu) noexcept {
    return this->owned(verb::online, "", [&]() -> refusal {
      if (cpu >= System::max_cpus) return {reason::bad_cpu, cpu};
      this->set_online(cpu, true);
      const auto come = [&](row<System>& r, cpu_id c) {
        if (r.online() && !r.silenced()) return true;
        r.begin_anew();
        if constexpr (can_post<System>) {
          // Whoever has posted before this line is seen below; whoever posts after it sees this CPU online, and asks it again.
          __atomic_thread_fence(__ATOMIC_SEQ_CST);
          // An NMI that posts here from now on either comes before the look, or finds a row that takes posts.
          const quiet_scope<System> nothing_armed(*this, r, c);
          const bool good = r.come_online(this->system_, c);
          r.catch_up(this->system_, c, true);
          return good;
        } else {
          return r.come_online(this->system_, c);
        }
      };
      if (this->run(mask::of(cpu), come).none()) return {};
      this->set_online(cpu, false);
      return {reason::hardware, cpu};
    });
  }
  /// Off, and from now on nothing is written to this CPU; what is registered for it keeps its slots. Refused: bad_cpu. If its
  /// registers no longer take writes it says hardware, and the CPU is offline all the same.
  refusal cpu_offline(cpu_id cpu) noexcept {
    return this->owned(verb::offline, "", [&]() -> refusal {
      if (cpu >= System::max_cpus) return {reason::bad_cpu, cpu};
      if (!this->online_.test(cpu)) return {};
      const mask failed = this->run(mask::of(cpu), [&](row<System>& r, cpu_id c) { return r.go_offline(this->system_, c); });
      this->set_online(cpu, false);
      return this->hardware_on(failed);
    });
  }
  /// Takes slots of one CPU off the shelf for good: it has fewer than System::slots, or a firmware uses one. Before or after it
  /// is online. Refused: bad_cpu; no_slot if the kernel holds one of them, or what is registered would no longer fit.
  [[nodiscard]] refusal withhold(cpu_id cpu, slot_mask slots) noexcept {
    return this->owned(verb::withhold, "", [&] { return this->do_withhold(cpu, slots); });
  }
  /// The CPUs that the manager drives now.
  [[nodiscard]] mask online() noexcept {
    return this->owned([&] { return this->online_; });
  }

  // Looking.

  /// One CPU's slots by value, holders' names included. Precondition: cpu < max_cpus. One cross-call if it is online.
  [[nodiscard]] snapshot_type snapshot(cpu_id cpu) noexcept {
    snapshot_type s;
    this->owned([&] {
      (void)this->run(mask::of(cpu), [&](row<System>& r, cpu_id c) {
        copy(s, r, c);
        return true;
      });
    });
    return s;
  }
  /// Of these CPUs, those where a kernel breakpoint of this pool would not fit now: all of what a no_slot refusal names the
  /// first of.
  [[nodiscard]] mask full(const mask& cpus = mask::all(), unsigned pool = 0) noexcept {
    return this->owned([&] { return this->in_pool(pool, [&](auto& l) { return l.full_kernel(cpus); }); });
  }

  // The posted scope: everywhere without waiting. On kernel breakpoints, where the platform has post_on() and no write can fail.

  /// Any context; what its verbs need stands there.
  [[nodiscard]] post_view<System> post() noexcept
    requires can_post<System>
  {
    return post_view<System>{*this};
  }
  /// True when every online CPU that holds a slot for the ticket's breakpoint has that change or a later one; from then on no
  /// handler is called for what it was before. Any context. A few loads a CPU.
  [[nodiscard]] bool settled(const ticket& t) const noexcept
    requires can_post<System>
  {
    return this->first_behind(t) == System::max_cpus;
  }
  /// Looks whether it is settled, and up to `rounds` times more. would_block names the first CPU that is behind. Any context;
  /// with cross-calls held off, this CPU may be the one that is behind.
  [[nodiscard]] refusal wait(const ticket& t, std::uint32_t rounds) const noexcept
    requires can_post<System>
  {
    for (;; --rounds) {
      const cpu_id behind = this->first_behind(t);
      if (behind == System::max_cpus) return {};
      if (rounds == 0) return {reason::would_block, behind};
    }
  }
  /// Gives back the slots of breakpoints whose unregistering was posted; then they are idle(). Every other everywhere verb does
  /// the same first. Thread context.
  void reap() noexcept
    requires can_post<System>
  {
    this->owned([] {});
  }

  // Views of one CPU. Any context; what each of their verbs needs stands there.

  [[nodiscard]] here_view<System> here() noexcept
    requires has_this_cpu<System>
  {
    return here_view<System>{*this};
  }
  /// Precondition: cpu < max_cpus, and the caller acts for that CPU.
  [[nodiscard]] cpu_view<System> on(cpu_id cpu) noexcept
    requires cpus_are_numbers<System>
  {
    BOOKEND_ASSERT(cpu < System::max_cpus, "no such CPU");
    return {*this, cpu};
  }

 private:
  friend class locked<System>;
};

}  // namespace bookend
