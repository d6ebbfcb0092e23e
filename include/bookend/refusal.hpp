// SPDX-License-Identifier: MIT
// include/bookend/refusal.hpp — why a request was not granted, where, and who is in the way.
#pragma once
#include <bookend/assert.hpp>
#include <bookend/cpumask.hpp>
#include <cstdint>

namespace bookend {

/// Why. Append only: the values cross the user boundary.
enum class reason : std::uint32_t {
  granted = 0,
  no_slot = 1,             ///< the rule would break on some CPU: unregister there, or ask for other CPUs
  misaligned = 2,          ///< the address is not a multiple of the length: align it down, or split the range
  bad_length = 3,          ///< no such length on this machine, or the range wraps: split the range
  empty_mask = 4,          ///< no CPU asked for: name at least one
  bad_cpu = 5,             ///< no such CPU
  unsupported = 6,         ///< this machine cannot watch that kind of access, or has no such address: ask for another
  forbidden = 7,           ///< may_watch() says no, or the range touches the manager itself
  not_registered = 8,      ///< register it first
  already_registered = 9,  ///< unregister it first, or use another breakpoint object
  would_block = 10,        ///< somebody else is at it: try again
  hardware = 11,           ///< a register did not take its value; everything else is as before
};

/// The field's errno for a reason (0 for granted), positive: for a system call's boundary. Any context.
/// Linux, include/uapi/asm-generic/errno-base.h and errno.h.
constexpr int to_errno(reason why) noexcept {
  constexpr int of[] = {0, 28, 22, 22, 22, 22, 95, 1, 2, 17, 16, 5};
  return of[static_cast<unsigned>(why)];
}

/// The reason's name as it is spelled above. Any context.
constexpr const char* to_string(reason why) noexcept {
  constexpr const char* of[] = {"granted",     "no_slot",   "misaligned",     "bad_length",         "empty_mask",  "bad_cpu",
                                "unsupported", "forbidden", "not_registered", "already_registered", "would_block", "hardware"};
  return of[static_cast<unsigned>(why)];
}

/// What every verb returns: converts to true when the request was refused, and then nothing has changed. Two registers, without
/// holes: g++ would put it together in memory, and wait for that.
struct refusal {
  reason why = reason::granted;
  cpu_id cpu = 0;                 ///< the first CPU in the way; for no_slot, bad_cpu and hardware
  std::uint16_t kernel_held = 0;  ///< slots of that pool that the kernel holds on `cpu`; for no_slot
  std::uint16_t user_held = 0;    ///< slots held there by users: for a user request by its own task, else by the tallest task
  std::uint32_t pool = 0;         ///< the pool that was full; meaningful for no_slot

  [[gnu::always_inline]] constexpr refusal() noexcept = default;
  [[gnu::always_inline]] constexpr refusal(reason r) noexcept : why(r) {}
  [[gnu::always_inline]] constexpr refusal(reason r, cpu_id where) noexcept : why(r), cpu(where) {}
  [[gnu::always_inline]] constexpr explicit operator bool() const noexcept { return why != reason::granted; }
};
static_assert(sizeof(refusal) == 16);

/// A value or the reason there is none. `if (auto r = encode(q)) use(r.value()); else return r.why();`
template <class T>
class [[nodiscard]] result {
 public:
  constexpr result(const T& value) noexcept : value_(value) {}
  constexpr result(reason why) noexcept : why_(why) { BOOKEND_ASSERT(why != reason::granted, "a refusal needs a reason"); }
  /// True when there is a value.
  constexpr explicit operator bool() const noexcept { return why_ == reason::granted; }
  [[nodiscard]] constexpr reason why() const noexcept { return why_; }
  /// Precondition: there is a value.
  [[nodiscard, gnu::always_inline]] constexpr const T& value() const noexcept {
    BOOKEND_ASSERT(why_ == reason::granted, "value() of a refusal");
    return value_;
  }

 private:
  T value_{};
  reason why_ = reason::granted;
};

}  // namespace bookend
