// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/machine.hpp — a whole simulated machine: CPUs whose accesses trap into a slot_manager. Hosted.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/mock/compare.hpp>
#include <bookend/mock/log.hpp>
#include <type_traits>
#include <vector>

namespace bookend::mock {

/// What a CPU does; it decides whether a debug trap opens a quiet scope, as a kernel's entry code does.
enum class mode : std::uint8_t { kernel, user };

/// CPUs, registers, kernel, and `slots`, the manager that drives them. A new one has all CPUs online, in kernel mode, without a
/// task. One host thread. CPUs do what they are told, one at a time, and debug traps come as on a real one: data after the
/// access; execution before the instruction, and again if nothing let it pass. A broken contract of the platform ends the
/// program with a sentence.
///   mock::machine<2, 4> m;  m.slots.register_breakpoint(w, write_to(&x));  m.write(1, &x);  m.log();
/// `Manager`: another policy, as by_priority<System>.
template <class System, class Manager = bookend::slot_manager<System>>
class machine_of : public logbook<System::slots> {
 public:
  using slot_manager = Manager;
  using kernel_breakpoint = typename slot_manager::kernel_breakpoint;
  using user_breakpoint = typename slot_manager::user_breakpoint;
  using task = typename slot_manager::task;
  using hit = typename slot_manager::hit;
  using trap_result = typename slot_manager::trap_result;
  static constexpr unsigned max_cpus = System::max_cpus;

  machine_of() {
    this->attach(system());
    for (cpu_id cpu = 0; cpu < max_cpus; ++cpu) (void)online(cpu);
    this->forget_log();
  }
  machine_of(const machine_of&) = delete;
  machine_of& operator=(const machine_of&) = delete;

  slot_manager slots;
  /// The registers and the kernel: `system().faults()`, `system().bank(cpu)`, `system().deny(range)`.
  System& system() noexcept { return slots.system(); }
  /// How the CPUs show hits.
  behaviour shows;

  // Accesses. Each returns the number of debug traps that it took; 0: nobody watched.

  unsigned write(cpu_id cpu, std::uint64_t address, std::uint64_t length) { return data(cpu, touch::write, {address, length}); }
  unsigned read(cpu_id cpu, std::uint64_t address, std::uint64_t length) { return data(cpu, touch::read, {address, length}); }
  /// The same for an object; what it holds stays.
  template <class T>
  unsigned write(cpu_id cpu, const volatile T* object) {
    return write(cpu, reinterpret_cast<std::uint64_t>(object), sizeof(T));
  }
  template <class T>
  unsigned read(cpu_id cpu, const volatile T* object) {
    return read(cpu, reinterpret_cast<std::uint64_t>(object), sizeof(T));
  }
  /// Stores a value; a handler finds it there.
  template <class T>
  unsigned write(cpu_id cpu, T* object, std::type_identity_t<T> value) {
    *object = std::move(value);
    return write(cpu, object);
  }
  /// Runs the instruction at `address`. Execution breakpoints that nobody steps past come again `patience` times: a violation.
  unsigned execute(cpu_id cpu, std::uint64_t address) { return go_on(cpu, {.ip = address, .resume = false}); }
  /// An instruction ends under single step, and the CPU goes on with the one at `next`: one trap for the step (where an execution
  /// breakpoint on `next` shows, too), then those of the instruction itself.
  unsigned step(cpu_id cpu, std::uint64_t next) {
    mock::frame f{.ip = next, .resume = false};
    registers(cpu).touched(touch::execute, {next, 1}, shows);
    registers(cpu).stepped();
    trap(cpu, f);
    return 1 + go_on(cpu, f);
  }
  static constexpr unsigned patience = 16;

  // Tasks and contexts.

  /// The scheduler of `cpu` switches to `next`. When that is refused, what ran there goes on.
  refusal run(cpu_id cpu, task& next) {
    for (cpu_id other = 0; other < max_cpus; ++other)
      system().expect(other == cpu || current_[other] != &next, "a task that runs on two CPUs");
    return switch_to(cpu, next, &next);
  }
  /// ... to no task.
  refusal idle(cpu_id cpu) { return switch_to(cpu, idle_, nullptr); }
  /// What runs on `cpu`; null when it is idle.
  [[nodiscard]] task* current(cpu_id cpu) const noexcept { return current_[cpu]; }
  void set_mode(cpu_id cpu, mode m) noexcept { modes_[cpu] = m; }
  /// f(view) as the scheduler, or an interrupt handler, of `cpu` would run it: guarded, with the verbs of slots.on(cpu).
  template <class F>
  auto guarded(cpu_id cpu, F f) {
    const scope here{system(), cpu, false};
    return f(slots.on(cpu));
  }
  /// f() as a non-maskable interrupt of `cpu`: in a quiet scope.
  template <class F>
  void nmi(cpu_id cpu, F f) {
    const scope here{system(), cpu, true};
    const auto quiet = slots.on(cpu).quiet();
    f();
  }
  /// The CPU answers what was posted for it, if anything was: it takes a cross-call interrupt. Not while it is in a trap.
  void deliver(cpu_id cpu)
    requires can_post<System>
  {
    if (!system().posted().test(cpu)) return;
    system().answered(cpu);  // first: what is posted from now on is another request
    guarded(cpu, [](const auto& view) { view.sync(); });
  }
  /// Every CPU does.
  void deliver()
    requires can_post<System>
  {
    for (cpu_id cpu = 0; cpu < max_cpus; ++cpu) deliver(cpu);
  }
  refusal online(cpu_id cpu) {
    if (cpu < max_cpus) system().set_online(cpu, true);  // it answers cross-calls first
    return noting_online(cpu, slots.cpu_online(cpu));
  }
  refusal offline(cpu_id cpu) { return noting_online(cpu, slots.cpu_offline(cpu)); }

