// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_deny_list.cpp — what nobody may watch.
#include "../kernel/process.hpp"
#include "../kernel/scheduler.hpp"
#include "../machine/idt.hpp"
#include "../machine/image.hpp"
#include "check.hpp"

namespace kernel {

namespace {

constinit slot_manager::kernel_breakpoint probe{"probe", [](const slot_manager::hit&) {}};
constinit slot_manager::user_breakpoint user_probe;

bool refused(std::uint64_t at, std::uint64_t length, bookend::access on) noexcept {
  const auto no = slots.register_breakpoint(probe, {at, length, on});
  if (!no) (void)slots.unregister_breakpoint(probe);
  return no.why == bookend::reason::forbidden;
}
bool data_refused(const volatile void* place) noexcept {
  return refused(address_of(place), 8, bookend::access::write) && refused(address_of(place), 1, bookend::access::read_write);
}

}  // namespace

void check_deny_list(const options&) noexcept {
  check(refused(address_of(entry_stubs), 1, bookend::access::execute) &&
            refused(address_of(entry_end) - 1, 1, bookend::access::execute),
        "nobody may watch the entry code");
  check(data_refused(interrupt_table), "nor the IDT");
  check(data_refused(cpus[0].segments.gdt), "nor a GDT");
  check(data_refused(&cpus[0].segments.tss), "nor a TSS");
  check(data_refused(cpus[0].own_stack[stack_of_nmi]), "nor the stack of NMI");
  long on_the_stack = 0;
  check(data_refused(&on_the_stack) && data_refused(reinterpret_cast<void*>(cpus[0].idle->stack_end - 8)),
        "nor a thread's stack");
  check(data_refused(&cpus[0].id), "nor what GS points to");
  check(data_refused(reinterpret_cast<void*>(kernel_cr3() + KERNEL_BASE)), "nor the page tables");
  check(data_refused(&slots), "nor the slot manager");
  const auto kernel_word =
      slots.register_breakpoint(user_probe, current().watches, {address_of(data_start), 8, bookend::access::write});
  check(kernel_word.why == bookend::reason::forbidden, "a user request for a kernel address is refused");
}

}  // namespace kernel
