// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_object_watch.cpp — watches that follow objects: the pool of
// examples/object_watch, aimed from the #DB handlers of an allocator's probes, on all CPUs at once.
#include "../kernel/traps.hpp"
#include "check.hpp"
#include "counting.hpp"
// Behind this kernel's own bookend.hpp: its assertions are the kernel's panic.
#include "../../object_watch/pool.hpp"

namespace kernel {

namespace {

using object_watch::fault;

/// A small allocator of objects with a red zone each.
struct item {
  volatile long words[6];
  volatile long red_zone, unused;
};
constexpr unsigned item_count = 16;
WATCHED item items[item_count];
constinit bool taken[item_count];

/// Where the probes are: the object is in RDI, and on the stack lies where it returns to.
[[gnu::noinline]] void allocated(item* i) noexcept { asm volatile("" : : "r"(i) : "memory"); }
[[gnu::noinline]] void kfree(item* i) noexcept {
  asm volatile("" : : "r"(i) : "memory");
  __atomic_store_n(&taken[i - items], false, __ATOMIC_RELEASE);
}
[[gnu::noinline]] item* kmalloc() noexcept {
  for (unsigned i = 0; i < item_count; ++i)
    if (!__atomic_exchange_n(&taken[i], true, __ATOMIC_ACQUIRE)) return allocated(&items[i]), &items[i];
  return nullptr;
}

std::uint64_t address_of(const volatile void* p) noexcept { return reinterpret_cast<std::uint64_t>(p); }

/// What was told.
using watches = object_watch::pool<os, 2>;
struct note {
  fault what;
  object_watch::object of;
  unsigned cpu;
  std::uint64_t rip;
};
constinit note notes[64]{};
constinit unsigned told;
void tell(const watches::finding& f) {
  const unsigned n = __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
  if (n < 64) notes[n] = {f.what, f.of, f.access.here.cpu(), f.access.frame.rip};
}
constinit watches pool{slots, tell};

constinit unsigned aimed, kept;
std::uint64_t caller(const trap_frame& f) noexcept { return *reinterpret_cast<const std::uint64_t*>(f.rsp); }
constinit slot_manager::kernel_breakpoint at_allocated{
    "allocated", [](const slot_manager::hit& h) {
      const auto* const i = reinterpret_cast<const item*>(h.frame.rdi);
      if (pool.allocated(slots.post(),
                         {h.frame.rdi, sizeof i->words, address_of(&i->red_zone), address_of(&i->words[2]), caller(h.frame), 0}))
        __atomic_fetch_add(&aimed, 1, __ATOMIC_RELAXED);
    }};
constinit slot_manager::kernel_breakpoint at_kfree{"kfree", [](const slot_manager::hit& h) {
                                                     if (pool.freed(slots.post(), h.frame.rdi, caller(h.frame)))
                                                       __atomic_fetch_add(&kept, 1, __ATOMIC_RELAXED);
                                                   }};

void use(item& i) noexcept {
  for (auto& w : i.words) w = w + 1;
}
/// All CPUs use what they allocate, hand it on to whoever comes next, and free what they were handed. So does the timer tick.
constinit item* handed_on;
void work(unsigned) {
  item* mine = kmalloc();
  if (mine == nullptr) return;
  use(*mine);
  mine = __atomic_exchange_n(&handed_on, mine, __ATOMIC_ACQ_REL);
  if (mine == nullptr) return;
  use(*mine);
  kfree(mine);
}
void tick() noexcept { work(this_cpu()); }

void check_well_behaved() noexcept {
  on_tick = tick;
  {
    const crowd workers(work);
    for (unsigned round = 0; round < 60; ++round) workers.another_turn();
  }
  on_tick = nullptr;
  run_on(all_cpus(), [](void*, bookend::cpu_id) noexcept {}, nullptr);  // the last tick has come to its end
  if (handed_on != nullptr) kfree(handed_on);
  handed_on = nullptr;
  check(aimed > 50 && kept > 50,
        "objects are followed from allocation to free, aimed in #DB handlers of threads and timer ticks");
  check(told == 0, "who uses what is its own, allocated by any CPU, is not told of");
}

/// CPU 1 has its interrupts off, and uses memory that it knows as freed: CPU 0 has allocated it again, and hands it over.
constinit item* handed_over;
constinit unsigned ready;
void use_unheard(void*) {
  const bool token = save_interrupts();
  __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
  item* i = nullptr;
  while ((i = __atomic_load_n(&handed_over, __ATOMIC_ACQUIRE)) == nullptr) asm volatile("pause");
  use(*i);
  restore_interrupts(token);
}
void check_unheard() noexcept {
  if (cpu_count == 1) return;
  pin(current(), cpu_mask::of(0));
  unsigned passed_over = 0;
  for (unsigned round = 0; round < 50; ++round) {
    kfree(kmalloc());
    while (!pool.settled()) yield();
    const unsigned before = pool.passed_over();
    handed_over = nullptr;
    ready = 0;
    thread* const other = start_thread("unheard", use_unheard, nullptr, cpu_mask::of(1));
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) == 0) yield();
    item* const i = kmalloc();
    __atomic_store_n(&handed_over, i, __ATOMIC_RELEASE);
    join(other);
    kfree(i);
    passed_over += pool.passed_over() != before;
  }
  pin(current(), cpu_mask::all());
  check(passed_over == 50 && told == 0, "nor who writes, interrupts off, what it has not heard of that it is allocated again");
}

