// SPDX-License-Identifier: MIT
// tests/gates/freestanding/x86.cpp — every verb with the real instructions, as a ring-0 kernel has them; see freestanding.sh.
#include <bookend/native.hpp>
#include <bookend/x86/virtual_registers.hpp>

#include "every_verb.hpp"

struct os : bookend::native_backend {
  struct frame {
    std::uint64_t rip, rflags;
  };
  static constexpr unsigned max_cpus = 64;
  static bookend::cpu_id this_cpu() noexcept {
    bookend::cpu_id c = 0;
    asm("movl %%gs:0, %0" : "=r"(c));
    return c;
  }
  static bool try_lock() noexcept { return !__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE); }
  static void lock() noexcept {
    while (!try_lock()) {
    }
  }
  static void unlock() noexcept { __atomic_clear(&taken, __ATOMIC_RELEASE); }
  static unsigned long traps_off() noexcept {
    unsigned long flags = 0;
    asm volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
  }
  static void traps_restore(unsigned long flags) noexcept { asm volatile("pushq %0\n\tpopfq" : : "r"(flags) : "memory", "cc"); }
  static void run_on(const bookend::cpumask<64>& m, bookend::call f, void* argument) noexcept {
    for (bookend::cpu_id c : m) f(argument, c);
  }
  static void post_on(const bookend::cpumask<64>& m) noexcept { asm volatile("" : : "r"(m.words()) : "memory"); }
  static bool may_watch(bookend::side s, bookend::range r) noexcept {
    return s == bookend::side::kernel || r.last() < 0x8000'0000'0000;
  }
  static void step_past(frame& f) noexcept { f.rflags |= bookend::x86::resume_flag; }
  static inline bool taken = false;
};

unsigned run(const bookend::request& r, os::frame& f) {
  return everywhere<os>(r, 63) + tried<os>(r, 63) + layers<os>::all(r, 63) + posted<os>(r) +
         through<os>(kernel<os>::slots.here(), r, f);
}

// Debug registers by number: what a system call and a guest's MOV DR do.
bookend::slot_manager<os>::task traced;
constinit bookend::x86::virtual_registers<os> registers{kernel<os>::slots, traced};

std::uint64_t by_number(unsigned n, std::uint64_t value, const bookend::trap_result<os>& t) {
  const auto moved = registers.mov_to(n, value, true);
  const bool done = !registers.poke(n, value) && !moved.no && registers.note_hits(t, t.rest) != 0;
  registers.give_back();
  registers.reset();
  return registers.mov_from(n, done).value + registers.peek(6).value() + registers.reserved();
}
