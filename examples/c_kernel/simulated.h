/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/simulated.h — a kernel of four CPUs, two processes and a handful of functions to watch. */
#ifndef C_KERNEL_SIMULATED_H
#define C_KERNEL_SIMULATED_H
#include "kernel.h"

struct task_struct {
  const char* comm;
  struct bookend_task watches;
};

/* All CPUs come online. 0 or a negative errno. */
int boot(void);
/* One of the kernel's functions on one CPU, called by name. -ENOENT if there is none; -EINVAL for a CPU that there is not. */
int run(const char* function, unsigned cpu);
/* The process of that name runs on the CPU from now on; -ENOENT if there is none. */
int schedule(const char* comm, unsigned cpu);
/* A debugger's wish: this process is to be told of its own writes to a variable of its own. */
int ptrace_watch(const char* comm, const char* symbol);
/* fork: the child is watched as its parent is. exit: what was watched is not any more. */
int sys_fork(const char* comm);
int sys_exit(const char* comm);
/* Who holds which slot of a CPU. */
int show_slots(unsigned cpu);

#endif
