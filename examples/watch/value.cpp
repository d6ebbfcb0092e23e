// SPDX-License-Identifier: MIT
// examples/watch/value.cpp — what a watched place holds, in the process's memory and in print.
#include "value.hpp"

#include <fmt/format.h>

#include <bookend/linux/frame.hpp>

namespace watch {

std::optional<std::uint64_t> read_value(pid_t pid, bookend::range where) {
  std::uint64_t value = 0;
  if (where.length > sizeof value) return std::nullopt;
  if (bookend::lnx::read_memory(pid, where.first, &value, where.length) != where.length) return std::nullopt;
  return value;
}

std::string to_text(std::optional<std::uint64_t> value) {
  if (!value) return "?";
  return *value < 10'000'000 ? fmt::format("{}", *value) : fmt::format("{:#x}", *value);
}

std::string change_text(std::optional<std::uint64_t> before, std::optional<std::uint64_t> now) {
  return before == now ? "= " + to_text(now) : to_text(before) + " -> " + to_text(now);
}

}  // namespace watch
