// SPDX-License-Identifier: MIT
// examples/guest/virtual_cpu.hpp — a virtual CPU of the Unicorn engine, whose debug registers are bookend's.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/mock/backend.hpp>
#include <bookend/x86/virtual_registers.hpp>
#include <functional>
#include <unicorn/unicorn.h>
#include <vector>

/// guest.S, in the host's memory, and places in it.
extern "C" const std::uint8_t guest_begin[], guest_armed[], guest_debug[], guest_end[];

/// The machine: one virtual CPU with four simulated debug registers. The host's watches are its kernel side, from the top; the
/// guest's are its user side, from the bottom, with the virtual CPU as the task.
struct vm : bookend::mock::backend<1, 4>, bookend::single_thread<1> {
  static constexpr bool watches_elsewhere = true;  // guest addresses are not the host's
  static constexpr bool may_watch(bookend::side, bookend::range) noexcept { return true; }
};
using slot_manager = bookend::slot_manager<vm>;

/// Runs one guest in 64-bit mode, ring 0, without paging. What goes wrong ends the program with a sentence.
class virtual_cpu {
 public:
  static constexpr std::uint64_t memory = 0x10000, memory_bytes = 0x10000;
  static constexpr std::uint64_t code = memory, data = 0x14000, stack_end = 0x1c000, idt = 0x1e000, gdt = 0x1f000;

  /// With guest.S in it, about to watch `own_watches` of its words.
  explicit virtual_cpu(slot_manager& slots, unsigned own_watches);
  ~virtual_cpu();
  virtual_cpu(const virtual_cpu&) = delete;
  virtual_cpu& operator=(const virtual_cpu&) = delete;

  /// Runs on to this address, or to the guest's HLT.
  void run_to(std::uint64_t address = 0);
  /// Called when the guest's own registers do not fit beside the host's, which its CPU cannot tell it: true, there is room now.
  std::function<bool()> make_room;

  [[nodiscard]] std::uint64_t word(std::uint64_t address) const;
  /// All that the guest may know: its memory.
  [[nodiscard]] std::vector<std::uint8_t> image() const;

 private:
  struct mov_dr {
    bool to;  ///< the debug register
    unsigned debug, general, length;
  };
  static bool decode(const std::uint8_t* bytes, mov_dr& mov) noexcept;

  void carry_out(const mov_dr& mov);
  void take_trap();
  void raise(bookend::x86::exception e);
  [[nodiscard]] std::uint64_t get(int reg) const;
  void set(int reg, std::uint64_t value);
  static void on_access(uc_engine*, uc_mem_type what, std::uint64_t address, int bytes, std::int64_t, void* self);

  slot_manager& slots_;
  slot_manager::task task_;
  slot_manager::task nobody_;
  bookend::x86::virtual_registers<vm> registers_{slots_, task_};
  uc_engine* engine_ = nullptr;
  bool due_ = false;  // a data watch has matched: its trap comes after the instruction
};
