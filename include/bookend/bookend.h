/* SPDX-License-Identifier: MIT */
/* include/bookend/bookend.h — bookend for a kernel written in C: every verb, and what the kernel provides.
 *
 * Compile include/bookend/c/bookend.cpp once, as C++20 and freestanding, into the kernel; every other file is C11 and includes
 * this header. -DBOOKEND_MAX_CPUS=n says how many CPUs there may be, the same for all files of the kernel; -DBOOKEND_POST_ON, that
 * it has bookend_os_post_on().
 * What each verb promises, refuses and costs stands in slot_manager.hpp and here.hpp; here is how it is said in C, and where it
 * may be called. */
#ifndef BOOKEND_BOOKEND_H
#define BOOKEND_BOOKEND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef BOOKEND_MAX_CPUS
#error "define BOOKEND_MAX_CPUS, the same number for every file of the kernel"
#endif
#ifndef BOOKEND_SLOTS
#define BOOKEND_SLOTS 4 /* of the machine, or more */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A set of CPUs, 64 a word, CPU 0 in bit 0 of word 0. All zero is the empty set. */
struct bookend_cpumask {
  uint64_t words[(BOOKEND_MAX_CPUS + 63) / 64];
};
/* Every CPU, online or not: what a null pointer to a mask means. */
#define BOOKEND_ALL_CPUS ((const struct bookend_cpumask*)0)
static inline void bookend_cpumask_set(struct bookend_cpumask* mask, unsigned cpu) {
  mask->words[cpu / 64] |= (uint64_t)1 << cpu % 64;
}
static inline void bookend_cpumask_clear(struct bookend_cpumask* mask, unsigned cpu) {
  mask->words[cpu / 64] &= ~((uint64_t)1 << cpu % 64);
}
static inline bool bookend_cpumask_test(const struct bookend_cpumask* mask, unsigned cpu) {
  return (mask->words[cpu / 64] >> cpu % 64 & 1) != 0;
}

/* Which accesses are reported. A machine without a kind refuses it; it never widens it silently. */
enum bookend_access { BOOKEND_WRITE, BOOKEND_READ_WRITE, BOOKEND_READ, BOOKEND_EXECUTE, BOOKEND_IO };
enum bookend_side { BOOKEND_KERNEL, BOOKEND_USER };

/* Watch `length` bytes at `address`. */
struct bookend_request {
  uint64_t address;
  uint64_t length;
  uint32_t on; /* an enum bookend_access */
};

/* Why a request was refused, and the errno for it. */
enum bookend_reason {
  BOOKEND_GRANTED,
  BOOKEND_NO_SLOT,            /* ENOSPC */
  BOOKEND_MISALIGNED,         /* EINVAL */
  BOOKEND_BAD_LENGTH,         /* EINVAL */
  BOOKEND_EMPTY_MASK,         /* EINVAL */
  BOOKEND_BAD_CPU,            /* EINVAL */
  BOOKEND_UNSUPPORTED,        /* EOPNOTSUPP */
  BOOKEND_FORBIDDEN,          /* EPERM */
  BOOKEND_NOT_REGISTERED,     /* ENOENT */
  BOOKEND_ALREADY_REGISTERED, /* EEXIST */
  BOOKEND_WOULD_BLOCK,        /* EBUSY */
  BOOKEND_HARDWARE            /* EIO */
};
/* `why` is BOOKEND_GRANTED, which is 0, or nothing has changed. For BOOKEND_NO_SLOT: the first CPU in the way and who holds how
 * many slots there. */
struct bookend_refusal {
  enum bookend_reason why;
  unsigned cpu;
  uint16_t kernel_held;
  uint16_t user_held;
  uint32_t pool;
};
/* Positive, as Linux numbers them; 0 for BOOKEND_GRANTED. Any context. */
int bookend_errno(enum bookend_reason why);
/* "no_slot" and so on. Any context. */
const char* bookend_reason_name(enum bookend_reason why);

/* Storage of the manager's, which has to be all zero at first. */
#define BOOKEND_KERNEL_OPAQUE (9 + (BOOKEND_MAX_CPUS + 63) / 64)
#define BOOKEND_USER_OPAQUE 14

struct bookend_hit;

/* A watch of the kernel's. The opaque words are zero when new; it must not move or be freed while registered. The name is read when
 * it is first registered, the handler when it is called. */
struct bookend_kernel_breakpoint {
  const char* name;
  void (*on_hit)(const struct bookend_hit* hit); /* in the trap, on the CPU that hit: here-verbs only */
  void* context;
  bool start_disabled; /* registering reserves the slots and arms nothing */
  uint64_t opaque[BOOKEND_KERNEL_OPAQUE];
};
#define BOOKEND_KERNEL_BREAKPOINT(name, on_hit) {(name), (on_hit), NULL, false, {0}}

/* A watch of one task's. The same; its hits are told by bookend_trap(), with the cookie, which is read together with the name. */
struct bookend_user_breakpoint {
  const char* name;
  uint64_t cookie;
  bool start_disabled;
  uint64_t opaque[BOOKEND_USER_OPAQUE];
};
#define BOOKEND_USER_BREAKPOINT(name, cookie) {(name), (cookie), false, {0}}

