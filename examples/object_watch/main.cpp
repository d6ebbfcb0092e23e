// SPDX-License-Identifier: MIT
// examples/object_watch/main.cpp — two CPUs, an allocator with probes, and a driver with two bugs.
#include <bookend/mock/machine.hpp>
#include <cstdio>

#include "pool.hpp"

namespace {

using machine = bookend::mock::machine<2, 4>;
using system_type = bookend::mock::system<2, 4>;
using watches = object_watch::pool<system_type, 2>;
using bookend::cpu_id;

/// Where the simulated kernel's functions are.
enum function : std::uint64_t { kmalloc_returns = 0x100, kfree = 0x200, probe_device = 0x300, remove_device = 0x400 };
const char* name_of(std::uint64_t f) { return f == probe_device ? "probe_device" : f == remove_device ? "remove_device" : "?"; }

/// What a CPU has in the registers that arguments come in, and the function that it runs.
struct {
  std::uint64_t object, caller;
  const char* runs;
} cpus[2];

constexpr std::uint64_t object_size = 48;  // in slots of 64, the guard behind
constexpr std::uint64_t slot(unsigned i) { return 0x10000 + 64 * i; }
object_watch::object known(std::uint64_t address, std::uint64_t by) {
  return {address, object_size, address + object_size, address + 16, by, 0};
}

void report(const watches::finding& f) {
  const cpu_id cpu = f.access.here.cpu();
  std::printf("   CPU %u, %s: %s object %#llx, allocated by %s", cpu, cpus[cpu].runs,
              f.what == object_watch::fault::touched_after_free ? "touches the freed" : "writes behind the",
              static_cast<unsigned long long>(f.of.address), name_of(f.of.allocated_by));
  std::printf(f.of.freed_by != 0 ? ", freed by %s\n" : "\n", name_of(f.of.freed_by));
}

machine m;
watches pool{m.slots, report};

// The probes: execution breakpoints of the allocator's own functions, whose handlers aim the pool.
machine::kernel_breakpoint at_kmalloc{"kmalloc", [](const machine::hit& h) {
                                        const auto& c = cpus[h.here.cpu()];
                                        pool.allocated(m.slots.post(), known(c.object, c.caller));
                                      }};
machine::kernel_breakpoint at_kfree{"kfree", [](const machine::hit& h) {
                                      const auto& c = cpus[h.here.cpu()];
                                      pool.freed(m.slots.post(), c.object, c.caller);
                                    }};

void call(cpu_id cpu, function f, unsigned i, function caller) {
  cpus[cpu].object = slot(i);
  cpus[cpu].caller = caller;
  m.execute(cpu, f);
}
void writes(cpu_id cpu, const char* who, unsigned i, std::uint64_t offset) {
  cpus[cpu].runs = who;
  m.write(cpu, slot(i) + offset, 8);
}

}  // namespace

int main() {
  if (m.slots.register_breakpoint(at_kmalloc, {kmalloc_returns, 1, bookend::access::execute}) ||
      m.slots.register_breakpoint(at_kfree, {kfree, 1, bookend::access::execute}) || pool.open())
    return 1;
  std::puts("1. CPU 0 allocates two objects; everybody uses them as they may:");
  call(0, kmalloc_returns, 0, probe_device);
  call(0, kmalloc_returns, 1, probe_device);
  m.deliver();
  for (const cpu_id cpu : {0u, 1u})
    for (std::uint64_t offset = 0; offset < object_size; offset += 8) writes(cpu, "its user", 0, offset);

  std::puts("2. The owner writes the guard itself, in its own way; on the other CPU somebody overflows:");
  m.guarded(0, [](const auto& here) { pool.by_owner(here, slot(0), [] { writes(0, "its owner", 0, object_size); }); });
  writes(1, "copy_name", 0, object_size);
  writes(1, "copy_name", 0, object_size);  // silent here at once, elsewhere soon

  std::puts("3. CPU 0 frees an object, and CPU 1 still has a pointer to it:");
  call(0, kfree, 1, remove_device);
  m.deliver();
  writes(1, "late_timer", 1, 16);

  std::puts("4. An interrupt handler allocates; both watches have done their work, and follow the next objects:");
  m.guarded(1, [](const auto&) { pool.allocated(m.slots.post(), known(slot(2), probe_device)); });
  call(0, kmalloc_returns, 3, probe_device);
  call(0, kmalloc_returns, 4, probe_device);
  std::printf("   %u object more than there are watches\n", pool.unwatched());

  std::puts("5. Freed memory is allocated again, and written on a CPU that has not heard of it:");
  call(0, kfree, 2, remove_device);
  m.deliver();
  call(0, kmalloc_returns, 2, probe_device);
  const unsigned before = pool.passed_over();
  writes(1, "its user", 2, 16);
  std::printf("   %u hit of an older aim, not reported\n", pool.passed_over() - before);
  m.deliver();
  writes(1, "its user", 2, 16);
  writes(1, "copy_name", 2, object_size);

  pool.close();
  const bool good = !m.slots.unregister_breakpoint(at_kmalloc) && !m.slots.unregister_breakpoint(at_kfree) && m.consistent();
  return good ? 0 : 1;
}
