// SPDX-License-Identifier: MIT
// include/bookend/stripes.hpp — the shared side of the owner lock: user verbs of different tasks, side by side.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/backend.hpp>
#include <bookend/builtin.hpp>
#include <bookend/platform.hpp>

namespace bookend {

/// Nothing, where the platform has no stripes.
template <class System, bool Shared = can_share<System>>
class stripes {};

/// Whoever is on the shared side has a stripe to itself; whoever owns the lock exclusively has closed them all. In steady state
/// an entry writes the line of its stripe and reads one that only exclusive owners write. All zero when new.
///
/// Why nobody is on both sides: one who enters stores `taken`, then loads `closed_`; one who closes stores `closed_`, then loads
/// every `taken`. These four are sequentially consistent, so of two who come at once at least one sees the other's store: the one
/// who enters leaves again, or the one who closes waits. What was stored before leave() is seen behind close(), and what was
/// stored before open() behind enter(): a release each, and the acquire of the load that lets the other in.
///
/// A change of the number of tasks is noted in the stripe and brought to the ledger by the next exclusive owner, the only one who
/// looks: notes of one task in several stripes, some of them negative, add up.
template <class System>
class stripes<System, true> {
 public:
  static constexpr unsigned count = System::stripes;
  static constexpr unsigned none = count;

  /// A stripe of one's own, or `none` if an exclusive owner has closed them or they are all taken. Thread context.
  [[nodiscard]] unsigned try_enter(System& sys) noexcept {
    const unsigned s = take(sys);
    if (s == none || __atomic_load_n(&closed_, __ATOMIC_SEQ_CST) == 0) return s;  // after `taken` is stored: close()
    leave(s);
    return none;
  }
  /// The same, waiting: in the platform's lock() for who owns it, behind it for a free stripe. While the lock is ours they are
  /// open, and it is let go at once: whoever has waited for an exclusive owner does not become one.
  [[nodiscard]] unsigned enter(System& sys) noexcept {
    unsigned s = try_enter(sys);
    if (s != none) return s;
    sys.lock();
    while ((s = take(sys)) == none) sys.relax();
    sys.unlock();
    return s;
  }
  /// Release, with the load of close() that finds nobody inside, or take()'s.
  void leave(unsigned s) noexcept { detail::store_release(all_[s].taken, 0u); }

  /// A task goes from `before` to `after` wide slots of a pool. In one's own stripe.
  void note(unsigned s, unsigned pool, unsigned before, unsigned after) noexcept {
    auto& tasks = all_[s].tasks_at[pool];
    if (before != 0) --tasks[before - 1];
    if (after != 0) ++tasks[after - 1];
    all_[s].noted = true;
  }

  // The exclusive side, under the platform's lock. f(pool, wide, tasks) is called for what was noted since the last time; `tasks`
  // is modulo 2^32.

  /// Keeps others out, and waits until who is inside has left.
  template <class F>
  void close(System& sys, F f) noexcept {
    __atomic_store_n(&closed_, 1u, __ATOMIC_SEQ_CST);  // before each `taken` is loaded: try_enter()
    for (auto& s : all_) {
      // acquire, with leave()
      while (__atomic_load_n(&s.taken, __ATOMIC_SEQ_CST) != 0) sys.relax();
      collect(s, f);
    }
  }
  /// False, and open again, if somebody is inside.
  template <class F>
  [[nodiscard]] bool try_close(F f) noexcept {
    __atomic_store_n(&closed_, 1u, __ATOMIC_SEQ_CST);  // both as in close()
    for (auto& s : all_) {
      // acquire, with leave()
      if (__atomic_load_n(&s.taken, __ATOMIC_SEQ_CST) != 0) return open(), false;
      collect(s, f);
    }
    return true;
  }
  /// Release, with try_enter().
  void open() noexcept { detail::store_release(closed_, 0u); }

 private:
  /// This CPU's, if nobody is in it, else the next that is free.
  [[nodiscard]] unsigned take(System& sys) noexcept {
    unsigned s = sys.stripe();
    BOOKEND_ASSERT(s < count, "no such stripe");
    // The exchange comes before the load of `closed_`: try_enter(); and acquires, with leave(): a stripe's notes are its own.
    for (unsigned i = 0; i < count; ++i, s = s + 1 < count ? s + 1 : 0)
      if (detail::load_relaxed(all_[s].taken) == 0 && __atomic_exchange_n(&all_[s].taken, 1u, __ATOMIC_SEQ_CST) == 0) return s;
    return none;
  }

  struct alignas(64) stripe {
    std::uint32_t taken = 0;
    bool noted = false;
    std::uint32_t tasks_at[pool_count<System>][System::slots]{};  // [pool][j-1]: so many more tasks with j wide slots
  };
  template <class F>
  static void collect(stripe& s, F f) noexcept {
    if (!s.noted) return;
    s.noted = false;
    for (unsigned pool = 0; pool < pool_count<System>; ++pool)
      for (unsigned j = 1; j <= System::slots; ++j)
        if (std::uint32_t& tasks = s.tasks_at[pool][j - 1]; tasks != 0) {
          f(pool, j, tasks);
          tasks = 0;
        }
  }

  stripe all_[count]{};
  std::uint32_t closed_ = 0;  // on a line of its own, since stripes are
};

}  // namespace bookend