/* What the kernel keeps in each of its tasks. All zero is one without watches. It must not move or be freed before
 * bookend_on_exit(). */
struct bookend_task {
  uint64_t opaque[4];
};

/* One hit, as the handler of a kernel breakpoint sees it. */
struct bookend_hit {
  struct bookend_kernel_breakpoint* breakpoint;
  unsigned cpu;
  unsigned slot;
  uint32_t generation;            /* of the registration, or the modifying everywhere, that installed it */
  struct bookend_request watched; /* what was being watched on this CPU */
  void* frame;                    /* as it was given to bookend_trap() */
};

/* Kernel breakpoints, on every CPU of a mask. Thread context; they take the owner lock and may wait for cross-calls. */

struct bookend_refusal bookend_register_kernel(struct bookend_kernel_breakpoint* b, const struct bookend_request* what,
                                               const struct bookend_cpumask* cpus);
struct bookend_refusal bookend_unregister_kernel(struct bookend_kernel_breakpoint* b); /* then its storage is free */
struct bookend_refusal bookend_modify_kernel(struct bookend_kernel_breakpoint* b, const struct bookend_request* what);
struct bookend_refusal bookend_enable_kernel(struct bookend_kernel_breakpoint* b);
struct bookend_refusal bookend_disable_kernel(struct bookend_kernel_breakpoint* b); /* the slots stay its own */
struct bookend_refusal bookend_move_kernel(struct bookend_kernel_breakpoint* b, const struct bookend_cpumask* cpus);
bool bookend_kernel_idle(const struct bookend_kernel_breakpoint* b); /* not registered. Any context. */
/* Puts into `full` which of these CPUs have no room for one more. */
struct bookend_refusal bookend_full(const struct bookend_cpumask* cpus, struct bookend_cpumask* full);

/* The same on this CPU only: any context but NMI, handlers included. No lock, no wait. In a handler bookend_modify_here() is
 * refused as BOOKEND_WOULD_BLOCK if it interrupts a verb that rewrites this CPU's registers. */

struct bookend_refusal bookend_enable_here(struct bookend_kernel_breakpoint* b);
struct bookend_refusal bookend_disable_here(struct bookend_kernel_breakpoint* b);
struct bookend_refusal bookend_modify_here(struct bookend_kernel_breakpoint* b, const struct bookend_request* what);

#ifdef BOOKEND_POST_ON
/* Everywhere without waiting, where the kernel can ask other CPUs to call bookend_sync_here() soon (bookend_os_post_on() below). Any
 * context in which that may be called, handlers included: this is how a handler unregisters its own breakpoint. This CPU has the
 * change when it returns, the others when it is settled. `ticket` may be null. Refused: BOOKEND_WOULD_BLOCK while another verb is
 * at it. */

struct bookend_ticket {
  const struct bookend_kernel_breakpoint* breakpoint;
  uint32_t generation;
};
struct bookend_refusal bookend_post_enable(struct bookend_kernel_breakpoint* b, struct bookend_ticket* ticket);
struct bookend_refusal bookend_post_disable(struct bookend_kernel_breakpoint* b, struct bookend_ticket* ticket);
struct bookend_refusal bookend_post_modify(struct bookend_kernel_breakpoint* b, const struct bookend_request* what,
                                           struct bookend_ticket* ticket);
struct bookend_refusal bookend_post_unregister(struct bookend_kernel_breakpoint* b, struct bookend_ticket* ticket);
bool bookend_settled(const struct bookend_ticket* ticket); /* Any context. */
void bookend_sync_here(void);                              /* the answer; interrupts off, not in a debug trap */
void bookend_reap(void); /* thread context: what was unregistered is idle from here on. Every everywhere verb does it, too. */
#endif

/* User breakpoints: of one task, wherever it runs, or (..._on) while it runs on one CPU. Thread context. */

struct bookend_refusal bookend_register_user(struct bookend_user_breakpoint* b, struct bookend_task* task,
                                             const struct bookend_request* what);
struct bookend_refusal bookend_register_user_on(struct bookend_user_breakpoint* b, struct bookend_task* task,
                                                const struct bookend_request* what, unsigned cpu);
struct bookend_refusal bookend_unregister_user(struct bookend_user_breakpoint* b);
struct bookend_refusal bookend_modify_user(struct bookend_user_breakpoint* b, const struct bookend_request* what);
struct bookend_refusal bookend_enable_user(struct bookend_user_breakpoint* b);
struct bookend_refusal bookend_disable_user(struct bookend_user_breakpoint* b);
bool bookend_user_idle(const struct bookend_user_breakpoint* b); /* Any context. */
/* The task's own number for it, while registered: its bit in bookend_trap_result.user. Any context. */
unsigned bookend_user_index(const struct bookend_user_breakpoint* b);

/* The scheduler's own call: interrupts off, on the CPU that switches. Never refused where registers cannot fail. */
struct bookend_refusal bookend_switch_to(const struct bookend_task* prev, const struct bookend_task* next);

