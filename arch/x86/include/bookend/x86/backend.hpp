// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/backend.hpp — the x86 backend over any register file: which values go where, in which order.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/backend.hpp>
#include <bookend/x86/dr6.hpp>
#include <bookend/x86/register_file.hpp>

namespace bookend::x86 {

/// The contract is bookend::backend; what it cannot say is here. Stateless beyond R, and all-zero when R is.
template <register_file R>
struct backend : R {
  static_assert(
      has_address_masks<R> || !requires { R::address_mask_bits; },
      "address_mask_bits is 12 to 32, and comes with a write_mask and writes that cannot fail");

  static constexpr unsigned slots = x86::slots;
  static constexpr slot_mask pools[] = {0xF};  // any slot watches anything
  using setting = x86::setting;
  using control = std::uint32_t;  ///< DR7: its upper half does not exist

  static constexpr result<setting> encode(const request& r) noexcept { return x86::encode(r, limits_of<R>()); }
  static constexpr request decode(const setting& s) noexcept { return x86::decode(s); }
  static constexpr unsigned pool_of(const setting&) noexcept { return 0; }

  /// Execution is a fault, before the instruction; data and I/O are traps, after the access.
  static constexpr bool faults_before(const setting& s) noexcept { return (s.kind & 0b11) == rw_of(access::execute); }

  static constexpr bool same_address(const setting& a, const setting& b) noexcept {
    return a.address == b.address && a.mask == b.mask;
  }

  static constexpr control control_of(const setting (&all)[slots], slot_mask on) noexcept {
    return dr7_of(all[0].kind | all[1].kind << 4 | all[2].kind << 8 | all[3].kind << 12, on);
  }

  /// With mask registers the mask is written every time, 0 too: else the mask of the slot's last owner would widen this watch
  /// (XSA-444).
  constexpr auto write_address(cpu_id cpu, slot_id slot, const setting& s) noexcept {
    BOOKEND_ASSERT(slot < slots, "slot outside the backend");
    if constexpr (has_address_masks<R>) R::write_mask(cpu, slot, s.mask);
    return R::write_address(cpu, slot, s.address);
  }

  constexpr auto write_control(cpu_id cpu, control value) noexcept { return R::write_dr7(cpu, value); }

  /// Reads DR6 and writes its reset value back: the CPU sets bits and never clears them.
  constexpr status take_status(cpu_id cpu) noexcept {
    const std::uint64_t dr6 = R::read_dr6(cpu);
    // A file that cannot write its DR6 is a CPU that is gone; the bits that it may still have are said once more at worst.
    static_cast<void>(R::write_dr6(cpu, dr6_reset));
    return status_of(dr6);
  }
};

}  // namespace bookend::x86
