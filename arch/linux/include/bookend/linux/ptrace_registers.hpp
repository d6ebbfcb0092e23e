// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/ptrace_registers.hpp — the debug registers of traced threads as a register file: thread = CPU.
#pragma once
#include <bookend/linux/tracer.hpp>

namespace bookend::lnx {

/// x86::register_file over PTRACE_POKEUSER. The guard is that the thread is stopped; it is an assertion. A thread that is gone
/// takes every write: it will never run again, so nothing that is asked of it can be wrong. A write fails when the kernel says
/// so: another user of the thread's registers (a perf event) is in the way, or a value that it does not take.
template <unsigned MaxThreads>
class ptrace_registers : public tracer<MaxThreads> {
 public:
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;

  bool write_address(cpu_id cpu, slot_id index, std::uint64_t value) noexcept { return write(cpu, index, value); }
  bool write_dr7(cpu_id cpu, std::uint64_t value) noexcept { return write(cpu, 7, value); }
  bool write_dr6(cpu_id cpu, std::uint64_t value) noexcept { return write(cpu, 6, value); }

  [[nodiscard]] std::uint64_t read_address(cpu_id cpu, slot_id index) noexcept { return read(cpu, index, 0); }
  [[nodiscard]] std::uint64_t read_dr7(cpu_id cpu) noexcept { return read(cpu, 7, x86::dr7_reset); }
  [[nodiscard]] std::uint64_t read_dr6(cpu_id cpu) noexcept {
    tracee& t = this->threads_[cpu];
    if (t.gone()) return x86::dr6_reset;
    BOOKEND_ASSERT(t.stopped(), "the registers of a running thread");
    return t.take_dr6();
  }

 private:
  bool write(cpu_id cpu, unsigned index, std::uint64_t value) noexcept {
    const tracee& t = this->threads_[cpu];
    if (t.gone()) return true;
    BOOKEND_ASSERT(t.stopped(), "the registers of a running thread");
    const int why = poke_debugreg(t.tid, index, value);
    return why == 0 || why == ESRCH;  // killed while it was stopped
  }
  std::uint64_t read(cpu_id cpu, unsigned index, std::uint64_t otherwise) noexcept {
    const tracee& t = this->threads_[cpu];
    if (t.gone()) return otherwise;
    BOOKEND_ASSERT(t.stopped(), "the registers of a running thread");
    return peek_debugreg(t.tid, index, otherwise);
  }
};

}  // namespace bookend::lnx
