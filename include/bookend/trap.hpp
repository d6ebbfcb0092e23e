// SPDX-License-Identifier: MIT
// include/bookend/trap.hpp — from a status register to handlers, user hits and what is left.
#pragma once
#include <bookend/here.hpp>

namespace bookend::detail {

/// One trap on its way.
template <class System>
struct trap_on {
  /// What a hit matched, copied before any handler runs: a handler, or an NMI, may change the slot before its turn comes.
  struct matched {
    void* holder;
    typename System::setting setting;
    std::uint32_t generation;
  };
  using frame_type = typename System::frame;
  using result_type = trap_result<System>;

  bookend::shelf<System>& home;
  row<System>& r;
  cpu_id cpu;
  frame_type& frame;

  [[nodiscard]] matched look(slot_id s) const noexcept { return {r.holders[s], r.settings[s], r.generations[s]}; }

  // Nearly every trap is one hit: that path keeps its copy in registers, and the others stay out of its way.

  [[gnu::always_inline]] result_type take() const noexcept {
    System& sys = home.system();
    const status said = sys.take_status(cpu);
    result_type result;
    result.rest = said.rest;
    const std::uint32_t seen = r.version();
    compiler_barrier();
    // The machine may say more than is on: only armed slots count.
    const slot_mask hits = said.hits & r.dispatched();
    bool alone = hits != 0 && ((hits & (hits - 1)) | said.rest) == 0;
    if constexpr (can_fail<System>) alone = alone && (said.hits & r.stuck()) == 0;
    if (alone) [[likely]] {
      const slot_id s = lowest_bit(hits);
      result.handled = hits;
      if ((r.kernel & hits) != 0) {
        auto& b = *static_cast<kernel_breakpoint<System>*>(r.holders[s]);
        const hit<System> h{b, {home, cpu}, s, r.settings[s], r.generations[s], frame};
        compiler_barrier();
        if (r.version() == seen) [[likely]] {
          if (System::faults_before(h.setting)) sys.step_past(frame);
          b(h);
          return result;
        }
      } else {
        const matched was = look(s);
        compiler_barrier();
        if (r.version() == seen) {
          if (System::faults_before(was.setting)) sys.step_past(frame);
          collect(s, was, result);
          return result;
        }
      }
      result.handled = 0;  // an NMI came in between: look again
    }
    if ((can_fail<System> ? said.hits : hits) != 0) trap_on(*this).tell_each(said.hits, said.step, result);
    return result;
  }

  /// Any number of hits, the step, and what cannot be switched off.
  [[gnu::noinline]] void tell_each(slot_mask said, bool step, result_type& result) const noexcept {
    slot_mask hits, before;
    matched was[System::slots];
    std::uint32_t seen;
    do {
      seen = r.version();
      compiler_barrier();
      hits = said & r.dispatched();
      before = 0;
      each_slot(hits, [&](slot_id s) {
        was[s] = look(s);
        if (System::faults_before(was[s].setting)) before |= row<System>::bit(s);
      });
      compiler_barrier();
    } while (r.version() != seen);
    // A step comes before the access: what is due at the access comes again, with its own trap.
    if (step) hits &= ~before;
    // One that the hardware would not switch off is nobody's, but must be passed all the same.
    each_slot(said & r.stuck(), [&](slot_id s) {
      if (System::faults_before(r.settings[s])) before |= row<System>::bit(s);
    });
    if (before != 0 && !step) home.system().step_past(frame);
    each_slot(hits, [&](slot_id s) {
      if (load_relaxed(r.on[s]) == 0 || r.holders[s] != was[s].holder) return;  // a handler has silenced or removed it
      if (can_post<System> && r.generations[s] != was[s].generation) return;    // a handler's post has replaced it
      result.handled |= row<System>::bit(s);
      (r.kernel & row<System>::bit(s)) != 0 ? tell(s, was[s]) : collect(s, was[s], result);
    });
  }

  [[gnu::always_inline]] void tell(slot_id s, const matched& was) const noexcept {
    auto& b = *static_cast<kernel_breakpoint<System>*>(was.holder);
    b(hit<System>{b, {home, cpu}, s, was.setting, was.generation, frame});
  }
  static void collect(slot_id s, const matched& was, result_type& result) noexcept {
    const auto& b = *static_cast<const user_breakpoint<System>*>(was.holder);
    result.user |= std::uint64_t{1} << b.index();
    result.user_hits[result.user_count++] = {b.cookie(), was.setting, was.generation, s, b.index()};
  }
};

}  // namespace bookend::detail

namespace bookend {

template <class System>
[[gnu::always_inline]] inline trap_result<System> quiet_scope<System>::trap(typename System::frame& frame) const noexcept {
  return detail::trap_on<System>{shelf_, row_, cpu_, frame}.take();
}
template <class System>
trap_result<System> cpu_view<System>::trap(typename System::frame& frame) const noexcept {
  auto& r = this->own_row();
  const auto outer = r.dispatch_begins();
  const auto result = detail::trap_on<System>{*this->shelf_, r, this->cpu(), frame}.take();
  r.dispatch_ends(outer);
  return result;
}

}  // namespace bookend
