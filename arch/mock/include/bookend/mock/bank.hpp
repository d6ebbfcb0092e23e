// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/bank.hpp — one simulated CPU's debug registers, and what it does when memory is touched.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/builtin.hpp>
#include <bookend/request.hpp>

namespace bookend::mock {

/// What a CPU does to memory. One bit each: the same bits say in a slot's kind what it reports.
enum class touch : std::uint8_t { write = 1, read = 2, execute = 4 };

/// What machines differ in.
struct behaviour {
  /// When a trap comes anyway, the status shows slots that are off, too, if their address register points into the access.
  /// Hardware may; QEMU's TCG does for execution.
  bool shows_disabled = false;
  /// A data access that several slots match shows the lowest of them only. QEMU's TCG does; hardware shows all.
  bool lowest_only = false;
};

/// The control register: which slots are on, and each one's kind: bits 0-1 the length (log2), bits 2-4 the touches reported.
template <unsigned Slots>
struct control {
  slot_mask on = 0;
  std::uint8_t kind[Slots]{};
  friend constexpr bool operator==(const control&, const control&) noexcept = default;
};

/// The kind byte of a slot.
constexpr std::uint8_t kind_of(unsigned log2_length, unsigned touches) noexcept {
  return static_cast<std::uint8_t>(log2_length | touches << 2);
}
constexpr std::uint64_t length_of(std::uint8_t kind) noexcept { return std::uint64_t{1} << (kind & 3); }
constexpr bool reports(std::uint8_t kind, touch what) noexcept { return ((kind >> 2) & static_cast<unsigned>(what)) != 0; }

/// The status register, like DR6: bit i for slot i, and a bit whose idle value is 1, so that the value to reset it to is not 0
/// and a driver that writes 0 later reads a false bus lock.
inline constexpr std::uint64_t status_slots = 0xffff'ffff;
inline constexpr std::uint64_t status_step = std::uint64_t{1} << 32;
inline constexpr std::uint64_t status_task_switch = std::uint64_t{1} << 33;
inline constexpr std::uint64_t status_no_bus_lock = std::uint64_t{1} << 48;
inline constexpr std::uint64_t status_reset = status_no_bus_lock;

/// One CPU's registers. They take what they are given; a driver that gives them nonsense is the driver's bug.
/// All bytes of a fresh bank are 0, so a machine of any size can live in .bss.
template <unsigned Slots>
class bank {
 public:
  [[nodiscard]] constexpr std::uint64_t address(slot_id slot) const noexcept { return address_[at(slot)]; }
  constexpr void set_address(slot_id slot, std::uint64_t value) noexcept { address_[at(slot)] = value; }
  [[nodiscard]] constexpr const mock::control<Slots>& control() const noexcept { return control_; }
  constexpr void set_control(const mock::control<Slots>& value) noexcept { control_ = value; }
  [[nodiscard]] constexpr std::uint64_t status() const noexcept { return status_ ^ status_reset; }
  constexpr void set_status(std::uint64_t value) noexcept { status_ = value ^ status_reset; }

  /// The CPU touches `bytes`. Every byte counts: a slot matches when it shares one with the access. (For execution, give the
  /// first byte of the instruction.) Status bits are added and stay until the register is written. True when a trap follows.
  constexpr bool touched(touch what, range bytes, behaviour how = {}) noexcept {
    slot_mask hits = 0;
    slot_mask shown = 0;
    for (slot_id slot = 0; slot < Slots; ++slot) {
      const slot_mask bit = slot_mask{1} << slot;
      if ((control_.on & bit) != 0) {
        const std::uint8_t kind = control_.kind[slot];
        if (reports(kind, what) && bytes.overlaps({address_[slot], length_of(kind)})) hits |= bit;
      } else if (how.shows_disabled && bytes.overlaps({address_[slot], 1})) {
        shown |= bit;
      }
    }
    if (hits == 0) return false;
    if (how.lowest_only && what != touch::execute) hits &= ~hits + 1;
    set_status(status() | hits | shown);
    return true;
  }

  /// An instruction ends with a single step asked for: the status says so, and a trap follows.
  constexpr void stepped() noexcept { set_status(status() | status_step); }

 private:
  static constexpr slot_id at(slot_id slot) noexcept {
    BOOKEND_ASSERT(slot < Slots, "no such slot");
    return slot;
  }
  std::uint64_t address_[Slots]{};
  mock::control<Slots> control_{};
  std::uint64_t status_ = 0;  // kept as the difference from the reset value
};

}  // namespace bookend::mock
