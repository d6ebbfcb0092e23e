// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/fault.hpp — what may go wrong at a register write, and who watches it.
#pragma once
#include <bookend/cpumask.hpp>
#include <bookend/mock/bank.hpp>

namespace bookend::mock {

/// A register of a bank.
enum class reg : std::uint8_t { address, control, status };

/// One register write: `value` is the address, the status, or the slots switched on; `control` is all of a control write.
template <unsigned Slots>
struct register_write {
  cpu_id cpu = 0;
  reg which = reg::address;
  slot_id slot = 0;
  std::uint64_t value = 0;
  mock::control<Slots> control{};
  friend constexpr bool operator==(const register_write&, const register_write&) noexcept = default;
};

/// Told about register writes of every kind, before and after. Either function may be null, and may run anything that an
/// interruption may: this CPU's debug traps and NMI included.
template <unsigned Slots>
struct observer {
  using function = void (*)(void* context, const register_write<Slots>& w) noexcept;
  void* context = nullptr;
  function before = nullptr;
  function after = nullptr;
  constexpr void tell_before(const register_write<Slots>& w) const noexcept {
    if (before != nullptr) before(context, w);
  }
  constexpr void tell_after(const register_write<Slots>& w) const noexcept {
    if (after != nullptr) after(context, w);
  }
};

/// How a write fails.
enum class fault : std::uint8_t {
  none,
  refused,  ///< nothing is written
  dropped,  ///< one bit does not take; the backend reads that back and restores the old value
  late,     ///< written as asked, and yet reported as failed
};

/// The writes that shall fail. The infallible machine has none.
template <bool Fallible>
class faults {
 public:
  using outcome = void;
};
template <>
class faults<true> {
 public:
  using outcome = bool;
  static constexpr unsigned forever = ~0U;
  static constexpr cpu_id any_cpu = ~0U;

  /// From now on, of the address and control writes on `cpu`, the k-th (1: the next one) and the count-1 after it fail.
  /// Replaces what was asked before.
  constexpr void fail(unsigned k, fault how = fault::refused, unsigned count = 1, cpu_id cpu = any_cpu) noexcept {
    BOOKEND_ASSERT(k > 0 && how != fault::none, "the k-th write, k from 1");
    skip_ = k - 1;
    left_ = count;
    how_ = how;
    cpu_ = cpu;
  }
  constexpr void fail_none() noexcept { left_ = 0; }
  /// Writes that have failed so far.
  [[nodiscard]] constexpr unsigned failed() const noexcept { return failed_; }

  /// The backend asks: what becomes of this write?
  constexpr fault next(cpu_id cpu) noexcept {
    if (left_ == 0 || (cpu_ != any_cpu && cpu_ != cpu)) return fault::none;
    if (skip_ != 0) return --skip_, fault::none;
    if (left_ != forever) --left_;
    ++failed_;
    return how_;
  }

 private:
  unsigned skip_ = 0;
  unsigned left_ = 0;
  unsigned failed_ = 0;
  cpu_id cpu_ = 0;
  fault how_ = fault::none;
};

/// A write of which one bit did not take: the lowest that changes; if none does, bit 0 turns over.
template <unsigned Slots>
constexpr register_write<Slots> spoiled(register_write<Slots> wanted, const register_write<Slots>& old) noexcept {
  const std::uint64_t changes = wanted.value ^ old.value;
  wanted.value ^= changes != 0 ? changes & (~changes + 1) : 1;
  if (wanted.which == reg::control) wanted.control.on = static_cast<slot_mask>(wanted.value);
  return wanted;
}

}  // namespace bookend::mock
