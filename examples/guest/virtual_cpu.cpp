// SPDX-License-Identifier: MIT
// examples/guest/virtual_cpu.cpp — see virtual_cpu.hpp. Intel SDM vol. 2, "MOV—Move to/from Debug Registers"; vol. 3, "64-Bit
// Mode Stack Frame".
#include "virtual_cpu.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "guest: %s\n", what);
  std::exit(2);
}
void require(uc_err e, const char* what) {
  if (e == UC_ERR_OK) return;
  std::fprintf(stderr, "guest: %s: %s\n", what, uc_strerror(e));
  std::exit(2);
}

constexpr std::uint64_t code_selector = 8, stack_selector = 16;

/// Where the guest's interrupt table says who handles it.
constexpr std::uint64_t gate_of(bookend::x86::exception e) { return virtual_cpu::idt + 16 * static_cast<std::uint64_t>(e); }

/// As MOV DR numbers them.
constexpr int general[] = {UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
                           UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
                           UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15};

}  // namespace

virtual_cpu::virtual_cpu(slot_manager& slots, unsigned own_watches) : slots_(slots) {
  require(!slots_.cpu_online(0), "the CPU does not come online");
  slots_.on(0).switch_to(nobody_, task_);

  require(uc_open(UC_ARCH_X86, UC_MODE_64, &engine_), "no engine");
  require(uc_mem_map(engine_, memory, memory_bytes, UC_PROT_ALL), "no memory");
  const auto put = [&](std::uint64_t at, const void* what, std::size_t bytes) {
    require(uc_mem_write(engine_, at, what, bytes), "a write to its memory");
  };
  put(code, guest_begin, static_cast<std::size_t>(guest_end - guest_begin));

  const std::uint64_t segments[] = {0, 0x00af'9a00'0000'ffff, 0x00cf'9200'0000'ffff};
  put(gdt, segments, sizeof segments);
  const std::uint64_t handler = code + static_cast<std::uint64_t>(guest_debug - guest_begin);
  const std::uint64_t gate[] = {(handler & 0xFFFF) | code_selector << 16 | 0x8E00'0000'0000 | (handler >> 16 & 0xFFFF) << 48,
                                handler >> 32};
  put(gate_of(bookend::x86::exception::debug), gate, sizeof gate);

  uc_x86_mmr table{};
  table.base = gdt;
  table.limit = sizeof segments - 1;
  require(uc_reg_write(engine_, UC_X86_REG_GDTR, &table), "its GDT");
  set(UC_X86_REG_CS, code_selector);
  set(UC_X86_REG_SS, stack_selector);
  set(UC_X86_REG_RSP, stack_end);
  set(UC_X86_REG_RIP, code);
  set(UC_X86_REG_RDI, data);
  set(UC_X86_REG_RSI, own_watches);

  uc_hook hook = 0;
  require(uc_hook_add(engine_, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, reinterpret_cast<void*>(&on_access), this, 1, 0),
          "no hook");
}

virtual_cpu::~virtual_cpu() {
  registers_.reset();
  slots_.on(0).switch_to(task_, nobody_);
  uc_close(engine_);
}

// One instruction at a time: a trap comes between two.
void virtual_cpu::run_to(std::uint64_t address) {
  constexpr std::uint8_t hlt = 0xF4;
  for (std::uint64_t at; (at = get(UC_X86_REG_RIP)) != address;) {
    std::uint8_t bytes[4];
    mov_dr mov;
    require(uc_mem_read(engine_, at, bytes, sizeof bytes), "it left its memory");
    if (bytes[0] == hlt) return;
    if (decode(bytes, mov)) {
      carry_out(mov);
      continue;
    }
    require(uc_emu_start(engine_, at, 0, 0, 1), "an instruction fails");
    take_trap();
  }
}

// Every access asks the simulated registers, as the CPU's own would be asked.
void virtual_cpu::on_access(uc_engine*, uc_mem_type what, std::uint64_t address, int bytes, std::int64_t, void* self) {
  auto& cpu = *static_cast<virtual_cpu*>(self);
  const auto how = what == UC_MEM_WRITE ? bookend::mock::touch::write : bookend::mock::touch::read;
  cpu.due_ |= cpu.slots_.system().bank(0).touched(how, {address, static_cast<std::uint64_t>(bytes)});
}

