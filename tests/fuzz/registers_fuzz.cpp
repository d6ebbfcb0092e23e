// SPDX-License-Identifier: MIT
// tests/fuzz/registers_fuzz.cpp — both sides' verbs on simulated x86 registers, where every DR7 that is written is read by the
// manual's tables: at no moment is a slot on that watches what is denied, and after each verb nothing is but what was granted.
#include <bookend/bookend.hpp>
#include <bookend/x86/backend.hpp>
#include <fuzz/x86.hpp>

namespace {

using namespace bookend;
using namespace fuzz;
using fuzz::access;

constexpr range denied{0x10'0000, 0x1000};
constexpr std::uint64_t user_end = 0x7FFF'FFFF'F000;

/// Registers that look at what they are told.
struct registers {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = false;
  static constexpr unsigned address_mask_bits = 12;
  std::uint64_t dr[4]{}, mask[4]{}, dr6 = 0xFFFF'0FF0, dr7 = 0x400;

  [[nodiscard]] range watched(unsigned slot) const {
    return {dr[slot], mask[slot] != 0 ? mask[slot] + 1 : length_of_len[len(dr7, slot)]};
  }
  void write_address(cpu_id, slot_id slot, std::uint64_t value) noexcept {
    expect(!enabled(dr7, slot), "an address is written while its slot is on");
    dr[slot] = value;
  }
  void write_mask(cpu_id, slot_id slot, std::uint64_t value) noexcept {
    expect(!enabled(dr7, slot), "a mask is written while its slot is on");
    mask[slot] = value;
  }
  void write_dr7(cpu_id, std::uint64_t value) noexcept {
    expect(value >> 32 == 0 && (value & must_be_0) == 0 && (value & 0x400) != 0, "a bit of DR7 that is nobody's is written");
    dr7 = value;
    for (unsigned i = 0; i < 4; ++i)
      if (enabled(dr7, i))
        expect(!watched(i).overlaps(denied) && dr[i] % watched(i).length == 0, "a slot is on that nobody may have");
      else
        expect(rw(dr7, i) == 0 && len(dr7, i) == 0, "a stale LEN or RW is written");
  }
  [[nodiscard]] std::uint64_t read_dr6(cpu_id) const noexcept { return dr6; }
  void write_dr6(cpu_id, std::uint64_t value) noexcept { expect((dr6 = value) == 0xFFFF'0FF0, "DR6 is reset to another value"); }
};
struct os : x86::backend<registers>, single_thread<1> {
  struct frame {};
  static bool may_watch(side who, range r) noexcept {
    return !r.overlaps(denied) && (who == side::kernel || r.last() < user_end);
  }
  static void step_past(frame&) noexcept {}
};
using manager = slot_manager<os>;

/// What one breakpoint was last granted.
struct granted {
  request what;
  bool on = false;
};

void may_be_granted(const request& r, bool to_user) {
  const auto end = static_cast<unsigned __int128>(r.address) + r.length;
  expect(end <= denied.first || r.address > denied.last(), "a denied address is granted");
  expect(!to_user || end <= user_end, "an address of the kernel is granted to a user");
}

/// A verb on a breakpoint; `enroll` registers it.
template <class Breakpoint, class Enroll>
void apply(manager& slots, Breakpoint& b, granted& have, unsigned what, const request& r, bool of_user, Enroll enroll) {
  if (what < 3) {
    if (enroll(what != 0 ? start::enabled : start::disabled)) return;
    have = {r, what != 0};
    may_be_granted(r, of_user);
  } else if (what < 5) {
    if (slots.modify(b, r)) return;
    have.what = r;
    may_be_granted(r, of_user);
  } else if (what < 7) {
    if (!(what == 5 ? slots.disable(b) : slots.enable(b))) have.on = what == 6;
  } else if (!slots.unregister_breakpoint(b)) {
    have.on = false;
  }
}

bool watches(const registers& have, unsigned slot, const request& r) {
  return enabled(have.dr7, slot) && have.dr[slot] == r.address && have.watched(slot).length == r.length &&
         access_of_rw[rw(have.dr7, slot)] == r.on;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bytes b{data, data + size};
  manager slots;
  (void)slots.cpu_online(0);
  manager::task task, idle;
  bool runs = false;
  manager::kernel_breakpoint kernels[6] = {{"0", {}}, {"1", {}}, {"2", {}}, {"3", {}}, {"4", {}}, {"5", {}}};
  using user = manager::user_breakpoint;
  user users[4] = {user("6"), user("7"), user("8"), user("9")};
  granted have[10];
  while (b.left()) {
    const std::uint8_t what = b.byte();
    const unsigned i = what / 8 % 11;
    request r = any_request(b);
    if ((what & 0x80) != 0) r.address = denied.first - 16 + b.byte() % 64;
    if (i < 6) {
      apply(slots, kernels[i], have[i], what % 8, r, false,
            [&](start how) { return slots.register_breakpoint(kernels[i], r, manager::mask::all(), how); });
    } else if (i < 10) {
      auto& u = users[i - 6];
      apply(slots, u, have[i], what % 8, r, true, [&](start how) { return slots.register_breakpoint(u, task, r, how); });
    } else {
      slots.on(0).switch_to(runs ? task : idle, runs ? idle : task);
      runs = !runs;
    }
    // Everything that is on, and runs, is in a slot of its own that watches its bytes; and no slot is left.
    unsigned taken = 0, on = 0;
    for (unsigned s = 0; s < 4; ++s) on |= enabled(slots.system().dr7, s) << s;
    for (unsigned k = 0; k < 10; ++k) {
      if (!have[k].on || (k >= 6 && !runs)) continue;
      unsigned s = 0;
      while (s < 4 && ((taken >> s & 1) != 0 || !watches(slots.system(), s, have[k].what))) ++s;
      expect(s < 4, "a breakpoint that is on is in no register");
      taken |= 1u << s;
    }
    expect(taken == on, "a slot is on that nobody has asked for");
  }
  slots.on_exit(task);
  for (auto& k : kernels)
    if (!k.idle()) (void)slots.unregister_breakpoint(k);
  expect(slots.system().dr7 == 0x400, "something is on at the end");
  return 0;
}
