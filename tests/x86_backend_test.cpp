// SPDX-License-Identifier: MIT
// tests/x86_backend_test.cpp — mirrors backend.hpp, register_file.hpp and verified.hpp of arch/x86/include/bookend/x86: which
// values reach which register, over simulated ones. The instructions themselves: x86_registers_test.cpp.
#include <bookend/x86/backend.hpp>
#include <bookend/x86/verified.hpp>
#include <doctest/doctest.h>
#include <initializer_list>
#include <string>
#include <vector>

namespace {
namespace x86 = bookend::x86;
using bookend::access;
using bookend::cpu_id;
using bookend::range;
using bookend::reason;
using bookend::request;
using bookend::slot_id;
using bookend::slot_mask;

/// One CPU's debug registers as the manuals describe them, written without a look at the headers under test.
struct chip {
  std::uint64_t dr[4]{};
  std::uint64_t mask[4]{};
  std::uint64_t dr6 = 0xFFFF'0FF0;
  std::uint64_t dr7 = 0x400;

  [[nodiscard]] bool on(unsigned i) const { return (dr7 >> (2 * i) & 0b11) != 0; }
  [[nodiscard]] unsigned rw(unsigned i) const { return static_cast<unsigned>(dr7 >> (16 + 4 * i) & 0b11); }
  [[nodiscard]] std::uint64_t bytes(unsigned i) const {
    constexpr std::uint64_t of[] = {1, 2, 8, 4};
    return of[dr7 >> (18 + 4 * i) & 0b11];
  }
  /// What slot i watches: low address bits that LEN or the mask takes out of the comparison are ignored.
  [[nodiscard]] range watched(unsigned i) const {
    const std::uint64_t ignored = (bytes(i) - 1) | mask[i];
    return {dr[i] & ~ignored, ignored + 1};
  }
  /// The CPU accesses memory: true when a debug exception follows. Slots that match set their bit, those that are off too.
  bool accesses(range r, bool write) {
    bool trapped = false;
    for (unsigned i = 0; i < 4; ++i)
      if ((rw(i) == 0b11 || (rw(i) == 0b01 && write)) && watched(i).overlaps(r)) {
        dr6 |= 1u << i;
        trapped |= on(i);
      }
    return trapped;
  }
};

/// A register file over chips, with everything that a real one may do wrong.
template <class Return>
struct simulated {
  static constexpr unsigned linear_address_bits = 48;
  static constexpr bool io_allowed = true;

  chip chips[2];
  std::vector<std::string> log;
  unsigned writes_to_come = ~0u;                ///< how many are left before one fails
  std::uint64_t dr7_keeps = ~std::uint64_t{0};  ///< DR7 bits that this machine has
  std::uint64_t dr7_adds = 0;                   ///< and those that it sets by itself
  std::uint64_t address_keeps = ~std::uint64_t{0};
  bool kernel_checks_alignment = false;  ///< as Linux: an address must suit the LEN in DR7, on or off
  unsigned broken_rules = 0;

  Return write_address(cpu_id c, slot_id i, std::uint64_t value) noexcept {
    if (failed()) return done(false);
    if (kernel_checks_alignment && value % chips[c].bytes(i) != 0) return done(false);
    note(c, "dr" + std::to_string(i), value);
    broken_rules += chips[c].on(i);  // the slot is off while its address changes
    chips[c].dr[i] = value & address_keeps;
    return done(true);
  }
  Return write_dr7(cpu_id c, std::uint64_t value) noexcept {
    if (failed()) return done(false);
    note(c, "dr7", value);
    broken_rules += (value >> 32) != 0 || (value & 0xF955) != 0 || (value & 0x400) == 0;
    chips[c].dr7 = (value & dr7_keeps) | dr7_adds;
    return done(true);
  }
  Return write_dr6(cpu_id c, std::uint64_t value) noexcept {
    if (failed()) return done(false);
    note(c, "dr6", value);
    chips[c].dr6 = value;
    return done(true);
  }
  std::uint64_t read_dr6(cpu_id c) noexcept { return chips[c].dr6; }
  std::uint64_t read_dr7(cpu_id c) noexcept { return chips[c].dr7; }
  std::uint64_t read_address(cpu_id c, slot_id i) noexcept { return chips[c].dr[i]; }

