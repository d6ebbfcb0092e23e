// SPDX-License-Identifier: MIT
// include/bookend/registration.hpp — a breakpoint that unregisters itself at the end of a scope.
#pragma once
#include <bookend/slot_manager.hpp>

namespace bookend {

/// Unregisters the breakpoint, if it is registered, at the end of the scope. Thread context there. Registering is up to the
/// caller, before or after: `registration guard{slots, watch}; if (auto no = slots.register_breakpoint(watch, r)) return no;`
template <class System, class Breakpoint>
class [[nodiscard]] registration {
 public:
  [[nodiscard]] constexpr registration(slot_manager<System>& slots, Breakpoint& b) noexcept : slots_(slots), breakpoint_(b) {}
  ~registration() {
    if (!breakpoint_.idle()) (void)slots_.unregister_breakpoint(breakpoint_);
  }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;

 private:
  slot_manager<System>& slots_;
  Breakpoint& breakpoint_;
};

}  // namespace bookend
