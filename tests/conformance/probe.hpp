// SPDX-License-Identifier: MIT
// tests/conformance/probe.hpp — what the backend suite needs of a machine: real accesses, and what its status said after them.
#pragma once
#include <bookend/backend.hpp>
#include <type_traits>
#include <utility>

namespace conformance {

/// One access.
struct observation {
  bool trapped = false;    ///< a debug trap came
  bool before = false;     ///< and the access had not been done when it came
  bookend::status seen{};  ///< what take_status() said after it; all zero without a trap
};

/// Memory that a probe's accesses may touch, aligned to its size.
inline constexpr std::uint64_t room_bytes = 256;

/// A machine to try a backend on. A fresh probe has everything off and nothing pending.
///   backend             the backend; CPUs 0 to cpus()-1 exist and are idle between two calls
///   room                the first of room_bytes bytes of memory
///   code                an instruction that execute() runs; the 8 bytes there are code, and the address is a multiple of 8
///   write, read         one access of `length` bytes (1, 2, 4 or 8, aligned or not) on that CPU
///   execute             that CPU runs `code`, or whatever else it is told to that was code()
/// Optional: `step(cpu)` runs one instruction under single step; `fail_next(cpu)` makes the next write_address or
/// write_control there fail; a static `shows_all_hits = false` says that one access reports one slot only; a static
/// `touches_anywhere` says that accesses need not stay in the room.
template <class P>
concept backend_probe = requires(P p, bookend::cpu_id cpu, std::uint64_t address, std::uint64_t length) {
  requires bookend::backend<std::remove_cvref_t<decltype(p.backend())>>;
  { p.cpus() } -> std::convertible_to<unsigned>;
  { p.room() } -> std::convertible_to<std::uint64_t>;
  { p.code() } -> std::convertible_to<std::uint64_t>;
  { p.write(cpu, address, length) } -> std::same_as<observation>;
  { p.read(cpu, address, length) } -> std::same_as<observation>;
  { p.execute(cpu, address) } -> std::same_as<observation>;
};

template <class P>
inline constexpr bool shows_all_hits = true;
template <class P>
  requires requires { P::shows_all_hits; }
inline constexpr bool shows_all_hits<P> = P::shows_all_hits;

/// True when a register write took; those that cannot fail always do.
template <class Write>
bool took(Write write) noexcept {
  if constexpr (std::is_void_v<decltype(write())>)
    return write(), true;
  else
    return write();
}

/// One CPU's slots in the suite's hands: keeps the settings, and writes in the order that the contract asks for.
template <backend_probe Probe>
class hands {
 public:
  using machine = std::remove_cvref_t<decltype(std::declval<Probe&>().backend())>;
  using setting = typename machine::setting;

  hands(Probe& probe, bookend::cpu_id cpu) noexcept : probe_(probe), cpu_(cpu) {}

  /// Address first, while the slot is off; then on. False when a write did not take.
  bool arm(bookend::slot_id slot, const setting& s) {
    if ((on_ & bit(slot)) != 0 && !disarm(slot)) return false;
    if (!took([&] { return probe_.backend().write_address(cpu_, slot, s); })) return false;
    all_[slot] = s;
    return switch_to(on_ | bit(slot));
  }
  bool disarm(bookend::slot_id slot) { return switch_to(on_ & ~bit(slot)); }
  bool disarm_all() { return switch_to(0); }
  /// Exactly these slots on, with the addresses that they have.
  bool switch_to(bookend::slot_mask on) {
    const auto control = machine::control_of(all_, on);
    if (!took([&] { return probe_.backend().write_control(cpu_, control); })) return false;
    on_ = on;
    return true;
  }
  /// Another setting for a slot, the address register left alone.
  void change_kind(bookend::slot_id slot, const setting& s) noexcept { all_[slot] = s; }

  observation write(std::uint64_t address, std::uint64_t length = 1) { return mine(probe_.write(cpu_, address, length)); }
  observation read(std::uint64_t address, std::uint64_t length = 1) { return mine(probe_.read(cpu_, address, length)); }
  observation execute(std::uint64_t address) { return mine(probe_.execute(cpu_, address)); }
  /// The access that a setting watches for, at its address.
  observation touch(const setting& s) {
    const bookend::request r = machine::decode(s);
    if (r.on == bookend::access::execute) return execute(r.address);
    return r.on == bookend::access::read ? read(r.address) : write(r.address);
  }
  [[nodiscard]] bookend::slot_mask on() const noexcept { return on_; }

 private:
  static constexpr bookend::slot_mask bit(bookend::slot_id slot) noexcept { return bookend::slot_mask{1} << slot; }
  /// The status may show slots that are off; the contract says so, and the core ignores them.
  observation mine(observation o) const noexcept {
    o.seen.hits &= on_;
    return o;
  }
  Probe& probe_;
  bookend::cpu_id cpu_;
  bookend::slot_mask on_ = 0;
  setting all_[machine::slots]{};
};

/// Calls f(slot) for each slot of a mask, lowest first.
template <class F>
void each_slot(bookend::slot_mask mask, F f) {
  for (bookend::slot_id slot = 0; slot < 32; ++slot)
    if ((mask >> slot & 1) != 0) f(slot);
}

/// The slots where a setting may be.
template <bookend::backend B>
constexpr bookend::slot_mask slots_for(const typename B::setting& s) noexcept {
  return B::pools[B::pool_of(s)];
}

}  // namespace conformance
