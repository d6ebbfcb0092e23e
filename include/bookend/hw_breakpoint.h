/* SPDX-License-Identifier: MIT */
/* include/bookend/hw_breakpoint.h — bookend.h under the names that K.Prasad gave the kernel's interface in 2009: its clients compile.
 *
 * Results are 0 or a negative errno. What differs from 2009: a request that does not fit is refused for the CPU where it does not
 * fit only; modify_kernel_hw_breakpoint() leaves old_bp registered, as new_bp describes it; and two names are those under which
 * perf asked for them: {en,dis}able_kernel_breakpoint(), on this CPU, from any context but NMI, the slot kept.
 *
 * The kernel defines, where it uses them:
 *   kallsyms_lookup_name   the address of a symbol, 0 if there is none: where info.address is 0, info.name is looked up.
 *   bookend_task_of        the bookend_task in its struct task_struct. */
#ifndef BOOKEND_HW_BREAKPOINT_H
#define BOOKEND_HW_BREAKPOINT_H
#include <bookend/bookend.h>

/* NOLINTBEGIN(modernize-*): it is C. */

#ifdef __cplusplus
extern "C" {
#endif

enum { HW_BREAKPOINT_LEN_1 = 1, HW_BREAKPOINT_LEN_2 = 2, HW_BREAKPOINT_LEN_4 = 4, HW_BREAKPOINT_LEN_8 = 8 };
enum { HW_BREAKPOINT_LEN_EXECUTE = 1 };
enum { HW_BREAKPOINT_READ = 1, HW_BREAKPOINT_WRITE = 2, HW_BREAKPOINT_RW = 3, HW_BREAKPOINT_EXECUTE = 4 };

struct pt_regs;
struct task_struct;
unsigned long kallsyms_lookup_name(const char* name);
struct bookend_task* bookend_task_of(struct task_struct* task);

struct arch_hw_breakpoint {
  const char* name;      /* the symbol, or what it shall be called */
  unsigned long address; /* 0: the symbol's */
  uint8_t len;           /* 0: 1 */
  uint8_t type;
};

/* All zero but for triggered, cpumask and info when new; it must not move or be freed while registered. */
struct hw_breakpoint {
  void (*triggered)(struct hw_breakpoint* bp, struct pt_regs* regs); /* in the trap, on the CPU that hit */
  const struct bookend_cpumask* cpumask;                             /* null: every CPU. Of kernel breakpoints. */
  struct arch_hw_breakpoint info;
  struct bookend_kernel_breakpoint kernel;
  struct bookend_user_breakpoint user;
};

enum { BOOKEND_HW_EINVAL = 22, BOOKEND_HW_EEXIST = 17 };

/* What bp describes; -EINVAL if it has no handler, or a type or a symbol that there is not. */
static inline int bookend_hw_request(const struct hw_breakpoint* bp, struct bookend_request* what) {
  static const enum bookend_access on[] = {BOOKEND_READ, BOOKEND_WRITE, BOOKEND_READ_WRITE, BOOKEND_EXECUTE};
  if (bp->triggered == NULL || bp->info.type < HW_BREAKPOINT_READ || bp->info.type > HW_BREAKPOINT_EXECUTE)
    return -BOOKEND_HW_EINVAL;
  what->address = bp->info.address;
  what->length = bp->info.len != 0 ? bp->info.len : 1;
  what->on = on[bp->info.type - 1];
  return 0;
}
/* The same; the address is the symbol's, if none is given. */
static inline int bookend_hw_kernel_request(struct hw_breakpoint* bp, struct bookend_request* what) {
  if (bp->info.address == 0 && bp->info.name != NULL) bp->info.address = kallsyms_lookup_name(bp->info.name);
  return bp->info.address != 0 ? bookend_hw_request(bp, what) : -BOOKEND_HW_EINVAL;
}
static inline bool bookend_hw_same_cpus(const struct bookend_cpumask* a, const struct bookend_cpumask* b) {
  unsigned cpu;
  for (cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu)
    if ((a == NULL || bookend_cpumask_test(a, cpu)) != (b == NULL || bookend_cpumask_test(b, cpu))) return false;
  return true;
}
static inline void bookend_hw_triggered(const struct bookend_hit* hit) {
  struct hw_breakpoint* bp = (struct hw_breakpoint*)hit->breakpoint->context;
  bp->triggered(bp, (struct pt_regs*)hit->frame);
}

/* Thread context, as far as unregister_user_hw_breakpoint(). */

static inline int register_kernel_hw_breakpoint(struct hw_breakpoint* bp) {
  static const struct bookend_kernel_breakpoint fresh = BOOKEND_KERNEL_BREAKPOINT(NULL, bookend_hw_triggered);
  struct bookend_request what;
  const int rc = bookend_hw_kernel_request(bp, &what);
  if (rc != 0) return rc;
  if (!bookend_kernel_idle(&bp->kernel)) return -BOOKEND_HW_EEXIST;
  bp->kernel = fresh;
  bp->kernel.name = bp->info.name;
  bp->kernel.context = bp;
  return -bookend_errno(bookend_register_kernel(&bp->kernel, &what, bp->cpumask).why);
}
static inline void unregister_kernel_hw_breakpoint(struct hw_breakpoint* bp) { (void)bookend_unregister_kernel(&bp->kernel); }
/* old_bp has new_bp's handler, address, length and type from now on, or everything as it was. -EINVAL for another cpumask. The two
 * may be one. */
static inline int modify_kernel_hw_breakpoint(struct hw_breakpoint* old_bp, struct hw_breakpoint* new_bp) {
  struct bookend_request what;
  int rc;
  if (!bookend_hw_same_cpus(old_bp->cpumask, new_bp->cpumask)) return -BOOKEND_HW_EINVAL;
  rc = bookend_hw_kernel_request(new_bp, &what);
  if (rc == 0) rc = -bookend_errno(bookend_modify_kernel(&old_bp->kernel, &what).why);
  if (rc != 0) return rc;
  old_bp->triggered = new_bp->triggered;
  old_bp->info.address = new_bp->info.address;
  old_bp->info.len = new_bp->info.len;
  old_bp->info.type = new_bp->info.type;
  return 0;
}

static inline int register_user_hw_breakpoint(struct task_struct* tsk, struct hw_breakpoint* bp) {
  static const struct bookend_user_breakpoint fresh = BOOKEND_USER_BREAKPOINT(NULL, 0);
  struct bookend_request what;
  const int rc = bookend_hw_request(bp, &what);
  if (rc != 0) return rc;
  if (!bookend_user_idle(&bp->user)) return -BOOKEND_HW_EEXIST;
  bp->user = fresh;
  bp->user.name = bp->info.name;
  bp->user.cookie = (uint64_t)(uintptr_t)bp;
  return -bookend_errno(bookend_register_user(&bp->user, bookend_task_of(tsk), &what).why);
}
/* As bp's fields are now. */
static inline int modify_user_hw_breakpoint(struct task_struct* tsk, struct hw_breakpoint* bp) {
  struct bookend_request what;
  const int rc = bookend_hw_request(bp, &what);
  (void)tsk;
  return rc != 0 ? rc : -bookend_errno(bookend_modify_user(&bp->user, &what).why);
}
static inline void unregister_user_hw_breakpoint(struct task_struct* tsk, struct hw_breakpoint* bp) {
  (void)tsk;
  (void)bookend_unregister_user(&bp->user);
}
/* In the debug trap, after bookend_trap(): calls the handlers of the user breakpoints that hit. The task must have no others. */
static inline void bookend_hw_deliver(const struct bookend_trap_result* result, struct pt_regs* regs) {
  unsigned i;
  for (i = 0; i < result->user_count; ++i) {
    struct hw_breakpoint* bp = (struct hw_breakpoint*)(uintptr_t)result->user_hits[i].cookie;
    bp->triggered(bp, regs);
  }
}

static inline int disable_kernel_breakpoint(struct hw_breakpoint* bp) {
  return -bookend_errno(bookend_disable_here(&bp->kernel).why);
}
static inline int enable_kernel_breakpoint(struct hw_breakpoint* bp) {
  return -bookend_errno(bookend_enable_here(&bp->kernel).why);
}

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-*) */
#endif
