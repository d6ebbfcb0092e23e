// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/perf_registers.hpp — debug registers of this process' threads as a register file.
#pragma once
#include <bookend/linux/perf_event.hpp>
#include <bookend/linux/thread_table.hpp>

namespace bookend::lnx {

/// x86::register_file over perf events, one a slot, opened when the slot first gets an address and kept until the thread leaves:
/// so a slot that is switched off is still the thread's. DR6 is made from the events' counts. A write fails when the kernel has
/// no register for it. Numbers without a thread take every write.
template <unsigned MaxThreads>
class perf_registers {
 public:
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;

  bool write_address(cpu_id cpu, slot_id index, std::uint64_t value) noexcept {
    bank& b = threads_[cpu];
    if (b.tid == 0) return true;
    if (!b.event[index].is_open() && !b.event[index].open(b.tid, {.address = value, .mask = 0, .kind = any_address}))
      return false;
    b.address[index] = value;
    return true;
  }

  bool write_dr7(cpu_id cpu, std::uint64_t value) noexcept {
    bank& b = threads_[cpu];
    if (b.tid == 0) return true;
    const auto wanted = static_cast<std::uint32_t>(value);
    for (slot_id i = 0; i < x86::slots; ++i) {
      if (turn(b, i, b.dr7, wanted)) continue;
      while (i-- > 0) (void)turn(b, i, wanted, b.dr7);
      return false;
    }
    b.dr7 = wanted;
    return true;
  }

  bool write_dr6(cpu_id cpu, std::uint64_t) noexcept {
    for (perf_event& e : threads_[cpu].event) e.take();
    return true;
  }
  std::uint64_t read_dr6(cpu_id cpu) noexcept {
    bank& b = threads_[cpu];
    std::uint64_t dr6 = x86::dr6_reset;
    for (slot_id i = 0; i < x86::slots; ++i)
      if (x86::dr7_slot(b.dr7, i) != 0 && b.event[i].has_hit()) dr6 |= 1u << i;
    return dr6;
  }

 protected:
  struct bank {
    int tid = 0;
    std::uint32_t dr7 = 0;
    perf_event event[x86::slots]{};
    std::uint64_t address[x86::slots]{};

    void close() noexcept {
      for (perf_event& e : event) e.close();
    }
  };
  thread_table<bank, MaxThreads> threads_;

 private:
  static constexpr x86::dr7_kind any_address = x86::kind_of(access::write, 1);

  static bool turn(bank& b, slot_id i, std::uint32_t from, std::uint32_t to) noexcept {
    const std::uint32_t wanted = x86::dr7_slot(to, i);
    if (wanted == x86::dr7_slot(from, i)) return true;
    if (wanted == 0) return b.event[i].turn_off();
    const x86::setting s{.address = b.address[i], .mask = 0, .kind = wanted & 0xF};
    return (b.event[i].is_open() || b.event[i].open(b.tid, s)) && b.event[i].turn_on(s);
  }
};

}  // namespace bookend::lnx
