// SPDX-License-Identifier: MIT
// examples/watch/proc.hpp — what /proc says of a process.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace watch {

/// The name that `top` and `ps -L` show; empty when the thread is gone.
std::string name_of_thread(pid_t pid, pid_t tid);

/// Where the executable begins when its libraries are loaded (AT_ENTRY); nothing when that cannot be read.
std::optional<std::uint64_t> entry_point(pid_t pid);

}  // namespace watch
