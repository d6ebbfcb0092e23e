// SPDX-License-Identifier: MIT
// examples/watch/proc.cpp — what /proc says of a process.
#include "proc.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <fstream>

namespace watch {

std::string name_of_thread(pid_t pid, pid_t tid) {
  std::ifstream comm(fmt::format("/proc/{}/task/{}/comm", pid, tid));
  std::string name;
  std::getline(comm, name);
  return name;
}

std::optional<std::uint64_t> entry_point(pid_t pid) {
  std::ifstream auxv(fmt::format("/proc/{}/auxv", pid), std::ios::binary);
  Elf64_auxv_t entry;
  while (auxv.read(reinterpret_cast<char*>(&entry), sizeof entry))
    if (entry.a_type == AT_ENTRY) return entry.a_un.a_val;
  return std::nullopt;
}

}  // namespace watch
