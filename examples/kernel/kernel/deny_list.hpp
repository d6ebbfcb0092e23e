// SPDX-License-Identifier: MIT
// examples/kernel/kernel/deny_list.hpp — what may not be watched.
#pragma once
#include "bookend.hpp"

namespace kernel {

/// True if some byte of it is used while a debug trap is delivered or a quiet scope is not open yet: a watch there would trap
/// inside its own trap, for ever. The manager itself is refused by bookend.
[[nodiscard]] bool denied(bookend::range bytes) noexcept;
/// True unless all of it is ring 3's. The range does not wrap: bookend has looked.
[[nodiscard]] bool outside_user_space(bookend::range bytes) noexcept;

}  // namespace kernel
