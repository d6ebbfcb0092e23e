// SPDX-License-Identifier: MIT
// examples/object_watch/pool.hpp — watches that follow objects from allocation to free, and say who touches what they may not.
#pragma once
#include <bookend/bookend.hpp>

namespace object_watch {

/// What is known of an object. While it lives nobody writes `guard` (a red zone behind it, a field that never changes); once it
/// is freed nobody touches `field` (not a word that the allocator keeps its own list in). Eight bytes each, aligned.
struct object {
  std::uint64_t address, size, guard, field, allocated_by, freed_by;
};
enum class fault : std::uint8_t { written_while_it_lived, touched_after_free };

/// `Count` breakpoints of the kernel, registered once and disarmed; probes of the allocator aim them. allocated() and freed() may
/// run wherever the verbs may that they are given: threads, interrupts, #DB handlers, several CPUs at once. They neither wait nor
/// allocate nor release.
///   Which verbs: slots.post() for all CPUs; hit.here or slots.on(cpu) for this one; the manager's own, from a thread.
///   When allocated() or freed() returns, the watch is aimed on this CPU; with post(), on the others at their next chance. An
///   access there that matched what was aimed at before is not reported: the memory may be somebody else's by now.
///   An object is reported once, then its watch is silent. A freed object's watch stays until memory is allocated there again, or
///   a newer object needs it: the one freed first goes first. Those of live objects stay.
template <class System, unsigned Count>
class pool {
 public:
  using manager = bookend::slot_manager<System>;
  using hit = bookend::hit<System>;
  struct finding {
    fault what;
    object of;
    const hit& access;  ///< who: access.frame
  };
  /// Runs in the trap of the access.
  using listener = void (*)(const finding&);

  constexpr pool(manager& slots, listener tell) noexcept : slots_(slots), tell_(tell) {
    for (watch& w : watches_) w.home = this;
  }

  /// Reserves the slots, wholly or not at all. Thread context.
  [[nodiscard]] bookend::refusal open(const typename manager::mask& cpus = manager::mask::all()) noexcept {
    for (unsigned i = 0; i < Count; ++i)
      if (const auto no =
              slots_.register_breakpoint(watches_[i], {0, 8, bookend::access::write}, cpus, bookend::start::disabled)) {
        while (i != 0) (void)slots_.unregister_breakpoint(watches_[--i]);
        return no;
      }
    return {};
  }
  /// Thread context, when no probe runs any more.
  void close() noexcept {
    for (watch& w : watches_) {
      (void)slots_.unregister_breakpoint(w);
      leave(w, idle);
    }
  }

  /// Behind the allocation, before anybody else has the object. True if it is watched.
  template <class Verbs>
  bool allocated(Verbs&& verbs, const object& o) noexcept {
    watch* mine = nullptr;
    for (watch& w : watches_)  // who watched this memory as another object's goes on with this one, or is silent
      while (is_aimed(w) && overlap(w, o)) {
        const std::uint32_t s = state(w);
        if (!is_aimed(s) || !claim(w, s)) continue;
        if (mine == nullptr)
          mine = &w;
        else
          (void)verbs.disable(w), leave(w, idle);
        break;
      }
    if (mine == nullptr) mine = oldest();
    if (mine == nullptr) return count(unwatched_), false;
    put(mine->of, o);
    return aim(verbs, *mine, on_guard(o), live);
  }
  /// Before the memory is the allocator's again. True if it stays watched.
  template <class Verbs>
  bool freed(Verbs&& verbs, std::uint64_t address, std::uint64_t by) noexcept {
    for (watch& w : watches_) {
      const std::uint32_t s = state(w);
      if (phase_of(s) != live || get(w.of.address) != address) continue;
      if (!claim(w, s)) return false;  // it has just been reported
      set(w.of.freed_by, by);
      set(w.freed_at, __atomic_add_fetch(&frees_, 1, __ATOMIC_RELAXED));
      return aim(verbs, w, on_field(get(w.of)), dead);
    }
    return false;
  }
  /// The owner's own way to the guard of a live object: f() with its watch off on this CPU; the others stay watched. Under the
  /// guard; `here` is slots.here() or slots.on(cpu).
  template <class Here, class F>
  void by_owner(const Here& here, std::uint64_t address, F f) noexcept {
    watch* theirs = nullptr;
    const auto guards = [&](const watch& w) { return phase_of(state(w)) == live && get(w.of.address) == address; };
    for (watch& w : watches_)
      if (guards(w)) theirs = &w;
    if (theirs != nullptr) (void)here.disable(*theirs);
    f();
    if (theirs != nullptr && guards(*theirs)) (void)here.enable(*theirs);
  }

  /// Every CPU has heard of every aim. Any context.
  [[nodiscard]] bool settled() const noexcept
    requires bookend::can_post<System>
  {
    for (const watch& w : watches_)
      if (is_aimed(w) && !slots_.settled({&w, get(w.enabled)})) return false;
    return true;
  }
  /// Objects that came when every watch was a live one's; hits that were of an older aim, or of an object that had been reported.
  [[nodiscard]] unsigned unwatched() const noexcept { return get(unwatched_); }
  [[nodiscard]] unsigned passed_over() const noexcept { return get(passed_over_); }

