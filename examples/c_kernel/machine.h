/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/machine.h — the simulated machine, as C sees it. On a real one there is nothing to call: CPUs trap by themselves. */
#ifndef C_KERNEL_MACHINE_H
#define C_KERNEL_MACHINE_H
#include <bookend/bookend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A CPU touches memory, or is about to execute what is there. True if a debug trap follows. */
bool machine_touches(unsigned cpu, enum bookend_access how, uint64_t address, uint64_t length);

#ifdef __cplusplus
}
#endif
#endif