/* Thread context, before the child first runs; the child's bytes may be anything. It inherits those of the parent's breakpoints
 * for which storage_for() names an idle object; null leaves one out, and storage_for may be null: none is inherited.
 * storage_for() is called with the owner lock held, and must not call verbs. */
void bookend_on_fork(const struct bookend_task* parent, struct bookend_task* child,
                     struct bookend_user_breakpoint* (*storage_for)(void* context, const struct bookend_user_breakpoint* parents),
                     void* context);
void bookend_on_exec(struct bookend_task* task);
void bookend_on_exit(struct bookend_task* task);

/* Debug traps. A trap that came from the kernel, and an NMI, opens a quiet scope first, before anything is touched that may be
 * watched, and closes it last: this CPU's breakpoints are off between, at whatever depth. */

struct bookend_quiet {
  uint64_t opaque[4];
};
void bookend_quiet_enter(struct bookend_quiet* quiet);
void bookend_quiet_leave(struct bookend_quiet* quiet);

struct bookend_user_hit {
  uint64_t cookie;
  unsigned index;
  unsigned slot;
  uint32_t generation;
  struct bookend_request watched;
};
struct bookend_trap_result {
  uint64_t user;       /* bit i: the running task's own breakpoint i hit */
  uint64_t rest;       /* what is not bookend's, in the machine's positions: single step and friends */
  uint32_t handled;    /* slots whose hits went to handlers, or stand below */
  unsigned user_count; /* how many of these are valid */
  struct bookend_user_hit user_hits[BOOKEND_SLOTS];
};
/* A debug trap on this CPU, interrupts off. `quiet` is the scope that was opened for it; null for a trap from user mode, without
 * one. `frame` goes to the handlers, and to bookend_os_step_past(). */
void bookend_trap(const struct bookend_quiet* quiet, void* frame, struct bookend_trap_result* result);

/* CPUs. Online, offline and withhold: thread context. Lend and restore, around a guest's own use of the registers: interrupts off,
 * on this CPU. Silence, for crash and kexec: any context. */

struct bookend_refusal bookend_cpu_online(unsigned cpu);
struct bookend_refusal bookend_cpu_offline(unsigned cpu);
struct bookend_refusal bookend_withhold(unsigned cpu, uint32_t slots); /* for good: the CPU has them not */
struct bookend_refusal bookend_lend(void);
struct bookend_refusal bookend_restore(void);
void bookend_silence(void);

/* One CPU's slots by value. Thread context. Refused as BOOKEND_BAD_CPU. */

enum bookend_slot_state { BOOKEND_SLOT_FREE, BOOKEND_SLOT_KERNEL, BOOKEND_SLOT_USER, BOOKEND_SLOT_WITHHELD };
struct bookend_slot {
  enum bookend_slot_state state;
  bool on;
  uint32_t generation;
  const char* name; /* the holder's; "" if free */
  uint64_t cookie;
  struct bookend_request watched;
};
struct bookend_snapshot {
  unsigned cpu;
  unsigned slot_count;
  bool online;
  bool away;   /* lent or silenced */
  bool broken; /* the last register write failed */
  struct bookend_slot slots[BOOKEND_SLOTS];
};
struct bookend_refusal bookend_snapshot_of(unsigned cpu, struct bookend_snapshot* of);

/* The platform: what the kernel defines. The promises are those of platform.hpp.
 *   this_cpu       0 to BOOKEND_MAX_CPUS-1. Called under the guard.
 *   lock, unlock   the owner lock. Thread context only. Whoever waits for it or holds it keeps serving its own CPU's cross-calls:
 *                  a lock with interrupts off around a waiting cross-call is a deadlock of two CPUs.
 *   traps_off      the guard: until traps_restore(what it returned) there is no cross-call, task switch or migration on this CPU.
 *                  It nests, and need not hold off debug traps and NMI. Interrupts off will do.
 *   run_on         runs call(argument, cpu) once on each CPU of the mask, under the guard, never inside a debug trap or a task
 *                  switch, and returns when all have run. Called with the lock held, and only with CPUs that are online. Stores
 *                  before it are seen in it; stores in it are seen after it.
 *   may_watch      may this side watch the bytes first to last, both included? Users: user addresses only. Nobody: what runs
 *                  while a debug trap is delivered (entry code, descriptor tables, stacks).
 *   step_past      lets the interrupted instruction run once without its execution breakpoints (x86: RF in the frame's flags). */

unsigned bookend_os_this_cpu(void);
void bookend_os_lock(void);
void bookend_os_unlock(void);
unsigned long bookend_os_traps_off(void);
void bookend_os_traps_restore(unsigned long token);
void bookend_os_run_on(const struct bookend_cpumask* cpus, void (*call)(void* argument, unsigned cpu), void* argument);
bool bookend_os_may_watch(enum bookend_side who, uint64_t first, uint64_t last);
void bookend_os_step_past(void* frame);
#ifdef BOOKEND_POST_ON
/* Asks CPUs, this one may be among them, to call bookend_sync_here() soon, and does not wait; platform.hpp, has_post_on. */
void bookend_os_post_on(const struct bookend_cpumask* cpus);
#endif

#ifdef __cplusplus
}
#endif
#endif
