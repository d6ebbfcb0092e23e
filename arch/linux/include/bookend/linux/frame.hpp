// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/frame.hpp — what a stopped thread was about to do, and its memory.
#pragma once
#include <bookend/x86/encode.hpp>
#include <cerrno>
#include <cstddef>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace bookend::lnx {

/// The trap frame of a stopped thread: a name for it, read when asked.
struct frame {
  int tid = 0;

  /// Where it stopped. After a data hit: the instruction after the one that hit. At an execution hit: that instruction. 0 if it
  /// is gone.
  [[nodiscard]] std::uint64_t ip() const noexcept { return read(offsetof(struct user_regs_struct, rip)); }
  [[nodiscard]] std::uint64_t flags() const noexcept { return read(offsetof(struct user_regs_struct, eflags)); }

  /// Lets it run the instruction it stopped at without its execution breakpoints. Linux has set RF by itself by the time that an
  /// execution hit is seen; somebody may have written the thread's registers since.
  void step_past() const noexcept {
    const std::uint64_t now = flags();
    if ((now & x86::resume_flag) != 0) return;
    (void)ptrace(PTRACE_POKEUSER, tid, offsetof(struct user_regs_struct, eflags), now | x86::resume_flag);
  }

 private:
  [[nodiscard]] std::uint64_t read(std::size_t offset) const noexcept {
    errno = 0;
    const long value = ptrace(PTRACE_PEEKUSER, tid, offset, nullptr);
    return errno == 0 ? static_cast<std::uint64_t>(value) : 0;
  }
};

/// Copies memory of a thread's process; the number of bytes that could be read. The thread need not be stopped.
inline std::size_t read_memory(int tid, std::uint64_t address, void* into, std::size_t size) noexcept {
  const iovec here{into, size};
  const iovec there{reinterpret_cast<void*>(address), size};
  const ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

}  // namespace bookend::lnx
