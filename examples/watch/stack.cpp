// SPDX-License-Identifier: MIT
// examples/watch/stack.cpp — who called whom in a stopped thread, by the unwinding tables of its program.
#include "symbols.hpp"

namespace watch {

std::vector<std::uint64_t> symbols::stack(pid_t tid) {
  std::vector<std::uint64_t> callers;
  if (!attached_) attached_ = dwfl_linux_proc_attach(dwfl_.get(), pid_, /*assume_ptrace_stopped=*/true) == 0;
  if (!attached_) return callers;
  const auto each = [](Dwfl_Frame* frame, void* into) {
    auto& list = *static_cast<std::vector<std::uint64_t>*>(into);
    Dwarf_Addr pc = 0;
    if (!dwfl_frame_pc(frame, &pc, nullptr)) return static_cast<int>(DWARF_CB_ABORT);
    list.push_back(pc);
    return static_cast<int>(list.size() < deepest ? DWARF_CB_OK : DWARF_CB_ABORT);
  };
  (void)dwfl_getthread_frames(dwfl_.get(), tid, each, &callers);  // as far as it gets
  return callers;
}

}  // namespace watch
