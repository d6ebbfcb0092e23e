// SPDX-License-Identifier: MIT
// include/bookend/shelf.hpp — what the verbs of both sides share: the rows, the ledgers, the owner lock, and all-or-nothing on
// many CPUs.
#pragma once
#include <bookend/hit.hpp>
#include <bookend/ledger.hpp>
#include <bookend/row.hpp>
#include <bookend/stripes.hpp>

namespace bookend {

namespace detail {
/// One ledger a pool, each of the pool's own size: every pool exact, all zero when empty.
template <class System, unsigned Pool = 0, bool Last = (Pool + 1 == pool_count<System>)>
struct ledgers : ledgers<System, Pool + 1> {
  ledger<count_bits(System::pools[Pool]), System::max_cpus> own{};
};
template <class System, unsigned Pool>
struct ledgers<System, Pool, true> {
  ledger<count_bits(System::pools[Pool]), System::max_cpus> own{};
};
}  // namespace detail

/// Everything is here; the verbs above it have no data of their own. All zero when new: it may live in .bss.
template <class System>
class shelf {
 public:
  using mask = cpumask<System::max_cpus>;
  using row_type = row<System>;

  template <class... Args>
  constexpr explicit shelf(Args&&... args) : system_(static_cast<Args&&>(args)...) {}
  shelf(const shelf&) = delete;
  shelf& operator=(const shelf&) = delete;

  /// The system that this manager drives. Any context.
  [[nodiscard]] constexpr System& system() noexcept { return system_; }
  [[nodiscard]] constexpr const System& system() const noexcept { return system_; }

 protected:
  friend class handler_view<System>;
  friend class cpu_view<System>;

  [[nodiscard]] constexpr row_type& row_of(cpu_id cpu) noexcept {
    row_type* r = &rows_[cpu];
    // Keep the address: g++ would work it out again for each field.
    if (!__builtin_is_constant_evaluated()) asm("" : "+r"(r));
    return *r;
  }

  // The owner lock. Whoever is on its shared side has left it by then.

  void own() noexcept {
    system_.lock();
    if constexpr (can_share<System>) stripes_.close(system_, into_ledger());
  }
  [[nodiscard]] bool try_own() noexcept {
    if (!system_.try_lock()) return false;
    if constexpr (can_share<System>)
      if (!stripes_.try_close(into_ledger())) return system_.unlock(), false;
    return true;
  }
  void disown() noexcept {
    if constexpr (can_share<System>) stripes_.open();
    system_.unlock();
  }
  /// What a verb does last, whichever way it ends.
  class ending {
   public:
    explicit ending(shelf& s) noexcept : shelf_(s) {}
    ~ending() { shelf_.disown(); }
    ending(const ending&) = delete;
    ending& operator=(const ending&) = delete;

   private:
    shelf& shelf_;
  };
  /// What was noted on the shared side.
  auto into_ledger() noexcept {
    return
        [this](unsigned pool, unsigned wide, std::uint32_t tasks) { in_pool(pool, [&](auto& l) { l.add_tasks(wide, tasks); }); };
  }
  refusal told(verb what, const char* name, const refusal& no) noexcept {
    if constexpr (has_observer<System>) system_.on_verb(event{what, name, no});
    return no;
  }
  /// A handler that calls an everywhere verb waits for itself.
  void expect_thread() noexcept {
    if constexpr (has_this_cpu<System>) {
      const auto token = system_.traps_off();
      BOOKEND_ASSERT(!rows_[system_.this_cpu()].in_trap(), "an everywhere verb inside a trap: use hit.here");
      system_.traps_restore(token);
    }
  }

  /// Everything that can be said of a request before a slot is looked for; `encoded` is what the backend says. Any context.
  [[nodiscard]] reason accept(side who, const request& r, const result<typename System::setting>& encoded) noexcept {
    if (!encoded) return encoded.why();
    bool denied = !system_.may_watch(who, r.bytes());
    if constexpr (!watches_elsewhere<System>)  // a watch on the rows would trap while a trap is handled
      denied = denied || r.bytes().overlaps({reinterpret_cast<std::uint64_t>(this), sizeof *this});
    return denied ? reason::forbidden : reason::granted;
  }
  /// The same for a verb that takes its time: the setting, or why there is none.
  [[nodiscard, gnu::noinline]] result<typename System::setting> accepted(side who, const request& r) noexcept {
    const auto encoded = System::encode(r);
    if (const reason no = accept(who, r, encoded); no != reason::granted) return no;
    return encoded;
  }
  [[nodiscard]] static constexpr unsigned pool_of(const typename System::setting& s) noexcept {
    return static_cast<unsigned>(System::pool_of(s));
  }

