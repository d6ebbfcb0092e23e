// SPDX-License-Identifier: MIT
// tests/mock_sweep_test.cpp — every verb, with a trap or a failure at each of its register writes, one at a time.
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <string>

namespace {

using namespace bookend;
using mock::fault;

constexpr std::uint64_t addresses[] = {0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x6010, 0x6020, 0x7000};

/// Both tenants on two CPUs of six slots, so that each verb has something to move: the kernel holds 5 and 1, the task that
/// runs on CPU 0 holds 0 and 2 (its second moves to 1 when that is freed), another task waits.
template <bool Fallible>
struct scene {
  using machine = mock::machine<2, 6, 1, Fallible>;
  using view = typename machine::hit;

  struct kernel : machine::kernel_breakpoint {
    kernel(scene& in, const char* name)
        : machine::kernel_breakpoint(name,
                                     [](const view& h) {
                                       auto& self = static_cast<kernel&>(h.kernel());
                                       ++self.hits;
                                       self.at->attribute(h.watched());
                                       if (self.then) self.then(h);
                                     }),
          at(&in) {}
    scene* at;
    unsigned hits = 0;
    std::function<void(const view&)> then;
  };

  machine m;
  kernel other{*this, "other"}, w{*this, "w"}, fresh{*this, "fresh"};
  typename machine::task runs, waits;
  typename machine::user_breakpoint u0{"u0"}, u1{"u1"}, v{"v"}, waiting{"waiting"};
  std::uint64_t touched = 0;

  scene() {
    kernel filler[3] = {{*this, "f"}, {*this, "f"}, {*this, "f"}};
    put(m.slots.register_breakpoint(other, {0x2000, 1, access::write}));
    for (auto& f : filler) put(m.slots.register_breakpoint(f, {0x4000, 1, access::write}));
    put(m.slots.register_breakpoint(w, {0x1000, 4, access::write}));
    for (auto& f : filler) put(m.slots.unregister_breakpoint(f));
    put(m.slots.register_breakpoint(u0, runs, {0x6000, 4, access::write}));
    put(m.slots.register_breakpoint(u1, runs, {0x6010, 4, access::write}));
    put(m.slots.register_breakpoint(waiting, waits, {0x7000, 1, access::write}));
    put(m.run(0, runs));
    m.forget_log();
  }
  ~scene() {
    m.before_each_write(nullptr);
    if constexpr (Fallible) m.system().faults().fail_none();
    for (kernel* b : {&other, &w, &fresh})
      if (!b->idle()) static_cast<void>(m.slots.unregister_breakpoint(*b));
    m.slots.on_exit(runs);
    m.slots.on_exit(waits);
    // Nothing is held any more, so nothing may be on. (A CPU whose last write failed tries again at the next.)
    for (cpu_id cpu : {0u, 1u}) {
      static_cast<void>(m.guarded(cpu, [](const auto& here) { return here.restore(); }));
      CHECK(m.system().bank(cpu).control().on == 0);
    }
    // And all of the shelf is free, for either tenant.
    kernel all[6] = {{*this, "0"}, {*this, "1"}, {*this, "2"}, {*this, "3"}, {*this, "4"}, {*this, "5"}};
    for (kernel& b : all)
      CHECK_FALSE(m.slots.register_breakpoint(b, {0x1000, 1, access::write}, cpumask<2>::all(), start::disabled));
    for (kernel& b : all) CHECK_FALSE(m.slots.unregister_breakpoint(b));
  }