  // What happened.

  /// A hit that the kernel has to deliver to a task.
  struct delivery {
    cpu_id cpu;
    const task* to;
    bookend::user_hit<System> hit;
  };
  [[nodiscard]] const std::vector<delivery>& delivered() const noexcept { return delivered_; }
  /// The last trap of a CPU; all zero before the first.
  [[nodiscard]] const trap_result& last_trap(cpu_id cpu) const noexcept { return last_[cpu]; }
  /// The first slot of which the registers are not what the manager says of it. For a moment when no CPU is quiet.
  [[nodiscard]] mismatch difference() {
    for (cpu_id cpu = 0; cpu < max_cpus; ++cpu)
      if (const mismatch m = mock::difference(slots.snapshot(cpu), registers(cpu))) return m;
    return {};
  }
  [[nodiscard]] bool consistent() { return !difference(); }

 private:
  struct scope {
    scope(System& s, cpu_id cpu, bool trap) noexcept : os(s), in_trap(trap), was(trap ? s.enter_trap(cpu) : s.enter_guard(cpu)) {}
    ~scope() { in_trap ? os.leave_trap(was) : os.leave_guard(was); }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    System& os;
    bool in_trap;
    typename System::place was;
  };
  bank<System::slots>& registers(cpu_id cpu) noexcept { return system().bank(cpu); }

  refusal noting_online(cpu_id cpu, const refusal& outcome) {
    if (cpu < max_cpus) system().set_online(cpu, slots.online().test(cpu));
    return outcome;
  }
  refusal switch_to(cpu_id cpu, task& next, task* current) {
    task& prev = current_[cpu] != nullptr ? *current_[cpu] : idle_;
    return guarded(cpu, [&](const auto& view) -> refusal {
      if constexpr (std::is_void_v<decltype(view.switch_to(prev, next))>) {
        view.switch_to(prev, next);
      } else if (const refusal no = view.switch_to(prev, next)) {
        return no;
      }
      current_[cpu] = current;
      if constexpr (requires { system().note_current(cpu, current); }) system().note_current(cpu, current);
      return {};
    });
  }
  unsigned data(cpu_id cpu, touch what, range bytes) {
    if (!registers(cpu).touched(what, bytes, shows)) return 0;
    mock::frame f{};
    trap(cpu, f);
    return 1;
  }
  unsigned go_on(cpu_id cpu, mock::frame f) {
    unsigned traps = 0;
    while (!f.resume && registers(cpu).touched(touch::execute, {f.ip, 1}, shows)) {
      if (traps == patience) {
        system().expect(false, "an execution breakpoint comes again and again: step_past() was not called");
        break;
      }
      trap(cpu, f);
      ++traps;
    }
    return traps;
  }
  void trap(cpu_id cpu, mock::frame& f) {
    if (system().trap_depth(cpu) == patience)
      return system().expect(false, "debug traps inside debug traps: a handler touches what is watched, and nothing is quiet");
    const scope here{system(), cpu, true};
    const auto view = slots.on(cpu);
    if (modes_[cpu] == mode::kernel) {
      const auto quiet = view.quiet();
      last_[cpu] = quiet.trap(f);
    } else {
      last_[cpu] = view.trap(f);
    }
    for (unsigned i = 0; i < last_[cpu].user_count; ++i) delivered_.push_back({cpu, current_[cpu], last_[cpu].user_hits[i]});
  }

  task idle_;
  task* current_[max_cpus]{};
  mode modes_[max_cpus]{};
  trap_result last_[max_cpus]{};
  std::vector<delivery> delivered_;
};

template <unsigned Cpus, unsigned Slots, unsigned Pools = 1, bool Fallible = false>
using machine = machine_of<system<Cpus, Slots, Pools, Fallible>>;

}  // namespace bookend::mock
