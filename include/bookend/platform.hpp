// SPDX-License-Identifier: MIT
// include/bookend/platform.hpp — the contract of the kernel (hypervisor, emulator, debugger) that includes bookend.
#pragma once
#include <bookend/backend.hpp>

namespace bookend {

/// What run_on() runs on each CPU: the argument given, and the CPU it runs on.
using call = void (*)(void* argument, cpu_id cpu) noexcept;

/// The including system. Checked by tests/conformance/platform_suite.hpp:
///   max_cpus          CPUs are 0 to max_cpus-1; a constant, since it sizes arrays. "Every CPU" is all of them, online or not.
///   frame             the trap frame that step_past() changes.
///   lock, unlock      the owner lock. Thread context only. Whoever waits for it or holds it keeps serving its own CPU's
///                     cross-calls: a lock with interrupts off around a waiting cross-call is a deadlock of two CPUs.
///   traps_off         the guard: until traps_restore(token) there is no cross-call, task switch or migration on this CPU. It
///                     nests, and need not (cannot) hold off debug traps and NMI.
///   run_on            runs f(argument, cpu) once on each CPU of the mask, under the guard, never inside a trap dispatch or a
///                     task switch, and returns when all have run. Called with the owner lock held (or its shared side:
///                     has_stripes), and only with CPUs that are online. Stores before it are seen in it; stores in it are seen
///                     after it.
///   may_watch         may this side watch these bytes? User requests: user addresses only, both ends (the range never wraps).
///                     Everybody: not what runs while a debug trap is delivered (entry code, descriptor tables, stacks).
///   step_past         lets the interrupted instruction run once without its execution breakpoints (x86: RF).
template <class P>
concept platform =
    requires(P p, typename P::frame& f, const cpumask<P::max_cpus>& mask, call fn, void* argument, side s, range r) {
      requires(P::max_cpus > 0);
      p.lock();
      p.unlock();
      p.traps_restore(p.traps_off());
      p.run_on(mask, fn, argument);
      { p.may_watch(s, r) } -> std::same_as<bool>;
      p.step_past(f);
    };

/// One object is the machine and the kernel together: `struct os : bookend::native_backend { ... };`
template <class S>
concept system = backend<S> && platform<S>;

// Abilities that a platform may have. Asked for by concept, never assumed.

/// The code that calls runs on one of the CPUs, every verb's caller too: `slots.here()` exists. this_cpu() is called under the
/// guard.
template <class P>
concept has_this_cpu = requires(P p) {
  { p.this_cpu() } -> std::same_as<cpu_id>;
};
/// CPUs are numbers that the calling code drives (vCPUs, traced threads): `slots.on(cpu)` exists.
template <class P>
concept cpus_are_numbers = P::cpus_are_numbers;
/// The owner lock can be tried: the try_ forms exist.
template <class P>
concept has_try_lock = requires(P p) {
  { p.try_lock() } -> std::same_as<bool>;
};
/// User verbs of different tasks need not wait for each other: the owner lock has a shared side, which is theirs (see
/// stripes.hpp). For systems of many CPUs whose tasks register often. Without it every verb takes lock(): the better default,
/// since a verb that meets no other costs a third less so.
///   stripes           how many may be on the shared side at once; a constant, since it sizes an array of cache lines. As many as
///                     CPUs, or some fewer: an exclusive verb visits each.
///   stripe            where to begin to look for a free one, below `stripes`: this CPU's. Thread context, no guard: a hint.
///   relax             called again and again by whoever waits for another on the shared side: serves this CPU's cross-calls, and
///                     lets others run. Thread context, the owner lock held or not.
/// Then run_on() is called by several threads at once, with or without the lock held, and on_verb() too. On machines whose
/// register writes can fail the shared side is not used.
template <class P>
concept has_stripes = requires(P p) {
  requires(P::stripes > 0);
  { p.stripe() } -> std::same_as<unsigned>;
  p.relax();
};
/// The shared side exists.
template <class S>
inline constexpr bool can_share = has_stripes<S> && !can_fail<S>;
/// Narrows the cross-calls of a user breakpoint to CPUs where its task may be running. Without it: every online CPU. Every CPU
/// where the task is current, or is being switched in or out, must be in the answer: the scheduler stores what cpus_of() reads
/// before it calls switch_to(), with a full barrier between (the store and the loads in switch_to must not pass each other).
template <class P, class Task>
concept has_cpus_of = requires(P p, const Task& t) {
  { p.cpus_of(t) } -> std::convertible_to<cpumask<P::max_cpus>>;
};
/// Says which task is current on a CPU (null: none with watches). With it, switch_to() writes nothing for tasks without watches.
template <class P, class Task>
concept has_current_task = requires(P p, cpu_id cpu) {
  { p.template current_task<Task>(cpu) } -> std::same_as<Task*>;
};
/// Asks CPUs to call `slots.here().sync()` soon, under the guard and not inside a trap, and does not wait: post_on(mask). With
/// it, and a machine that cannot fail, `slots.post()` exists, in the contexts where post_on() may be called: trap handlers by all
/// means, NMI if it can. The mask may name the calling CPU, and CPUs that are going offline (they need not answer). Requests to
/// one CPU may merge; one that comes while it answers another makes it answer again. Stores before it are seen by the answer.
template <class P>
concept has_post_on = requires(P p, const cpumask<P::max_cpus>& mask) { p.post_on(mask); };
/// The posted scope exists.
template <class S>
inline constexpr bool can_post = has_post_on<S> && !can_fail<S>;

/// What an observer is told: a verb that acted everywhere, on whom, and with what outcome. For tracepoints and logs.
enum class verb : std::uint8_t {
  register_breakpoint,
  unregister_breakpoint,
  enable,
  disable,
  modify,
  move,
  fork,
  flush,
  online,
  offline,
  withhold
};
struct event {
  verb what;
  const char* name;  ///< the breakpoint's; "" for tasks and CPUs
  refusal outcome;
};
/// on_verb(event) is called at the end of each everywhere verb, thread context, owner lock (or its shared side) held. It must not
/// call verbs.
template <class P>
concept has_observer = requires(P p, const event& e) { p.on_verb(e); };

/// The watched addresses are another address space's (ptrace): the manager need not refuse watches on itself.
template <class P>
concept watches_elsewhere = P::watches_elsewhere;

/// A system of one host thread that names its CPUs by number: an emulator, a test. No lock, no guard, cross-calls are calls.
template <unsigned Cpus>
struct single_thread {
  static constexpr unsigned max_cpus = Cpus;
  static constexpr bool cpus_are_numbers = true;
  static constexpr void lock() noexcept {}
  static constexpr bool try_lock() noexcept { return true; }
  static constexpr void unlock() noexcept {}
  static constexpr bool traps_off() noexcept { return false; }
  static constexpr void traps_restore(bool) noexcept {}
  static constexpr void run_on(const cpumask<Cpus>& mask, call f, void* argument) noexcept {
    for (cpu_id cpu : mask) f(argument, cpu);
  }
};

}  // namespace bookend
