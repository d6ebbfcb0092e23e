// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_c_clients.cpp — two clients in C, those of examples/c_kernel, on this kernel's manager: real #DB.
#include "../machine/serial.hpp"
#include "check.hpp"
#include "counting.hpp"

// This kernel's files in C use the manager that it has; no other is made.
#define BOOKEND_SLOT_MANAGER kernel::slots
#define BOOKEND_POST_ON
#include <bookend/c/bookend.cpp>  // NOLINT(bugprone-suspicious-include): compiled here
// The clients' own header comes behind it.
#include "../../c_kernel/kernel.h"

namespace kernel {

namespace {

WATCHED volatile int jiffies, pid_max, last_pid, loadavg;
[[gnu::noinline]] void do_timer(void*, bookend::cpu_id) noexcept { jiffies = 1; }
[[gnu::noinline]] void alloc_pid(void*, bookend::cpu_id) noexcept { last_pid = pid_max; }

const struct symbol {
  const char* name;
  volatile int* data;
  void (*function)(void*, bookend::cpu_id) noexcept;
  [[nodiscard]] unsigned long address() const noexcept {
    return data != nullptr ? reinterpret_cast<unsigned long>(data) : reinterpret_cast<unsigned long>(function);
  }
} symbols[] = {{"do_timer", nullptr, do_timer}, {"alloc_pid", nullptr, alloc_pid}, {"jiffies", &jiffies, nullptr},
               {"pid_max", &pid_max, nullptr},  {"last_pid", &last_pid, nullptr},  {"loadavg", &loadavg, nullptr}};

/// What the clients have printed.
text_line said;
bool have_said(const char* text) noexcept {
  for (unsigned at = 0; at < said.size(); ++at) {
    unsigned n = 0;
    while (text[n] != '\0' && at + n < said.size() && said.data()[at + n] == text[n]) ++n;
    if (text[n] == '\0') return true;
  }
  return false;
}

void check_data_breakpoint() noexcept {
  check(data_breakpoint_init("jiffies") == 0, "data_breakpoint.c: a module in C watches a symbol on every CPU");
  run_on(cpu_mask::of(cpu_count - 1), do_timer, nullptr);
  check(have_said("jiffies value is changed: CPU ") && have_said(", do_timer+0x"), "it reports who wrote");
  check(data_breakpoint_init("jiffies") == -EEXIST, "it is there once");
  data_breakpoint_exit();
  said = {};
  run_on(all_cpus(), do_timer, nullptr);
  check(said.size() == 0, "and is quiet when it has gone");
  check(data_breakpoint_init("no_such_symbol") == -EINVAL, "a symbol that there is not is refused");
}

void check_ksym_tracer() noexcept {
  constexpr unsigned rounds = 100;
  check(ksym_trace_filter_write("jiffies:-w-") == 0 && ksym_trace_filter_write("pid_max:rw-") == 0 &&
            ksym_trace_filter_write("do_timer:--x") == 0,
        "ksym_tracer.c: a filter in C takes three symbols");
  for (unsigned i = 0; i < rounds; ++i) run_on(all_cpus(), i % 2 == 0 ? do_timer : alloc_pid, nullptr);
  const unsigned each = rounds / 2 * cpu_count;
  check(ksym_tracer_hits("jiffies") == each && ksym_tracer_hits("pid_max") == each && ksym_tracer_hits("do_timer") == each,
        "it counts writes, reads and calls on all CPUs, each once");
  check(ksym_trace_filter_write("last_pid:r--") == -EOPNOTSUPP, "reading alone, which x86 cannot watch, is refused");
  check(ksym_trace_filter_write("jiffies:-w-") == -EEXIST && ksym_trace_filter_write("jiffies:w-") == -EINVAL,
        "so are a symbol twice, and what is no filter");
  check(ksym_trace_filter_write("last_pid:-w-") == 0 && ksym_trace_filter_write("loadavg:-w-") == -ENOSPC,
        "a fourth fits, a fifth does not");
  check(ksym_trace_filter_write("do_timer:---") == 0 && ksym_trace_filter_write("loadavg:-w-") == 0,
        "until one of the four has been given back");
  check(ksym_trace_filter_write("0") == 0 && slots.full().none() && ksym_tracer_hits("jiffies") == 0, "and all at once");
}

void calc_load(void*, bookend::cpu_id) noexcept { loadavg = 1; }

bookend_ticket last_ticket;
unsigned hits;
void unregister_at_once(const bookend_hit* h) {
  __atomic_fetch_add(&hits, 1, __ATOMIC_RELAXED);
  (void)bookend_post_unregister(h->breakpoint, &last_ticket);
}
void settle() noexcept {
  while (!bookend_settled(&last_ticket)) yield();
}
void check_posts() noexcept {
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("once", unregister_at_once);
  const bookend_request what{reinterpret_cast<std::uint64_t>(&loadavg), 4, BOOKEND_WRITE},
      other{reinterpret_cast<std::uint64_t>(&last_pid), 4, BOOKEND_WRITE};
  const auto writes = [](void (*f)(void*, bookend::cpu_id) noexcept, const cpu_mask& cpus = all_cpus()) {
    const unsigned before = hits;
    run_on(cpus, f, nullptr);
    return hits - before;
  };
  check(bookend_register_kernel(&b, &what, BOOKEND_ALL_CPUS).why == BOOKEND_GRANTED &&
            bookend_post_disable(&b, &last_ticket).why == BOOKEND_GRANTED && (settle(), writes(calc_load)) == 0,
        "posted from C: silent on every CPU when it is settled");
  check(bookend_post_modify(&b, &other, nullptr).why == BOOKEND_GRANTED &&
            bookend_post_enable(&b, &last_ticket).why == BOOKEND_GRANTED && (settle(), writes(calc_load)) == 0 &&
            writes(alloc_pid, cpu_mask::of(cpu_count - 1)) == 1,
        "aimed and armed again");
  settle();
  check(writes(alloc_pid) == 0 && !bookend_kernel_idle(&b) && (bookend_reap(), bookend_kernel_idle(&b)),
        "and unregistered by its own handler");
  check(bookend_post_enable(&b, nullptr).why == BOOKEND_NOT_REGISTERED, "once only");
}

}  // namespace

void check_c_clients(const options&) noexcept {
  check_data_breakpoint();
  check_posts();
  check_ksym_tracer();
}

}  // namespace kernel

// What kernel.h and hw_breakpoint.h ask this kernel for.
extern "C" {
void console_put(char c) { kernel::said.add(c); }
unsigned smp_processor_id() { return kernel::this_cpu(); }
unsigned long instruction_pointer(const pt_regs* regs) { return reinterpret_cast<const kernel::trap_frame*>(regs)->rip; }
unsigned long kallsyms_lookup_name(const char* name) {
  for (const auto& s : kernel::symbols)
    if (same_text(s.name, name)) return s.address();
  return 0;
}
const char* kallsyms_lookup(unsigned long address, unsigned long* offset) {
  const char* found = "?";
  *offset = address;
  for (const auto& s : kernel::symbols)
    if (s.address() <= address && address - s.address() < *offset) {
      *offset = address - s.address();
      found = s.name;
    }
  return found;
}
}
