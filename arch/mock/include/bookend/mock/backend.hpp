// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/backend.hpp — a machine made of memory: any number of CPUs and slots, one pool or two.
#pragma once
#include <bookend/backend.hpp>
#include <bookend/mock/bank.hpp>
#include <bookend/mock/fault.hpp>

namespace bookend::mock {

/// The slots of a machine, by pool. Two pools are as on arm64: pool 0, the lower half (and the odd one), watches execution;
/// pool 1 watches data.
template <unsigned Slots, unsigned Pools>
struct pools_of;
template <unsigned Slots>
struct pools_of<Slots, 1> {
  static constexpr slot_mask pools[] = {~slot_mask{0} >> (32 - Slots)};
};
template <unsigned Slots>
struct pools_of<Slots, 2> {
  static_assert(Slots >= 2, "a slot for each pool");
  static constexpr slot_mask lower = ~slot_mask{0} >> (32 - (Slots + 1) / 2);
  static constexpr slot_mask pools[] = {lower, (~slot_mask{0} >> (32 - Slots)) & ~lower};
};

/// A trap frame: where the CPU was, and the flag that lets it go on past an execution breakpoint once.
struct frame {
  std::uint64_t ip = 0;
  bool resume = false;
};

/// The driver of a simulated bank of debug registers a CPU. Freestanding; a fresh one is all zero bytes; constexpr throughout.
/// It watches writes, reads, both, and execution, of 1, 2, 4 or 8 bytes, aligned to their length, anywhere; not I/O.
/// `Fallible`: its writes return bool and can be told to fail (fault.hpp). Add a platform and it is a system:
///   struct os : mock::backend<4, 4>, single_thread<4> { static bool may_watch(side, range) noexcept { return true; } };
template <unsigned Cpus, unsigned Slots, unsigned Pools = 1, bool Fallible = false>
class backend : public pools_of<Slots, Pools> {
  static_assert(Slots > 0 && Slots <= 32, "a slot mask has 32 bits");

 public:
  static constexpr unsigned slots = Slots;
  struct setting {
    std::uint64_t address;
    std::uint8_t kind;
    friend constexpr bool operator==(const setting&, const setting&) noexcept = default;
  };
  using control = mock::control<Slots>;
  using frame = mock::frame;
  using write = register_write<Slots>;

  static constexpr result<setting> encode(request r) noexcept {
    unsigned touches = 0;
    switch (r.on) {
      case access::write:
        touches = static_cast<unsigned>(touch::write);
        break;
      case access::read:
        touches = static_cast<unsigned>(touch::read);
        break;
      case access::read_write:
        touches = static_cast<unsigned>(touch::read) | static_cast<unsigned>(touch::write);
        break;
      case access::execute:
        touches = static_cast<unsigned>(touch::execute);
        break;
      default:
        return reason::unsupported;
    }
    if (r.length == 0 || r.length > 8 || (r.length & (r.length - 1)) != 0 || r.bytes().wraps()) return reason::bad_length;
    if (r.address % r.length != 0) return reason::misaligned;
    return setting{r.address, kind_of(detail::lowest_bit(r.length), touches)};
  }
  static constexpr request decode(const setting& s) noexcept {
    const bool reads = reports(s.kind, touch::read);
    const bool writes = reports(s.kind, touch::write);
    const access on = reads && writes ? access::read_write : reads ? access::read : writes ? access::write : access::execute;
    return {s.address, length_of(s.kind), on};
  }
  static constexpr unsigned pool_of(const setting& s) noexcept { return Pools == 2 && !reports(s.kind, touch::execute) ? 1 : 0; }
  static constexpr bool faults_before(const setting& s) noexcept { return reports(s.kind, touch::execute); }
  static constexpr bool same_address(const setting& a, const setting& b) noexcept { return a.address == b.address; }
  static constexpr control control_of(const setting (&all)[Slots], slot_mask on) noexcept {
    control c{.on = on};
    for (slot_id slot = 0; slot < Slots; ++slot)
      if ((on >> slot & 1) != 0) c.kind[slot] = all[slot].kind;  // kinds of slots that are off stay 0: nothing stale is left
    return c;
  }

  using outcome = typename mock::faults<Fallible>::outcome;
  constexpr outcome write_address(cpu_id cpu, slot_id slot, const setting& s) noexcept {
    return put({.cpu = cpu, .which = reg::address, .slot = slot, .value = s.address, .control = {}});
  }
  constexpr outcome write_control(cpu_id cpu, const control& c) noexcept {
    return put({.cpu = cpu, .which = reg::control, .slot = 0, .value = c.on, .control = c});
  }
  constexpr status take_status(cpu_id cpu) noexcept {
    const write reset{.cpu = cpu, .which = reg::status, .slot = 0, .value = status_reset, .control = {}};
    observer_.tell_before(reset);
    const std::uint64_t reported = bank(cpu).status() ^ status_reset;
    store(reset);
    return {.hits = static_cast<slot_mask>(reported & status_slots),
            .rest = reported & ~status_slots,
            .step = (reported & status_step) != 0};
  }
  static constexpr void step_past(frame& f) noexcept { f.resume = true; }

  // What a test holds in its hand.

  /// The registers themselves, to touch memory with (`bank(cpu).touched(...)`) and to compare.
  constexpr mock::bank<Slots>& bank(cpu_id cpu) noexcept { return banks_[at(cpu)]; }
  constexpr const mock::bank<Slots>& bank(cpu_id cpu) const noexcept { return banks_[at(cpu)]; }
  /// Who is told about every register write, before (an interruption may arrive there) and after.
  constexpr void observe(const observer<Slots>& who) noexcept { observer_ = who; }
  /// The writes that shall fail; see faults::fail(). Only of a Fallible machine.
  constexpr mock::faults<Fallible>& faults() noexcept { return faults_; }

 private:
  static constexpr cpu_id at(cpu_id cpu) noexcept {
    BOOKEND_ASSERT(cpu < Cpus, "no such CPU");
    return cpu;
  }
  constexpr write held(const write& same) const noexcept {
    write w = same;
    if (w.which == reg::address) w.value = bank(w.cpu).address(w.slot);
    if (w.which == reg::control) w.control = bank(w.cpu).control(), w.value = w.control.on;
    return w;
  }
  constexpr void store(const write& w) noexcept {
    if (w.which == reg::address) {
      BOOKEND_ASSERT((bank(w.cpu).control().on >> w.slot & 1) == 0, "an address changes while its slot is on");
      bank(w.cpu).set_address(w.slot, w.value);
    } else if (w.which == reg::control) {
      bank(w.cpu).set_control(w.control);
    } else {
      bank(w.cpu).set_status(w.value);
    }
    observer_.tell_after(w);
  }
  constexpr outcome put(const write& wanted) noexcept {
    observer_.tell_before(wanted);
    if constexpr (!Fallible) {
      store(wanted);
    } else {
      const fault f = faults_.next(wanted.cpu);
      if (f == fault::refused) return false;
      const write old = held(wanted);
      store(f == fault::dropped ? spoiled(wanted, old) : wanted);
      if (f == fault::late) return false;
      if (held(wanted) == wanted) return true;
      store(old);  // read back and found wrong: as it was, so that nothing half asked for is live
      return false;
    }
  }

  mock::bank<Slots> banks_[Cpus]{};
  observer<Slots> observer_{};
  mock::faults<Fallible> faults_{};
};

}  // namespace bookend::mock
