// SPDX-License-Identifier: MIT
// examples/kernel/kernel/start.cpp — what boot.S calls: the kernel comes up in this order, then main.cpp takes over.
#include "../machine/apic.hpp"
#include "../machine/firmware.hpp"
#include "../machine/idt.hpp"
#include "../machine/image.hpp"
#include "../machine/instructions.hpp"
#include "../machine/paging.hpp"
#include "../machine/serial.hpp"
#include "processors.hpp"
#include "scheduler.hpp"

namespace kernel {

void main(const char* command_line) noexcept;

extern "C" [[noreturn]] void start(std::uint64_t info_at) noexcept {
  fill_interrupt_table();
  become_cpu(0);  // from here on there is this_cpu(), and a panic says where
  start_serial();
  start_paging();
  const auto& info = *at_physical<const start_info>(info_at);
  const char* command_line = read_command_line(info);

  start_first_cpu();
  std::uint32_t apic_ids[max_cpus];
  cpu_count = find_cpus(info, apic_ids, max_cpus);
  for (unsigned i = 0; i < cpu_count; ++i) cpus[i].apic_id = apic_ids[i];

  start_scheduler();
  start_timer();
  interrupts_on();
  start_other_cpus();
  main(command_line);
  end_machine(1);
}

}  // namespace kernel
