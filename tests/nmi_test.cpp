// SPDX-License-Identifier: MIT
// tests/nmi_test.cpp — an NMI between two instructions of a trap or a verb, whichever two they are: this program steps itself.
// interruption_test has one at every register write; between those are the plain loads and stores of the row.
#if defined(__x86_64__) && defined(__linux__)
#include <bookend/bookend.hpp>
#include <bookend/x86/backend.hpp>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <ucontext.h>

namespace {

using namespace bookend;

/// While it lives, `run` is followed instruction by instruction: each ends with a SIGTRAP.
struct stepper {
  inline static volatile bool on = false;
  inline static volatile unsigned count = 0, due = 0;
  inline static void (*nmi)() = nullptr;
  struct sigaction before{};

  stepper() {
    struct sigaction a{};
    a.sa_flags = SA_SIGINFO;
    a.sa_sigaction = stepped;
    sigaction(SIGTRAP, &a, &before);
  }
  ~stepper() { sigaction(SIGTRAP, &before, nullptr); }
  stepper(const stepper&) = delete;
  stepper& operator=(const stepper&) = delete;

  static void stepped(int, siginfo_t*, void* context) {
    constexpr greg_t trap_flag = 0x100;
    auto& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
    flags &= ~trap_flag;
    if (!on) return;
    if (count == due) return nmi();
    flags |= trap_flag;
    count = count + 1;
  }
  /// `interrupt` comes after the k-th instruction; the rest runs on as it does. How many were stepped through.
  template <class F>
  static unsigned run(F f, unsigned k, void (*interrupt)()) {
    nmi = interrupt;
    due = k;
    count = 0;
    on = true;
    asm volatile("int3" : : : "memory");
    f();
    on = false;
    return count;
  }
};

/// Registers as words: what writes them is one instruction, and whoever comes before or after it finds them whole.
struct registers {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;
  volatile std::uint64_t address[4]{}, status = 0xFFFF'0FF0, control = 0x400;
  unsigned wrong = 0;
  [[nodiscard]] std::uint32_t dr7_now() const { return static_cast<std::uint32_t>(control); }
  [[nodiscard]] bool enabled(unsigned slot) const { return (control >> (2 * slot) & 3) != 0; }
  // Of CPU 1 nothing is asked but that it posts.
  void write_address(cpu_id cpu, slot_id slot, std::uint64_t value) noexcept {
    if (cpu != 0) return;
    wrong += enabled(slot);
    address[slot] = value;
  }
  void write_dr7(cpu_id cpu, std::uint64_t value) noexcept {
    if (cpu == 0) control = value;
  }
  [[nodiscard]] std::uint64_t read_dr6(cpu_id) const noexcept { return status; }
  void write_dr6(cpu_id, std::uint64_t value) noexcept { status = value; }
};
struct os : x86::backend<registers>, single_thread<2> {
  struct frame {};
  cpu_id at = 0;
  [[nodiscard]] cpu_id this_cpu() const noexcept { return at; }
  static bool may_watch(side, range) noexcept { return true; }
  static void step_past(frame&) noexcept {}
  static void post_on(const cpumask<2>&) noexcept {}
};
using manager = slot_manager<os>;

constexpr request old_a{0x1000, 8, access::write}, new_a{0x2004, 4, access::read_write}, of_b{0x3000, 8, access::write},
    of_u{0x8000, 8, access::write}, of_v{0x9000, 2, access::write};

/// CPU 0 with two kernel breakpoints in slots 3 and 2, and a task with one in slot 0 that runs.
struct scene {
  manager slots;
  struct told : manager::kernel_breakpoint {
    told() : kernel_breakpoint("told", [](const manager::hit& h) { static_cast<told&>(h.kernel()).hear(h); }) {}
    void hear(const manager::hit& h) {
      ++hits;
      last = h.watched();
    }
    unsigned hits = 0;
    request last{};
  };
  told a, b, c;
  manager::task runs, waits;
  manager::user_breakpoint u{"u", 1}, v{"v", 2};
  os::frame frame;
  manager::trap_result result{};

  scene() {
    for (const cpu_id cpu : {0u, 1u}) (void)slots.cpu_online(cpu);
    (void)slots.register_breakpoint(a, old_a);
    (void)slots.register_breakpoint(b, of_b);
    (void)slots.register_breakpoint(u, runs, of_u);
    (void)slots.register_breakpoint(v, waits, of_v);
    slots.on(0).switch_to(waits, runs);
  }
  ~scene() {
    for (told* k : {&a, &b, &c})
      if (!k->idle()) (void)slots.unregister_breakpoint(*k);
    slots.on_exit(runs);
    slots.on_exit(waits);
  }
  scene(const scene&) = delete;
  scene& operator=(const scene&) = delete;

