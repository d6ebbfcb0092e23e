/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/simulated.c — the kernel: its symbols, its debug trap, its tasks, and the eight functions that bookend asks for.
 * One host thread plays all CPUs, so the lock, the guard and the cross-call are nothing here; a real kernel's are in
 * examples/kernel/kernel/platform.hpp. */
#include "simulated.h"

#include "machine.h"

struct pt_regs {
  unsigned long ip;
  bool resume; /* x86: RF in the flags */
};

static unsigned this_cpu;
unsigned smp_processor_id(void) { return this_cpu; }
unsigned long instruction_pointer(const struct pt_regs* regs) { return regs->ip; }

/* Tasks. */

static struct task_struct idle = {.comm = "idle"}, processes[3] = {{.comm = "init"}, {.comm = "sh"}};
static struct hw_breakpoint debuggers_watch[3]; /* a process's own; ptrace would have four */
enum { process_count = sizeof processes / sizeof processes[0] };
static struct task_struct* current[BOOKEND_MAX_CPUS] = {&idle, &idle, &idle, &idle};

struct bookend_task* bookend_task_of(struct task_struct* task) { return &task->watches; }
static struct task_struct* find_task(const char* comm) {
  for (unsigned i = 0; i < process_count; ++i)
    if (processes[i].comm != NULL && same_text(processes[i].comm, comm)) return &processes[i];
  return NULL;
}

/* What the kernel does, and to what. An access is a few bytes further on in the function than the one before. */

static struct pt_regs regs[BOOKEND_MAX_CPUS];

static void do_debug(unsigned cpu) {
  struct bookend_quiet quiet;
  struct bookend_trap_result result;
  bookend_quiet_enter(&quiet); /* before anything is touched that may be watched */
  bookend_trap(&quiet, &regs[cpu], &result);
  bookend_hw_deliver(&result, &regs[cpu]);
  bookend_quiet_leave(&quiet);
}
static void touch(enum bookend_access how, const void* object, uint64_t length) {
  regs[this_cpu].ip += 4;
  if (machine_touches(this_cpu, how, (uint64_t)(uintptr_t)object, length)) do_debug(this_cpu);
}
#define STORE(object, value) (void)((object) = (value), touch(BOOKEND_WRITE, &(object), sizeof(object)))
#define LOAD(object) (touch(BOOKEND_READ, &(object), sizeof(object)), (object))

static long jiffies;
static int pid_max = 32768, last_pid, nr_running, loadavg;
static struct {
  int environ, errno_of_sh;
} user_space; /* of whichever process runs */

static void do_timer(void) { STORE(jiffies, jiffies + 1); }
static void calc_load(void) {
  const int running = LOAD(nr_running);
  STORE(loadavg, loadavg / 2 + running);
}
static void alloc_pid(void) {
  const int max = LOAD(pid_max);
  STORE(last_pid, last_pid + 1 < max ? last_pid + 1 : 1);
  STORE(nr_running, nr_running + 1);
}
static void proc_dointvec(void) { STORE(pid_max, pid_max * 2); }
static void setenv(void) { STORE(user_space.environ, user_space.environ + 1); }

static const struct symbol {
  const char* name;
  void (*function)(void); /* null: data */
  const void* data;
} symbols[] = {
    {"do_timer", do_timer, NULL},
    {"calc_load", calc_load, NULL},
    {"alloc_pid", alloc_pid, NULL},
    {"proc_dointvec", proc_dointvec, NULL},
    {"setenv", setenv, NULL},
    {"jiffies", NULL, &jiffies},
    {"pid_max", NULL, &pid_max},
    {"last_pid", NULL, &last_pid},
    {"nr_running", NULL, &nr_running},
    {"loadavg", NULL, &loadavg},
    {"environ", NULL, &user_space.environ},
};
enum { symbol_count = sizeof symbols / sizeof symbols[0] };
static unsigned long address_of(const struct symbol* s) {
  return s->function != NULL ? (unsigned long)(uintptr_t)s->function : (unsigned long)(uintptr_t)s->data;
}
unsigned long kallsyms_lookup_name(const char* name) {
  for (unsigned i = 0; i < symbol_count; ++i)
    if (same_text(symbols[i].name, name)) return address_of(&symbols[i]);
  return 0;
}
const char* kallsyms_lookup(unsigned long address, unsigned long* offset) {
  const struct symbol* best = NULL;
  for (const struct symbol* s = symbols; s < symbols + symbol_count; ++s)
    if (address_of(s) <= address && (best == NULL || address_of(s) > address_of(best))) best = s;
  *offset = best != NULL ? address - address_of(best) : 0;
  return best != NULL ? best->name : "?";
}

int run(const char* function, unsigned cpu) {
  if (cpu >= BOOKEND_MAX_CPUS) return -EINVAL;
  for (const struct symbol* s = symbols; s < symbols + symbol_count; ++s) {
    if (s->function == NULL || !same_text(s->name, function)) continue;
    this_cpu = cpu;
    regs[cpu].ip = address_of(s);
    regs[cpu].resume = false;
    while (!regs[cpu].resume && machine_touches(cpu, BOOKEND_EXECUTE, address_of(s), 1)) do_debug(cpu);
    s->function();
    return 0;
  }
  return -ENOENT;
}

