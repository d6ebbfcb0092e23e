// SPDX-License-Identifier: MIT
// examples/kernel/checks/check_calls.cpp — cross-calls, the owner lock, posts: what bookend's verbs stand on.
#include "../kernel/processors.hpp"
#include "../kernel/scheduler.hpp"
#include "check.hpp"

namespace kernel {

namespace {

struct tally {
  unsigned calls[max_cpus];
  unsigned wrong;
};
void count_call(void* argument, bookend::cpu_id cpu) noexcept {
  auto& t = *static_cast<tally*>(argument);
  ++t.calls[cpu];  // no other CPU writes this one
  if (cpu != this_cpu() || interrupts_are_on()) __atomic_fetch_add(&t.wrong, 1, __ATOMIC_RELAXED);
}
bool each_is(const tally& t, const cpu_mask& mask, unsigned n) noexcept {
  for (unsigned c = 0; c < max_cpus; ++c)
    if (t.calls[c] != (mask.test(c) ? n : 0)) return false;
  return t.wrong == 0;
}

constexpr unsigned call_rounds = 500;
void call_everybody(void* argument) {
  for (unsigned i = 0; i < call_rounds; ++i) run_on(all_cpus(), count_call, argument);
}

/// Registers and unregisters on all CPUs, each time by a cross-call under the owner lock.
constexpr unsigned register_rounds = 1000;
struct owner_of_one {
  slot_manager::kernel_breakpoint watch{"round", [](const slot_manager::hit&) {}};
  long word = 0;
  unsigned refused = 0;
};
constinit owner_of_one owners[max_cpus];
void register_often(void* argument) {
  auto& o = *static_cast<owner_of_one*>(argument);
  for (unsigned i = 0; i < register_rounds; ++i) {
    if (slots.register_breakpoint(o.watch, bookend::write_to(&o.word))) ++o.refused;
    if (slots.unregister_breakpoint(o.watch)) ++o.refused;
  }
}

}  // namespace

void check_calls(const options&) noexcept {
  tally once{};
  run_on(all_cpus(), count_call, &once);
  check(each_is(once, all_cpus(), 1), "a cross-call runs once on each CPU, with interrupts off, before it returns");

  tally often{};
  thread* callers[max_cpus];
  for (const unsigned c : all_cpus()) callers[c] = start_thread("caller", call_everybody, &often, cpu_mask::of(c));
  for (const unsigned c : all_cpus()) join(callers[c]);
  check(each_is(often, all_cpus(), call_rounds * cpu_count), "CPUs that call each other all at once are all answered");

  // Four slots: with up to four CPUs nobody is refused.
  const unsigned used = cpu_count < 4 ? cpu_count : 4;
  thread* threads[max_cpus];
  for (unsigned i = 0; i < used; ++i) threads[i] = start_thread("owner", register_often, &owners[i], cpu_mask::of(i));
  for (unsigned i = 0; i < used; ++i) join(threads[i]);
  unsigned refused = 0;
  for (unsigned i = 0; i < used; ++i) refused += owners[i].refused;
  check(refused == 0, "CPUs that register and unregister everywhere at once, a thousand times each, do not wait for ever");

  // More of them than CPUs, and free to move: holders of the owner lock are preempted.
  for (unsigned i = 0; i < 4; ++i) threads[i] = start_thread("owner", register_often, &owners[i]);
  for (unsigned i = 0; i < 4; ++i) join(threads[i]);
  for (const auto& o : owners) refused += o.refused;
  check(refused == 0, "nor do four threads that are free to move");

  std::uint64_t before[max_cpus];
  for (const unsigned c : all_cpus()) before[c] = __atomic_load_n(&cpus[c].count.posts, __ATOMIC_RELAXED);
  post_on(all_cpus());
  for (const unsigned c : all_cpus())
    while (__atomic_load_n(&cpus[c].count.posts, __ATOMIC_ACQUIRE) == before[c]) yield();
  check(true, "a post reaches each CPU, its sender's too");
}

}  // namespace kernel
