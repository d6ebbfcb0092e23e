// SPDX-License-Identifier: MIT
// include/bookend/trap.hpp — from a status register to handlers, user hits and what is left.
#pragma once
#include <bookend/here.hpp>

namespace bookend::detail {

/// One trap on its way.
template <class System>
struct trap_on {
  using frame_type = typename System::frame;
  using result_type = trap_result<System>;

  bookend::shelf<System>& home;
  row<System>& r;
  cpu_id cpu;
  frame_type& frame;

  // Nearly every trap is one hit: the others stay out of its way.

  // tests/models/quiet.pml: interruption.
  [[gnu::always_inline]] result_type take() const noexcept {
    const status said = home.system().take_status(cpu);
    result_type result;
    result.rest = said.rest;
    const std::uint32_t seen = r.version();
    compiler_barrier();
    // The machine may say more than is on: only armed slots count.
    const slot_mask hits = said.hits & r.dispatched(seen);
    const slot_mask due = hits | (said.hits & r.stuck());
    if (due == 0) return result;
    if (due != hits || ((hits & (hits - 1)) | said.rest) != 0 || !tell_one(hits, seen, result)) [[unlikely]]
      tell_each(home, r, cpu, frame, said.hits, said.step, result);
    return result;
  }

  /// False if an NMI has changed something since the version was `seen`: look again.
  [[gnu::always_inline]] bool tell_one(slot_mask only, std::uint32_t seen, result_type& result) const noexcept {
    const slot_id s = lowest_bit(only);
    result.handled = only;
    if ((r.kernel & only) != 0) {  // straight from the row into what the handler is told: no register is kept for it
      auto& b = *static_cast<kernel_breakpoint<System>*>(r.holders[s]);
      const auto h = hit_of(b, r, s);
      if (!passes(h.setting, seen)) [[unlikely]]
        return false;
      b(h);
    } else {
      const void* const holder = r.holders[s];
      const auto setting = r.settings[s];
      const std::uint32_t generation = r.generations[s];
      if (!passes(setting, seen)) [[unlikely]]
        return false;
      collect(s, holder, setting, generation, result);
    }
    return true;
  }
  /// What has been read is of one moment; the instruction that it waits before is let pass.
  [[gnu::always_inline]] bool passes(const typename System::setting& s, std::uint32_t seen) const noexcept {
    compiler_barrier();
    if (r.version() != seen) [[unlikely]]
      return false;
    if (System::faults_before(s)) home.system().step_past(frame);
    return true;
  }

  /// Any number of hits, the step, and what cannot be switched off. Its arguments one by one: as one they would go through
  /// memory.
  [[gnu::noinline]] static void tell_each(bookend::shelf<System>& home, row<System>& r, cpu_id cpu, frame_type& frame,
                                          slot_mask said, bool step, result_type& result) noexcept {
    const trap_on t{home, r, cpu, frame};
    result.handled = 0;
    row_image<System> was;  // what the hits matched: a handler, or an NMI, may change a slot before its turn comes
    slot_mask hits;
    std::uint32_t seen;
    do {
      seen = r.version();
      compiler_barrier();
      was = r;
      hits = said & r.dispatched(seen);
      compiler_barrier();
    } while (r.version() != seen);
    // Those that come before the access; one that the hardware would not switch off is nobody's, but must be passed all the same.
    slot_mask before = 0;
    each_slot(hits | (said & r.stuck()), [&](slot_id s) {
      if (System::faults_before(was.settings[s])) before |= row<System>::bit(s);
    });
    // A step comes first: what is due at the access comes again, with its own trap.
    if (step)
      hits &= ~before;
    else if (before != 0)
      home.system().step_past(frame);
    for (; hits != 0; hits &= hits - 1) {
      const slot_id s = lowest_bit(hits);
      const slot_mask one = hits & (~hits + 1);
      if (r.version() != seen && t.changed(s, was)) continue;
      result.handled |= one;
      if ((was.kernel & one) != 0) {
        auto& b = *static_cast<kernel_breakpoint<System>*>(was.holders[s]);
        b(t.hit_of(b, was, s));
      } else {
        collect(s, was.holders[s], was.settings[s], was.generations[s], result);
      }
    }
  }
  /// A handler has silenced or removed it, or its post has replaced it.
  [[nodiscard]] bool changed(slot_id s, const row_image<System>& was) const noexcept {
    return load_relaxed(r.on[s]) == 0 || r.holders[s] != was.holders[s] ||
           (can_post<System> && r.generations[s] != was.generations[s]);
  }

  [[gnu::always_inline]] hit<System> hit_of(kernel_breakpoint<System>& b, const row_image<System>& i, slot_id s) const noexcept {
    return {b, {home, cpu}, s, i.settings[s], i.generations[s], frame};
  }
  static void collect(slot_id s, const void* holder, const typename System::setting& setting, std::uint32_t generation,
                      result_type& result) noexcept {
    const auto& b = *static_cast<const user_breakpoint<System>*>(holder);
    result.user |= std::uint64_t{1} << b.index();
    result.user_hits[result.user_count++] = {b.cookie(), setting, generation, s, b.index()};
  }
};

}  // namespace bookend::detail

namespace bookend {

template <class System>
[[gnu::always_inline]] inline trap_result<System> quiet_scope<System>::trap(typename System::frame& frame) const noexcept {
  return detail::trap_on<System>{shelf_, row_, cpu_, frame}.take();
}
template <class System>
[[gnu::always_inline]] inline trap_result<System> cpu_view<System>::trap(typename System::frame& frame) const noexcept {
  auto& r = this->own_row();
  r.dispatch_begins();
  const auto result = detail::trap_on<System>{*this->shelf_, r, this->cpu(), frame}.take();
  r.dispatch_ends();
  return result;
}

}  // namespace bookend
