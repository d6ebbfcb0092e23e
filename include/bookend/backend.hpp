// SPDX-License-Identifier: MIT
// include/bookend/backend.hpp — the contract of a machine: what its debug registers can hold and how they are written.
#pragma once
#include <bookend/cpumask.hpp>
#include <bookend/refusal.hpp>
#include <bookend/request.hpp>
#include <concepts>

namespace bookend {

/// What the machine says after a debug trap, polarity and position taken out.
struct status {
  slot_mask hits = 0;      ///< slots whose condition matched; the machine may set bits of slots that are off
  std::uint64_t rest = 0;  ///< everything that is not a slot's bit, in the machine's own positions, 1 = reported (step included)
  bool step = false;       ///< a single step is reported too
};

/// A machine. `setting` is what one slot's registers hold, independent of which slot it is; `control` is what the registers
/// hold that switch slots on (x86: DR7). The core decides what is written when, and keeps the shadow; a backend only moves
/// values. Checked for every backend by tests/conformance/backend_suite.hpp:
///   slots, pools      at most 32 slots; each is in exactly one of the disjoint masks `pools[]`, whose slots are interchangeable.
///   encode            the only validation there is: pure, constexpr, and complete, so that writing an encoded setting cannot be
///                     refused for its value. Never widens or narrows what is watched.
///   decode            the request that an encoded setting watches: decode(encode(r)) == r.
///   pool_of           index into pools[] for a setting.
///   faults_before     true when its hit comes before the access (x86: execution), and so would come again on return.
///   same_address      true when going from one setting to the other changes only `control`.
///   control_of        the control value that switches on exactly the slots of `on` with these settings. Pure; `on` = 0 is the
///                     machine's "all off".
///   write_address     this CPU, traps off; the slot is off in the control register. Moves the setting's address part.
///   write_control     this CPU, traps off. When it returns, exactly what it says is on.
///   take_status       this CPU, traps off. Reads the status and writes the machine's reset value back.
/// Writes return void when they cannot fail, and then no error path is compiled; else bool, false for "did not take", and then
/// the registers are as they were or as asked, and the next write is still possible. All are noexcept, allocate and block
/// never.
template <class B>
concept backend = requires(B b, cpu_id cpu, slot_id slot, slot_mask on, request r, const typename B::setting& s,
                           const typename B::setting (&all)[B::slots], const typename B::control& c) {
  requires(B::slots > 0 && B::slots <= 32);
  { B::pools[0] } -> std::convertible_to<slot_mask>;
  { B::encode(r) } noexcept -> std::same_as<result<typename B::setting>>;
  { B::decode(s) } noexcept -> std::same_as<request>;
  { B::pool_of(s) } noexcept -> std::convertible_to<unsigned>;
  { B::faults_before(s) } noexcept -> std::same_as<bool>;
  { B::same_address(s, s) } noexcept -> std::same_as<bool>;
  { B::control_of(all, on) } noexcept -> std::same_as<typename B::control>;
  { c == c } -> std::convertible_to<bool>;
  { b.write_address(cpu, slot, s) } noexcept;
  { b.write_control(cpu, c) } noexcept -> std::same_as<decltype(b.write_address(cpu, slot, s))>;
  { b.take_status(cpu) } noexcept -> std::same_as<status>;
};

/// True when a register write can fail: ptrace, perf, firmware.
template <class B>
inline constexpr bool can_fail = !std::is_void_v<decltype(static_cast<B*>(nullptr)->write_control(
    cpu_id{},
    static_cast<B*>(nullptr)->control_of(*static_cast<const typename B::setting (*)[B::slots]>(nullptr), slot_mask{})))>;

/// All slots of a machine.
template <class B>
inline constexpr slot_mask all_slots = [] {
  slot_mask m = 0;
  for (const slot_mask pool : B::pools) m |= pool;
  return m;
}();

/// Number of a machine's pools.
template <class B>
inline constexpr unsigned pool_count = sizeof(B::pools) / sizeof(B::pools[0]);

}  // namespace bookend