// The host's hits go to its handlers, and the guest does not see that. Its own are its #DB.
void virtual_cpu::take_trap() {
  if (!due_) return;
  due_ = false;
  vm::frame frame;
  const auto trap = slots_.on(0).trap(frame);
  if (registers_.note_hits(trap) != 0) raise(bookend::x86::exception::debug);
}

/// 0F 21 and 0F 23, with or without REX: MOV r64, DRn and MOV DRn, r64.
bool virtual_cpu::decode(const std::uint8_t* bytes, mov_dr& mov) noexcept {
  const bool prefixed = (bytes[0] & 0xF0) == 0x40;
  const unsigned rex = prefixed ? bytes[0] : 0;
  const std::uint8_t* const op = bytes + prefixed;
  if (op[0] != 0x0F || (op[1] != 0x21 && op[1] != 0x23)) return false;
  mov = {.to = op[1] == 0x23,
         .debug = (op[2] >> 3 & 7u) | (rex & 4) << 1,
         .general = (op[2] & 7u) | (rex & 1) << 3,
         .length = 3u + prefixed};
  return true;
}

void virtual_cpu::carry_out(const mov_dr& mov) {
  const bool debug_extensions = (get(UC_X86_REG_CR4) & 8) != 0;
  bookend::x86::mov_result done;
  if (mov.to) {
    const auto move = [&] { return registers_.mov_to(mov.debug, get(general[mov.general]), debug_extensions); };
    while ((done = move()).no.why == bookend::reason::no_slot) require(make_room && make_room(), "it needs more than there is");
    require(!done.no, "it asks for what nobody can watch");
  } else {
    done = registers_.mov_from(mov.debug, debug_extensions);
  }
  if (done.raise != bookend::x86::exception::none) return raise(done.raise);
  if (!mov.to) set(general[mov.general], done.value);
  set(UC_X86_REG_RIP, get(UC_X86_REG_RIP) + mov.length);
}

/// As the CPU delivers an exception without an error code through an interrupt gate, from ring 0.
void virtual_cpu::raise(bookend::x86::exception e) {
  const std::uint64_t gate_at = gate_of(e);
  const std::uint64_t gate = word(gate_at);
  require((gate >> 47 & 1) != 0, "an exception that it has no handler for");
  const std::uint64_t flags = get(UC_X86_REG_EFLAGS), stack = get(UC_X86_REG_RSP);
  const std::uint64_t frame[] = {get(UC_X86_REG_RIP), code_selector, flags, stack, stack_selector};
  const std::uint64_t top = (stack & ~std::uint64_t{15}) - sizeof frame;
  require(uc_mem_write(engine_, top, frame, sizeof frame), "its stack");
  set(UC_X86_REG_RSP, top);
  set(UC_X86_REG_EFLAGS, flags & ~std::uint64_t{0x300});  // TF and IF
  set(UC_X86_REG_RIP, (gate & 0xFFFF) | (gate >> 48) << 16 | word(gate_at + 8) << 32);
}

std::uint64_t virtual_cpu::word(std::uint64_t address) const {
  std::uint64_t value = 0;
  require(uc_mem_read(engine_, address, &value, sizeof value), "a read of its memory");
  return value;
}
std::vector<std::uint8_t> virtual_cpu::image() const {
  std::vector<std::uint8_t> bytes(memory_bytes);
  require(uc_mem_read(engine_, memory, bytes.data(), bytes.size()), "a read of its memory");
  return bytes;
}
std::uint64_t virtual_cpu::get(int reg) const {
  std::uint64_t value = 0;  // the engine writes only as much as the register has
  require(uc_reg_read(engine_, reg, &value), "a register");
  return value;
}
void virtual_cpu::set(int reg, std::uint64_t value) { require(uc_reg_write(engine_, reg, &value), "a register"); }