 private:
  /// idle and told: to be had. live and dead: aimed. busy: somebody's who aims or silences it; nobody waits for that.
  enum phase : std::uint32_t { idle, told, live, dead, busy, phases = 8 };
  struct watch : bookend::kernel_breakpoint<System> {
    constexpr watch() noexcept : bookend::kernel_breakpoint<System>("object", &pool::on_hit) {}
    pool* home = nullptr;
    std::uint32_t state = idle;  // a phase, and how often it has been claimed
    std::uint32_t since = 0;     // of the post that aimed it,
    std::uint32_t enabled = 0;   // and of that which enabled it then
    std::uint64_t freed_at = 0;
    object of{};  // written by who has claimed it; read by anybody, and good if it can be claimed afterwards
  };

  template <class T>
  static T get(const T& from) noexcept {
    return __atomic_load_n(&from, __ATOMIC_RELAXED);
  }
  template <class T>
  static void set(T& to, T value) noexcept {
    __atomic_store_n(&to, value, __ATOMIC_RELAXED);
  }
  static void count(unsigned& n) noexcept { __atomic_fetch_add(&n, 1, __ATOMIC_RELAXED); }
  static object get(const object& o) noexcept {
    return {get(o.address), get(o.size), get(o.guard), get(o.field), get(o.allocated_by), get(o.freed_by)};
  }
  static void put(object& to, const object& o) noexcept {
    set(to.address, o.address), set(to.size, o.size), set(to.guard, o.guard), set(to.field, o.field);
    set(to.allocated_by, o.allocated_by), set(to.freed_by, o.freed_by);
  }
  static bookend::request on_guard(const object& o) noexcept { return {o.guard, 8, bookend::access::write}; }
  static bookend::request on_field(const object& o) noexcept { return {o.field, 8, bookend::access::read_write}; }
  static bool overlap(const watch& w, const object& o) noexcept {
    return bookend::range{get(w.of.address), get(w.of.size)}.overlaps({o.address, o.size});
  }

  static std::uint32_t state(const watch& w) noexcept { return __atomic_load_n(&w.state, __ATOMIC_ACQUIRE); }
  static phase phase_of(std::uint32_t s) noexcept { return static_cast<phase>(s % phases); }
  static bool is_aimed(std::uint32_t s) noexcept { return phase_of(s) == live || phase_of(s) == dead; }
  static bool is_aimed(const watch& w) noexcept { return is_aimed(state(w)); }
  /// True if nobody has since `s` was read; so what was read in between belongs together.
  static bool claim(watch& w, std::uint32_t s) noexcept {
    return __atomic_compare_exchange_n(&w.state, &s, (s / phases + 1) * phases + busy, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }
  static void leave(watch& w, phase p) noexcept {
    __atomic_store_n(&w.state, get(w.state) / phases * phases + p, __ATOMIC_RELEASE);
  }
  /// The one to be had that has been of no use for longest, claimed. Null: there is none.
  watch* oldest() noexcept {
    for (unsigned tries = 0; tries <= Count; ++tries) {
      watch* best = nullptr;
      std::uint32_t state_then = 0;
      std::uint64_t rank_then = 0;
      for (watch& w : watches_) {
        const std::uint32_t s = state(w);
        if (phase_of(s) == live || phase_of(s) == busy) continue;
        const std::uint64_t rank = phase_of(s) == dead ? get(w.freed_at) : 0;
        if (best == nullptr || rank < rank_then) best = &w, state_then = s, rank_then = rank;
      }
      if (best == nullptr || claim(*best, state_then)) return best;
    }
    return nullptr;
  }

  static bool granted(const bookend::refusal& no) noexcept { return !no; }
  template <class T>
  static bool granted(const bookend::result<T>& ticket) noexcept {
    return static_cast<bool>(ticket);
  }
  /// Claimed; no longer when it returns.
  template <class Verbs>
  static bool aim(Verbs&& verbs, watch& w, const bookend::request& what, phase then) noexcept {
    const auto aimed = verbs.modify(w, what);
    const auto on = verbs.enable(w);
    const bool good = granted(aimed) && granted(on);
    if constexpr (requires { aimed.value().generation; })
      if (good) set(w.since, aimed.value().generation), set(w.enabled, on.value().generation);
    leave(w, good ? then : idle);
    return good;
  }
  static void on_hit(const hit& h) {
    auto& w = static_cast<watch&>(h.breakpoint);
    pool& self = *w.home;
    const std::uint32_t s = state(w);
    const bool is_live = phase_of(s) == live;
    const finding found{is_live ? fault::written_while_it_lived : fault::touched_after_free, get(w.of), h};
    const bool older = h.watched() != (is_live ? on_guard(found.of) : on_field(found.of)) ||
                       (bookend::can_post<System> && bookend::later(get(w.since), h.generation));
    if (!is_aimed(s) || older || !claim(w, s)) return count(self.passed_over_);
    if constexpr (bookend::can_post<System>)
      (void)self.slots_.post().disable(w);
    else
      (void)h.here.disable(w);
    leave(w, told);
    self.tell_(found);
  }

  manager& slots_;
  listener tell_;
  watch watches_[Count];
  std::uint64_t frees_ = 0;
  unsigned unwatched_ = 0, passed_over_ = 0;
};

}  // namespace object_watch
