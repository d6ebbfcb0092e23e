// SPDX-License-Identifier: MIT
// examples/kernel/machine/apic.cpp — see apic.hpp.
#include "apic.hpp"

#include "frame.hpp"
#include "image.hpp"
#include "instructions.hpp"

namespace kernel {

namespace {

enum apic_register : std::uint32_t {
  apic_id_register = 0x20,
  task_priority = 0x80,
  end_register = 0xb0,
  spurious_register = 0xf0,
  command_low = 0x300,
  command_high = 0x310,
  timer_register = 0x320,
  initial_count = 0x380,
  divide_register = 0x3e0,
};
constexpr std::uint32_t masked = 1u << 16, periodic = 1u << 17;
constexpr std::uint32_t delivery_pending = 1u << 12, assert_level = 1u << 14;

volatile std::uint32_t& apic(apic_register r) noexcept { return *at_physical<volatile std::uint32_t>(0xfee0'0000 + r); }

void wait_until_sent() noexcept {
  while ((apic(command_low) & delivery_pending) != 0) pause();
}

/// A command is two writes. An NMI between them that sends, too, would leave us its destination: it puts ours back.
void command(std::uint32_t apic_id, std::uint32_t what) noexcept {
  const bool were_on = save_interrupts();
  const std::uint32_t interrupted = apic(command_high);
  wait_until_sent();
  apic(command_high) = apic_id << 24;
  apic(command_low) = what;
  wait_until_sent();
  apic(command_high) = interrupted;
  restore_interrupts(were_on);
}

}  // namespace

void silence_old_controllers() noexcept {
  // Moved away from the exceptions first: one that is masked may still say "spurious". Intel 8259A data sheet.
  constexpr std::uint16_t ports[] = {0x20, 0xa0};
  for (const std::uint16_t port : ports) {
    const auto data = static_cast<std::uint16_t>(port + 1);
    out8(port, 0x11);
    out8(data, port == 0x20 ? 0x20 : 0x28);
    out8(data, port == 0x20 ? 4 : 2);
    out8(data, 1);
    out8(data, 0xff);
  }
}

void start_apic() noexcept {
  constexpr std::uint32_t base_msr = 0x1b, enable = 1u << 11;
  write_msr(base_msr, read_msr(base_msr) | enable);
  apic(task_priority) = 0;
  apic(timer_register) = masked;
  apic(spurious_register) = 0x100 | vector_spurious;
}

void start_timer(std::uint32_t times_as_often) noexcept {
  apic(divide_register) = 0b1011;  // by 1
  apic(timer_register) = periodic | vector_timer;
  apic(initial_count) = 2'000'000 / times_as_often;
}
void stop_timer() noexcept {
  apic(timer_register) = masked;
  apic(initial_count) = 0;
}

void end_of_interrupt() noexcept { apic(end_register) = 0; }
std::uint32_t own_apic_id() noexcept { return apic(apic_id_register) >> 24; }

void send_interrupt(std::uint32_t apic_id, std::uint8_t vector) noexcept { command(apic_id, assert_level | vector); }
void send_nmi(std::uint32_t apic_id) noexcept { command(apic_id, assert_level | 0x400); }
void send_init(std::uint32_t apic_id) noexcept { command(apic_id, assert_level | 0x500); }
void send_startup(std::uint32_t apic_id, std::uint32_t physical_page) noexcept {
  command(apic_id, assert_level | 0x600 | physical_page >> 12);
}

}  // namespace kernel