 protected:
  void note(cpu_id c, const std::string& reg, std::uint64_t value) {
    constexpr char digit[] = "0123456789abcdef";
    std::string hex;
    for (; value != 0 || hex.empty(); value /= 16) hex.insert(hex.begin(), digit[value % 16]);
    log.push_back("cpu" + std::to_string(c) + " " + reg + " " + hex);
  }

 private:
  bool failed() noexcept { return writes_to_come-- == 0; }
  static Return done([[maybe_unused]] bool ok) noexcept {
    if constexpr (std::is_same_v<Return, bool>) return ok;
  }
};

struct masked : simulated<void> {
  static constexpr unsigned address_mask_bits = 12;
  void write_mask(cpu_id c, slot_id i, std::uint64_t value) noexcept {
    note(c, "mask" + std::to_string(i), value);
    broken_rules += chips[c].on(i);
    chips[c].mask[i] = value;
  }
};

struct wide_masks : masked {
  static constexpr unsigned address_mask_bits = 32;
};
struct no_ports : simulated<void> {
  static constexpr bool io_allowed = false;
};
struct five_levels : simulated<void> {
  static constexpr unsigned linear_address_bits = 57;
};

using sure = x86::backend<simulated<void>>;
using unsure = x86::backend<simulated<bool>>;
using with_masks = x86::backend<masked>;
using checked = x86::backend<x86::verified<simulated<void>>>;
using log = std::vector<std::string>;
using x86::setting;

setting encoded(request r) { return with_masks::encode(r).value(); }

// The contract, and which of its forms each file has.
static_assert(bookend::backend<sure> && bookend::backend<unsure> && bookend::backend<with_masks> && bookend::backend<checked>);
static_assert(!bookend::can_fail<sure> && bookend::can_fail<unsure> && !bookend::can_fail<with_masks> &&
              bookend::can_fail<checked>);
static_assert(sure::slots == 4 && bookend::pool_count<sure> == 1 && sure::pools[0] == 0b1111);
static_assert(x86::has_address_masks<masked> && !x86::has_address_masks<simulated<void>>);
static_assert(x86::backend<wide_masks>::encode({0, std::uint64_t{1} << 32, access::write}));
static_assert(with_masks::encode({0, 1 << 13, access::write}).why() == bookend::reason::bad_length);

// Files that break the contract are not register files.
struct no_status : simulated<void> {
  void read_dr6(cpu_id) noexcept {}
};
struct may_throw : simulated<void> {
  void write_dr7(cpu_id, std::uint64_t) {}
};
struct half_fails : simulated<void> {
  bool write_address(cpu_id, slot_id, std::uint64_t) noexcept { return true; }
};
struct no_address_space : simulated<void> {
  static constexpr unsigned linear_address_bits = 64;
};
struct mask_may_fail : simulated<bool> {
  static constexpr unsigned address_mask_bits = 12;
  bool write_mask(cpu_id, slot_id, std::uint64_t) noexcept { return true; }
};
static_assert(x86::register_file<simulated<void>> && x86::register_file<simulated<bool>>);
static_assert(!x86::register_file<no_status> && !x86::register_file<may_throw> && !x86::register_file<half_fails>);
static_assert(!x86::register_file<no_address_space> && !x86::register_file<chip>);
static_assert(x86::register_file<mask_may_fail> && !x86::has_address_masks<mask_may_fail>);

// Facts that need no registers.
constexpr setting four[4] = {{0, 0, 0b0011}, {0, 0, 0b0001}, {0, 0, 0b0111}, {0, 0, 0b1101}};
static_assert(sure::control_of(four, 0b1111) == 0xD713'06AA);
static_assert(sure::control_of(four, 0b0000) == 0x0000'0400);
static_assert(sure::faults_before(sure::encode({0x1000, 1, access::execute}).value()));
static_assert(!sure::faults_before(sure::encode({0x1000, 1, access::write}).value()));
static_assert(!sure::faults_before(sure::encode({0x1000, 1, access::read_write}).value()));
static_assert(!sure::faults_before(sure::encode({0x60, 1, access::io}).value()));
static_assert(sure::pool_of(setting{}) == 0);

/// The order that the manager keeps: off, address, on.
template <class B>
struct hand {
  B& b;
  setting held[4]{};
  slot_mask on = 0;

  void arm(cpu_id c, slot_id i, setting s) {
    if ((on >> i & 1) != 0) disarm(c, i);
    held[i] = s;
    b.write_address(c, i, s);
    on |= 1u << i;
    b.write_control(c, B::control_of(held, on));
  }
  void disarm(cpu_id c, slot_id i) {
    on &= ~(1u << i);
    b.write_control(c, B::control_of(held, on));
  }
};
}  // namespace

TEST_CASE("arming writes the address of that slot on that CPU and then DR7, disarming DR7 alone") {
  sure b;
  hand<sure> h{b};
  h.arm(1, 2, encoded({0x7000, 4, access::write}));
  h.disarm(1, 2);
  CHECK(b.log == log{"cpu1 dr2 7000", "cpu1 dr7 d000620", "cpu1 dr7 400"});
  CHECK(b.chips[0].dr7 == 0x400);
}

// Intel SDM vol. 3, table "Breakpoint Examples": its set-up, and its operations that trap and that do not.
TEST_CASE("the manual's breakpoint examples trap and do not trap as its table says") {
  sure b;
  hand<sure> h{b};
  h.arm(0, 0, encoded({0xA0001, 1, access::read_write}));
  h.arm(0, 1, encoded({0xA0002, 1, access::write}));
  h.arm(0, 2, encoded({0xB0002, 2, access::read_write}));
  h.arm(0, 3, encoded({0xC0000, 4, access::write}));
  CHECK(b.chips[0].dr7 == 0xD713'06AA);

  struct operation {
    bool write;
    range bytes;
  };
  for (const operation o : {operation{false, {0xA0001, 1}},
                            {true, {0xA0001, 1}},
                            {false, {0xA0001, 2}},
                            {true, {0xA0001, 2}},
                            {true, {0xA0002, 1}},
                            {true, {0xA0002, 2}},
                            {false, {0xB0001, 4}},
                            {true, {0xB0001, 4}},
                            {false, {0xB0002, 1}},
                            {true, {0xB0002, 1}},
                            {false, {0xB0002, 2}},
                            {true, {0xB0002, 2}},
                            {true, {0xC0000, 4}},
                            {true, {0xC0001, 2}},
                            {true, {0xC0003, 1}}})
    CHECK(b.chips[0].accesses(o.bytes, o.write));
  for (const operation o : {operation{false, {0xA0000, 1}},
                            {true, {0xA0000, 1}},
                            {false, {0xA0002, 1}},
                            {false, {0xA0003, 4}},
                            {true, {0xA0003, 4}},
                            {false, {0xB0000, 2}},
                            {true, {0xB0000, 2}},
                            {false, {0xC0000, 2}},
                            {false, {0xC0004, 4}},
                            {true, {0xC0004, 4}}})
    CHECK_FALSE(b.chips[0].accesses(o.bytes, o.write));
}

TEST_CASE("an execution hit comes before the instruction, a data or I/O hit after the access") {
  CHECK(sure::faults_before(encoded({0x1001, 1, access::execute})));
  for (const std::uint64_t length : std::initializer_list<std::uint64_t>{1, 2, 4, 8, 64}) {
    CHECK_FALSE(sure::faults_before(encoded({0x1000, length, access::write})));
    CHECK_FALSE(sure::faults_before(encoded({0x1000, length, access::read_write})));
  }
  CHECK_FALSE(sure::faults_before(encoded({0x60, 1, access::io})));
}

TEST_CASE("control_of: for every set of slots and every setting, these slots and not one bit more") {
  std::vector<setting> settings;
  for (const access on : {access::write, access::read_write, access::execute, access::io})
    for (std::uint64_t length = 1; length <= 8; length *= 2)
      if (auto s = sure::encode({0x1000, length, on})) settings.push_back(s.value());
  REQUIRE(settings.size() == 12);

  unsigned wrong = 0;
  for (const setting& a : settings)
    for (const setting& b : settings)
      for (const setting& c : settings)
        for (const setting& d : settings)
          for (slot_mask on = 0; on < 16; ++on) {
            const setting all[4] = {a, b, c, d};
            const std::uint32_t control = sure::control_of(all, on);
            std::uint32_t expected = 0x400;
            for (unsigned i = 0; i < 4; ++i)
              if ((on & (1u << i)) != 0) expected |= 0x200u | 2u << (2 * i) | std::uint32_t{all[i].kind} << (16 + 4 * i);
            wrong += control != expected;
          }
  CHECK(wrong == 0);
}

// Linux 2c31b7958fd: removing one breakpoint dropped GE for the others.
TEST_CASE("disarming one slot leaves the others exact") {
  sure b;
  hand<sure> h{b};
  h.arm(0, 0, encoded({0x1000, 8, access::write}));
  h.arm(0, 3, encoded({0x2000, 4, access::read_write}));
  CHECK(b.chips[0].dr7 == 0xF009'0682);
  h.disarm(0, 0);
  CHECK(b.chips[0].dr7 == 0xF000'0680);
  h.disarm(0, 3);
  CHECK(b.chips[0].dr7 == 0x0000'0400);
}

// Stale LEN and RW bits OR-ed into DR7.
TEST_CASE("a slot that held 8 bytes and is given 1 watches 1") {
  sure b;
  hand<sure> h{b};
  for (slot_id i = 0; i < 4; ++i) h.arm(0, i, encoded({0x1000 + 8 * i, 8, access::write}));
  CHECK(b.chips[0].dr7 == 0x9999'06AA);
  h.arm(0, 3, encoded({0x2001, 1, access::write}));
  CHECK(b.chips[0].dr7 == 0x1999'06AA);
  CHECK(b.chips[0].watched(3).first == 0x2001);
  CHECK(b.chips[0].watched(3).length == 1);
}

// rr and Linux bug 200965: where the kernel checks an address against the LEN that the slot still has.
TEST_CASE("a disarmed slot has no LEN left that makes its next address illegal") {
  unsure b;
  b.kernel_checks_alignment = true;
  hand<unsure> h{b};
  h.arm(0, 1, encoded({0x1000, 8, access::write}));
  CHECK(b.chips[0].dr7 == 0x0090'0608);
  h.disarm(0, 1);
  CHECK(b.chips[0].dr7 == 0x0000'0400);
  CHECK(b.write_address(0, 1, encoded({0x2001, 1, access::write})));
}

// XSA-444: the address mask of a slot's last owner widened its next watch.
TEST_CASE("a slot that was masked and is given 1 byte watches 1 byte") {
  with_masks b;
  hand<with_masks> h{b};
  h.arm(0, 2, encoded({0x1000, 4096, access::write}));
  CHECK(b.chips[0].watched(2).first == 0x1000);
  CHECK(b.chips[0].watched(2).length == 4096);
  h.arm(0, 2, encoded({0x1FF1, 1, access::write}));
  CHECK(b.chips[0].mask[2] == 0);
  CHECK(b.chips[0].watched(2).first == 0x1FF1);
  CHECK(b.chips[0].watched(2).length == 1);
  CHECK(b.broken_rules == 0);
}

TEST_CASE("the mask is in its register before the slot is on") {
  with_masks b;
  hand<with_masks> h{b};
  h.arm(0, 0, encoded({0x1000, 64, access::write}));
  CHECK(b.log == log{"cpu0 mask0 3f", "cpu0 dr0 1000", "cpu0 dr7 10602"});
}

TEST_CASE("going from one setting to another writes no address exactly when address and mask are the same") {
  const setting byte = encoded({0x1000, 1, access::write});
  CHECK(sure::same_address(byte, encoded({0x1000, 8, access::read_write})));
  CHECK(sure::same_address(byte, encoded({0x1000, 1, access::execute})));
  CHECK_FALSE(sure::same_address(byte, encoded({0x1001, 1, access::write})));
  CHECK_FALSE(sure::same_address(byte, encoded({0x1000, 64, access::write})));
  CHECK_FALSE(sure::same_address(encoded({0x1000, 32, access::write}), encoded({0x1000, 64, access::write})));
}

TEST_CASE("at every moment an enabled slot watches exactly what was asked for it, and nothing else") {
  with_masks b;
  hand<with_masks> h{b};
  request asked[4]{};
  std::uint64_t seed = 1;
  const auto random = [&seed](std::uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  unsigned armed = 0;
  unsigned wrong = 0;
  for (unsigned step = 0; step < 40'000; ++step) {
    const auto i = static_cast<slot_id>(random(4));
    if (random(3) == 0) {
      h.disarm(0, i);
    } else {
      const request r{0x1000 + random(0x3000), std::uint64_t{1} << random(14),
                      random(4) == 0 ? access::execute : access::read_write};
      const auto s = with_masks::encode({r.address & ~(r.length - 1), r.length, r.on});
      if (!s) continue;
      h.disarm(0, i);
      asked[i] = with_masks::decode(s.value());
      h.arm(0, i, s.value());
      ++armed;
    }
    for (unsigned k = 0; k < 4; ++k) {
      const chip& cpu = b.chips[0];
      wrong += cpu.on(k) != ((h.on >> k & 1) != 0);
      if (!cpu.on(k)) continue;
      wrong += cpu.watched(k).first != asked[k].address || cpu.watched(k).length != asked[k].length;
      wrong += cpu.rw(k) != (asked[k].on == access::execute ? 0b00u : 0b11u);
    }
  }
  CHECK(wrong == 0);
  CHECK(b.broken_rules == 0);
  CHECK(armed > 10'000);
}

TEST_CASE("taking the status reads DR6 and writes 0xFFFF0FF0 back") {
  sure b;
  b.chips[1].dr6 = 0xFFFF'4FF5;
  const bookend::status s = b.take_status(1);
  CHECK(s.hits == 0b0101);
  CHECK(s.step);
  CHECK(s.rest == 0x4000);
  CHECK(b.log == log{"cpu1 dr6 ffff0ff0"});
}

// A zero written as "reset".
TEST_CASE("what was taken once is not reported again, and nothing that never happened is") {
  sure b;
  hand<sure> h{b};
  h.arm(0, 0, encoded({0x1000, 8, access::write}));
  CHECK(b.chips[0].accesses({0x1004, 1}, true));
  CHECK(b.take_status(0).hits == 0b0001);
  for (int again = 0; again < 2; ++again) {
    const bookend::status s = b.take_status(0);
    CHECK(s.hits == 0);
    CHECK_FALSE(s.step);
    CHECK(s.rest == 0);
  }
  h.disarm(0, 0);
  CHECK(b.chips[0].dr7 == 0x400);
  CHECK(b.broken_rules == 0);
}

TEST_CASE("several slots that hit at once are all reported") {
  sure b;
  hand<sure> h{b};
  for (slot_id i = 0; i < 4; ++i) h.arm(0, i, encoded({0x1000 + 2 * i, 2, access::write}));
  CHECK(b.chips[0].accesses({0x1001, 4}, true));
  CHECK(b.take_status(0).hits == 0b0111);
}

TEST_CASE("a file says what it can hold, and its backend refuses the rest") {
  CHECK(sure::encode({0x60, 1, access::io}).why() == reason::granted);
  CHECK(x86::backend<no_ports>::encode({0x60, 1, access::io}).why() == reason::unsupported);
  CHECK(sure::encode({0x0000'8000'0000'0000, 8, access::write}).why() == reason::unsupported);
  CHECK(x86::backend<five_levels>::encode({0x0000'8000'0000'0000, 8, access::write}).why() == reason::granted);
  CHECK(sure::encode({0x1000, 64, access::write}).why() == reason::bad_length);
  CHECK(with_masks::encode({0x1000, 64, access::write}).why() == reason::granted);
}

TEST_CASE("a write that fails says so, changes nothing, and the next one is possible") {
  unsure b;
  const setting s = encoded({0x1000, 8, access::write});
  const setting all[4] = {s, s, s, s};
  b.writes_to_come = 0;
  CHECK_FALSE(b.write_address(0, 0, s));
  b.writes_to_come = 0;
  CHECK_FALSE(b.write_control(0, unsure::control_of(all, 0b1111)));
  CHECK(b.log.empty());
  CHECK(b.chips[0].dr[0] == 0);
  CHECK(b.chips[0].dr7 == 0x400);
  b.writes_to_come = 2;
  CHECK(b.write_address(0, 0, s));
  CHECK(b.write_control(0, unsure::control_of(all, 0b0001)));
  CHECK(b.chips[0].dr7 == 0x0009'0602);
}

TEST_CASE("a status that was read is handed on, also when DR6 cannot be written back") {
  unsure b;
  b.chips[0].dr6 = 0xFFFF'0FF2;
  b.writes_to_come = 0;
  CHECK(b.take_status(0).hits == 0b0010);
}

TEST_CASE("verified: writes that take are true") {
  checked b;
  const setting s = encoded({0xFFFF'8000'0000'1000, 8, access::write});
  const setting all[4] = {s, s, s, s};
  CHECK(b.write_address(0, 3, s));
  CHECK(b.write_control(0, checked::control_of(all, 0b1000)));
  CHECK(b.chips[0].dr[3] == 0xFFFF'8000'0000'1000);
  CHECK(b.chips[0].dr7 == 0x9000'0680);
}

TEST_CASE("verified: a machine without 8-byte watches is an error, and what was on stays on as it was") {
  checked b;
  const setting eight = encoded({0x1000, 8, access::write});
  const setting byte = encoded({0x2000, 1, access::write});
  const setting all[4] = {byte, eight, {}, {}};
  CHECK(b.write_control(0, checked::control_of(all, 0b0001)));
  b.dr7_keeps = ~std::uint64_t{0x0080'0000};  // the upper LEN bit of slot 1
  CHECK_FALSE(b.write_control(0, checked::control_of(all, 0b0011)));
  CHECK(b.chips[0].dr7 == 0x0001'0602);
}

TEST_CASE("verified: a machine that keeps the registers to itself is an error") {
  checked b;
  b.dr7_keeps = 0x400;
  const setting all[4]{};
  CHECK_FALSE(b.write_control(0, checked::control_of(all, 0b0001)));
  CHECK(b.write_control(0, checked::control_of(all, 0)));
}

TEST_CASE("verified: an address that lost bits is an error, and the old one is put back") {
  checked b;
  CHECK(b.write_address(0, 0, encoded({0x4000'0000, 8, access::write})));
  b.address_keeps = 0xFFFF'FFFF;
  CHECK_FALSE(b.write_address(0, 0, encoded({0x7F00'0000'1000, 8, access::write})));
  CHECK(b.chips[0].dr[0] == 0x4000'0000);
}

TEST_CASE("verified: any one bit of an address that is lost, and any one of the control that matters, is an error") {
  const setting all_ones{.address = ~std::uint64_t{0}, .mask = 0, .kind = 0};
  const setting widest[4] = {{0, 0, 0xF}, {0, 0, 0xF}, {0, 0, 0xF}, {0, 0, 0xF}};
  for (unsigned i = 0; i < 64; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    checked b;
    b.address_keeps = ~bit;
    CHECK_FALSE(b.write_address(0, 0, all_ones));
    const std::uint32_t control = checked::control_of(widest, 0b1111);
    b.dr7_keeps = ~bit;
    CHECK(b.write_control(0, control) == ((control & bit) == 0 || bit == x86::dr7_exact || bit == x86::dr7_reset));
    b.dr7_keeps = ~std::uint64_t{0};
    b.dr7_adds = bit;
    const bool matters = (control & bit) == 0 && bit != 0x100 && i < 32;
    CHECK(b.write_control(0, control) == !matters);
  }
}

TEST_CASE("verified: a machine without GE watches as asked, and that is no error") {
  checked b;
  b.dr7_keeps = ~std::uint64_t{0x300};
  const setting all[4]{};
  CHECK(b.write_control(0, checked::control_of(all, 0b0001)));
}

TEST_CASE("verified: a file's own failures come through") {
  x86::backend<x86::verified<simulated<bool>>> b;
  b.writes_to_come = 0;
  CHECK_FALSE(b.write_address(0, 0, encoded({0x1000, 8, access::write})));
  const setting all[4]{};
  b.writes_to_come = 0;
  CHECK_FALSE(b.write_control(0, b.control_of(all, 0b0001)));
  CHECK(b.log.empty());
}
