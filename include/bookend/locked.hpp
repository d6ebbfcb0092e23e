// SPDX-License-Identifier: MIT
// include/bookend/locked.hpp — several everywhere verbs as one: nobody's verb comes in between.
#pragma once
#include <bookend/slot_manager.hpp>

namespace bookend {

template <system System>
class by_priority;

/// Holds the owner lock for as long as it lives, and offers the verbs that act everywhere meanwhile; the slot_manager's own would
/// wait for themselves. What layers are made of (group.hpp, shared.hpp). Thread context, as for any of those verbs; the scope is
/// as short as it can be. Each verb refuses and promises what it does on the manager, and is told to the observer.
template <class System>
class [[nodiscard]] locked {
  using manager = slot_manager<System>;

 public:
  using mask = typename manager::mask;
  using kernel_breakpoint = typename manager::kernel_breakpoint;
  using user_breakpoint = typename manager::user_breakpoint;
  using task = typename manager::task;

  explicit locked(manager& on) noexcept : slots_(on) { slots_.begin(); }
  explicit locked(by_priority<System>&) = delete;  // whose verbs do more than these
  ~locked() { slots_.disown(); }
  locked(const locked&) = delete;
  locked& operator=(const locked&) = delete;

  [[nodiscard]] refusal register_breakpoint(kernel_breakpoint& b, const request& r, const mask& cpus, start how) noexcept {
    return told(verb::register_breakpoint, b, slots_.do_register(b, r, cpus, how));
  }
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, start how) noexcept {
    return told(verb::register_breakpoint, b, slots_.do_register(b, t, r, how));
  }
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, pinned where, start how) noexcept {
    return told(verb::register_breakpoint, b, slots_.do_register(b, t, r, where, how));
  }
  template <class Breakpoint>
  refusal unregister_breakpoint(Breakpoint& b) noexcept {
    return told(verb::unregister_breakpoint, b, slots_.do_unregister(b));
  }
  template <class Breakpoint>
  refusal enable(Breakpoint& b) noexcept {
    return told(verb::enable, b, slots_.do_set_on(b, true));
  }
  template <class Breakpoint>
  refusal disable(Breakpoint& b) noexcept {
    return told(verb::disable, b, slots_.do_set_on(b, false));
  }

  /// How many slots of each pool have been asked for before.
  struct weight {
    unsigned of[pool_count<System>]{};
  };
  /// What registering would be refused for, other than hardware, if what is in `before` had been registered for the same CPUs
  /// first. Where it would be granted, `before` has it, too, from then on. Changes nothing else, and tells the observer of
  /// refusals only.
  [[nodiscard]] refusal ask(const kernel_breakpoint& b, const request& r, const mask& cpus, weight& before) noexcept {
    return asked(b, side::kernel, r, cpus.none() ? reason::empty_mask : reason::granted, before,
                 [&](unsigned pool, unsigned more) { return slots_.room(pool, cpus, more); });
  }
  /// The same for the same task, and wide.
  [[nodiscard]] refusal ask(const user_breakpoint& b, task& t, const request& r, weight& before) noexcept {
    return asked(b, side::user, r, reason::granted, before,
                 [&](unsigned pool, unsigned more) { return slots_.room(t, pool, 0, more); });
  }
  /// ... and pinned to the same CPU.
  [[nodiscard]] refusal ask(const user_breakpoint& b, task& t, const request& r, pinned where, weight& before) noexcept {
    const refusal bad = where.cpu >= System::max_cpus ? refusal{reason::bad_cpu, where.cpu} : refusal{};
    return asked(b, side::user, r, bad, before,
                 [&](unsigned pool, unsigned more) { return slots_.room(t, pool, where.cpu + 1, more); });
  }

  /// When it returns, every handler that ran on one of these CPUs when it was called has returned: what such a handler may have
  /// found is nobody's any more. One cross-call, which never runs inside a trap; no register is written.
  void wait_for_handlers(const mask& cpus) noexcept {
    (void)slots_.run(cpus, [](row<System>&, cpu_id) { return true; });
  }

 private:
  template <class Breakpoint>
  refusal told(verb what, const Breakpoint& b, const refusal& no) noexcept {
    return slots_.told(what, b.name(), no);
  }
  template <class Breakpoint, class Room>
  refusal asked(const Breakpoint& b, side who, const request& r, const refusal& bad, weight& before, Room room) noexcept {
    const refusal no = [&]() -> refusal {
      if (!b.idle()) return reason::already_registered;
      if (bad) return bad;
      const auto encoded = slots_.accepted(who, r);
      if (!encoded) return encoded.why();
      const unsigned pool = slots_.pool_of(encoded.value());
      const refusal full = room(pool, before.of[pool] + 1);
      if (!full) ++before.of[pool];
      return full;
    }();
    return no ? told(verb::register_breakpoint, b, no) : no;
  }
  manager& slots_;
};

}  // namespace bookend
