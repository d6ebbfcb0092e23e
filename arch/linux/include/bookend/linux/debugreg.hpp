// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/debugreg.hpp — one thread's debug registers through its tracer. ptrace(2), PTRACE_POKEUSER.
#pragma once
#include <bookend/linux/user_space.hpp>
#include <cerrno>
#include <cstddef>
#include <sys/ptrace.h>
#include <sys/user.h>

namespace bookend::lnx {

namespace detail {
inline void* debugreg_offset(unsigned index) noexcept {
  return reinterpret_cast<void*>(offsetof(struct user, u_debugreg) + index * sizeof(std::uint64_t));
}
}  // namespace detail

/// Writes DR`index` of a stopped thread that this thread traces; 0, or the errno. EINVAL, EPERM: the kernel does not take the
/// value; ENOSPC: other users (perf events) hold the thread's registers; ESRCH: it is gone, or not stopped. On failure nothing
/// has changed.
inline int poke_debugreg(int tid, unsigned index, std::uint64_t value) noexcept {
  return ptrace(PTRACE_POKEUSER, tid, detail::debugreg_offset(index), value) == 0 ? 0 : errno;
}

/// Reads it; `otherwise` if the thread is gone or not stopped. What DR0-DR3 and DR7 give back is what was written. DR6 has the
/// bits of the last debug exception in user mode, in the register's own polarity: the kernel drops older ones itself.
inline std::uint64_t peek_debugreg(int tid, unsigned index, std::uint64_t otherwise) noexcept {
  errno = 0;  // -1 may be a value
  const long value = ptrace(PTRACE_PEEKUSER, tid, detail::debugreg_offset(index), nullptr);
  return errno == 0 ? static_cast<std::uint64_t>(value) : otherwise;
}

/// Everything off and zero, and nothing reported. The kernel keeps four switched-off events reserved for the thread until it
/// calls exec or ends. Precondition as above.
inline void clear_debugregs(int tid) noexcept {
  (void)poke_debugreg(tid, 7, x86::dr7_reset);
  for (unsigned index = 0; index < x86::slots; ++index)
    if (peek_debugreg(tid, index, 0) != 0) (void)poke_debugreg(tid, index, 0);
  (void)poke_debugreg(tid, 6, x86::dr6_reset);
}

}  // namespace bookend::lnx
