// SPDX-License-Identifier: MIT
// tests/x86_registers_test.cpp — mirrors arch/x86/include/bookend/x86/registers.hpp: the instructions themselves. In ring 3 each
// is a general protection fault, which arrives here as SIGSEGV, is carried out on registers in memory, and is stepped over.
#if defined(__x86_64__) && defined(__linux__)
#include <bookend/native.hpp>
#include <bookend/x86/verified.hpp>
#include <csignal>
#include <doctest/doctest.h>
#include <initializer_list>
#include <ucontext.h>

/// Not static: for all that the compiler knows, an asm that clobbers memory reads it.
int watched_by_the_test = 0;

namespace {
namespace x86 = bookend::x86;

enum class does : int { nothing, write_dr, read_dr, write_msr };

struct event {
  does what = does::nothing;
  std::uint32_t which = 0;  ///< number of the debug register, or of the model-specific one
  std::uint64_t value = 0;
  int watched = 0;  ///< what memory held when the instruction ran
  friend bool operator==(const event&, const event&) = default;
};

/// Carries out privileged instructions while it exists.
struct ring0 {
  inline static std::uint64_t dr[8]{};
  inline static event events[16]{};
  inline static unsigned count = 0;
  struct sigaction before{};

  ring0() {
    for (auto& r : dr) r = 0;
    count = 0;
    dr[6] = 0xFFFF'0FF0;
    dr[7] = 0x400;
    struct sigaction a{};
    a.sa_flags = SA_SIGINFO;
    a.sa_sigaction = carry_out;
    sigaction(SIGSEGV, &a, &before);
  }
  ~ring0() { sigaction(SIGSEGV, &before, nullptr); }
  ring0(const ring0&) = delete;
  ring0& operator=(const ring0&) = delete;

  static void happened(does what, std::uint32_t which, std::uint64_t value) {
    if (count < 16) events[count++] = {what, which, value, watched_by_the_test};
  }

