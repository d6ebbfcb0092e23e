// SPDX-License-Identifier: MIT
// examples/watch/value.hpp — what a watched place holds, in the process's memory and in print.
#pragma once
#include <sys/types.h>

#include <bookend/request.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace watch {

/// The bytes of `where`, read as one little-endian number. Nothing when they cannot be read (not mapped, process gone).
std::optional<std::uint64_t> read_value(pid_t pid, bookend::range where);

/// A number as people want it: counts in decimal, what looks like an address or a bit pattern in hexadecimal, "?" if not known.
std::string to_text(std::optional<std::uint64_t> value);

/// "41 -> 42", "= 42" when the access left it as it was.
std::string change_text(std::optional<std::uint64_t> before, std::optional<std::uint64_t> now);

}  // namespace watch
