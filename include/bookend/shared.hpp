// SPDX-License-Identifier: MIT
// include/bookend/shared.hpp — kernel watches that are identical share one slot, for those who ask; each one's handler is called.
#pragma once
#include <bookend/locked.hpp>

namespace bookend {

template <class System, unsigned Watches>
class shared_watches;

/// One who shares a watch. Context by deriving from this class; storage is the caller's, and must not move or go while it shares.
template <class System>
class sharer {
 public:
  using handler = void (*)(const hit<System>&, sharer&);
  constexpr explicit sharer(handler on_hit) noexcept : on_hit_(on_hit) {}
  sharer(const sharer&) = delete;
  sharer& operator=(const sharer&) = delete;

  /// True when it shares nothing: its storage is the caller's. Any context.
  [[nodiscard]] constexpr bool idle() const noexcept { return detail::load_acquire(watch_) == nullptr; }

 private:
  template <class, unsigned>
  friend class shared_watches;
  handler on_hit_;
  const void* watch_ = nullptr;  // owner lock: the watch that it shares
  sharer* next_ = nullptr;       // written under the owner lock, release; a trap may walk it
  std::uint8_t wanted_ = 0;      // written under the owner lock; read in traps
};

/// Up to `Watches` different watches of one manager, each in one slot of its CPUs however many share it. Two are identical when
/// request and cpumask are the same. A watch is armed while any of its sharers is enabled. On a hit the handlers of those who are
/// enabled are called, once each, in the order in which they joined.
/// Verbs: thread context, from any thread, as for the everywhere verbs of slot_manager; no other lock than its own is taken. A
/// handler may do what handlers may do, but hit.kernel() is everybody's: to disable, modify or unregister it is not for a sharer.
/// All must have left before it is destroyed.
template <class System, unsigned Watches = System::slots>
class shared_watches {
 public:
  using manager = slot_manager<System>;
  using mask = typename manager::mask;
  using sharer = bookend::sharer<System>;

  /// `name` is that of each of its watches, for snapshots; the string outlives it.
  constexpr explicit shared_watches(manager& on, const char* name = "shared") noexcept : slots_(on) {
    for (watch& w : watches_) w.call_it(name);
  }
  explicit shared_watches(by_priority<System>&, const char* = "") = delete;  // first come, first served

  /// Shares the identical watch if there is one, else registers it. When it returns, every hit is told to `s`, unless it starts
  /// disabled. Refused: already_registered; everything that registering a kernel breakpoint refuses, and then nothing has
  /// changed; no_slot that says nobody is in the way: there are `Watches` different ones.
  [[nodiscard]] refusal join(sharer& s, const request& r, const mask& cpus = mask::all(), start how = start::enabled) noexcept {
    locked<System> verbs(slots_);
    if (!s.idle()) return reason::already_registered;
    if (cpus.none()) return reason::empty_mask;
    const bool wanted = how == start::enabled;
    watch* w = find([&](const watch& other) { return !other.idle() && other.what == r && other.cpus() == cpus; });
    if (w == nullptr) {
      w = find([](const watch& other) { return other.idle(); });
      if (w == nullptr) return {reason::no_slot, cpus.first()};
      if (const refusal no = verbs.register_breakpoint(*w, r, cpus, how)) return no;
      w->what = r;
    } else if (wanted && !w->wanted()) {
      if (const refusal no = verbs.enable(*w)) return no;
    }
    s.wanted_ = wanted ? 1 : 0;
    detail::store_release(*w->link_to(nullptr), &s);  // whoever finds it finds it whole
    detail::store_release(s.watch_, static_cast<const void*>(w));
    return {};
  }
  /// When it returns, no handler of `s` runs or will run on any CPU, and its storage is free; the others stay, and miss nothing.
  /// The last one unregisters the watch. Refused: not_registered. If a CPU's registers no longer take writes it says hardware,
  /// and `s` has left all the same. One cross-call.
  refusal leave(sharer& s) noexcept {
    locked<System> verbs(slots_);
    watch* const w = watch_of(s);
    if (w == nullptr) return reason::not_registered;
    const bool last = w->first == &s && s.next_ == nullptr;
    const refusal no = last ? verbs.unregister_breakpoint(*w) : refusal{};
    // Who stands on it goes on to the next: it keeps its link until everybody is off it.
    detail::store_release(*w->link_to(&s), s.next_);
    const refusal also = last ? refusal{} : let_be(verbs, *w);
    s.next_ = nullptr;
    detail::store_release(s.watch_, static_cast<const void*>(nullptr));
    return no ? no : also;
  }
  /// Its handler is called again. Armed on all CPUs, if it was disarmed. Refused: not_registered.
  refusal enable(sharer& s) noexcept {
    locked<System> verbs(slots_);
    watch* const w = watch_of(s);
    if (w == nullptr) return reason::not_registered;
    if (!w->wanted())
      if (const refusal no = verbs.enable(*w)) return no;
    detail::store_release(s.wanted_, std::uint8_t{1});  // its handler sees what its owner wrote before
    return {};
  }
  /// When it returns, no handler of `s` runs or will run until it is enabled. Disarmed if nobody else wants it; the slot is kept.
  /// Refused: not_registered. One cross-call.
  refusal disable(sharer& s) noexcept {
    locked<System> verbs(slots_);
    watch* const w = watch_of(s);
    if (w == nullptr) return reason::not_registered;
    const std::uint8_t was = s.wanted_;
    detail::store_relaxed(s.wanted_, std::uint8_t{0});
    const refusal no = let_be(verbs, *w);
    if (no) detail::store_relaxed(s.wanted_, was);
    return no;
  }

 private:
  struct watch : kernel_breakpoint<System> {
    constexpr watch() noexcept : kernel_breakpoint<System>("", &tell) {}
    constexpr void call_it(const char* name) noexcept { this->name_ = name; }

    /// In the trap. Acquire, with join(), leave() and enable(): what is linked is filled in.
    static void tell(const hit<System>& h) {
      const auto& w = static_cast<const watch&>(h.kernel());
      for (sharer* s = detail::load_acquire(w.first); s != nullptr; s = detail::load_acquire(s->next_))
        if (detail::load_acquire(s->wanted_) != 0) s->on_hit_(h, *s);
    }
    [[nodiscard]] bool wanted() const noexcept {
      const sharer* s = first;
      while (s != nullptr && s->wanted_ == 0) s = s->next_;
      return s != nullptr;
    }
    /// What names `s`, or, for null, the end.
    sharer** link_to(const sharer* s) noexcept {
      sharer** at = &first;
      while (*at != s) at = &(*at)->next_;
      return at;
    }
    sharer* first = nullptr;
    request what;
  };

  /// A sharer has gone, or is silent: nobody is in its handler when this returns. Both ways are a cross-call.
  refusal let_be(locked<System>& verbs, watch& w) noexcept {
    if (!w.wanted()) return verbs.disable(w);
    verbs.wait_for_handlers(w.cpus());
    return {};
  }
  template <class Is>
  watch* find(Is is) noexcept {
    for (watch& w : watches_)
      if (is(w)) return &w;
    return nullptr;
  }
  /// Null if it shares nothing.
  watch* watch_of(const sharer& s) noexcept {
    watch* const w = find([&](const watch& other) { return &other == s.watch_; });
    BOOKEND_ASSERT(w != nullptr || s.idle(), "it shares a watch of somebody else's");
    return w;
  }

  manager& slots_;
  watch watches_[Watches]{};
};

}  // namespace bookend
