// SPDX-License-Identifier: MIT
// examples/guest/main.cpp — a guest that watches its own memory, and a host debugger that watches the same: every way to share
// four debug registers. Exit code 0: whatever the host did, the guest did not notice, and nobody missed a hit.
#include <bookend/print.hpp>
#include <cstdio>
#include <string>

#include "layout.h"
#include "virtual_cpu.hpp"

namespace {

constexpr unsigned registers = 4;
/// Element i of an array in the guest's data.
constexpr std::uint64_t at(std::uint64_t array, std::uint64_t i) { return virtual_cpu::data + array + 8 * i; }

/// The host's debugger: watches the guest's words, the first `wanted` of them, which are the guest's favourites, too.
struct debugger {
  struct watch : slot_manager::kernel_breakpoint {
    watch() : kernel_breakpoint("host", [](const slot_manager::hit& h) { ++static_cast<watch&>(h.kernel()).hits; }) {}
    unsigned hits = 0;
    bool evicted = false;
  };
  slot_manager& slots;
  watch watches[registers];

  explicit debugger(slot_manager& s) : slots(s) {}
  ~debugger() {
    for (auto& w : watches)
      if (!w.idle()) (void)slots.unregister_breakpoint(w);
  }
  bookend::refusal add(unsigned i) {
    return slots.register_breakpoint(watches[i], {at(GUEST_WORDS, i), 8, bookend::access::write});
  }
  /// The policy of this host: the guest cannot be refused, so the debugger gives up its latest watch, and is told.
  bool give_way() {
    for (unsigned i = registers; i-- > 0;) {
      if (watches[i].idle()) continue;
      watches[i].evicted = true;
      return !slots.unregister_breakpoint(watches[i]);
    }
    return false;
  }
  [[nodiscard]] unsigned evicted() const {
    unsigned n = 0;
    for (const auto& w : watches) n += w.evicted;
    return n;
  }
};

bool failed = false;
void expect(bool good, const char* what, unsigned host, unsigned guest) {
  if (good) return;
  failed = true;
  std::printf("host %u, guest %u: NOT SO: %s\n", host, guest, what);
}

struct outcome {
  std::vector<std::uint8_t> image;
  unsigned refused = 0, evicted = 0;
  bookend::refusal no;
};

/// A run to the end, with what must be true of it. `guest_first`: the host asks when the guest has its registers already.
outcome share(unsigned host, unsigned guest, bool guest_first) {
  slot_manager slots;
  debugger dbg{slots};
  virtual_cpu cpu{slots, guest};
  cpu.make_room = [&] { return dbg.give_way(); };
  outcome result;
  if (guest_first) cpu.run_to(virtual_cpu::code + static_cast<std::uint64_t>(guest_armed - guest_begin));
  for (unsigned i = 0; i < host; ++i) {
    if (const auto no = dbg.add(i)) {
      ++result.refused;
      result.no = no;
    }
  }
  cpu.run_to();
  result.evicted = dbg.evicted();

  const unsigned over = host + guest > registers ? host + guest - registers : 0;
  expect(result.refused == (guest_first ? over : 0), "the host is refused what the guest has, and nothing else", host, guest);
  expect(result.evicted == (guest_first ? 0 : over), "the host gives up what the guest needs, and nothing else", host, guest);
  if (result.refused != 0)
    expect(
        result.no.why == bookend::reason::no_slot && result.no.user_held == guest && result.no.kernel_held == registers - guest,
        "the refusal names the guest", host, guest);
  for (unsigned i = 0; i < registers; ++i) {
    expect(dbg.watches[i].hits == (i < host - over ? GUEST_ROUNDS : 0), "the host sees each write that it watches", host, guest);
    expect(cpu.word(at(GUEST_HITS, i)) == (i < guest ? GUEST_ROUNDS : 0), "so does the guest", host, guest);
    expect(cpu.word(at(GUEST_SEEN, i)) == at(GUEST_WORDS, i), "its addresses are those that it wrote", host, guest);
  }
  constexpr std::uint64_t dr7[] = {0x400, 0x0009'0401, 0x0099'0405, 0x0999'0415, 0x9999'0455};
  expect(cpu.word(at(GUEST_SEEN, 4)) == 0xFFFF'0FF0, "its DR6 has nothing of the host's", host, guest);
  expect(cpu.word(at(GUEST_SEEN, 5)) == dr7[guest], "its DR7 is what it wrote", host, guest);
  result.image = cpu.image();
  return result;
}

}  // namespace

int main() {
  std::puts("One virtual CPU, four debug registers, the same words watched by both: host from the top, guest from the bottom.\n");
  std::puts("host + guest   the guest comes second              the host comes second");
  for (unsigned host = 0; host <= registers; ++host)
    for (unsigned guest = 0; guest <= registers; ++guest) {
      const auto alone = share(0, guest, false);
      const auto second = share(host, guest, false);
      const auto first = share(host, guest, true);
      expect(second.image == alone.image && first.image == alone.image, "the guest's memory is as without a host", host, guest);
      const std::string evicted = second.evicted == 0 ? "both have all" : "the host gives up " + std::to_string(second.evicted);
      std::printf("   %u + %u       %-36s", host, guest, evicted.c_str());
      if (first.refused == 0)
        std::puts("both have all");
      else
        std::printf("%u refused: host %u, guest %u\n", first.refused, first.no.kernel_held, first.no.user_held);
    }
  std::puts(failed ? "\nSomething is not so."
                   : "\nThe guest's memory was the same to the byte, with and without a host that watches.");
  return failed ? 1 : 0;
}
