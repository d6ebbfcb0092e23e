// SPDX-License-Identifier: MIT
// include/bookend/by_priority.hpp — the other reservation policy: who has a higher priority may evict those who have agreed to
// it.
#pragma once
#include <bookend/eviction.hpp>

namespace bookend {

/// A slot_manager whose requests have priorities. A request that does not fit as things are is granted if it fits once
/// everybody is evicted who has a lower priority and a callback. They are then asked from the highest priority down, at the
/// same priority the oldest first, and each stays for whom there is room beside the request and those who stay: nobody is
/// evicted in vain, though not always the fewest are. An eviction is whole: a breakpoint keeps all its slots or none. Wherever
/// slots come free, the evicted are asked in the same order, and those that fit come back; who comes back evicts nobody.
///
/// The rest is slot_manager's, with these differences. Every verb owns the lock exclusively. There are no try_ forms, and
/// nothing is unregistered by post; nor are there groups and shared watches. The verbs of the views never evict, and refuse an
/// evicted kernel breakpoint as not_registered. Verbs that this class has must not be called on the base.
/// Cost: slot_manager's; where a request does not fit, or slots come free while somebody is evicted, a walk over those who can
/// be evicted, with the ledger's arithmetic for each. A verb that registers or unregisters one of those looks for its place
/// there.
template <system System>
class by_priority : public eviction<System> {
  using base = eviction<System>;
  using typename base::holder;
  using typename base::wanted;

 public:
  using base::base;
  using typename base::kernel_breakpoint;
  using typename base::mask;
  using typename base::task;
  using typename base::user_breakpoint;

  /// no_slot: it would not fit without everybody who could be evicted for it, either; the refusal counts the others. It counts
  /// nobody when a task has 64 breakpoints, those evicted among them. hardware: who was to make way has its slots again, if its
  /// registers take writes.
  [[nodiscard]] refusal register_breakpoint(kernel_breakpoint& b, const request& r, const mask& cpus = mask::all(),
                                            start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b.name(), [&] {
      const refusal no = this->with_room(b.priority(), wanted{.pool = base::pool_for(r), .cpus = &cpus},
                                         [&] { return this->do_register(b, r, cpus, how); });
      return this->settled_in(b, cpus, no);
    });
  }
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b.name(), [&] { return this->enter(b, t, r, 0, how); });
  }
  [[nodiscard]] refusal register_breakpoint(user_breakpoint& b, task& t, const request& r, pinned where,
                                            start how = start::enabled) noexcept {
    return this->owned(verb::register_breakpoint, b.name(), [&]() -> refusal {
      if (b.idle() && where.cpu >= System::max_cpus) return {reason::bad_cpu, where.cpu};
      return this->enter(b, t, r, where.cpu + 1, how);
    });
  }
  template <class Breakpoint>
  refusal unregister_breakpoint(Breakpoint& b) noexcept {
    return this->owned(verb::unregister_breakpoint, b.name(), [&] { return this->leave(b); });
  }
  template <class Breakpoint>
  refusal enable(Breakpoint& b) noexcept {
    return this->owned(verb::enable, b.name(), [&] { return this->turn_on(b, true); });
  }
  template <class Breakpoint>
  refusal disable(Breakpoint& b) noexcept {
    return this->owned(verb::disable, b.name(), [&] { return this->turn_on(b, false); });
  }
  /// A setting of another pool needs a slot there, and may evict for it.
  [[nodiscard]] refusal modify(kernel_breakpoint& b, const request& r) noexcept {
    return this->owned(verb::modify, b.name(), [&] {
      const mask at = b.cpus();
      const refusal no =
          this->with_room(b.priority(), wanted{.pool = base::pool_for(r), .cpus = &at}, [&] { return this->do_modify(b, r); });
      this->come_back();
      return no;
    });
  }
  [[nodiscard]] refusal modify(user_breakpoint& b, const request& r) noexcept {
    return this->owned(verb::modify, b.name(), [&] { return this->retarget(b, r); });
  }
  /// An evicted one asks anew, and may evict.
  [[nodiscard]] refusal move(kernel_breakpoint& b, const mask& cpus) noexcept {
    return this->owned(verb::move, b.name(), [&] {
      const mask added = cpus - b.cpus();
      const refusal no = this->with_room(b.priority(), wanted{.pool = base::pool_now(b), .cpus = &added},
                                         [&] { return this->do_move(b, cpus); });
      return this->settled_in(b, cpus, no);
    });
  }

  void on_fork(const task& parent, task& child) noexcept {
    on_fork(parent, child, [](const user_breakpoint&) -> user_breakpoint* { return nullptr; });
  }
  /// Evicted ones of the parent are asked for, too: what is inherited of them is evicted, needs a callback, and comes back by
  /// itself.
  template <class StorageFor>
  void on_fork(const task& parent, task& child, StorageFor storage_for) noexcept {
    (void)this->owned(verb::fork, "", [&]() -> refusal {
      this->inherit(parent, child, storage_for);
      return {};
    });
  }
  void on_exec(task& t) noexcept {
    (void)this->owned(verb::flush, "", [&] { return this->flush_all(t); });
  }
  void on_exit(task& t) noexcept { on_exec(t); }

  /// The posted scope without unregistering: who is evicted must be found where it is.
  class lasting_post : post_view<System> {
   public:
    using post_view<System>::post_view;
    using post_view<System>::disable;
    using post_view<System>::enable;
    using post_view<System>::modify;
  };
  [[nodiscard]] lasting_post post() noexcept
    requires can_post<System>
  {
    return lasting_post{*this};
  }

  void try_register_breakpoint() = delete;
  void try_unregister_breakpoint() = delete;
  void try_enable() = delete;
  void try_disable() = delete;
  void try_modify() = delete;
  void try_move() = delete;
};

}  // namespace bookend
