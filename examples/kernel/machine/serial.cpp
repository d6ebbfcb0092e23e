// SPDX-License-Identifier: MIT
// examples/kernel/machine/serial.cpp — COM1, polled. 16550 data sheet.
#include "serial.hpp"

#include "cpu.hpp"
#include "instructions.hpp"

namespace kernel {

namespace {
constexpr std::uint16_t com1 = 0x3f8;
constexpr unsigned nobody = ~0u;
unsigned writing_cpu = nobody;  // the lock's owner: a trap or an NMI may come while its own CPU has it, and must not wait
}  // namespace

void text_line::add_number(std::uint64_t n, unsigned base) noexcept {
  char digits[20];
  unsigned count = 0;
  do digits[count++] = "0123456789abcdef"[n % base];
  while ((n /= base) != 0);
  while (count != 0) add(digits[--count]);
}

void start_serial() noexcept {
  out8(com1 + 1, 0);     // no interrupts
  out8(com1 + 3, 0x80);  // the next two are the divisor: 115200 baud
  out8(com1 + 0, 1);
  out8(com1 + 1, 0);
  out8(com1 + 3, 3);  // 8n1
  out8(com1 + 2, 7);  // queues on and empty
}

namespace {
void put(char c) noexcept {
  while ((in8(com1 + 5) & 0x20) == 0) pause();
  out8(com1, static_cast<std::uint8_t>(c));
}
}  // namespace

void write_line(const text_line& line) noexcept {
  const bool were_on = save_interrupts();
  const unsigned me = this_cpu();
  const bool nested = __atomic_load_n(&writing_cpu, __ATOMIC_RELAXED) == me;
  unsigned expected = nobody;
  while (!nested && !__atomic_compare_exchange_n(&writing_cpu, &expected, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    expected = nobody;
    pause();
  }
  for (unsigned i = 0; i < line.size(); ++i) put(line.data()[i]);
  put('\n');
  if (!nested) __atomic_store_n(&writing_cpu, nobody, __ATOMIC_RELEASE);
  restore_interrupts(were_on);
}

void end_machine(unsigned status) noexcept {
  out32(0xf4, status);
  halt_forever();
}

}  // namespace kernel
