// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/traced_note.hpp — which processes this one traces, for a supervisor to read after its death.
#pragma once

namespace bookend::lnx::detail {

inline constexpr int most_traced = 16;

/// Shared with the supervisor's process; null without one. Zero is a free place.
inline int* traced_note = nullptr;

inline void replace_in_note(int old_pid, int new_pid) noexcept {
  if (traced_note == nullptr) return;
  for (int i = 0; i < most_traced; ++i) {
    int expected = old_pid;
    if (__atomic_compare_exchange_n(&traced_note[i], &expected, new_pid, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  }
}
inline void note_traced(int pid) noexcept { replace_in_note(0, pid); }
inline void note_free(int pid) noexcept { replace_in_note(pid, 0); }

}  // namespace bookend::lnx::detail
