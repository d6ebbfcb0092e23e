// SPDX-License-Identifier: MIT
// examples/watch/complaint.hpp — every way to end badly: one clear line, and what the shell is told.
#pragma once
#include <stdexcept>
#include <string>

namespace watch {

/// The exit codes of `watch`. 0: it watched what it was asked to, to the end that it was asked for.
enum exit_code { refused = 1, bad_usage = 2, not_allowed_here = 3 };

/// Thrown anywhere, printed once by main(). On the way there destructors detach from the process, or end the command.
struct complaint : std::runtime_error {
  explicit complaint(const std::string& line, exit_code tell = refused) : std::runtime_error(line), code(tell) {}
  exit_code code;
};

}  // namespace watch
