// SPDX-License-Identifier: MIT
// examples/kernel/user/programs.cpp — see programs.hpp.
#include "programs.hpp"

#include "user.hpp"

namespace user {

namespace {

constexpr std::int64_t forbidden = -1, not_registered = -2, no_slot = -28;  // EPERM, ENOENT, ENOSPC

volatile std::uint64_t words[8];
volatile std::uint64_t told[8];  // by index

void count(std::uint64_t index, void*) { told[index] = told[index] + 1; }

/// Watches the first `count` words. Each is written another number of times, so that no two can be taken for each other.
std::int64_t watches(unsigned count_of_words, std::uint64_t rounds) {
  on_hit(count);
  for (unsigned i = 0; i < count_of_words; ++i)
    if (watch(&words[i], 8) != i) return 1;
  for (std::uint64_t r = 0; r < rounds; ++r)
    for (unsigned i = 0; i < count_of_words; ++i)
      if (r % (i + 1) == 0) words[i] = r;
  std::uint64_t counted[8];
  if (hits(counted) != 0) return 2;
  for (unsigned i = 0; i < count_of_words; ++i) {
    const std::uint64_t expected = (rounds + i) / (i + 1);
    if (counted[i] != expected) return 10 + i;
    if (told[i] != expected) return 20 + i;
  }
  return 0;
}

[[gnu::noinline]] void called() { words[7] = words[7] + 1; }

}  // namespace

std::int64_t watches_what_it_gets(std::uint64_t rounds) {
  on_hit(count);
  unsigned granted = 0;
  for (; granted < 4; ++granted) {
    const std::int64_t index = watch(&words[granted], 8);
    if (index == no_slot) break;
    if (index != granted) return 1;
  }
  for (std::uint64_t r = 0; r < rounds; ++r)
    for (unsigned i = 0; i < 4; ++i) words[i] = r;
  std::uint64_t counted[8];
  if (hits(counted) != 0) return 2;
  for (unsigned i = 0; i < granted; ++i)
    if (counted[i] != rounds || told[i] != rounds) return 10 + i;
  return 0;
}

std::int64_t returns_its_argument(std::uint64_t argument) { return static_cast<std::int64_t>(argument); }
std::int64_t writes_to(std::uint64_t argument) {
  *reinterpret_cast<volatile char*>(argument) = 1;
  return 0;
}
std::int64_t touches_dr7(std::uint64_t) {
  std::uint64_t value;
  asm volatile("mov %%dr7, %0" : "=r"(value));
  return 0;
}

std::int64_t watches_two_words(std::uint64_t rounds) { return watches(2, rounds); }

std::int64_t watches_its_words(std::uint64_t rounds) {
  if (const std::int64_t step = watches(4, rounds); step != 0) return step;
  if (rewatch(2, &words[6], 4, on_access, true) != 0) return 3;
  words[2] = 0;
  const std::uint64_t before = told[2];
  words[5] = words[6];  // not words[6]++, which may be one instruction
  words[6] = 1;
  if (told[2] != before + 2) return 4;
  if (rewatch(2, &words[6], 4, on_access, false) != 0) return 5;
  words[6] = 0;
  if (told[2] != before + 2) return 6;
  if (unwatch(2) != 0) return 7;
  if (unwatch(2) != not_registered) return 9;
  return watch(&words[7], 1) == 2 ? 0 : 8;  // the lowest index that is free
}

std::int64_t watches_its_code(std::uint64_t rounds) {
  on_hit(count);
  if (watch(reinterpret_cast<const void*>(&called), 1, on_execution) != 0) return 1;
  for (std::uint64_t i = 0; i < rounds; ++i) called();
  return told[0] == rounds && words[7] == rounds ? 0 : 2;
}

std::int64_t is_refused(std::uint64_t) {
  const auto at = [](std::uint64_t a) { return reinterpret_cast<const volatile void*>(a); };
  if (watch(at(0xffff'ffff'8010'0000), 8) != forbidden) return 1;
  if (watch(at(0xffff'ffff'ffff'fff8), 8) != forbidden) return 2;
  if (watch(at(0xffff'ffff'ffff'fffc), 8) >= 0) return 3;  // wraps
  if (watch(at(0x8000'0000'0000), 8) >= 0) return 4;
  if (watch(at(0x3f8), 1, static_cast<access>(4)) >= 0) return 5;
  if (ask(call::watch, 0xffff'ffff'8010'0000) >= 0 || ask(call::watch, 0x10) >= 0) return 6;
  if (ask(call::hits, 0xffff'ffff'8010'0000) != fault) return 7;
  for (unsigned i = 0; i < 4; ++i)
    if (watch(&words[i], 8) != i) return 8;
  return watch(&words[4], 8) == no_slot ? 0 : 9;
}

std::int64_t pokes_registers(std::uint64_t rounds) {
  const std::uint64_t dr7 = 0x9009'0141;  // L0, L3, LE; writes of 8 bytes
  if (poke(7, dr7) != 0) return 1;        // while all the addresses are 0
  if (poke(0, address(&words[0])) != 0 || poke(3, address(&words[1])) != 0) return 2;
  if (poke(1, 0xffff'ffff'8010'0000) != 0) return 3;  // the kernel's: a number, until DR7 has it on
  for (std::uint64_t r = 0; r < rounds; ++r) {
    words[r % 2] = r;
    if (peek(6) != (r % 2 == 0 ? 0xffff'0ff1 : 0xffff'0ff8)) return 4;
    if (poke(6, 0) != 0) return 5;
    if (poke(7, dr7 | 0xc) != forbidden || poke(7, dr7 | 0x1'0000'0000) >= 0 || poke(4, 0) >= 0) return 6;
    if (poke(7, dr7 | 0x0020'0004) >= 0) return 10;  // a port
    if (peek(7) != dr7 || peek(0) != address(&words[0]) || peek(3) != address(&words[1])) return 7;
  }
  if (poke(7, 0) != 0) return 8;
  words[0] = 1;
  return peek(6) == 0xffff'0ff0 && peek(7) == 0 ? 0 : 9;
}

std::int64_t loads_ss(std::uint64_t) {
  on_hit(count);
  if (watch(&words[0], 2, on_access) != 0) return 1;
  std::uint64_t ss;
  asm volatile("mov %%ss, %0" : "=r"(ss));
  words[0] = ss;
  std::int64_t answer;
  asm volatile("mov %1, %%ss\n\tint $0x80"
               : "=a"(answer)
               : "m"(words[0]), "0"(static_cast<std::int64_t>(call::yield))
               : "memory");
  return answer == 0 && told[0] == 2 ? 0 : 2;
}
std::int64_t steps_itself(std::uint64_t) {
  on_hit(count);
  if (watch(&words[0], 8) != 0) return 1;
  asm volatile(
      "pushfq; orl $0x100, (%%rsp); popfq\n\t"
      "movq $1, %0\n\t"
      "movq $2, %0\n\t"
      "pushfq; andl $~0x100, (%%rsp); popfq"
      : "=m"(words[0])
      :
      : "memory", "cc");
  return told[0] == 2 && words[0] == 2 ? 0 : 2;
}

std::int64_t has_the_kernel_write(std::uint64_t) {
  on_hit(count);
  std::uint64_t counts[8] = {};
  if (watch(&counts[3], 8) != 0) return 1;
  if (hits(counts) != 0) return 2;
  const std::uint64_t told_once = told[0];
  if (unwatch(0) != 0) return 3;
  return told_once >= 1 ? 0 : 4;
}

}  // namespace user
