// SPDX-License-Identifier: MIT
// examples/kernel/machine/serial.hpp — text on the first serial port, a line at a time, and the way out of QEMU.
#pragma once
#include <concepts>
#include <cstdint>

namespace kernel {

struct hex {
  std::uint64_t value;
};

/// A line under construction; what does not fit is cut off.
class text_line {
 public:
  void add(char c) noexcept {
    if (size_ < sizeof text_) text_[size_++] = c;
  }
  void add(const char* s) noexcept {
    for (; *s != '\0'; ++s) add(*s);
  }
  void add(hex h) noexcept { add_number(h.value, 16); }
  template <std::integral T>
  void add(T n) noexcept {
    if (n < 0) add('-');
    add_number(n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n), 10);
  }
  [[nodiscard]] const char* data() const noexcept { return text_; }
  [[nodiscard]] unsigned size() const noexcept { return size_; }

 private:
  void add_number(std::uint64_t n, unsigned base) noexcept;
  char text_[230];
  unsigned size_ = 0;
};

/// Before the first line.
void start_serial() noexcept;
/// Writes a whole line; no other CPU's text gets into it. Any context: who interrupts a line of its own CPU breaks into it.
void write_line(const text_line& line) noexcept;

/// `say("cpu ", cpu, " is up")`: one line. Any context.
template <class... Parts>
void say(const Parts&... parts) noexcept {
  text_line line;
  (line.add(parts), ...);
  write_line(line);
}

/// Ends the machine. QEMU's isa-debug-exit makes 2 * status + 1 of it.
[[noreturn]] void end_machine(unsigned status) noexcept;

}  // namespace kernel
