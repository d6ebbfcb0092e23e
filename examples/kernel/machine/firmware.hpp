// SPDX-License-Identifier: MIT
// examples/kernel/machine/firmware.hpp — what loader and firmware say: the command line, which CPUs there are, the time.
#pragma once
#include <cstdint>

namespace kernel {

/// What the loader hands over. PVH: Xen, public/arch-x86/hvm/start_info.h.
struct start_info {
  std::uint32_t magic, version, flags, modules;
  std::uint64_t module_list, command_line, rsdp, memory_map;
  std::uint32_t memory_map_entries, reserved;
};

/// Copies the command line. Any time; the result is good for ever.
const char* read_command_line(const start_info& info) noexcept;
/// Fills apic_ids[] with the CPUs that are enabled, this one first; returns how many. After start_paging().
unsigned find_cpus(const start_info& info, std::uint32_t* apic_ids, unsigned max) noexcept;
/// Seconds of the day, from the battery clock. Wraps at midnight.
unsigned seconds_of_day() noexcept;

}  // namespace kernel
