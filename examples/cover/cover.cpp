// SPDX-License-Identifier: MIT
// examples/cover/cover.cpp — 13 bytes that begin at an odd address, on a machine that watches aligned 1, 2, 4 or 8: split
// exactly, covered with fewer slots, registered wholly or not at all, and shared with somebody who watches the same.
#include <bookend/cover.hpp>
#include <bookend/group.hpp>
#include <bookend/mock/machine.hpp>
#include <bookend/shared.hpp>
#include <cstdio>

namespace {

using system_type = bookend::mock::system<2, 4>;  // 2 CPUs with 4 debug registers each
using machine = bookend::mock::machine_of<system_type>;
using bookend::fit;

/// What is to be watched, and what lies beside it.
struct alignas(16) packet {
  unsigned char flags[3];  // not these
  unsigned char body[13];
};
packet p;
const bookend::range body{reinterpret_cast<std::uint64_t>(p.body), sizeof p.body};
unsigned at(std::uint64_t address) { return static_cast<unsigned>(address - reinterpret_cast<std::uint64_t>(&p)); }

/// A part of a covering, and what its hits mean.
struct part : machine::kernel_breakpoint {
  part() : kernel_breakpoint("body", on_hit) {}
  static void on_hit(const machine::hit& h) {
    const auto& self = static_cast<const part&>(h.kernel());
    const bookend::request w = h.watched();
    std::printf("   hit in %u..%u: ", at(w.address), at(w.bytes().last()));
    if (!self.of->outside_possible(w))
      std::puts("the body");
    else
      std::puts(before.changed() ? "the body, which has changed" : "beside it, or the body as it was");
  }
  const bookend::covering<4>* of = nullptr;
  static inline bookend::remembered<sizeof p.body> before{body};
};

template <std::size_t N>
unsigned print(const bookend::covering<4>& c, part (&parts)[4], bookend::kernel_member<system_type> (&members)[N]) {
  for (unsigned i = 0; i < c.size(); ++i) {
    const bookend::request& r = c.requests[i];
    std::printf("   %u..%u%s\n", at(r.address), at(r.bytes().last()), c.outside_possible(r) ? ", more than asked for" : "");
    parts[i].of = &c;
    members[i] = {&parts[i], r};
  }
  return c.size();
}

struct client : bookend::sharer<system_type> {
  explicit client(const char* its_name)
      : sharer([](const machine::hit&, sharer& self) { std::printf("   told: %s\n", static_cast<client&>(self).name); }),
        name(its_name) {}
  const char* name;
};

}  // namespace

int main() {
  machine m;
  part parts[4];
  bookend::kernel_member<system_type> members[4];

  std::puts("1. Bytes 3 to 15 and no others:");
  const auto exact = bookend::cover<system_type>(body, bookend::access::write, fit::exact);
  unsigned count = print(exact, parts, members);
  std::puts("   Somebody holds two of the four slots of CPU 1:");
  machine::kernel_breakpoint others[2] = {{"other", [](const machine::hit&) {}}, {"other", [](const machine::hit&) {}}};
  const auto cpu_1 = machine::slot_manager::mask::of(1);
  for (auto& b : others)
    if (m.slots.register_breakpoint(b, {0x1000, 8, bookend::access::write}, cpu_1)) return 1;
  m.forget_log();
  const auto no = bookend::register_group(m.slots, members, count);
  std::printf("   %s for part %u on CPU %u, and %zu registers were written\n", to_string(no.why.why), no.member, no.why.cpu,
              m.log().size());

  std::puts("2. The same bytes, and perhaps others, in fewer slots:");
  const auto superset = bookend::cover<system_type>(body, bookend::access::write, fit::superset);
  count = print(superset, parts, members);
  if (bookend::register_group(m.slots, members, count)) return 1;
  m.write(1, &p.body[12], static_cast<unsigned char>(1));
  m.write(1, &p.body[0], static_cast<unsigned char>(1));
  m.write(1, &p.flags[2], static_cast<unsigned char>(1));
  if (bookend::unregister_group(m.slots, members, count)) return 1;

  std::puts("3. Two clients watch the first 8 bytes, in one slot:");
  bookend::shared_watches<system_type> shared(m.slots);
  client tracer{"tracer"}, checker{"checker"};
  const bookend::request same = superset.requests[0];
  if (shared.join(tracer, same) || shared.join(checker, same)) return 1;
  unsigned free = 0;
  for (const auto& slot : m.slots.snapshot(1).slots) free += slot.state == bookend::slot_state::free ? 1 : 0;
  std::printf("   slots free on CPU 1: %u\n", free);
  m.write(1, &p.body[0], static_cast<unsigned char>(2));
  if (shared.leave(tracer)) return 1;
  std::puts("   the tracer has left:");
  m.write(1, &p.body[0], static_cast<unsigned char>(3));
  if (shared.leave(checker)) return 1;
  for (auto& b : others)
    if (m.slots.unregister_breakpoint(b)) return 1;
  return m.consistent() ? 0 : 1;
}
