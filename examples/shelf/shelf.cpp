// SPDX-License-Identifier: MIT
// examples/shelf/shelf.cpp — the idea on a simulated machine: two tenants on one shelf, a silent watch, a refusal by name.
#include <bookend/bookend.hpp>
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <cstdio>

namespace {

using machine = bookend::mock::machine<2, 4>;  // 2 CPUs with 4 debug registers each

void put(char c) { std::putchar(c); }
void report(const machine::hit& h) { std::printf("   hit: '%s', on CPU %u, slot %u\n", h.kernel().name(), h.here.cpu(), h.slot); }

}  // namespace

int main() {
  machine m;
  long balance = 0;
  int limit = 100, audits = 0;
  short last = 0;
  char closed = 0;
  machine::kernel_breakpoint of_balance{"balance", report}, of_last{"last", report};
  machine::user_breakpoint of_audits{"audits"}, of_limit{"limit"}, of_closed{"closed"};
  machine::task auditor;

  std::puts("1. The kernel watches 'balance' on every CPU: each gives its highest slot.");
  if (m.slots.register_breakpoint(of_balance, bookend::write_to(&balance))) return 1;
  m.write(0, &balance, 1);
  m.write(1, &balance, 2);

  std::puts("2. It reserves a slot for 'last' too, but starts disabled: the slot is held, and nothing stops.");
  if (m.slots.register_breakpoint(of_last, bookend::write_to(&last), machine::slot_manager::mask::all(),
                                  bookend::start::disabled))
    return 1;
  std::printf("   writing it took %u traps\n", m.write(0, &last, short{1}));

  std::puts("3. The task 'auditor' watches two variables of its own, from the bottom. They follow it to CPU 1.");
  if (m.slots.register_breakpoint(of_audits, auditor, bookend::write_to(&audits))) return 1;
  if (m.slots.register_breakpoint(of_limit, auditor, bookend::access_to(&limit))) return 1;
  if (m.run(1, auditor)) return 1;
  m.write(1, &audits, 1);
  std::printf("   hit: '%s', for the task, on CPU %u\n", of_audits.name(), m.delivered().back().cpu);
  std::printf("   the same write on CPU 0, where it does not run, took %u traps\n", m.write(0, &audits, 2));

  std::puts("4. A fifth watch is refused, since the task may run on any CPU. Who holds each slot of CPU 1:");
  const auto no = m.slots.register_breakpoint(of_closed, auditor, bookend::write_to(&closed));
  if (!no) return 1;
  std::printf("   'closed': ");
  bookend::print(no, put);
  bookend::print(m.slots.snapshot(1), put);

  std::puts("5. Enabling 'last' is one register write: its slot was its own all the time.");
  if (m.slots.enable(of_last)) return 1;
  m.write(0, &last, short{2});

  m.slots.on_exit(auditor);
  if (m.slots.unregister_breakpoint(of_balance) || m.slots.unregister_breakpoint(of_last)) return 1;
  std::puts("6. All unregistered, and every register is off.");
  return m.consistent() ? 0 : 1;
}
