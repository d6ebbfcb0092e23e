// SPDX-License-Identifier: MIT
// examples/pokeuser/pokeuser.cpp — a debugger writes DR0 to DR7 by number, beside a kernel that has watches of its own.
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <bookend/x86/virtual_registers.hpp>
#include <cstdio>
#include <initializer_list>

namespace {

using machine = bookend::mock::machine<2, 4>;  // 2 CPUs with 4 debug registers each

// The kernel's side: what it has of each task, what a tracer may ask of it, and what the trap does.

struct thread {
  explicit thread(machine& m) : registers(m.slots, watches) {}
  ~thread() { registers.reset(); }
  machine::task watches;
  bookend::x86::virtual_registers<bookend::mock::system<2, 4>> registers;
};

int poke_user(thread& t, unsigned n, std::uint64_t value) { return -bookend::to_errno(t.registers.poke(n, value).why); }
std::uint64_t peek_user(const thread& t, unsigned n) { return t.registers.peek(n).value(); }

/// The task writes a word on CPU 1, and traps if somebody watches. True: it gets a SIGTRAP.
bool write(machine& m, thread& t, std::uint64_t address) {
  return m.write(1, address, 4) != 0 && t.registers.note_hits(m.last_trap(1)) != 0;
}

// The debugger's side: it knows nothing of slots.

struct poked {
  unsigned n;
  std::uint64_t value;
};
int poke_all(thread& t, std::initializer_list<poked> pokes) {
  for (const auto& p : pokes)
    if (const int error = poke_user(t, p.n, p.value); error != 0) {
      std::printf("   DR%u = %#llx: refused, errno %d\n", p.n, static_cast<unsigned long long>(p.value), -error);
      return error;
    }
  return 0;
}
void read_back(const thread& t) {
  for (const unsigned n : {0u, 1u, 2u, 3u, 6u, 7u})
    std::printf("   DR%u %#llx", n, static_cast<unsigned long long>(peek_user(t, n)));
  std::puts("");
}

constexpr std::uint64_t write_4 = 0b1101;  // LEN and RW
constexpr std::uint64_t watch(unsigned i, std::uint64_t enable) { return enable << (2 * i) | write_4 << (16 + 4 * i); }
constexpr std::uint64_t local = 1, global = 2;

bool expect(bool good, const char* what) {
  std::printf("   %s: %s\n", what, good ? "yes" : "NO");
  return good;
}

}  // namespace

int main() {
  machine m;
  thread t{m};
  machine::kernel_breakpoint jiffies{"jiffies", [](const machine::hit&) {}};
  bool good = !m.slots.register_breakpoint(jiffies, {0x9000, 8, bookend::access::write}) && !m.run(1, t.watches);

  std::puts("1. The kernel watches 'jiffies' everywhere. gdb watches two words as it always does: off, the addresses, on.");
  good = good && poke_all(t, {{7, 0}, {0, 0x1000}, {3, 0x2000}, {7, watch(0, local) | watch(3, local)}}) == 0;
  good = expect(write(m, t, 0x2000), "a write to the second word is a SIGTRAP") && good;
  good = expect((peek_user(t, 6) & 0xF) == 8, "DR6 says DR3, whichever slot it was") && good;
  read_back(t);

  std::puts("2. Wine sets a whole context, LE and local bits included, addresses after DR7. It reads what it wrote.");
  good = good && poke_all(t, {{7, 0x100 | watch(1, local)}, {0, 0}, {1, 0x3000}, {3, 0}, {6, 0}}) == 0;
  read_back(t);
  good = expect(peek_user(t, 7) == (0x100 | watch(1, local)), "exactly, whichever slot it is that watches") && good;
  good = expect(write(m, t, 0x3000) && !write(m, t, 0x9000), "its own word is its SIGTRAP, the kernel's is not") && good;

  std::puts("3. Four do not fit beside the kernel: DR7 is refused as a whole, and what was there is there.");
  const int error = poke_all(t, {{2, 0x4000}, {7, watch(0, global) | watch(1, global) | watch(2, global) | watch(3, global)}});
  good = expect(error == -28 && peek_user(t, 7) == (0x100 | watch(1, local)), "ENOSPC, and DR7 is Wine's") && good;
  good = expect(write(m, t, 0x3000) && !write(m, t, 0x4000), "it is what is watched, too") && good;

  std::puts("4. A register that was on keeps its slot while it is off. Who holds what, on the task's CPU:");
  bookend::print(m.slots.snapshot(1), [](char c) { std::putchar(c); });

  t.registers.reset();
  return m.slots.unregister_breakpoint(jiffies) || !m.consistent() || !good ? 1 : 0;
}
