/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/ksym_tracer.c — a tracer of 2009's kind: a filter file says which symbols are watched and for what, a profile
 * counts the hits of each.
 *   symbol:rw-   reads and writes        symbol:---   no more
 *   symbol:-w-   writes                  0            none any more
 *   symbol:--x   calls
 * How many fit is not its business: it asks, and says what bookend says. */
#include "kernel.h"

struct trace_ksym {
  struct hw_breakpoint bp; /* its handler finds the rest from here */
  char name[KSYM_NAME_LEN];
  unsigned long counter;
  bool used;
};
static struct trace_ksym entries[16];
enum { entry_count = sizeof entries / sizeof entries[0] };

static void on_hit(struct hw_breakpoint* bp, struct pt_regs* regs) {
  (void)regs;
  __atomic_fetch_add(&((struct trace_ksym*)bp)->counter, 1, __ATOMIC_RELAXED); /* every CPU counts */
}

struct operation {
  const char* text;
  const char* shown;
  uint8_t type; /* 0: remove */
  uint8_t len;
};
static const struct operation operations[] = {
    {"rw-", "RW", HW_BREAKPOINT_RW, HW_BREAKPOINT_LEN_4},
    {"-w-", "W ", HW_BREAKPOINT_WRITE, HW_BREAKPOINT_LEN_4},
    {"r--", "R ", HW_BREAKPOINT_READ, HW_BREAKPOINT_LEN_4},
    {"--x", "X ", HW_BREAKPOINT_EXECUTE, HW_BREAKPOINT_LEN_EXECUTE},
    {"---", "", 0, 0},
};
enum { operation_count = sizeof operations / sizeof operations[0] };
static const struct operation* operation_of(const struct trace_ksym* entry) {
  const struct operation* op = operations;
  while (op->type != entry->bp.info.type) ++op;
  return op;
}

/* "symbol:op" taken apart. -EINVAL for anything else. */
static int parse(const char* line, char* name, const struct operation** op) {
  unsigned n = 0, i;
  for (; line[n] != ':'; ++n) {
    if (line[n] == '\0' || n + 1 == KSYM_NAME_LEN) return -EINVAL;
    name[n] = line[n];
  }
  name[n] = '\0';
  for (i = 0; i < operation_count; ++i)
    if (same_text(line + n + 1, operations[i].text)) {
      *op = &operations[i];
      return 0;
    }
  return -EINVAL;
}
static struct trace_ksym* find(unsigned long address) {
  unsigned i;
  for (i = 0; i < entry_count; ++i)
    if (entries[i].used && entries[i].bp.info.address == address) return &entries[i];
  return NULL;
}
static void forget(struct trace_ksym* entry) {
  unregister_kernel_hw_breakpoint(&entry->bp); /* no handler of it runs from here on */
  entry->used = false;
}
static int add(const char* name, unsigned long address, const struct operation* op) {
  static const struct trace_ksym fresh;
  unsigned i = 0, n = 0;
  while (i < entry_count && entries[i].used) ++i;
  if (i == entry_count) return -ENOMEM;
  struct trace_ksym* const entry = &entries[i];
  *entry = fresh;
  for (; name[n] != '\0'; ++n) entry->name[n] = name[n];
  entry->bp.triggered = on_hit;
  entry->bp.info.name = entry->name;
  entry->bp.info.address = address;
  entry->bp.info.type = op->type;
  entry->bp.info.len = op->len;
  const int ret = register_kernel_hw_breakpoint(&entry->bp);
  entry->used = ret == 0;
  return ret;
}
/* In place: the slot stays its own, and what is refused leaves the old watch as it was. */
static int change(struct trace_ksym* entry, const struct operation* op) {
  struct hw_breakpoint changed = entry->bp;
  changed.info.type = op->type;
  changed.info.len = op->len;
  return modify_kernel_hw_breakpoint(&entry->bp, &changed);
}

int ksym_trace_filter_write(const char* line) {
  char name[KSYM_NAME_LEN];
  const struct operation* op;
  unsigned i;
  if (same_text(line, "0")) {
    for (i = 0; i < entry_count; ++i)
      if (entries[i].used) forget(&entries[i]);
    return 0;
  }
  if (parse(line, name, &op) != 0) return -EINVAL;
  const unsigned long address = kallsyms_lookup_name(name);
  if (address == 0) return -EINVAL;
  struct trace_ksym* const entry = find(address);
  if (op->type != 0) {
    if (entry == NULL) return add(name, address, op);
    return entry->bp.info.type != op->type ? change(entry, op) : -EEXIST;
  }
  if (entry == NULL) return -ENOENT;
  forget(entry);
  return 0;
}

void ksym_trace_filter_read(void) {
  unsigned i;
  for (i = 0; i < entry_count; ++i)
    if (entries[i].used) printk("%s:%s\n", entries[i].name, operation_of(&entries[i])->text);
}

void ksym_tracer_stat_read(void) {
  unsigned i;
  printk("  Access type  Counter  Symbol\n");
  for (i = 0; i < entry_count; ++i)
    if (entries[i].used)
      printk("  %s           %lu        %s\n", operation_of(&entries[i])->shown,
             __atomic_load_n(&entries[i].counter, __ATOMIC_RELAXED), entries[i].name);
}

unsigned long ksym_tracer_hits(const char* symbol) {
  const struct trace_ksym* const entry = find(kallsyms_lookup_name(symbol));
  return entry != NULL ? __atomic_load_n(&entry->counter, __ATOMIC_RELAXED) : 0;
}