  // Intel SDM vol. 2, "MOV—Move to/from Debug Registers" and "WRMSR".
  static void carry_out(int signal, siginfo_t*, void* context) {
    auto& regs = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    constexpr int general[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    const auto* at = reinterpret_cast<const unsigned char*>(regs[REG_RIP]);
    const bool high = (at[0] & 0xF1) == 0x41;  // REX.B
    if ((at[0] & 0xF0) == 0x40) ++at;
    if (at[0] == 0x0F && (at[1] == 0x21 || at[1] == 0x23) && at[2] >= 0xC0) {
      const unsigned number = at[2] >> 3 & 7;
      auto& general_register = regs[general[(at[2] & 7) + (high ? 8 : 0)]];
      if (at[1] == 0x23) {
        dr[number] = static_cast<std::uint64_t>(general_register);
        happened(does::write_dr, number, dr[number]);
      } else {
        general_register = static_cast<greg_t>(dr[number]);
        happened(does::read_dr, number, dr[number]);
      }
      at += 3;
    } else if (at[0] == 0x0F && at[1] == 0x30) {
      happened(does::write_msr, static_cast<std::uint32_t>(regs[REG_RCX]),
               static_cast<std::uint64_t>(regs[REG_RDX]) << 32 | static_cast<std::uint32_t>(regs[REG_RAX]));
      at += 2;
    } else {
      std::signal(signal, SIG_DFL);  // somebody's real fault
      return;
    }
    regs[REG_RIP] = reinterpret_cast<greg_t>(at);
  }

  static bool saw(std::initializer_list<event> expected) {
    if (count != expected.size()) return false;
    unsigned i = 0;
    for (const event& e : expected)
      if (!(events[i++] == e)) return false;
    return true;
  }
};

static_assert(x86::register_file<x86::registers> && !x86::writes_can_fail<x86::registers>);
static_assert(x86::has_address_masks<x86::amd_registers> && !x86::has_address_masks<x86::registers>);
static_assert(x86::readable<x86::registers>);
static_assert(bookend::backend<bookend::native_backend> && !bookend::can_fail<bookend::native_backend>);
static_assert(__is_empty(bookend::native_backend));

/// A kernel's own, as arch/x86/README.md shows it.
struct os_registers : bookend::x86::registers {
  static constexpr unsigned linear_address_bits = 57;
  static constexpr bool io_allowed = true;
};
static_assert(x86::backend<os_registers>::encode({0x0000'8000'0000'0000, 8, bookend::access::write}));
static_assert(x86::backend<os_registers>::encode({0x60, 1, bookend::access::io}));
static_assert(!bookend::native_backend::encode({0x0000'8000'0000'0000, 8, bookend::access::write}));
static_assert(!bookend::native_backend::encode({0x60, 1, bookend::access::io}));
static_assert(x86::backend<x86::amd_registers>::encode({0x1000, 4096, bookend::access::write}));
static_assert(!x86::backend<x86::amd_registers>::encode({0x2000, 8192, bookend::access::write}));
}  // namespace

TEST_CASE("each address goes to the register of its number, and comes back from there") {
  ring0 here;
  x86::registers r;
  for (bookend::slot_id i = 0; i < 4; ++i) r.write_address(0, i, 0xFFFF'8000'0000'1000 + i);
  CHECK(here.saw({{does::write_dr, 0, 0xFFFF'8000'0000'1000},
                  {does::write_dr, 1, 0xFFFF'8000'0000'1001},
                  {does::write_dr, 2, 0xFFFF'8000'0000'1002},
                  {does::write_dr, 3, 0xFFFF'8000'0000'1003}}));
  for (bookend::slot_id i = 0; i < 4; ++i) CHECK(r.read_address(0, i) == 0xFFFF'8000'0000'1000 + i);
}

TEST_CASE("control is DR7 and status is DR6") {
  ring0 here;
  x86::registers r;
  r.write_dr7(0, 0x0009'0602);
  r.write_dr6(0, 0xFFFF'0FF0);
  CHECK(r.read_dr7(0) == 0x0009'0602);
  CHECK(r.read_dr6(0) == 0xFFFF'0FF0);
  CHECK(here.saw({{does::write_dr, 7, 0x0009'0602},
                  {does::write_dr, 6, 0xFFFF'0FF0},
                  {does::read_dr, 7, 0x0009'0602},
                  {does::read_dr, 6, 0xFFFF'0FF0}}));
}

TEST_CASE("a second read is an instruction of its own, and sees what happened since the first") {
  ring0 here;
  x86::registers r;
  const std::uint64_t first = r.read_dr6(0);
  ring0::dr[6] |= 1;
  CHECK(r.read_dr6(0) == (first | 1));
  CHECK(here.count == 2);
}

TEST_CASE("stores before a write to DR7 are done before it, and stores after it are not") {
  ring0 here;
  watched_by_the_test = 1;
  x86::registers::write_dr7(0, 0x400);
  watched_by_the_test = 2;
  x86::registers::write_dr7(0, 0x400);
  watched_by_the_test = 0;
  CHECK(here.saw({{does::write_dr, 7, 0x400, 1}, {does::write_dr, 7, 0x400, 2}}));
}

TEST_CASE("the native backend arms with an address and one write of DR7, and takes the status") {
  ring0 here;
  bookend::native_backend b;
  const auto s = b.encode({0x7000'0000'1000, 8, bookend::access::write}).value();
  const x86::setting all[4] = {{}, s, {}, {}};
  b.write_address(0, 1, s);
  b.write_control(0, b.control_of(all, 0b0010));
  CHECK(here.saw({{does::write_dr, 1, 0x7000'0000'1000}, {does::write_dr, 7, 0x0090'0608}}));

  here.count = 0;
  here.dr[6] = 0xFFFF'0FF2;
  CHECK(b.take_status(0).hits == 0b0010);
  CHECK(here.saw({{does::read_dr, 6, 0xFFFF'0FF2}, {does::write_dr, 6, 0xFFFF'0FF0}}));
}

// AMD APM vol. 2, "Software Debug Resources": DR0_ADDR_MASK is MSR C001_1027, DR1- to DR3_ADDR_MASK are C001_1019 to C001_101B.
TEST_CASE("AMD's masks go to their model-specific registers before the address, and so does the 0 of a watch that has none") {
  ring0 here;
  x86::backend<x86::amd_registers> b;
  const auto page = b.encode({0x1000, 4096, bookend::access::write}).value();
  const auto byte = b.encode({0x1000, 1, bookend::access::write}).value();
  b.write_address(0, 0, page);
  b.write_address(0, 0, byte);
  for (bookend::slot_id i = 1; i < 4; ++i) b.write_address(0, i, page);
  CHECK(here.saw({{does::write_msr, 0xC001'1027, 0xFFF},
                  {does::write_dr, 0, 0x1000},
                  {does::write_msr, 0xC001'1027, 0x000},
                  {does::write_dr, 0, 0x1000},
                  {does::write_msr, 0xC001'1019, 0xFFF},
                  {does::write_dr, 1, 0x1000},
                  {does::write_msr, 0xC001'101A, 0xFFF},
                  {does::write_dr, 2, 0x1000},
                  {does::write_msr, 0xC001'101B, 0xFFF},
                  {does::write_dr, 3, 0x1000}}));
}

TEST_CASE("verified registers read before and after each write") {
  ring0 here;
  x86::backend<x86::verified<x86::registers>> b;
  const x86::setting all[4]{};
  CHECK(b.write_control(0, b.control_of(all, 0b0001)));
  CHECK(here.saw({{does::read_dr, 7, 0x400}, {does::write_dr, 7, 0x0000'0602}, {does::read_dr, 7, 0x0000'0602}}));
}
#endif
