// SPDX-License-Identifier: MIT
// include/bookend/breakpoint.hpp — what the two tenants register: kernel breakpoints, and the user breakpoints of a task.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/builtin.hpp>
#include <bookend/cpumask.hpp>
#include <bookend/intent.hpp>
#include <bookend/platform.hpp>

namespace bookend {

template <class System>
struct hit;
template <class System>
class shelf;
template <class System>
class posted_side;
template <class System>
class post_view;
template <class System>
class kernel_side;
template <class System>
class shared_side;
template <class System>
class user_side;
template <class System>
class task;
template <class System>
class handler_view;
template <class System>
class cpu_view;
template <system System>
class row;

/// How a breakpoint starts. Disabled keeps its slot all the same.
enum class start : bool { disabled, enabled };

/// A user breakpoint that counts on one CPU only, whichever CPUs its task visits.
struct pinned {
  cpu_id cpu;
};

/// A name and whether it is registered: what both kinds of breakpoint have. Storage is the caller's and must not move or go while
/// registered; destroying a registered one is an assertion (see BOOKEND_CHECK_DESTRUCTION).
class breakpoint {
 public:
  /// Any context. The string is the caller's and outlives the registration.
  [[nodiscard]] constexpr const char* name() const noexcept { return name_; }
  /// True when no manager uses this object: it may be registered again or freed. Any context, one load.
  // Acquire, with the release of `unused`: whatever the manager did with it is over.
  [[nodiscard, gnu::always_inline]] constexpr bool idle() const noexcept { return detail::load_acquire(state_) == unused; }

  breakpoint(const breakpoint&) = delete;
  breakpoint& operator=(const breakpoint&) = delete;

 protected:
  constexpr explicit breakpoint(const char* name) noexcept : name_(name) {}
#if BOOKEND_CHECK_DESTRUCTION
  constexpr ~breakpoint() { BOOKEND_ASSERT(idle(), "a breakpoint was destroyed while registered"); }
#else
  ~breakpoint() = default;
#endif

  /// registered: any verb may claim it. claimed: one is at it (a user breakpoint's: on the shared side). leaving: its
  /// unregistering has been posted, and waits to be reaped.
  enum state : std::uint32_t { unused, registered, claimed, leaving };

  const char* name_;
  std::uint32_t state_ = unused;  // a word: riscv64 compares and exchanges no bytes without a library
};

/// Watches for the kernel, on every CPU of a mask, whoever runs there. The handler runs in the trap, on the CPU that hit, with
/// traps off; it may use the verbs of `hit.here` only. Context by deriving from this class.
template <class System>
class kernel_breakpoint : public breakpoint {
 public:
  using handler = void (*)(const hit<System>&);
  constexpr kernel_breakpoint(const char* name, handler on_hit) noexcept : breakpoint(name), on_hit_(on_hit) {}

  /// The CPUs that it holds a slot on. Thread context, or while nobody moves it.
  [[nodiscard]] constexpr const cpumask<System::max_cpus>& cpus() const noexcept { return cpus_; }
  /// The handler; what a trap calls. Any context.
  constexpr void operator()(const hit<System>& h) const { on_hit_(h); }

 private:
  friend class posted_side<System>;
  friend class post_view<System>;
  friend class kernel_side<System>;
  friend class handler_view<System>;
  template <system>
  friend class row;
  // Acquire, with leave_in(): on another CPU; on this one whoever posted has interrupted us, and program order is enough.
  [[nodiscard]] bool leaves() const noexcept { return can_post<System> && detail::load_acquire(this->state_) == leaving; }
  handler on_hit_;
  cpumask<System::max_cpus> cpus_{};           // owner lock; read in any context
  intent<typename System::setting> intent_{};  // whoever has claimed it; read in any context
  kernel_breakpoint* next_leaving_ = nullptr;  // who posted its unregistering
};

/// Watches for one task, on whatever CPU it runs (wide), or while it runs on one CPU (pinned). A hit is handed to the kernel as a
/// value, to deliver to the task as it likes.
template <class System>
class user_breakpoint : public breakpoint {
 public:
  constexpr user_breakpoint() noexcept : user_breakpoint("") {}
  constexpr explicit user_breakpoint(const char* name, std::uint64_t cookie = 0) noexcept : breakpoint(name), cookie_(cookie) {}

  /// The owner's word of its own, delivered with each hit. Any context.
  [[nodiscard]] constexpr std::uint64_t cookie() const noexcept { return cookie_; }
  /// The number that the task knows it by: the lowest that no breakpoint of the task that may share a CPU with it had when it was
  /// registered. Below 2 * slots. Stable while registered. Any context.
  [[nodiscard]] constexpr unsigned index() const noexcept { return index_; }
  /// True when it takes a slot on this CPU while its task runs there. Any context.
  [[nodiscard]] constexpr bool counts_on(cpu_id cpu) const noexcept { return where_ == everywhere || where_ == cpu + 1; }

  /// What the context switch loads.
  struct cell {
    typename System::setting setting;
    std::uint32_t generation;
    bool on;
  };
  /// The cell to load now. Under the guard; good until the guard is left.
  // Acquire, with turn(): the cell that it names is filled.
  [[nodiscard, gnu::always_inline]] constexpr const cell& live() const noexcept { return cells_[detail::load_acquire(live_)]; }
  /// The next of the same task, in the task's order: wide ones as registered, then the pinned ones by CPU. Under the guard.
  // Acquire, with link() and unlink(): what is on the list is filled in.
  [[nodiscard]] constexpr user_breakpoint* next() const noexcept { return detail::load_acquire(next_); }
  [[nodiscard]] constexpr const task<System>* owner() const noexcept { return owner_; }

 private:
  friend class shared_side<System>;
  friend class user_side<System>;
  static constexpr unsigned everywhere = 0;

  // A verb fills the spare cell under the owner lock and turns live_ with release; once its cross-call has been everywhere,
  // nobody reads the old cell any more, and it is the spare.  With one cell, a switch could read half of a change.
  cell cells_[2]{};
  std::uint32_t generation_ = 0;  // one more at each registration and modify; survives re-registration
  std::uint8_t live_ = 0;
  std::uint8_t index_ = 0;
  unsigned where_ = everywhere;  // pinned: cpu + 1
  user_breakpoint* next_ = nullptr;
  task<System>* owner_ = nullptr;
  std::uint64_t cookie_;
};

/// What the manager keeps in each of the kernel's tasks (threads, vCPUs). All zero is a task without watches. It must not move
/// or go before on_exit().
template <class System>
class task {
 public:
  constexpr task() noexcept = default;
  task(const task&) = delete;
  task& operator=(const task&) = delete;

  /// Its first breakpoint, null for a task without. Under the guard, or the owner lock.
  // Acquire: as next().
  [[nodiscard]] constexpr user_breakpoint<System>* first() const noexcept { return detail::load_acquire(first_); }

 private:
  friend class shared_side<System>;
  friend class user_side<System>;
  user_breakpoint<System>* first_ = nullptr;  // written under the owner lock
  std::uint8_t wide_[pool_count<System>]{};   // owner lock: wide breakpoints per pool
  // Whoever is at it on the shared side of the owner lock: 1 + its stripe. For systems without one it is padding.
  mutable std::uint32_t busy_ = 0;
};

}  // namespace bookend
