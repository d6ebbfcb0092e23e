/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/main.c — the console of the simulated kernel: reads commands, one a line, and prints what comes of each. */
#include <stdio.h>
#include <string.h>

#include "simulated.h"

void console_put(char c) { putchar(c); }

static int insmod(const char* parameter) {
  return strncmp(parameter, "ksym=", 5) == 0 ? data_breakpoint_init(parameter + 5) : -EINVAL;
}
static int rmmod(void) {
  data_breakpoint_exit();
  return 0;
}
static int cat(const char* file) {
  if (strcmp(file, "ksym_trace_filter") == 0) return ksym_trace_filter_read(), 0;
  if (strcmp(file, "trace_stat/ksym_tracer") == 0) return ksym_tracer_stat_read(), 0;
  return -ENOENT;
}
static int run_times(const char* function, unsigned cpu, unsigned times) {
  int ret = 0;
  while (times-- > 0 && ret == 0) ret = run(function, cpu);
  return ret;
}

static int command(const char* line) {
  char text[2][32];
  unsigned cpu = 0, times = 1;
  if (sscanf(line, "insmod data_breakpoint.ko %31s", text[0]) == 1) return insmod(text[0]);
  if (strcmp(line, "rmmod data_breakpoint") == 0) return rmmod();
  if (sscanf(line, "echo %31s > ksym_trace_filter", text[0]) == 1) return ksym_trace_filter_write(text[0]);
  if (sscanf(line, "cat %31s", text[0]) == 1) return cat(text[0]);
  if (sscanf(line, "run %31s on %u, %u times", text[0], &cpu, &times) >= 2) return run_times(text[0], cpu, times);
  if (sscanf(line, "schedule %31s on %u", text[0], &cpu) == 2) return schedule(text[0], cpu);
  if (sscanf(line, "ptrace %31s %31s", text[0], text[1]) == 2) return ptrace_watch(text[0], text[1]);
  if (sscanf(line, "fork %31s", text[0]) == 1) return sys_fork(text[0]);
  if (sscanf(line, "exit %31s", text[0]) == 1) return sys_exit(text[0]);
  if (sscanf(line, "slots of %u", &cpu) == 1) return show_slots(cpu);
  return -EINVAL;
}
static const char* name_of(int code) {
  static const struct {
    int code;
    const char* name;
  } names[] = {{EPERM, "EPERM"},   {ENOENT, "ENOENT"}, {EIO, "EIO"},       {ENOMEM, "ENOMEM"},        {EBUSY, "EBUSY"},
               {EEXIST, "EEXIST"}, {EINVAL, "EINVAL"}, {ENOSPC, "ENOSPC"}, {EOPNOTSUPP, "EOPNOTSUPP"}};
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; ++i)
    if (names[i].code == code) return names[i].name;
  return "?";
}

int main(void) {
  char line[128];
  if (boot() != 0) return 1;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '\0' || line[0] == '#') {
      puts(line);
      continue;
    }
    printf("$ %s\n", line);
    const int ret = command(line);
    if (ret != 0) printf("-%s\n", name_of(-ret));
  }
  return 0;
}