/* Processes. */

int schedule(const char* comm, unsigned cpu) {
  struct task_struct* const next = same_text(comm, "idle") ? &idle : find_task(comm);
  if (cpu >= BOOKEND_MAX_CPUS) return -EINVAL;
  if (next == NULL) return -ENOENT;
  this_cpu = cpu;
  const struct bookend_refusal no = bookend_switch_to(&current[cpu]->watches, &next->watches);
  current[cpu] = next;
  return -bookend_errno(no.why);
}
static void send_sigtrap(struct hw_breakpoint* bp, struct pt_regs* at) {
  unsigned long offset;
  const char* const function = kallsyms_lookup(at->ip, &offset);
  printk("SIGTRAP for %s: %s written, CPU %u, %s+0x%lx\n", current[this_cpu]->comm, bp->info.name, this_cpu, function, offset);
}
int ptrace_watch(const char* comm, const char* symbol) {
  static const struct hw_breakpoint fresh = {.triggered = send_sigtrap,
                                             .info = {.len = HW_BREAKPOINT_LEN_4, .type = HW_BREAKPOINT_WRITE}};
  struct task_struct* const task = find_task(comm);
  if (task == NULL) return -ENOENT;
  struct hw_breakpoint* const bp = &debuggers_watch[task - processes];
  if (!bookend_user_idle(&bp->user)) return -EEXIST;
  *bp = fresh;
  unsigned long offset;
  bp->info.address = kallsyms_lookup_name(symbol);
  bp->info.name = kallsyms_lookup(bp->info.address, &offset);
  return register_user_hw_breakpoint(task, bp);
}
static struct bookend_user_breakpoint* childs(void* context, const struct bookend_user_breakpoint* parents) {
  struct hw_breakpoint* const bp = context;
  *bp = *(const struct hw_breakpoint*)(uintptr_t)parents->cookie;
  bp->user = (struct bookend_user_breakpoint)BOOKEND_USER_BREAKPOINT(parents->name, (uint64_t)(uintptr_t)bp);
  return &bp->user;
}
int sys_fork(const char* comm) {
  struct task_struct* const parent = find_task(comm);
  struct task_struct* const child = &processes[process_count - 1];
  if (parent == NULL) return -ENOENT;
  if (child->comm != NULL) return -EBUSY;
  *child = *parent; /* a copy of its watches, too: bookend_on_fork() starts them anew */
  child->comm = "child";
  bookend_on_fork(&parent->watches, &child->watches, childs, &debuggers_watch[process_count - 1]);
  return 0;
}
int sys_exit(const char* comm) {
  struct task_struct* const task = find_task(comm);
  if (task == NULL) return -ENOENT;
  bookend_on_exit(&task->watches);
  for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu)
    if (current[cpu] == task) (void)schedule("idle", cpu);
  task->comm = NULL;
  return 0;
}
int show_slots(unsigned cpu) {
  static const char* const states[] = {"free", "kernel", "user", "withheld"};
  struct bookend_snapshot s;
  const struct bookend_refusal no = bookend_snapshot_of(cpu, &s);
  if (no.why != BOOKEND_GRANTED) return -bookend_errno(no.why);
  for (unsigned i = s.slot_count; i-- > 0;) printk("  slot %u: %s %s\n", i, states[s.slots[i].state], s.slots[i].name);
  return 0;
}

int boot(void) {
  int ret = 0;
  for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS && ret == 0; ++cpu) ret = -bookend_errno(bookend_cpu_online(cpu).why);
  return ret;
}

/* The platform. */

unsigned bookend_os_this_cpu(void) { return this_cpu; }
void bookend_os_lock(void) {}
void bookend_os_unlock(void) {}
unsigned long bookend_os_traps_off(void) { return 0; }
void bookend_os_traps_restore(unsigned long token) { (void)token; }
void bookend_os_run_on(const struct bookend_cpumask* cpus, void (*call)(void* argument, unsigned cpu), void* argument) {
  const unsigned was = this_cpu;
  for (this_cpu = 0; this_cpu < BOOKEND_MAX_CPUS; ++this_cpu)
    if (bookend_cpumask_test(cpus, this_cpu)) call(argument, this_cpu);
  this_cpu = was;
}
/* Users watch their own memory, the kernel everything but the frames of its traps. */
bool bookend_os_may_watch(enum bookend_side who, uint64_t first, uint64_t last) {
  const uint64_t user = (uint64_t)(uintptr_t)&user_space, frames = (uint64_t)(uintptr_t)regs;
  if (who == BOOKEND_USER) return first >= user && last < user + sizeof user_space;
  return last < frames || first >= frames + sizeof regs;
}
void bookend_os_step_past(void* frame) { ((struct pt_regs*)frame)->resume = true; }
