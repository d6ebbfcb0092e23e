// SPDX-License-Identifier: MIT
// include/bookend/print.hpp — snapshots and refusals as text, one character at a time, for consoles that have no more than that.
#pragma once
#include <bookend/snapshot.hpp>

namespace bookend {

namespace detail {
template <class Put>
void print_text(Put& put, const char* text) {
  for (; *text != '\0'; ++text) put(*text);
}
template <class Put>
void print_number(Put& put, std::uint64_t n, unsigned base) {
  char digits[20];
  unsigned count = 0;
  do digits[count++] = "0123456789abcdef"[n % base];
  while ((n /= base) != 0);
  while (count != 0) put(digits[--count]);
}
}  // namespace detail

/// The access as the manuals abbreviate it. Any context.
constexpr const char* to_string(access on) noexcept {
  constexpr const char* of[] = {"w", "rw", "r", "x", "io"};
  return of[static_cast<unsigned>(on)];
}

/// One line a slot, from the top, through put(char): `cpu 0 slot 3: kernel "jiffies" w 8 @0xffffffff81a0e040`. Disabled ones
/// say so. Any context in which put() may be called.
template <class System, class Put>
void print(const snapshot<System>& s, Put put) {
  constexpr const char* states[] = {"free", "kernel", "user", "withheld"};
  for (slot_id i = System::slots; i-- > 0;) {
    const auto& slot = s.slots[i];
    detail::print_text(put, "cpu ");
    detail::print_number(put, s.cpu, 10);
    detail::print_text(put, " slot ");
    detail::print_number(put, i, 10);
    detail::print_text(put, ": ");
    detail::print_text(put, states[static_cast<unsigned>(slot.state)]);
    if (slot.state == slot_state::kernel || slot.state == slot_state::user) {
      detail::print_text(put, " \"");
      detail::print_text(put, slot.name);
      detail::print_text(put, "\" ");
      detail::print_text(put, to_string(slot.watched.on));
      put(' ');
      detail::print_number(put, slot.watched.length, 10);
      detail::print_text(put, " @0x");
      detail::print_number(put, slot.watched.address, 16);
      if (!slot.on) detail::print_text(put, " disabled");
    }
    put('\n');
  }
}

/// Why, where and who, on one line: `no_slot on cpu 2: kernel holds 3, users 1`. Any context in which put() may be called.
template <class Put>
void print(const refusal& no, Put put) {
  detail::print_text(put, to_string(no.why));
  if (no.why == reason::no_slot || no.why == reason::bad_cpu || no.why == reason::hardware) {
    detail::print_text(put, " on cpu ");
    detail::print_number(put, no.cpu, 10);
  }
  if (no.why == reason::no_slot) {
    detail::print_text(put, ": kernel holds ");
    detail::print_number(put, no.kernel_held, 10);
    detail::print_text(put, ", users ");
    detail::print_number(put, no.user_held, 10);
  }
  put('\n');
}

}  // namespace bookend
