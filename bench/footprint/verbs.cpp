// SPDX-License-Identifier: MIT
// bench/footprint/verbs.cpp — every verb once, a function each, as a kernel would export it to its other files. Its text is what
// bookend adds to a kernel. With FEW, the verbs without which there is no debugger: a kernel pays for those that it calls.
// With BY_PRIORITY as well, those by priority.
#include "kernel.hpp"

constinit slot_manager slots;

// Everywhere.

refusal register_kernel(kernel_breakpoint& b, const request& r, const os::mask& cpus, bookend::start how) {
  return slots.register_breakpoint(b, r, cpus, how);
}
refusal register_wide(user_breakpoint& b, task& t, const request& r, bookend::start how) {
  return slots.register_breakpoint(b, t, r, how);
}
refusal register_pinned(user_breakpoint& b, task& t, const request& r, cpu_id cpu, bookend::start how) {
  return slots.register_breakpoint(b, t, r, bookend::pinned{cpu}, how);
}
refusal unregister_kernel(kernel_breakpoint& b) { return slots.unregister_breakpoint(b); }
refusal unregister_user(user_breakpoint& b) { return slots.unregister_breakpoint(b); }
refusal enable_kernel(kernel_breakpoint& b) { return slots.enable(b); }
refusal enable_user(user_breakpoint& b) { return slots.enable(b); }
refusal disable_kernel(kernel_breakpoint& b) { return slots.disable(b); }
refusal disable_user(user_breakpoint& b) { return slots.disable(b); }
refusal modify_kernel(kernel_breakpoint& b, const request& r) { return slots.modify(b, r); }
refusal modify_user(user_breakpoint& b, const request& r) { return slots.modify(b, r); }

#ifndef FEW
refusal move_kernel(kernel_breakpoint& b, const os::mask& cpus) { return slots.move(b, cpus); }
os::mask full(const os::mask& cpus) { return slots.full(cpus); }
slot_manager::snapshot_type snapshot(cpu_id cpu) { return slots.snapshot(cpu); }
void reap() { slots.reap(); }
#endif

// Tasks and CPUs.

void on_fork(const task& parent, task& child, user_breakpoint* (*storage)(const user_breakpoint&)) {
  slots.on_fork(parent, child, storage);
}
void on_exec(task& t) { slots.on_exec(t); }
void on_exit(task& t) { slots.on_exit(t); }
refusal cpu_online(cpu_id cpu) { return slots.cpu_online(cpu); }
#ifndef FEW
refusal cpu_offline(cpu_id cpu) { return slots.cpu_offline(cpu); }
refusal withhold(cpu_id cpu, bookend::slot_mask which) { return slots.withhold(cpu, which); }
os::mask online() { return slots.online(); }
#endif

#ifndef FEW
// Here.

refusal enable_here(kernel_breakpoint& b) { return slots.here().enable(b); }
refusal disable_here(kernel_breakpoint& b) { return slots.here().disable(b); }
refusal modify_here(kernel_breakpoint& b, const request& r) { return slots.here().modify(b, r); }
refusal enable_in_handler(const slot_manager::hit& hit) { return hit.here.enable(hit.kernel()); }
refusal disable_in_handler(const slot_manager::hit& hit) { return hit.here.disable(hit.kernel()); }
refusal modify_in_handler(const slot_manager::hit& hit, const request& r) { return hit.here.modify(hit.kernel(), r); }
void lend() { slots.here().lend(); }
void restore() { slots.here().restore(); }
void silence() { slots.here().silence(); }
void sync() { slots.here().sync(); }

// Posted.

ticket post_enable(kernel_breakpoint& b) { return slots.post().enable(b); }
ticket post_disable(kernel_breakpoint& b) { return slots.post().disable(b); }
ticket post_modify(kernel_breakpoint& b, const request& r) { return slots.post().modify(b, r); }
ticket post_unregister(kernel_breakpoint& b) { return slots.post().unregister_breakpoint(b); }
bool settled(const slot_manager::ticket& t) { return slots.settled(t); }
refusal wait(const slot_manager::ticket& t, std::uint32_t rounds) { return slots.wait(t, rounds); }
#endif

// The context switch and the trap.

void switch_to(const task& prev, const task& next) { slots.here().switch_to(prev, next); }
slot_manager::trap_result trap_from_user(trap_frame& f) { return slots.here().trap(f); }
slot_manager::trap_result trap_from_kernel(trap_frame& f) { return slots.here().quiet().trap(f); }
void nmi(void (*handler)(trap_frame&), trap_frame& f) {
  const auto quiet = slots.here().quiet();
  handler(f);
}
