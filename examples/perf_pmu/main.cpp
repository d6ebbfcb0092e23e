// SPDX-License-Identifier: MIT
// examples/perf_pmu/main.cpp — four CPUs, tasks that are switched in and out thousands of times, and events that count exactly.
#include <bookend/mock/machine.hpp>
#include <cstdio>
#include <random>
#include <vector>

#include "pmu.hpp"

namespace {

using machine = bookend::mock::machine<4, 4>;
using system_type = bookend::mock::system<4, 4>;
using bookend::access;
using bookend::cpu_id;
using perf::event;

struct kernel {
  machine m;
  machine::slot_manager& slots = m.slots;
  template <class F>
  void on_cpu(cpu_id c, F f) {
    m.guarded(c, [&](const auto&) { f(); });
  }
};
using pmu = perf::pmu<kernel, system_type>;

struct task {
  const char* name;
  perf::context events;
};
/// An event, and what it should have counted.
struct expectation {
  const char* name;
  event& e;
  const task* of;  // null: the CPU's
  std::uint64_t due = 0;
};

}  // namespace

int main() {
  kernel k;
  pmu p(k);
  long pid_max = 0, jiffies = 0, heap = 0;
  task init{"init", {}}, sh{"sh", {}}, gcc{"gcc", {}}, child{"sh's child", {}};
  task* const tasks[] = {&init, &sh, &gcc, &child};
  task* in[4]{};

  // perf stat -e mem:... for tasks, for a task on one CPU, and for a CPU.
  event sh_heap{.what = bookend::write_to(&heap), .inherit = true}, sh_pid{.what = bookend::access_to(&pid_max)},
      sh_on_2{.what = bookend::write_to(&jiffies), .cpu = 2}, gcc_heap{.what = bookend::access_to(&heap)},
      cpu_3{.what = bookend::write_to(&jiffies), .cpu = 3}, childs_heap;
  for (event* e : {&sh_heap, &sh_pid, &sh_on_2})
    if (p.open(*e, sh.events)) return 1;
  if (p.open(gcc_heap, gcc.events) || p.open(cpu_3)) return 1;
  p.fork(sh.events, child.events, [&](const event& e) { return &e == &sh_heap ? &childs_heap : nullptr; });

  expectation expected[] = {{"sh         heap    w", sh_heap, &sh, 0},   {"sh         pid_max rw", sh_pid, &sh, 0},
                            {"sh, CPU 2  jiffies w", sh_on_2, &sh, 0},   {"gcc        heap    rw", gcc_heap, &gcc, 0},
                            {"CPU 3      jiffies w", cpu_3, nullptr, 0}, {"sh's child heap    w", childs_heap, &child, 0}};
  std::mt19937 random(1);
  const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const auto touch = [&](cpu_id c, long& word, bool write) {
    write ? k.m.write(c, &word) : k.m.read(c, &word);
    for (auto& x : expected)
      if (x.e.what.address == reinterpret_cast<std::uint64_t>(&word) && x.e.counts_on(c) && (x.of == nullptr || x.of == in[c]) &&
          (write || x.e.what.on == access::read_write) && !x.e.stopped)
        ++x.due;
  };

  constexpr unsigned switches = 20'000;
  unsigned kept = 0;
  std::size_t register_writes = 0;
  for (unsigned n = 0; n < switches; ++n) {
    const cpu_id c = any(4);
    task* next = tasks[any(4)];
    for (const task* t : in)
      if (t == next) next = nullptr;  // it runs somewhere: this CPU goes idle
    k.m.forget_log();
    k.on_cpu(c, [&] {
      const auto quiet = k.slots.here().quiet();  // what goes and what comes is one change of the control register
      if (in[c] != nullptr) p.schedule_out(in[c]->events, c);
      if (next != nullptr) p.schedule_in(next->events, c);
    });
    register_writes += k.m.log().size();
    in[c] = next;
    if (n % 1000 == 0) k.on_cpu(3, [&] { cpu_3.stopped ? p.start(cpu_3) : p.stop(cpu_3); });
    for (unsigned i = 0; i < 4; ++i) touch(any(4), i % 3 == 0 ? pid_max : i % 3 == 1 ? jiffies : heap, any(2) == 0);
    // Whoever wants a second slot on a CPU is refused, whatever is switched in at the moment: three are sh's, and CPU 2 is full.
    if (n % 100 == 0) {
      machine::kernel_breakpoint other{"other", [](const machine::hit&) {}};
      if (k.slots.register_breakpoint(other, bookend::write_to(&jiffies), machine::slot_manager::mask::of(2))) return 1;
      machine::kernel_breakpoint another{"another", [](const machine::hit&) {}};
      kept += k.slots.register_breakpoint(another, bookend::write_to(&jiffies), machine::slot_manager::mask::of(2)) ? 1u : 0u;
      (void)k.slots.unregister_breakpoint(other);
      if (!another.idle()) (void)k.slots.unregister_breakpoint(another);
    }
  }

  bool exact = kept == switches / 100 && k.m.consistent();
  for (const auto& x : expected) {
    std::printf("%s  %6llu, due %6llu\n", x.name, static_cast<unsigned long long>(x.e.count),
                static_cast<unsigned long long>(x.due));
    exact = exact && x.e.count == x.due && x.due != 0;
  }
  const std::uint64_t both = p.read(sh_heap);
  exact = exact && both == sh_heap.count + childs_heap.count;

  for (cpu_id c = 0; c < 4; ++c)
    if (in[c] != nullptr) k.on_cpu(c, [&] { p.schedule_out(in[c]->events, c); });
  p.exit(child.events);  // what it has counted is sh's now
  exact = exact && sh_heap.count == both && p.read(sh_heap) == both;
  std::printf("sh and its child  %llu\n", static_cast<unsigned long long>(both));
  std::printf("%u switches, %zu register writes; the slots of who was out were asked for %u times, and refused %u times\n",
              switches, register_writes, switches / 100, kept);
  p.exit(sh.events);
  p.exit(gcc.events);
  p.close(cpu_3);
  for (cpu_id c = 0; c < 4; ++c)
    for (const auto& slot : k.slots.snapshot(c).slots) exact = exact && slot.state == bookend::slot_state::free;
  std::puts(exact ? "every count is exact" : "NOT EXACT");
  return exact ? 0 : 1;
}
