// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/x86/verified.hpp — reads back what was written, for register files that may drop bits.
#pragma once
#include <bookend/x86/register_file.hpp>

namespace bookend::x86 {

/// R, whose writes fail when the register then holds something else: an emulator without 8-byte watches, a hypervisor that keeps
/// the registers to itself. What was there before is put back. Price: two reads a write. DR6 is not verified, its bits
/// may be set again at any time; files with address masks are not wrapped, as their writes cannot fail.
template <readable R>
struct verified : R {
  bool write_address(cpu_id cpu, slot_id index, std::uint64_t value) noexcept {
    const auto write = [&](std::uint64_t v) { return took([&] { return R::write_address(cpu, index, v); }); };
    const auto read = [&] { return R::read_address(cpu, index); };
    return checked(value, ~std::uint64_t{0}, write, read);
  }
  bool write_dr7(cpu_id cpu, std::uint64_t value) noexcept {
    const auto write = [&](std::uint64_t v) { return took([&] { return R::write_dr7(cpu, v); }); };
    const auto read = [&] { return R::read_dr7(cpu); };
    // All but LE, GE and bit 10, which switch nothing on a CPU of this century: one that drops them still watches as asked.
    return checked(value, 0xFFFF'F8FF, write, read);
  }
  bool write_dr6(cpu_id cpu, std::uint64_t value) noexcept {
    return took([&] { return R::write_dr6(cpu, value); });
  }

 private:
  template <class Write>
  static bool took(Write write) noexcept {
    if constexpr (writes_can_fail<R>) {
      return write();
    } else {
      write();
      return true;
    }
  }
  template <class Write, class Read>
  static bool checked(std::uint64_t value, std::uint64_t relevant, Write write, Read read) noexcept {
    const std::uint64_t before = read();
    if (!write(value)) return false;
    if (((read() ^ value) & relevant) == 0) return true;
    static_cast<void>(write(before));
    return false;
  }
};

}  // namespace bookend::x86
