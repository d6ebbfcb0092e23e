// SPDX-License-Identifier: MIT
// tests/oracle/parts.hpp — a manager with its registers, breakpoints and tasks in one piece of memory, to be kept and put back.
#pragma once
#include <bookend/mock/platform.hpp>
#include <bookend/slot_manager.hpp>
#include <string>
#include <utility>

namespace oracle {

/// It holds addresses of its own: its bytes can be put back where they were, and nowhere else.
template <class System, unsigned Kernels, unsigned Users, unsigned Tasks>
struct parts {
  struct manager : bookend::slot_manager<System> {
    std::string ledger_bytes() const {
      const auto& l = this->ledgers_;
      return {reinterpret_cast<const char*>(&l), sizeof l};
    }
    auto held(unsigned pool, unsigned c) {
      return this->in_pool(pool, [&](auto& l) { return std::pair(l.kernel_held(c), l.tallest_user(c)); });
    }
  };
  struct kernel_breakpoint : manager::kernel_breakpoint {
    explicit kernel_breakpoint(std::size_t i)
        : manager::kernel_breakpoint(text, [](const auto&) {}), text{'k', static_cast<char>('0' + i)} {
      static_assert(Kernels <= 10, "one digit");
    }
    char text[3];
  };
  using user_breakpoint = typename manager::user_breakpoint;
  parts() : parts(std::make_index_sequence<Kernels>(), std::make_index_sequence<Users>()) {}
  template <std::size_t... K, std::size_t... U>
  parts(std::index_sequence<K...>, std::index_sequence<U...>)
      : kernel{kernel_breakpoint(K)...}, user{user_breakpoint("u", 1000 + U)...} {}
  manager m;
  kernel_breakpoint kernel[Kernels];
  user_breakpoint user[Users];
  typename manager::task task[Tasks], idle;
  int current[System::max_cpus]{};  ///< the scheduler's: 1 + the task; 0 is none
};

}  // namespace oracle
