// SPDX-License-Identifier: MIT
// examples/kernel/machine/firmware.cpp — see firmware.hpp. ACPI specification: "Root System Description Pointer (RSDP)",
// "Multiple APIC Description Table (MADT)".
#include "firmware.hpp"

#include "../kernel/panic.hpp"
#include "apic.hpp"
#include "image.hpp"
#include "instructions.hpp"

namespace kernel {

namespace {

struct [[gnu::packed]] table_header {
  char signature[4];
  std::uint32_t length;
  char rest[28];
};
struct [[gnu::packed]] root_pointer {
  char signature[8];
  std::uint8_t checksum;
  char oem[6];
  std::uint8_t revision;
  std::uint32_t rsdt;
};

const root_pointer* find_root(const start_info& info) noexcept {
  if (info.rsdp != 0) return at_physical<const root_pointer>(info.rsdp);
  for (std::uint64_t at = 0xe'0000; at < 0x10'0000; at += 16)
    if (__builtin_memcmp(at_physical<char>(at), "RSD PTR ", 8) == 0) return at_physical<const root_pointer>(at);
  panic("no ACPI tables");
}

const table_header& find_table(const start_info& info, const char* signature) noexcept {
  const auto& root = *at_physical<const table_header>(find_root(info)->rsdt);
  const std::size_t count = (root.length - sizeof root) / 4;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t at;
    __builtin_memcpy(&at, reinterpret_cast<const char*>(&root + 1) + 4 * i, 4);
    const auto& table = *at_physical<const table_header>(at);
    if (__builtin_memcmp(table.signature, signature, 4) == 0) return table;
  }
  panic("an ACPI table is missing");
}

std::uint8_t clock(std::uint8_t index) noexcept {
  out8(0x70, index);
  return in8(0x71);
}

}  // namespace

const char* read_command_line(const start_info& info) noexcept {
  static char copy[512];
  if (info.magic != 0x336e'c578) panic("not started by the PVH protocol");
  if (info.command_line == 0) return copy;
  const char* from = at_physical<const char>(info.command_line);
  for (unsigned i = 0; i + 1 < sizeof copy && from[i] != '\0'; ++i) copy[i] = from[i];
  return copy;
}

unsigned find_cpus(const start_info& info, std::uint32_t* apic_ids, unsigned max) noexcept {
  const table_header& madt = find_table(info, "APIC");
  unsigned count = 0;
  apic_ids[count++] = own_apic_id();
  const auto* entries = reinterpret_cast<const std::uint8_t*>(&madt);
  for (unsigned at = sizeof madt + 8; at + 2 <= madt.length && entries[at + 1] != 0; at += entries[at + 1]) {
    const std::uint8_t* e = entries + at;  // type, length, processor, APIC id, flags
    if (e[0] != 0 || (e[4] & 1) == 0 || e[3] == apic_ids[0] || count == max) continue;
    apic_ids[count++] = e[3];
  }
  return count;
}

unsigned seconds_of_day() noexcept {
  const auto number = [](std::uint8_t bcd) { return bcd / 16u * 10 + bcd % 16u; };
  for (;;) {
    while ((clock(0x0a) & 0x80) != 0) pause();  // an update is under way
    const unsigned s = number(clock(0)), m = number(clock(2)), h = number(clock(4) & 0x7f);
    if (s == number(clock(0))) return (h * 60 + m) * 60 + s;
  }
}

}  // namespace kernel
