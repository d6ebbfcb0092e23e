// SPDX-License-Identifier: MIT
// include/bookend/snapshot.hpp — one CPU's shelf by value: who holds each slot and what it watches.
#pragma once
#include <bookend/row.hpp>

namespace bookend {

/// What a slot is. `withheld`: the CPU has no such slot, or it was taken off the shelf.
enum class slot_state : std::uint8_t { free, kernel, user, withheld };

template <class System>
struct snapshot {
  struct slot {
    slot_state state = slot_state::free;
    bool on = false;               ///< enabled, and dispatched when it hits
    const char* name = "";         ///< the holder's; "" if free
    std::uint64_t cookie = 0;      ///< a user breakpoint's
    std::uint32_t generation = 0;  ///< see hit::generation
    request watched{};             ///< what it watches, or will when enabled
  };
  cpu_id cpu = 0;
  bool online = false;
  bool away = false;    ///< lent or silenced: nothing of this is in the registers
  bool broken = false;  ///< the last register write failed: the registers may differ until one succeeds
  slot slots[System::slots];
};

/// The row as a snapshot. On that CPU under its guard, or while it is offline.
template <class System>
[[gnu::cold]] void copy(snapshot<System>& to, const row<System>& from, cpu_id cpu) noexcept {
  to.cpu = cpu;
  to.online = from.online();
  to.away = from.away();
  to.broken = from.broken();
  each_slot(from.kernel | from.user, [&](slot_id s) {
    auto& slot = to.slots[s];
    const void* holder = from.holders[s];
    const bool kernel = (from.kernel & row<System>::bit(s)) != 0;
    slot.state = !kernel ? slot_state::user : holder != nullptr ? slot_state::kernel : slot_state::withheld;
    if (slot.state == slot_state::withheld) return;
    if (kernel) {
      slot.name = static_cast<const kernel_breakpoint<System>*>(holder)->name();
    } else {
      const auto& b = *static_cast<const user_breakpoint<System>*>(holder);
      slot.name = b.name();
      slot.cookie = b.cookie();
    }
    slot.on = from.on[s] != 0;
    slot.generation = from.generations[s];
    slot.watched = System::decode(from.settings[s]);
  });
}

}  // namespace bookend