  static void put(const refusal& no) { REQUIRE_FALSE(no); }
  /// A hit is of a watch that the access was in, never of who else has or had the slot.
  void attribute(const request& watched) const { CHECK(watched.bytes().overlaps({touched, 1})); }
  unsigned touch(cpu_id cpu, std::uint64_t address) {
    const std::uint64_t outer = std::exchange(touched, address);
    const auto seen = m.delivered().size();
    const unsigned traps = m.write(cpu, address, 1);
    for (auto i = seen; i < m.delivered().size(); ++i)
      attribute(std::remove_cvref_t<decltype(m.system())>::decode(m.delivered()[i].hit.setting));
    touched = outer;
    return traps;
  }
  /// The whole shelf as text: two equal strings are two equal states.
  std::string shelf() {
    std::string s;
    for (cpu_id cpu : {0u, 1u}) print(m.slots.snapshot(cpu), [&](char c) { s += c; });
    for (cpu_id cpu : m.slots.full()) s += "full " + std::to_string(cpu) + "\n";
    for (unsigned i = 0; i < 2; ++i) s += m.current(i) == nullptr ? "idle\n" : m.current(i) == &runs ? "runs\n" : "waits\n";
    return s + (m.system().online().test(1) ? "online\n" : "offline\n");
  }
  /// Who hits where, by touching: what the shelf's text promises, tried.
  std::string tried() {
    std::string s;
    for (cpu_id cpu : {0u, 1u})
      for (const auto address : addresses) s += touch(cpu, address) != 0 ? '1' : '0';
    return s;
  }
};

/// A verb. Those that give something up do so even when the hardware fails; what had to be dropped with it is back after
/// `recover`.
template <bool Fallible>
struct verb {
  const char* name;
  refusal (*run)(scene<Fallible>&);
  void (*recover)(scene<Fallible>&) = nullptr;
  bool says_so = true;  // false: two verbs, of which only the second is heard
};

template <bool Fallible>
void load_again(scene<Fallible>& s) {
  for (const cpu_id cpu : {0u, 1u}) CHECK_FALSE(s.m.guarded(cpu, [](const auto& here) { return here.restore(); }));
  CHECK_FALSE(s.m.run(0, s.runs));
}
template <bool Fallible>
void offline_again(scene<Fallible>& s) {
  CHECK_FALSE(s.m.online(1));
  CHECK_FALSE(s.m.offline(1));
}
template <bool Fallible>
refusal off_and_on(scene<Fallible>& s) {
  static_cast<void>(s.m.offline(1));
  return s.m.online(1);
}
template <bool Fallible>
void online_again(scene<Fallible>& s) {
  CHECK_FALSE(off_and_on(s));
}
template <bool Fallible>
refusal lend(scene<Fallible>& s) {
  return s.m.guarded(0, [](const auto& here) { return here.lend(); });
}
template <bool Fallible>
void lend_again(scene<Fallible>& s) {
  CHECK_FALSE(s.m.guarded(0, [](const auto& here) { return here.restore(); }));
  CHECK_FALSE(lend(s));
}

template <bool Fallible>
constexpr verb<Fallible> verbs[] = {
    {"register", [](scene<Fallible>& s) { return s.m.slots.register_breakpoint(s.fresh, {0x3000, 8, access::write}); }},
    {"register disabled",
     [](scene<Fallible>& s) {
       return s.m.slots.register_breakpoint(s.fresh, {0x3000, 8, access::write}, cpumask<2>::all(), start::disabled);
     }},
    {"unregister", [](scene<Fallible>& s) { return s.m.slots.unregister_breakpoint(s.w); }, load_again<Fallible>},
    {"disable", [](scene<Fallible>& s) { return s.m.slots.disable(s.w); }},
    {"modify", [](scene<Fallible>& s) { return s.m.slots.modify(s.w, {0x5000, 8, access::read_write}); }},
    {"modify the length", [](scene<Fallible>& s) { return s.m.slots.modify(s.w, {0x1000, 2, access::write}); }},
    {"move away", [](scene<Fallible>& s) { return s.m.slots.move(s.w, cpumask<2>::of(1)); }},
    {"disable here", [](scene<Fallible>& s) { return s.m.guarded(0, [&](const auto& here) { return here.disable(s.w); }); }},
    {"modify here",
     [](scene<Fallible>& s) {
       return s.m.guarded(0, [&](const auto& here) { return here.modify(s.w, {0x5000, 2, access::write}); });
     }},
    {"register a user's",
     [](scene<Fallible>& s) { return s.m.slots.register_breakpoint(s.v, s.runs, {0x6020, 2, access::write}); }},
    {"register a pinned one",
     [](scene<Fallible>& s) { return s.m.slots.register_breakpoint(s.v, s.runs, {0x6020, 2, access::write}, pinned{0}); }},
    {"unregister a user's", [](scene<Fallible>& s) { return s.m.slots.unregister_breakpoint(s.u0); }, load_again<Fallible>},
    {"disable a user's", [](scene<Fallible>& s) { return s.m.slots.disable(s.u1); }},
    {"modify a user's", [](scene<Fallible>& s) { return s.m.slots.modify(s.u0, {0x6020, 2, access::write}); }},
    {"switch", [](scene<Fallible>& s) { return s.m.run(0, s.waits); }},
    {"switch to none", [](scene<Fallible>& s) { return s.m.idle(0); }},
    {"offline", [](scene<Fallible>& s) { return s.m.offline(1); }, offline_again<Fallible>},
    {"offline and online", off_and_on<Fallible>, online_again<Fallible>, false},
    {"lend", lend<Fallible>, lend_again<Fallible>},
};

TEST_CASE("a trap or an NMI at any register write of a verb changes nothing about what the verb does") {
  using s2 = scene<false>;
  unsigned interruptions = 0;
  for (const auto& v : verbs<false>) {
    std::string expected, hits;
    {
      s2 s;
      REQUIRE_FALSE(v.run(s));
      expected = s.shelf();
      hits = s.tried();
      CHECK(s.m.consistent());
    }
    for (const bool nmi : {false, true})
      for (const bool after : {false, true})
        for (unsigned k = 1;; ++k) {
          CAPTURE(std::string(v.name));
          CAPTURE(nmi);
          CAPTURE(after);
          CAPTURE(k);
          s2 s;
          const auto interrupt = [&](const auto& write) {
            const auto touch_all = [&](bool quiet) {
              for (const auto address : addresses) {
                const unsigned traps = s.touch(write.cpu, address);
                if (quiet) CHECK(traps == 0);
              }
            };
            s.other.then = [&](const auto&) { touch_all(true); };
            nmi ? s.m.nmi(write.cpu, [&] { touch_all(true); }) : touch_all(false);
            s.other.then = nullptr;
          };
          after ? s.m.after_write(k, interrupt) : s.m.before_write(k, interrupt);
          CHECK_FALSE(v.run(s));
          const bool done = !s.m.interrupted();
          s.m.before_each_write(nullptr);
          interruptions += !done;
          CHECK(s.shelf() == expected);
          CHECK(s.m.consistent());
          CHECK(s.tried() == hits);
          if (done) break;
          REQUIRE(k < 100);
        }
  }
  MESSAGE("counted: " << interruptions << " interrupted verbs");
  CHECK(interruptions > 100);
}

TEST_CASE(
    "a handler that interrupts a verb at any register write may use its own verbs, and the registers are right in the end") {
  using s2 = scene<false>;
  using action = void (*)(s2&, const s2::view&);
  const action actions[] = {
      [](s2& s, const s2::view& h) { static_cast<void>(h.here.disable(s.other)); },
      [](s2& s, const s2::view& h) { static_cast<void>(h.here.disable(s.w)); },
      [](s2& s, const s2::view& h) { static_cast<void>(h.here.enable(s.w)); },
      [](s2& s, const s2::view& h) { static_cast<void>(h.here.modify(s.w, {0x4000, 2, access::write})); },
      [](s2& s, const s2::view& h) { static_cast<void>(h.here.modify(s.other, {0x4000, 2, access::write})); },
      [](s2& s, const s2::view& h) {
        static_cast<void>(h.here.disable(s.w));
        static_cast<void>(h.here.modify(s.w, {0x4000, 2, access::write}));
        static_cast<void>(h.here.enable(s.w));
      },
  };
  unsigned interruptions = 0;
  for (const auto& v : verbs<false>)
    for (std::size_t a = 0; a < std::size(actions); ++a)
      for (const bool after : {false, true})
        for (unsigned k = 1;; ++k) {
          CAPTURE(std::string(v.name));
          CAPTURE(a);
          CAPTURE(after);
          CAPTURE(k);
          s2 s;
          s.other.then = [&](const auto& h) { actions[a](s, h); };
          const auto interrupt = [&](const auto& write) { s.touch(write.cpu, 0x2000); };
          after ? s.m.after_write(k, interrupt) : s.m.before_write(k, interrupt);
          static_cast<void>(v.run(s));
          const bool done = !s.m.interrupted();
          s.m.before_each_write(nullptr);
          s.other.then = nullptr;
          interruptions += !done;
          CHECK(s.m.consistent());
          static_cast<void>(s.tried());
          if (s.w.idle()) {
            const unsigned hits = s.w.hits;
            static_cast<void>(s.tried());
            CHECK(s.w.hits == hits);
          }
          if (done) break;
          REQUIRE(k < 100);
        }
  MESSAGE("counted: " << interruptions << " interrupted verbs");
  CHECK(interruptions > 500);
}

TEST_CASE("a register write that fails, whichever and however, leaves everything as it was and says hardware") {
  using s2 = scene<true>;
  unsigned failures = 0;
  for (const auto& v : verbs<true>) {
    std::string was, was_hits, expected, hits;
    {
      s2 s;
      was = s.shelf();
      was_hits = s.tried();
      REQUIRE_FALSE(v.run(s));
      expected = s.shelf();
      hits = s.tried();
    }
    for (const fault kind : {fault::refused, fault::dropped, fault::late})
      for (unsigned k = 1;; ++k) {
        CAPTURE(std::string(v.name));
        CAPTURE(static_cast<int>(kind));
        CAPTURE(k);
        s2 s;
        s.m.system().faults().fail(k, kind);
        const refusal no = v.run(s);
        const bool failed = s.m.system().faults().failed() != 0;
        s.m.system().faults().fail_none();
        failures += failed;
        if (no) CHECK(no.why == reason::hardware);
        if (v.recover != nullptr && v.says_so) CHECK(static_cast<bool>(no) == failed);
        const bool undone = no && v.recover == nullptr;
        if (failed && v.recover != nullptr) {
          static_cast<void>(s.tried());
          v.recover(s);
        }
        CHECK(s.shelf() == (undone ? was : expected));
        CHECK(s.tried() == (undone ? was_hits : hits));
        CHECK(s.m.consistent());
        if (!failed) {
          CHECK_FALSE(no);
          break;
        }
        REQUIRE(k < 100);
      }
  }
  MESSAGE("counted: " << failures << " verbs with failing writes");
  CHECK(failures > 100);
}

TEST_CASE("registers that take no more writes from some point of a verb on never make a wrong hit, and recover later") {
  using s2 = scene<true>;
  unsigned failures = 0;
  for (const auto& v : verbs<true>) {
    for (const fault kind : {fault::refused, fault::dropped, fault::late})
      for (const cpu_id cpu : {0u, 1u, mock::faults<true>::any_cpu})
        for (unsigned k = 1;; ++k) {
          CAPTURE(std::string(v.name));
          CAPTURE(static_cast<int>(kind));
          CAPTURE(cpu);
          CAPTURE(k);
          s2 s;
          s.m.system().faults().fail(k, kind, mock::faults<true>::forever, cpu);
          const refusal no = v.run(s);
          const bool failed = s.m.system().faults().failed() != 0;
          failures += failed;
          if (no) CHECK(no.why == reason::hardware);
          static_cast<void>(s.tried());
          s.m.system().faults().fail_none();
          for (const cpu_id c : {0u, 1u})
            if (s.m.system().online().test(c)) {
              CHECK_FALSE(s.m.guarded(c, [](const auto& here) { return here.restore(); }));
            } else {
              offline_again(s);
            }
          CHECK(s.m.consistent());
          static_cast<void>(s.tried());
          if (!failed) break;
          REQUIRE(k < 100);
        }
  }
  MESSAGE("counted: " << failures << " verbs with failing writes");
  CHECK(failures > 100);
}

}  // namespace
