// SPDX-License-Identifier: MIT
// tests/conformance/simulated_x86.hpp — an x86 CPU's debug registers, simulated.
// Written from the manuals without our own arithmetic, so that the two check each other: Intel SDM vol. 3, "Debug Registers",
// "Breakpoint Field Recognition"; AMD APM vol. 2, "Software Debug Resources".
#pragma once
#include <bookend/x86/backend.hpp>
#include <conformance/probe.hpp>
#include <doctest/doctest.h>

namespace conformance {

/// What an instruction does, by the RW value that watches for it.
enum class x86_access : std::uint8_t { execute, write, io, read };

/// One CPU.
struct simulated_x86 {
  std::uint64_t dr[4]{};
  std::uint32_t mask[4]{};  ///< AMD's DR0_ADDR_MASK to DR3_ADDR_MASK
  std::uint64_t dr6 = 0xFFFF'0FF0;
  std::uint64_t dr7 = 0x400;

  /// True when a debug exception follows. Matching slots that are off show in DR6 as well.
  bool touch(x86_access what, std::uint64_t address, std::uint64_t length) noexcept {
    constexpr std::uint64_t bytes_of_len[] = {1, 2, 8, 4};
    std::uint64_t matches = 0;
    bool enabled = false;
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint64_t rw = dr7 >> (16 + 4 * i) & 3;
      const std::uint64_t bytes = bytes_of_len[dr7 >> (18 + 4 * i) & 3];
      const bool wanted = what == x86_access::execute ? rw == 0 && bytes == 1
                          : what == x86_access::write ? rw == 1 || rw == 3
                          : what == x86_access::read  ? rw == 3
                                                      : rw == 2;
      const std::uint64_t span = (bytes - 1) | (what == x86_access::execute ? 0 : mask[i]);
      const bookend::range watched{dr[i] & ~span, span + 1};  // the low bits of the address are not compared
      if (!wanted || !watched.overlaps({address, length}) || !exists(dr[i], rw)) continue;
      matches |= std::uint64_t{1} << i;
      enabled |= (dr7 >> (2 * i) & 3) != 0;
    }
    if (enabled) dr6 |= matches;
    return enabled;
  }

 private:
  static bool exists(std::uint64_t address, std::uint64_t rw) noexcept {
    return rw == 2 ? address <= 0xFFFF : (address >> 47) == 0 || (address >> 47) == 0x1'FFFF;
  }
};

/// Two of them as a register file. Checks what it is told.
template <bool IoAllowed = false>
struct simulated_file {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = IoAllowed;
  simulated_x86 cpus[2];

  void write_address(bookend::cpu_id cpu, bookend::slot_id i, std::uint64_t value) noexcept {
    CHECK((cpus[cpu].dr7 >> (2 * i) & 3) == 0);
    cpus[cpu].dr[i] = value;
  }
  void write_dr7(bookend::cpu_id cpu, std::uint64_t value) noexcept {
    CHECK((value & 0xFFFF'FFFF'0000'FC00) == 0x400);  // no #GP, no reserved bit, no RTM, no GD; bit 10 is 1
    for (unsigned i = 0; i < 4; ++i)
      if ((value >> (16 + 4 * i) & 3) == 0) CHECK((value >> (18 + 4 * i) & 3) == 0);  // LEN is 00 for execution
    cpus[cpu].dr7 = value;
  }
  void write_dr6(bookend::cpu_id cpu, std::uint64_t value) noexcept { cpus[cpu].dr6 = value; }
  std::uint64_t read_dr6(bookend::cpu_id cpu) const noexcept { return cpus[cpu].dr6; }
  std::uint64_t read_address(bookend::cpu_id cpu, bookend::slot_id i) const noexcept { return cpus[cpu].dr[i]; }
  std::uint64_t read_dr7(bookend::cpu_id cpu) const noexcept { return cpus[cpu].dr7; }
};

/// One with AMD's address masks, twelve bits.
struct simulated_amd_file : simulated_file<> {
  static constexpr unsigned address_mask_bits = 12;
  void write_mask(bookend::cpu_id cpu, bookend::slot_id i, std::uint64_t value) noexcept {
    CHECK((cpus[cpu].dr7 >> (2 * i) & 3) == 0);
    CHECK(value < 0x1000);
    cpus[cpu].mask[i] = static_cast<std::uint32_t>(value);
  }
};

/// One whose writes fail when told to: the next one on a CPU is refused, or loses the lowest bit that changes.
struct simulated_poor_file : simulated_file<> {
  bool failing[2]{};
  bool drops = false;  ///< says that all is well, and is not: for x86::verified
  bool write_address(bookend::cpu_id cpu, bookend::slot_id i, std::uint64_t value) noexcept {
    if (!take(cpu)) return simulated_file::write_address(cpu, i, value), true;
    if (drops) simulated_file::write_address(cpu, i, spoil(cpus[cpu].dr[i], value));
    return drops;
  }
  bool write_dr7(bookend::cpu_id cpu, std::uint64_t value) noexcept {
    if (!take(cpu)) return simulated_file::write_dr7(cpu, value), true;
    if (drops) cpus[cpu].dr7 = spoil(cpus[cpu].dr7, value);
    return drops;
  }
  bool write_dr6(bookend::cpu_id cpu, std::uint64_t value) noexcept { return simulated_file::write_dr6(cpu, value), true; }

 private:
  bool take(bookend::cpu_id cpu) noexcept { return std::exchange(failing[cpu], false); }
  static std::uint64_t spoil(std::uint64_t old, std::uint64_t wanted) noexcept {
    const std::uint64_t changes = old ^ wanted;
    return wanted ^ (changes & (~changes + 1));
  }
};

/// A backend over one of these files, as a probe.
template <class File>
struct simulated_x86_probe {
  static constexpr bool touches_anywhere = true;
  bookend::x86::backend<File> machine;
  auto& backend() { return machine; }
  static unsigned cpus() { return 2; }
  static std::uint64_t room() { return 0x7fff'0000'0000; }
  static std::uint64_t code() { return 0x40'0000; }
  observation write(bookend::cpu_id cpu, std::uint64_t at, std::uint64_t n) { return touch(cpu, x86_access::write, at, n); }
  observation read(bookend::cpu_id cpu, std::uint64_t at, std::uint64_t n) { return touch(cpu, x86_access::read, at, n); }
  observation execute(bookend::cpu_id cpu, std::uint64_t at) { return touch(cpu, x86_access::execute, at, 1); }
  observation step(bookend::cpu_id cpu) {
    machine.cpus[cpu].dr6 |= 0x4000;
    return {true, false, machine.take_status(cpu)};
  }
  void fail_next(bookend::cpu_id cpu)
    requires requires(File f) { f.failing; }
  {
    machine.failing[cpu] = true;
  }
  observation touch(bookend::cpu_id cpu, x86_access what, std::uint64_t at, std::uint64_t n) {
    if (!machine.cpus[cpu].touch(what, at, n)) return {};
    return {true, what == x86_access::execute, machine.take_status(cpu)};
  }
};

}  // namespace conformance
