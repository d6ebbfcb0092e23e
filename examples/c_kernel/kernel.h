/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/kernel.h — what a kernel offers its modules: the few names of Linux that the two clients use. */
#ifndef C_KERNEL_KERNEL_H
#define C_KERNEL_KERNEL_H
#include <bookend/hw_breakpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { EPERM = 1, ENOENT = 2, EIO = 5, ENOMEM = 12, EBUSY = 16, EEXIST = 17, EINVAL = 22, ENOSPC = 28, EOPNOTSUPP = 95 };
enum { KSYM_NAME_LEN = 32 };

/* Any context. %s, %d, %u, %lu and %lx; each character goes to the kernel's console_put(). */
void printk(const char* format, ...);
void console_put(char c);
/* The symbol that an address lies in, and where in it; "?" if there is none. Any context. */
const char* kallsyms_lookup(unsigned long address, unsigned long* offset);
/* Where the interrupted code was. */
unsigned long instruction_pointer(const struct pt_regs* regs);
unsigned smp_processor_id(void);

static inline bool same_text(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}

/* The modules. Thread context, one caller at a time; 0 or a negative errno. */

/* data_breakpoint.c: reports each write to a symbol, and who wrote. */
int data_breakpoint_init(const char* ksym);
void data_breakpoint_exit(void);

/* ksym_tracer.c: the files ksym_trace_filter and trace_stat/ksym_tracer. */
int ksym_trace_filter_write(const char* line);
void ksym_trace_filter_read(void);
void ksym_tracer_stat_read(void);
/* The hits of one symbol since it was asked for; 0 if it is not traced. Any context. */
unsigned long ksym_tracer_hits(const char* symbol);

#ifdef __cplusplus
}
#endif
#endif
