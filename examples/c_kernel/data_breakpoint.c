/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/data_breakpoint.c — a module of 2009's kind: watches a symbol, on every CPU, and reports who wrote it. */
#include "kernel.h"

static struct hw_breakpoint watch;
static char name[KSYM_NAME_LEN];

static void on_write(struct hw_breakpoint* bp, struct pt_regs* regs) {
  unsigned long offset;
  const char* const function = kallsyms_lookup(instruction_pointer(regs), &offset);
  printk("%s value is changed: CPU %u, %s+0x%lx\n", bp->info.name, smp_processor_id(), function, offset);
}

int data_breakpoint_init(const char* ksym) {
  static const struct hw_breakpoint fresh = {.triggered = on_write,
                                             .info = {.len = HW_BREAKPOINT_LEN_4, .type = HW_BREAKPOINT_WRITE}};
  unsigned n = 0;
  if (!bookend_kernel_idle(&watch.kernel)) return -EEXIST;
  for (; ksym[n] != '\0' && n + 1 < sizeof name; ++n) name[n] = ksym[n];
  name[n] = '\0';
  watch = fresh;
  watch.info.name = name;

  const int ret = register_kernel_hw_breakpoint(&watch);
  if (ret < 0) {
    printk("Breakpoint registration failed\n");
    return ret;
  }
  printk("HW Breakpoint for %s write installed\n", name);
  return 0;
}

void data_breakpoint_exit(void) {
  unregister_kernel_hw_breakpoint(&watch);
  printk("HW Breakpoint for %s write uninstalled\n", name);
}
