// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/dr7.hpp — where each DR7 bit is and what it switches. No instructions: every host builds it.
// Intel SDM vol. 3, "Debug Control Register (DR7)"; AMD APM vol. 2, "Software Debug Resources", "Debug-Control Register (DR7)".
#pragma once
#include <bookend/request.hpp>

namespace bookend::x86 {

inline constexpr unsigned slots = 4;

/// DR7 with everything off: bit 10 is always 1.
inline constexpr std::uint32_t dr7_reset = 0x400;
inline constexpr std::uint32_t dr7_exact = 1u << 9;            ///< GE: older CPUs report a data hit exactly only with it
inline constexpr std::uint32_t dr7_general_detect = 1u << 13;  ///< GD: never set here; it traps the next debug register access
/// All that dr7_of() ever sets: four LEN and RW fields, bit 10, GE and G0-G3. Not L0-L3, LE, RTM, GD or a reserved bit.
inline constexpr std::uint32_t dr7_used = 0xFFFF'06AA;

/// The four bits of a slot as DR7 holds them: LEN in bits 3 and 2, RW in bits 1 and 0.
using dr7_kind = std::uint32_t;

/// RW of an access. Precondition: not access::read, which x86 does not have. Pure.
constexpr unsigned rw_of(access on) noexcept {
  return on == access::execute ? 0b00 : on == access::write ? 0b01 : on == access::io ? 0b10 : 0b11;
}
/// The inverse. RW 10 means I/O while CR4.DE is set and is undefined otherwise. Pure.
constexpr access access_of(dr7_kind kind) noexcept {
  constexpr access of[] = {access::execute, access::write, access::io, access::read_write};
  return of[kind & 0b11];
}
/// LEN of a length: not its logarithm, 4 is 11 and 8 is 10. Precondition: 1, 2, 4 or 8. Pure.
constexpr unsigned len_of(std::uint64_t length) noexcept { return length == 8 ? 0b10 : static_cast<unsigned>(length - 1); }
/// The inverse. Pure.
constexpr unsigned length_of(dr7_kind kind) noexcept { return (kind >> 2) == 0b10 ? 8 : (kind >> 2) + 1u; }

/// Preconditions of rw_of() and len_of(); LEN is 00 for execution. Pure.
constexpr dr7_kind kind_of(access on, std::uint64_t length) noexcept {
  return static_cast<dr7_kind>(len_of(length) << 2 | rw_of(on));
}

namespace detail {
/// For each set of slots: all of its bits that DR7 may have.
struct dr7_table {
  std::uint32_t of[1u << slots]{};
  constexpr dr7_table() noexcept {
    for (slot_mask on = 0; on < 1u << slots; ++on) {
      of[on] = dr7_reset | (on != 0 ? dr7_exact : 0);  // while any slot is on: the last one out drops it, not the first
      for (unsigned i = 0; i < slots; ++i)
        if ((on >> i & 1) != 0) of[on] |= 0xFu << (16 + 4 * i) | 0b10u << (2 * i);  // G, not L: a hardware task switch clears L
    }
  }
};
inline constexpr dr7_table dr7_allowed{};
}  // namespace detail

/// The DR7 that switches on exactly the slots of `on`. `kinds`: four bits a slot, slot 0 lowest; those of slots that are off are
/// ignored, and their LEN and RW are 0: a stale LEN can make the slot's next address illegal (Linux ptrace). From scratch, from
/// nothing else: a bit that is not asked for cannot survive. Pure, no branch, one load from a table of 64 bytes.
constexpr std::uint32_t dr7_of(std::uint32_t kinds, slot_mask on) noexcept {
  return (kinds << 16 | 0xFFFF) & detail::dr7_allowed.of[on & 0xF];
}

/// What a DR7 value says of one slot: 0 if it is off, else 0x10 and its LEN and RW. Pure.
constexpr std::uint32_t dr7_slot(std::uint32_t dr7, slot_id slot) noexcept {
  return (dr7 >> (2 * slot) & 0b11) == 0 ? 0 : 0x10 | (dr7 >> (16 + 4 * slot) & 0xF);
}

/// What a DR7 value says, for whoever prints one. Slot i is on when it is in `global` or `local`.
struct dr7_fields {
  slot_mask global = 0;         ///< G0-G3
  slot_mask local = 0;          ///< L0-L3
  bool exact = false;           ///< LE or GE
  bool general_detect = false;  ///< GD
  dr7_kind kind[slots]{};       ///< LEN and RW, of slots that are off too

  [[nodiscard]] constexpr slot_mask on() const noexcept { return global | local; }
  friend constexpr bool operator==(const dr7_fields&, const dr7_fields&) noexcept = default;
};

/// The inverse of dr7_of() for any value, also one that somebody else wrote. Pure.
constexpr dr7_fields dr7_decode(std::uint64_t dr7) noexcept {
  dr7_fields f;
  for (unsigned i = 0; i < slots; ++i) {
    f.local |= static_cast<slot_mask>(dr7 >> (2 * i) & 1) << i;
    f.global |= static_cast<slot_mask>(dr7 >> (2 * i + 1) & 1) << i;
    f.kind[i] = static_cast<dr7_kind>(dr7 >> (16 + 4 * i) & 0xF);
  }
  f.exact = (dr7 & 0x300) != 0;
  f.general_detect = (dr7 & dr7_general_detect) != 0;
  return f;
}

}  // namespace bookend::x86
