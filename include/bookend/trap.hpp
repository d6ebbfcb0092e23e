// SPDX-License-Identifier: MIT
// include/bookend/trap.hpp — from a status register to handlers, user hits and what is left.
#pragma once
#include <bookend/here.hpp>

namespace bookend {

template <class System>
trap_result<System> cpu_view<System>::trap(typename System::frame& frame) const noexcept {
  System& sys = this->shelf_->system_;
  auto& r = this->own_row();
  const status said = sys.take_status(this->cpu());
  trap_result<System> result;
  result.rest = said.rest;

  // The machine may say more than is on: only armed slots count. Away, the registers are somebody else's.
  slot_mask hits = r.away() ? 0 : said.hits & r.armed();
  // What each hit matched: a handler may re-aim or remove the next one before its turn.
  struct matched {
    void* holder;
    typename System::setting setting;
    std::uint32_t generation;
  } was[System::slots];
  bool before_access = false;
  each_slot(hits, [&](slot_id s) {
    was[s] = {r.holders[s], r.settings[s], r.generations[s]};
    if (!System::faults_before(was[s].setting)) return;
    before_access = true;
    if (said.step) hits &= ~row<System>::bit(s);  // the step comes first; this one comes again, with its own trap
  });
  // One that the hardware would not switch off is nobody's, but must be passed all the same.
  each_slot(said.hits & r.stuck(), [&](slot_id s) { before_access = before_access || System::faults_before(r.settings[s]); });
  if (before_access && !said.step) sys.step_past(frame);

  r.dispatch_begins();
  each_slot(hits, [&](slot_id s) {
    const slot_mask bit = row<System>::bit(s);
    if (detail::load_relaxed(r.on[s]) == 0 || r.holders[s] != was[s].holder) return;  // a handler has silenced or removed it
    result.handled |= bit;
    if ((r.kernel & bit) != 0) {
      auto& b = *static_cast<kernel_breakpoint<System>*>(was[s].holder);
      b(hit<System>{b, *this, s, was[s].setting, was[s].generation, frame});
    } else {
      const auto& b = *static_cast<const user_breakpoint<System>*>(was[s].holder);
      result.user |= std::uint64_t{1} << b.index();
      result.user_hits[result.user_count++] = {b.cookie(), was[s].setting, was[s].generation, s, b.index()};
    }
  });
  r.dispatch_ends();
  return result;
}

}  // namespace bookend
