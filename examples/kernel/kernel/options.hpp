// SPDX-License-Identifier: MIT
// examples/kernel/kernel/options.hpp — the command line: a word, then name=number.
#pragma once
#include <cstdint>

namespace kernel {

class options {
 public:
  explicit options(const char* line) noexcept : line_(line) {}
  /// True if the first word is this one.
  [[nodiscard]] bool command_is(const char* word) const noexcept;
  /// The number behind `name=`, or `otherwise`.
  [[nodiscard]] std::uint64_t number(const char* name, std::uint64_t otherwise) const noexcept;
  [[nodiscard]] const char* line() const noexcept { return line_; }

 private:
  const char* line_;
};

}  // namespace kernel
