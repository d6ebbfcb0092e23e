// SPDX-License-Identifier: MIT
// bench/memory_machine.hpp — CPUs whose DR0-DR7 are memory, so that no register's own time hides what surrounds it; once for the
// manager, once for the rows by hand.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/x86/backend.hpp>
#include <memory>

namespace bench {

/// DR0-DR7 of each CPU.
template <unsigned Cpus>
struct image {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;
  struct alignas(64) registers {
    volatile std::uint64_t dr[8]{};
  };
  registers cpus[Cpus]{};
  void write_address(bookend::cpu_id cpu, unsigned i, std::uint64_t v) noexcept { cpus[cpu].dr[i] = v; }
  void write_dr7(bookend::cpu_id cpu, std::uint64_t v) noexcept { cpus[cpu].dr[7] = v; }
  void write_dr6(bookend::cpu_id cpu, std::uint64_t v) noexcept { cpus[cpu].dr[6] = v; }
  std::uint64_t read_dr6(bookend::cpu_id cpu) const noexcept { return cpus[cpu].dr[6]; }
};

/// Its kernel: one thread, no lock, cross-calls are calls. It knows which task is current.
template <unsigned Cpus>
struct os : bookend::x86::backend<image<Cpus>>, bookend::single_thread<Cpus> {
  struct frame {};
  void* current[Cpus]{};
  template <class Task>
  Task* current_task(bookend::cpu_id cpu) noexcept {
    return static_cast<Task*>(current[cpu]);
  }
  static bool may_watch(bookend::side, bookend::range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
};
template <unsigned Cpus>
using manager = bookend::slot_manager<os<Cpus>>;

/// Eight bytes, another eight for each i.
constexpr bookend::request at(std::uint64_t i) { return {0x1000 + 8 * i, 8, bookend::access::write}; }

/// A manager of so many CPUs, all online, with breakpoints for them.
template <unsigned Cpus>
struct machine {
  using slot_manager = manager<Cpus>;
  slot_manager slots;
  typename slot_manager::task idle, mine, other;
  typename slot_manager::user_breakpoint u[4], v[4];
  static inline unsigned hits = 0;
  static void count(const typename slot_manager::hit& h) { hits += static_cast<unsigned>(h.setting.address); }
  typename slot_manager::kernel_breakpoint k[4] = {{"k0", count}, {"k1", count}, {"k2", count}, {"k3", count}};

  machine() {
    for (unsigned c = 0; c < Cpus; ++c) (void)slots.cpu_online(c);
  }
  ~machine() {
    for (auto& b : k) (void)slots.unregister_breakpoint(b);
    slots.on_exit(mine);
    slots.on_exit(other);
  }
  void kernel(unsigned n) {
    for (unsigned i = 0; i < n; ++i) (void)!slots.register_breakpoint(k[i], at(i));
  }
  /// The first watches of `mine` and `other`; `apart`: at other addresses.
  void users(unsigned n, unsigned m, bool apart = true) {
    for (unsigned i = 0; i < n; ++i) (void)!slots.register_breakpoint(u[i], mine, at(i));
    for (unsigned i = 0; i < m; ++i) (void)!slots.register_breakpoint(v[i], other, at((apart ? 8 : 0) + i));
  }
  /// As a scheduler does.
  void run(typename slot_manager::task& prev, typename slot_manager::task& next) {
    slots.system().current[0] = &next;
    slots.on(0).switch_to(prev, next);
  }
};

}  // namespace bench

namespace by_hand {

using bookend::request;

constexpr std::uint32_t nothing_on = 0x400, exact = 0x200, status_reset = 0xffff'0ff0;
constexpr std::uint32_t field(unsigned slot) { return 0xFu << (16 + 4 * slot) | 3u << (2 * slot); }
constexpr std::uint32_t armed(unsigned slot, std::uint32_t kind) { return kind << (16 + 4 * slot) | 2u << (2 * slot) | exact; }

/// A request's checks, and what DR7 says of it; ~0 is a refusal.
inline std::uint32_t kind_of(const request& r) {
  const bool good = (r.length == 1 || r.length == 2 || r.length == 4 || r.length == 8) && (r.address & (r.length - 1)) == 0 &&
                    static_cast<std::uint64_t>(static_cast<std::int64_t>(r.address << 16) >> 16) == r.address &&
                    (r.on == bookend::access::write || r.on == bookend::access::read_write);
  if (!good) return ~0u;
  return (r.length == 8 ? 2u : static_cast<std::uint32_t>(r.length - 1)) << 2 | (r.on == bookend::access::write ? 1u : 3u);
}

/// What a handler leaves behind, as machine::hits.
inline unsigned told = 0;

struct breakpoint;
struct frame {};
using handler = void (*)(const breakpoint&, unsigned cpu, unsigned slot, std::uint64_t address, std::uint32_t kind, frame&);
struct breakpoint {
  handler f = nullptr;
  const char* name = "";
  std::uint64_t cookie = 0;  // a task's: delivered with a hit
  unsigned index = 0;        // ... and the task's own number for it
};

/// What must be known of one CPU: who has each slot and what it watches, and what DR7 holds.
struct alignas(64) cpu {
  const breakpoint* holders[4]{};
  std::uint64_t address[4]{};
  std::uint32_t kind[4]{};
  std::uint32_t dr7 = nothing_on;

  [[nodiscard]] unsigned slot_of(const breakpoint& b) const {
    unsigned i = 0;
    while (i < 4 && holders[i] != &b) ++i;
    return i;
  }
  [[nodiscard]] std::uint32_t without(unsigned slot) const {
    const std::uint32_t rest = dr7 & ~field(slot);
    return (rest & 0xAA) != 0 ? rest : nothing_on;
  }
};

}  // namespace by_hand