[[gnu::noinline]] void overflow(void* i, bookend::cpu_id) noexcept { static_cast<item*>(i)->red_zone = 1; }
[[gnu::noinline]] void touch(void* i, bookend::cpu_id) noexcept { static_cast<item*>(i)->words[2] = 1; }
struct answer {
  item* object;
};
void allocate_there(void* into, bookend::cpu_id) noexcept { static_cast<answer*>(into)->object = kmalloc(); }
void free_there(void* i, bookend::cpu_id) noexcept { kfree(static_cast<item*>(i)); }
bool inside(std::uint64_t rip, std::uint64_t function) noexcept { return rip > function && rip - function < 48; }

template <class F>
bool told_once(F deed, item* i, unsigned cpu, fault what) noexcept {
  while (!pool.settled()) yield();
  told = 0;
  for (unsigned twice = 0; twice < 2; ++twice) run_on(cpu_mask::of(cpu), deed, i);
  const note& n = notes[0];
  return told == 1 && n.what == what && n.of.address == address_of(i) && n.cpu == cpu &&
         inside(n.rip, reinterpret_cast<std::uint64_t>(deed)) && n.of.allocated_by != 0 &&
         (n.of.freed_by != 0) == (what == fault::touched_after_free);
}

void check_bugs() noexcept {
  bool overflows = true, touches = true;
  for (const unsigned a : all_cpus())
    for (const unsigned b : all_cpus()) {
      answer first{}, second{};
      run_on(cpu_mask::of(a), allocate_there, &first);
      run_on(cpu_mask::of(a), allocate_there, &second);
      overflows = overflows && told_once(overflow, first.object, b, fault::written_while_it_lived);
      run_on(cpu_mask::of(a), free_there, second.object);
      touches = touches && told_once(touch, second.object, b, fault::touched_after_free);
      run_on(cpu_mask::of(b), free_there, first.object);
    }
  check(overflows, "an overflow on any CPU is told, once: the object, who allocated it, the CPU and the instruction");
  check(touches, "and a use after free: who freed it, too");
}

}  // namespace

void check_object_watch(const options&) noexcept {
  const bool granted = !slots.register_breakpoint(at_allocated, bookend::execution_of(allocated)) &&
                       !slots.register_breakpoint(at_kfree, bookend::execution_of(kfree)) && !pool.open();
  check(granted, "two probes of an allocator, and two watches that are reserved and disarmed");
  check_well_behaved();
  check_unheard();
  check_bugs();
  (void)slots.unregister_breakpoint(at_allocated);
  (void)slots.unregister_breakpoint(at_kfree);
  pool.close();
  check(slots.full().none(), "and all slots are given back");
}

}  // namespace kernel
