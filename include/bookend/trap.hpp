// SPDX-License-Identifier: MIT
// include/bookend/trap.hpp — from a status register to handlers, user hits and what is left.
#pragma once
#include <bookend/here.hpp>

namespace bookend {

/// What a hit matched, copied before any handler runs: a handler, or an NMI, may change the slot before its turn comes.
template <class System>
struct matched {
  void* holder;
  typename System::setting setting;
  std::uint32_t generation;
};

// Nearly every trap is one hit: that path keeps its copy in registers, and the others stay out of its way.

template <class System>
trap_result<System> cpu_view<System>::trap(typename System::frame& frame) const noexcept {
  System& sys = this->shelf_->system_;
  auto& r = this->own_row();
  const status said = sys.take_status(this->cpu());
  trap_result<System> result;
  result.rest = said.rest;
  const auto outer = r.dispatch_begins();

  const std::uint32_t seen = r.version();
  detail::compiler_barrier();
  // The machine may say more than is on: only armed slots count.
  const slot_mask hits = said.hits & r.dispatched();
  bool alone = hits != 0 && (hits & (hits - 1)) == 0 && !said.step;
  if constexpr (can_fail<System>) alone = alone && (said.hits & r.stuck()) == 0;
  if (alone) {
    const slot_id s = detail::lowest_bit(hits);
    const matched<System> was{r.holders[s], r.settings[s], r.generations[s]};
    detail::compiler_barrier();
    alone = r.version() == seen;
    if (alone) {
      if (System::faults_before(was.setting)) sys.step_past(frame);
      tell(r, s, was, frame, result);
    }
  }
  if (!alone && (can_fail<System> ? said.hits : hits) != 0) tell_each(r, said.hits, said.step, frame, result);
  r.dispatch_ends(outer);
  return result;
}

/// Any number of hits, the step, and what cannot be switched off.
template <class System>
[[gnu::noinline]] void cpu_view<System>::tell_each(row<System>& r, slot_mask said, bool step, typename System::frame& frame,
                                                   trap_result<System>& result) const noexcept {
  slot_mask hits, before;
  matched<System> was[System::slots];
  std::uint32_t seen;
  do {
    seen = r.version();
    detail::compiler_barrier();
    hits = said & r.dispatched();
    before = 0;
    each_slot(hits, [&](slot_id s) {
      was[s] = {r.holders[s], r.settings[s], r.generations[s]};
      if (System::faults_before(was[s].setting)) before |= row<System>::bit(s);
    });
    detail::compiler_barrier();
  } while (r.version() != seen);
  // A step comes before the access: what is due at the access comes again, with its own trap.
  if (step) hits &= ~before;
  // One that the hardware would not switch off is nobody's, but must be passed all the same.
  each_slot(said & r.stuck(), [&](slot_id s) {
    if (System::faults_before(r.settings[s])) before |= row<System>::bit(s);
  });
  if (before != 0 && !step) this->shelf_->system_.step_past(frame);
  each_slot(hits, [&](slot_id s) {
    if (detail::load_relaxed(r.on[s]) == 0 || r.holders[s] != was[s].holder) return;  // a handler has silenced or removed it
    if (can_post<System> && r.generations[s] != was[s].generation) return;            // a handler's post has replaced it
    tell(r, s, was[s], frame, result);
  });
}

template <class System>
inline void cpu_view<System>::tell(row<System>& r, slot_id s, const matched<System>& was, typename System::frame& frame,
                                   trap_result<System>& result) const noexcept {
  const slot_mask bit = row<System>::bit(s);
  result.handled |= bit;
  if ((r.kernel & bit) != 0) {
    auto& b = *static_cast<kernel_breakpoint<System>*>(was.holder);
    b(hit<System>{b, {*this->shelf_, this->cpu_}, s, was.setting, was.generation, frame});
  } else {
    const auto& b = *static_cast<const user_breakpoint<System>*>(was.holder);
    result.user |= std::uint64_t{1} << b.index();
    result.user_hits[result.user_count++] = {b.cookie(), was.setting, was.generation, s, b.index()};
  }
}

}  // namespace bookend