  /// The registers are what the row says, and a hit was told with one watch or another, and not with half of each.
  [[nodiscard]] const char* wrong() {
    const auto& sys = slots.system();
    const auto shown = slots.snapshot(0);
    if (sys.wrong != 0) return "an address is written while its slot is on";
    for (unsigned s = 0; s < 4; ++s) {
      const auto& is = shown.slots[s];
      const bool due = is.on && shown.online && !shown.away;
      if (sys.enabled(s) != due) return due ? "a slot is off that is wanted" : "a slot is on that nobody wants";
      if (!due) continue;
      const auto kind = x86::kind_of(is.watched.on, is.watched.length);
      if (sys.address[s] != is.watched.address || x86::dr7_slot(sys.dr7_now(), s) != (0x10u | kind))
        return "a register is not its holder's";
    }
    if (a.hits != 0 && a.last != old_a && a.last != new_a) return "told of a watch that never was";
    if (b.hits != 0 && b.last != of_b) return "told of another's watch";
    for (unsigned i = 0; i < result.user_count; ++i)
      if (result.user_hits[i].cookie != 1 || os::decode(result.user_hits[i].setting) != of_u)
        return "a user is told of another's";
    return nullptr;
  }
  void post_from_elsewhere() {
    slots.system().at = 1;
    (void)slots.post().modify(a, new_a);
    slots.system().at = 0;
  }
  void trap(std::uint64_t hits) {
    slots.system().status = 0xFFFF'0FF0 | hits;
    result = slots.on(0).trap(frame);
  }
};

/// What an NMI may do to CPU 0, in its quiet scope; and what it interrupts.
scene* here = nullptr;
const char* seen = nullptr;
template <class F>
void in_an_nmi(F f) {
  const auto quiet = here->slots.on(0).quiet();
  for (unsigned s = 0; s < 4; ++s)
    if (here->slots.system().enabled(s)) seen = "a slot is on in a quiet scope";
  f(here->slots.on(0));
}
struct deed {
  const char* name;
  void (*nmi)();
};
constexpr deed deeds[] = {
    {"nothing", [] { in_an_nmi([](auto) {}); }},
    {"disable", [] { in_an_nmi([](auto cpu) { (void)cpu.disable(here->a); }); }},
    {"enable", [] { in_an_nmi([](auto cpu) { (void)cpu.enable(here->a); }); }},
    {"modify", [] { in_an_nmi([](auto cpu) { (void)cpu.modify(here->a, new_a); }); }},
    {"post modify", [] { in_an_nmi([](auto) { (void)here->slots.post().modify(here->a, new_a); }); }},
    {"post unregister", [] { in_an_nmi([](auto) { (void)here->slots.post().unregister_breakpoint(here->a); }); }},
    {"silence", [] { in_an_nmi([](auto cpu) { cpu.silence(); }); }},
};
struct work {
  const char* name;
  void (*prepare)(scene&);
  void (*run)(scene&);
  unsigned points = 1;  ///< in how many moments it is interrupted
};
constexpr work works[] = {
    {"a trap for the kernel", [](scene&) {}, [](scene& s) { s.trap(0b1000); }, 6},
    {"a trap for a user", [](scene&) {}, [](scene& s) { s.trap(0b0001); }, 6},
    {"a trap for three", [](scene&) {}, [](scene& s) { s.trap(0b1101); }, 6},
    {"a quiet scope", [](scene&) {}, [](scene& s) { const auto quiet = s.slots.on(0).quiet(); }},
    {"a switch", [](scene&) {}, [](scene& s) { s.slots.on(0).switch_to(s.runs, s.waits); }},
    {"here enable", [](scene& s) { (void)s.slots.on(0).disable(s.a); }, [](scene& s) { (void)s.slots.on(0).enable(s.a); }},
    {"here modify", [](scene&) {}, [](scene& s) { (void)s.slots.on(0).modify(s.a, new_a); }},
    {"restore", [](scene& s) { (void)s.slots.on(0).lend(); }, [](scene& s) { (void)s.slots.on(0).restore(); }},
    {"register", [](scene&) {}, [](scene& s) { (void)s.slots.register_breakpoint(s.c, of_v); }},
    {"unregister", [](scene&) {}, [](scene& s) { (void)s.slots.unregister_breakpoint(s.a); }},
    {"modify", [](scene&) {}, [](scene& s) { (void)s.slots.modify(s.a, new_a); }},
    {"disable", [](scene&) {}, [](scene& s) { (void)s.slots.disable(s.a); }},
    {"register beside one that is off", [](scene& s) { (void)s.slots.disable(s.a); },
     [](scene& s) { (void)s.slots.register_breakpoint(s.c, of_v); }, 6},
    {"sync", [](scene& s) { s.post_from_elsewhere(); }, [](scene& s) { s.slots.on(0).sync(); }, 10},
    {"lend", [](scene&) {}, [](scene& s) { (void)s.slots.on(0).lend(); }},
    {"silence", [](scene&) {}, [](scene& s) { s.slots.on(0).silence(); }, 30},
};

}  // namespace

TEST_CASE("an NMI between any two instructions comes before what it interrupts, or after it, or in between and nothing is torn") {
  const stepper steps;
  unsigned long interruptions = 0;
  const auto once = [&](const work& w, const deed& d, unsigned k) {
    scene s;
    here = &s;
    seen = nullptr;
    w.prepare(s);
    const unsigned length = stepper::run([&] { w.run(s); }, k, d.nmi);
    const char* bad = seen != nullptr ? seen : s.wrong();
    if (bad != nullptr) FAIL((std::string(w.name) + ", after " + std::to_string(k) + " instructions " + d.name + ": " + bad));
    return length;
  };
  // A step takes microseconds where debug traps are a hypervisor's business, too: without BOOKEND_DEEP only some moments, others
  // for each pair.
  const bool all = std::getenv("BOOKEND_DEEP") != nullptr;
  unsigned seed = 0;
  for (const work& w : works) {
    const unsigned length = once(w, deeds[0], ~0u);
    const unsigned stride = all || length <= w.points ? 1 : length / w.points;
    for (const deed& d : deeds)
      for (unsigned k = seed++ * 37 % stride; k < length; k += stride) once(w, d, k), ++interruptions;
  }
  MESSAGE(interruptions << " interruptions");
  CHECK(interruptions > 180);
}
#endif
