// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/register_file.hpp — the contract of whoever moves values into DR0-DR3, DR6 and DR7.
#pragma once
#include <bookend/x86/encode.hpp>
#include <concepts>
#include <type_traits>

namespace bookend::x86 {

/// Moves values and decides nothing. Instructions (registers.hpp), ptrace, a hypervisor's or emulator's state: all the same.
/// Every call is for the debug registers of `cpu`, under the guard, noexcept, and never allocates or blocks.
///   linear_address_bits  48, or 57 with five-level paging: addresses that are not canonical are refused, as they never hit
///   io_allowed           CR4.DE is set wherever this file writes
///   write_address        DR0 + index; index < 4 and that slot is off in DR7
///   write_dr7            bits 63 to 32 are 0 (1 would be #GP)
///   read_dr6             the architectural value: bits reserved as 1 read as 1
///   write_dr6            only ever the reset value
/// Writes return void when they cannot fail; else bool, all of them: false for "did not take", and the register is as it was.
template <class R>
concept register_file = requires(R r, cpu_id cpu, slot_id index, std::uint64_t value) {
  requires(R::linear_address_bits >= 32 && R::linear_address_bits < 64);
  { R::io_allowed } -> std::convertible_to<bool>;
  { r.write_address(cpu, index, value) } noexcept;
  { r.write_dr7(cpu, value) } noexcept -> std::same_as<decltype(r.write_address(cpu, index, value))>;
  { r.write_dr6(cpu, value) } noexcept -> std::same_as<decltype(r.write_address(cpu, index, value))>;
  { r.read_dr6(cpu) } noexcept -> std::same_as<std::uint64_t>;
};

/// Ability: AMD's address-mask registers, CPUID Fn8000_0001 ECX bit 26 (DataBkptExt). `address_mask_bits` is 12, or 32 with
/// ECX bit 30 (AddrMaskExt); write_mask(cpu, index, mask) writes the mask of slot `index`, which is off. No write of such a file
/// can fail: an address that did not take beside a mask that did would watch what nobody asked for.
template <class R>
concept has_address_masks = register_file<R> && (R::address_mask_bits > 3 && R::address_mask_bits <= 32) &&
                            requires(R r, cpu_id cpu, slot_id index, std::uint64_t value) {
                              { r.write_mask(cpu, index, value) } noexcept -> std::same_as<void>;
                              { r.write_address(cpu, index, value) } noexcept -> std::same_as<void>;
                            };

/// Ability: what was written can be read back. Needed by verified<R>.
template <class R>
concept readable = register_file<R> && requires(R r, cpu_id cpu, slot_id index) {
  { r.read_address(cpu, index) } noexcept -> std::same_as<std::uint64_t>;
  { r.read_dr7(cpu) } noexcept -> std::same_as<std::uint64_t>;
};

/// The limits of a register file, for encode().
template <register_file R>
constexpr limits limits_of() noexcept {
  limits l{.linear_address_bits = R::linear_address_bits, .io_allowed = R::io_allowed, .address_mask_bits = 0};
  if constexpr (has_address_masks<R>) l.address_mask_bits = R::address_mask_bits;
  return l;
}

/// True when a register file's writes can fail.
template <register_file R>
inline constexpr bool writes_can_fail = !std::is_void_v<decltype(static_cast<R*>(nullptr)->write_dr7(cpu_id{}, std::uint64_t{}))>;

}  // namespace bookend::x86
