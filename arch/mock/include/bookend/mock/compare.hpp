// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/compare.hpp — are the registers what the manager says that they are?
#pragma once
#include <bookend/mock/backend.hpp>
#include <bookend/snapshot.hpp>

namespace bookend::mock {

/// A slot whose registers are not as they should be. Converts to true when there is one.
struct mismatch {
  cpu_id cpu = 0;
  slot_id slot = 0;
  const char* what = "";
  constexpr explicit operator bool() const noexcept { return *what != '\0'; }
};

/// The first slot where a CPU's registers differ from a snapshot of it. A slot that is on has the watched address and kind;
/// one that is off has no kind; one that is held has its address, disabled or not; a CPU that is offline or away has everything
/// off. A snapshot that calls itself broken promises nothing.
template <class System>
constexpr mismatch difference(const snapshot<System>& said, const bank<System::slots>& registers) noexcept {
  if (said.broken) return {};
  const bool live = said.online && !said.away;
  for (slot_id i = 0; i < System::slots; ++i) {
    const auto& slot = said.slots[i];
    const bool held = slot.state == slot_state::kernel || slot.state == slot_state::user;
    const bool on = (registers.control().on >> i & 1) != 0;
    const std::uint8_t kind = registers.control().kind[i];
    if (on && !(live && held && slot.on)) return {said.cpu, i, "is on, and should be off"};
    if (!on && live && held && slot.on) return {said.cpu, i, "is off, and should be on"};
    if (!on && kind != 0) return {said.cpu, i, "is off, with a kind left over"};
    if (!live || !held) continue;
    const auto setting = System::encode(slot.watched);
    if (!setting) return {said.cpu, i, "holds what cannot be watched"};
    if (registers.address(i) != setting.value().address) return {said.cpu, i, "has another address than its holder's"};
    if (on && kind != setting.value().kind) return {said.cpu, i, "has another kind than its holder's"};
  }
  return {};
}

}  // namespace bookend::mock