  /// Calls f(ledger) with the ledger of a pool. One pool: no branch.
  template <unsigned Pool = 0, class F>
  [[gnu::always_inline]] auto in_pool(unsigned pool, F f) noexcept {
    if constexpr (Pool + 1 < pool_count<System>)
      if (pool != Pool) return in_pool<Pool + 1>(pool, f);
    return f(static_cast<detail::ledgers<System, Pool>&>(ledgers_).own);
  }

  [[nodiscard, gnu::cold]] refusal no_slot(unsigned pool, cpu_id cpu, unsigned users) noexcept {
    refusal no(reason::no_slot, cpu);
    no.pool = pool;
    no.kernel_held = static_cast<std::uint16_t>(in_pool(pool, [&](auto& l) { return l.kernel_held(cpu); }));
    no.user_held = static_cast<std::uint16_t>(users);
    return no;
  }

  // The running task's side of a row. On that CPU under its guard.

  [[nodiscard]] const task<System>* current_of(cpu_id cpu) noexcept {
    if constexpr (has_current_task<System, task<System>>)
      return system_.template current_task<task<System>>(cpu);
    else
      return rows_[cpu].current;
  }
  /// The task whose breakpoints have to make way, or may move down, when the kernel's change; null if there is none.
  [[nodiscard]] const task<System>* seated(const row_type& r, cpu_id cpu) noexcept {
    return r.user != 0 ? current_of(cpu) : nullptr;
  }

  // Many CPUs, all or nothing. Under the owner lock.

  /// Runs step(row, cpu) -> bool for each CPU of m: on the CPU if it is online, else here. Where steps can fail and one does,
  /// undo(row, cpu) -> bool runs for those that had succeeded, and the refusal names the first CPU that failed.
  template <class Step, class Undo>
  [[gnu::always_inline]] refusal on_each(const mask& m, Step step, Undo undo) noexcept {
    if constexpr (!can_fail<System>) {
      (void)undo;
      (void)run(m, step);
      return {};
    } else {
      const mask failed = run(m, step);
      if (failed.none()) return {};
      (void)run(m - failed, undo);
      return {reason::hardware, failed.first()};
    }
  }

  /// The refusal of a verb that has gone on where registers took no writes.
  [[nodiscard, gnu::always_inline]] static refusal hardware_on(const mask& failed) noexcept {
    return failed.none() ? refusal{} : refusal{reason::hardware, failed.first()};
  }

  /// Runs step(row, cpu) -> bool for each CPU of m; the answer is where it said false.
  template <class Step>
  [[gnu::always_inline]] mask run(const mask& m, Step step) noexcept {
    context<Step> c{this, &step};
    call_on(m, take_step<Step>, &c);
    mask failed;
    if constexpr (can_fail<System>)
      for (cpu_id cpu : m)
        if (rows_[cpu].undo.failed) failed.set(cpu);
    return failed;
  }
  template <class Step>
  struct context {
    shelf* self;
    Step* step;
  };
  template <class Step>
  static void take_step(void* argument, cpu_id cpu) noexcept {
    auto& c = *static_cast<context<Step>*>(argument);
    row_type& r = c.self->rows_[cpu];
    [[maybe_unused]] const bool good = (*c.step)(r, cpu);
    if constexpr (can_fail<System>) r.undo.failed = !good;
  }
  /// Once for all verbs: it is the same code for each.
  [[gnu::noinline]] void call_on(const mask& m, call once, void* argument) noexcept {
    const mask remote = m & online_;  // under the lock it stands
    if (remote.any()) system_.run_on(remote, once, argument);
    for (cpu_id cpu : m - online_) once(argument, cpu);
  }

  // Masks that the lock's owner writes while others read them, a word at a time: nobody needs two words of one moment.

  static mask copy_of(const mask& from) noexcept {
    mask m;
    for (unsigned i = 0; i < mask::word_count; ++i) m.words()[i] = detail::load_relaxed(from.words()[i]);
    return m;
  }
  static void replace(mask& to, const mask& from) noexcept {
    for (unsigned i = 0; i < mask::word_count; ++i) detail::store_relaxed(to.words()[i], from.words()[i]);
  }
  /// The CPUs that are online, in any context.
  [[nodiscard]] mask online_now() const noexcept { return copy_of(online_); }
  void set_online(cpu_id cpu, bool yes) noexcept {
    mask m = online_;
    yes ? m.set(cpu) : m.clear(cpu);
    replace(online_, m);
  }

  System system_{};
  row_type rows_[System::max_cpus]{};
  detail::ledgers<System> ledgers_{};
  mask online_{};
  [[no_unique_address]] stripes<System> stripes_{};
};

}  // namespace bookend
