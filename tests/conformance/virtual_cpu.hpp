// SPDX-License-Identifier: MIT
// tests/conformance/virtual_cpu.hpp — a task with virtual debug registers on a machine of two simulated x86 CPUs.
#pragma once
#include <bookend/mock/platform.hpp>
#include <bookend/x86/virtual_registers.hpp>
#include <conformance/simulated_x86.hpp>
#include <string>

namespace conformance::virtual_cpu {

using namespace bookend;

inline constexpr std::uint64_t user_end = 0x8000'0000'0000;

/// Two CPUs of real registers, as far as bookend can tell.
template <class File>
struct os : x86::backend<File>, mock::platform<2> {
  using frame = mock::frame;
  static constexpr void step_past(mock::frame& f) noexcept { f.resume = true; }
  constexpr bool may_watch(side s, range r) const noexcept {
    return platform::may_watch(s, r) && (s == side::kernel || r.last() < user_end);
  }
};

template <class File = conformance::simulated_file<true>>
struct scene {
  using manager = slot_manager<os<File>>;
  manager slots;
  typename manager::task task, nobody;
  x86::virtual_registers<os<File>> dr{slots, task};
  typename manager::kernel_breakpoint held[4] = {{"k0", ignore}, {"k1", ignore}, {"k2", ignore}, {"k3", ignore}};
  cpu_id cpu = 0;

  scene() {
    for (cpu_id c = 0; c < 2; ++c) {
      slots.system().set_online(c, true);
      REQUIRE_FALSE(slots.cpu_online(c));
    }
    run_on(0);
  }
  ~scene() {
    dr.reset();
    for (auto& k : held)
      if (!k.idle()) (void)slots.unregister_breakpoint(k);
  }
  static void ignore(const typename manager::hit&) {}

  bool hold(unsigned k, cpumask<2> where = cpumask<2>::all()) {
    return !slots.register_breakpoint(held[k], {0xffff'8000'0000'0000, 8, access::write}, where);
  }
  void run_on(cpu_id to) {
    const auto guarded = [&](cpu_id c, const auto& from, const auto& next) {
      const auto was = slots.system().enter_guard(c);
      (void)slots.on(c).switch_to(from, next);
      slots.system().leave_guard(was);
    };
    guarded(cpu, task, nobody);
    guarded(cpu = to, nobody, task);
  }
  /// The task touches something: the bits that DR6 gets.
  slot_mask touch(x86_access what, std::uint64_t at, std::uint64_t n) {
    if (!slots.system().cpus[cpu].touch(what, at, n)) return 0;
    const auto was = slots.system().enter_trap(cpu);
    mock::frame f;
    const auto t = slots.on(cpu).trap(f);
    slots.system().leave_trap(was);
    return dr.note_hits(t, t.rest);
  }
  std::uint64_t operator[](unsigned n) const { return dr.peek(n).value(); }
};

/// All that can be seen from outside: what is read, who has which slot, and what the CPUs hold.
struct view {
  std::uint64_t dr[6]{};
  slot_mask reserved = 0;
  std::string shelf;

  template <class Scene>
  explicit view(Scene& s, bool generations = true) : reserved(s.dr.reserved()) {
    for (unsigned n = 0; n < 6; ++n) dr[n] = s[n < 4 ? n : n + 2];
    for (cpu_id c = 0; c < 2; ++c) {
      const auto row = s.slots.snapshot(c);
      const auto& cpu = s.slots.system().cpus[c];
      for (unsigned i = 0; i < 4; ++i) {
        const auto& slot = row.slots[i];
        shelf += std::to_string(static_cast<int>(slot.state)) + slot.name + (slot.on ? "+" : "-");
        shelf += std::to_string(generations ? slot.generation : 0) + "," + std::to_string(cpu.dr7 >> (2 * i) & 3) + " ";
        if (slot.on) shelf += std::to_string(slot.watched.address) + "," + std::to_string(cpu.dr[i]) + " ";
      }
      shelf += std::to_string(cpu.dr7) + "\n";
    }
  }
  bool operator==(const view&) const = default;
};

// Bits of DR7; of a kind, LEN and RW.
inline constexpr std::uint64_t l0 = 1, g0 = 2, l1 = 4;
constexpr std::uint64_t kind(unsigned i, std::uint64_t len_rw) { return len_rw << (16 + 4 * i); }
inline constexpr std::uint64_t write_4 = 0b1101, access_8 = 0b1011, write_1 = 0b0001, runs = 0b0000, port_1 = 0b0010;

}  // namespace conformance::virtual_cpu
