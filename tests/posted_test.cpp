// SPDX-License-Identifier: MIT
// tests/posted_test.cpp — mirrors include/bookend/posted.hpp and the posted scope of slot_manager.hpp: verbs that act everywhere
// without waiting, what they promise, and what they refuse.
#include <bookend/mock/machine.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <functional>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bookend;
using bookend::access;  // not <unistd.h>'s
using machine = mock::machine<3, 4>;
using mask = machine::slot_manager::mask;
using ticket = machine::slot_manager::ticket;
using hit = machine::hit;

/// For doctest, which cannot print a result.
template <class T>
bool granted(const result<T>& r) {
  return static_cast<bool>(r);
}
constexpr request at(std::uint64_t address, std::uint64_t length = 8) { return {address, length, access::write}; }

/// A breakpoint that counts its hits a CPU, keeps what it was told, and runs what a test wishes.
template <class Machine = machine>
struct probe_of : Machine::kernel_breakpoint {
  using hit_type = typename Machine::hit;
  explicit probe_of(const char* name) : Machine::kernel_breakpoint(name, &probe_of::called) {}
  static void called(const hit_type& h) {
    auto& me = static_cast<probe_of&>(h.kernel());
    ++me.hits[h.here.cpu()];
    me.told.push_back({h.watched(), h.generation});
    if (me.then) me.then(h);
  }
  struct what {
    request watched;
    std::uint32_t generation;
  };
  unsigned hits[Machine::max_cpus]{};
  std::vector<what> told;
  std::function<void(const hit_type&)> then;
};
using probe = probe_of<>;

/// At the k-th register write from now, once, an NMI of the CPU that writes posts: 0 disable, 1 enable, 2 modify, 3 unregister.
/// The log starts anew with what it interrupted. Until called_off().
class interrupting_post {
 public:
  interrupting_post(machine& m, unsigned k, unsigned verb, probe& b, const request& to) {
    m.before_write(k, [this, &m, verb, &b, to](const auto& write) {
      if (over_) return;
      came_ = true;
      m.nmi(write.cpu, [&] {
        auto post = m.slots.post();
        const auto posted = verb == 0   ? post.disable(b)
                            : verb == 1 ? post.enable(b)
                            : verb == 2 ? post.modify(b, to)
                                        : post.unregister_breakpoint(b);
        REQUIRE(granted(posted));
        posted_ = posted.value();
      });
      m.forget_log();
    });
  }
  interrupting_post(const interrupting_post&) = delete;
  interrupting_post& operator=(const interrupting_post&) = delete;
  /// From now on it does not come any more; whether it came.
  [[nodiscard]] bool called_off() {
    over_ = true;
    return came_;
  }
  [[nodiscard]] const ticket& posted() const { return posted_; }

 private:
  bool came_ = false, over_ = false;
  ticket posted_;
};

/// Everything that a caller can see of a machine: shelves, registers, and who has been asked to answer.
template <class Machine>
std::string all_of(Machine& m) {
  std::ostringstream s;
  for (cpu_id cpu = 0; cpu < Machine::max_cpus; ++cpu) {
    const auto shelf = m.slots.snapshot(cpu);
    const auto& bank = m.system().bank(cpu);
    s << "\ncpu " << cpu << (shelf.online ? " on" : " off");
    slot_id i = 0;
    for (const auto& slot : shelf.slots) {
      s << " [" << static_cast<int>(slot.state) << slot.name << (slot.on ? "+" : "-") << std::hex << slot.watched.address << '/'
        << slot.watched.length << " #" << std::dec << slot.generation << " r" << std::hex << bank.address(i) << ']' << std::dec;
      ++i;
    }
    s << " lit " << bank.control().on << (m.system().posted().test(cpu) ? " asked" : "");
  }
  return s.str();
}

template <class Machine, class... Breakpoints>
void clear(Machine& m, Breakpoints&... b) {
  const auto each = [&](auto& one) {
    if (!one.idle()) (void)m.slots.unregister_breakpoint(one);
    CHECK(one.idle());
  };
  (each(b), ...);
  for (cpu_id cpu = 0; cpu < Machine::max_cpus; ++cpu) CHECK(m.system().bank(cpu).control().on == 0);
}

TEST_CASE("a posted modify is there at once on the CPU that posts, and on the others when they answer") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.forget_log();
  const auto t = m.slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  CHECK(t.value().breakpoint == &b);
  CHECK(m.system().posted() == mask::of(1, 2));
  CHECK(m.log().size() == 3);  // off, the address, on; all here
  for (const auto& w : m.log()) CHECK(w.cpu == 0);
  CHECK(m.write(0, 0x2000, 8) == 1);
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.write(1, 0x2000, 8) == 0);
  m.deliver(1);
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(m.write(2, 0x1000, 8) == 1);
  m.deliver();
  CHECK(m.write(2, 0x2000, 8) == 1);
  CHECK(m.system().posted().none());
  CHECK(m.consistent());
  clear(m, b);
}

TEST_CASE(
    "posted disable and enable: silent or armed at once on the CPU that posts, elsewhere when they answer; one write each") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  for (bool on : {false, true, false}) {
    m.system().migrate(1);
    m.forget_log();
    REQUIRE(granted(on ? m.slots.post().enable(b) : m.slots.post().disable(b)));
    CHECK(m.write(1, 0x1000, 8) == (on ? 1 : 0));
    CHECK(m.write(0, 0x1000, 8) == (on ? 0 : 1));
    CHECK(m.write(2, 0x1000, 8) == (on ? 0 : 1));
    m.forget_log();
    m.deliver();
    CHECK(m.log().size() == 2);
    for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x1000, 8) == (on ? 1 : 0));
    CHECK(m.consistent());
  }
  for (cpu_id cpu : mask::all()) CHECK(m.slots.snapshot(cpu).slots[3].state == slot_state::kernel);  // the slots stay its own
  clear(m, b);
}

TEST_CASE("a post that changes nothing writes nothing, and a second answer writes nothing") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.forget_log();
  REQUIRE(granted(m.slots.post().enable(b)));
  REQUIRE(granted(m.slots.post().modify(b, at(0x1000))));
  m.deliver();
  CHECK(m.log().empty());
  REQUIRE(granted(m.slots.post().disable(b)));
  m.deliver();
  m.forget_log();
  for (cpu_id cpu : mask::all()) m.guarded(cpu, [](auto view) { view.sync(); });
  CHECK(m.log().empty());
  clear(m, b);
}

TEST_CASE("a posted unregister silences here at once and there when they answer; the next everywhere verb gives the slots back") {
  machine m;
  probe b("b"), other("other");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(other, at(0x2000)));
  const auto t = m.slots.post().unregister_breakpoint(b);
  REQUIRE(granted(t));
  CHECK_FALSE(b.idle());
  CHECK(m.write(0, 0x1000, 8) == 0);
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK_FALSE(m.slots.settled(t.value()));
  m.deliver();
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(m.slots.settled(t.value()));
  CHECK_FALSE(b.idle());
  CHECK(!m.slots.disable(other));
  CHECK(b.idle());
  CHECK(m.slots.settled(t.value()));
  for (cpu_id cpu : mask::all()) CHECK(m.slots.snapshot(cpu).slots[3].state == slot_state::free);
  clear(m, b, other);
}

TEST_CASE("reap() gives back the slots of all that have departed, delivered or not, and of nobody else") {
  machine m;
  probe b("b"), c("c"), stays("stays");
  for (auto* each : {&b, &c, &stays}) REQUIRE(!m.slots.register_breakpoint(*each, at(0x1000)));
  REQUIRE(granted(m.slots.post().unregister_breakpoint(b)));
  REQUIRE(granted(m.slots.post().unregister_breakpoint(c)));
  m.slots.reap();
  CHECK(b.idle());
  CHECK(c.idle());
  CHECK_FALSE(stays.idle());
  for (cpu_id cpu : mask::all()) CHECK(m.system().bank(cpu).control().on == 0b0010);
  m.deliver();  // nothing is left to do
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(stays.hits[1] == 1);
  CHECK(b.hits[1] + c.hits[1] == 0);
  m.slots.reap();
  clear(m, stays);
}

// Handlers, interrupts, NMI.

TEST_CASE("a handler posts for its own breakpoint: it is the last hit here, and the last elsewhere when they answer") {
  for (unsigned verb = 0; verb < 3; ++verb)
    for (auto mode : {mock::mode::user, mock::mode::kernel}) {
      machine m;
      probe b("b");
      REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
      bool answer = false;
      b.then = [&](const hit&) {
        auto post = m.slots.post();
        answer = static_cast<bool>(verb == 0   ? post.disable(b)
                                   : verb == 1 ? post.unregister_breakpoint(b)
                                               : post.modify(b, at(0x2000)));
      };
      m.set_mode(1, mode);
      CHECK(m.write(1, 0x1000, 8) == 1);
      CHECK(answer);
      CHECK(m.system().posted() == mask::of(0, 2));
      CHECK(m.write(1, 0x1000, 8) == 0);
      b.then = nullptr;
      CHECK(m.write(2, 0x1000, 8) == 1);
      m.deliver();
      CHECK(m.write(2, 0x1000, 8) == 0);
      for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x2000, 8) == (verb == 2 ? 1 : 0));
      CHECK(m.consistent());
      m.slots.reap();
      clear(m, b);
    }
}

TEST_CASE("a handler posts for another breakpoint, which hit in the same trap and is not called any more") {
  for (unsigned verb = 0; verb < 3; ++verb)
    for (auto mode : {mock::mode::user, mock::mode::kernel}) {
      machine m;
      probe first("first"), second("second");
      REQUIRE(!m.slots.register_breakpoint(second, at(0x1000)));  // slot 3
      REQUIRE(!m.slots.register_breakpoint(first, at(0x1000)));   // slot 2: its handler is called first
      ticket t;
      first.then = [&](const hit&) {
        auto post = m.slots.post();
        const auto r = verb == 0   ? post.disable(second)
                       : verb == 1 ? post.unregister_breakpoint(second)
                                   : post.modify(second, at(0x2000));
        REQUIRE(granted(r));
        t = r.value();
      };
      m.set_mode(0, mode);
      CHECK(m.write(0, 0x1000, 8) == 1);
      CHECK(first.hits[0] == 1);
      CHECK(second.hits[0] == 0);
      m.deliver();
      CHECK(m.slots.settled(t));
      first.then = nullptr;
      for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x1000, 8) == 1);
      for (unsigned n : second.hits) CHECK(n == 0);
      clear(m, first, second);
    }
}

TEST_CASE("on one CPU a handler's post is settled when it returns, and no hit older than that is handed to a handler") {
  mock::machine<1, 4> m;
  using one = probe_of<mock::machine<1, 4>>;
  one first("first"), second("second");
  REQUIRE(!m.slots.register_breakpoint(second, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(first, at(0x1000)));
  bool settled = false;
  std::uint32_t since = 0;
  first.then = [&](const auto&) {
    const auto t = m.slots.post().modify(second, at(0x1000, 4));
    REQUIRE(granted(t));
    settled = m.slots.settled(t.value());
    since = t.value().generation;
  };
  for (auto mode : {mock::mode::user, mock::mode::kernel}) {
    m.set_mode(0, mode);
    (void)m.write(0, 0x1000, 8);
    CHECK(settled);
    for (const auto& told : second.told) CHECK_FALSE(later(since, told.generation));
  }
  first.then = nullptr;
  (void)m.write(0, 0x1000, 8);
  CHECK(second.told.back().generation == since);
  clear(m, first, second);
}

TEST_CASE("a breakpoint that unregisters itself while more of its neighbours' hits are pending: they are told, once each") {
  machine m;
  probe a("a"), b("b"), c("c");
  for (auto* each : {&c, &b, &a}) REQUIRE(!m.slots.register_breakpoint(*each, at(0x1000)));  // slots 3, 2, 1
  for (auto* each : {&a, &b})
    each->then = [&](const hit& h) { CHECK(granted(m.slots.post().unregister_breakpoint(h.kernel()))); };
  CHECK(m.write(2, 0x1000, 8) == 1);
  for (auto* each : {&a, &b, &c}) CHECK(each->hits[2] == 1);
  CHECK(m.last_trap(2).handled == 0b1110);
  CHECK(m.write(2, 0x1000, 8) == 1);
  CHECK(c.hits[2] == 2);
  CHECK(a.hits[2] + b.hits[2] == 2);
  // Elsewhere it is asked to leave a second time: it has left.
  unsigned refused = 0;
  for (auto* each : {&a, &b})
    each->then = [&](const hit& h) {
      refused += m.slots.post().unregister_breakpoint(h.kernel()).why() == reason::not_registered;
    };
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(refused == 2);
  m.deliver();
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(a.hits[0] + b.hits[0] == 2);
  m.slots.reap();
  CHECK(a.idle());
  CHECK(b.idle());
  clear(m, c);
}

TEST_CASE("an NMI posts: nothing is written in its quiet scope, and it is there when the scope ends") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  m.nmi(2, [&] {
    m.forget_log();
    REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
    CHECK(m.log().empty());
  });
  CHECK(m.system().posted() == mask::of(0, 1));
  CHECK(m.write(2, 0x2000, 8) == 1);
  CHECK(m.write(2, 0x1000, 8) == 0);
  m.nmi(2, [&] {
    REQUIRE(granted(m.slots.post().unregister_breakpoint(b)));
    CHECK(m.slots.post().enable(b).why() == reason::not_registered);
  });
  CHECK(m.write(2, 0x2000, 8) == 0);
  m.deliver();
  m.slots.reap();
  clear(m, b);
}

TEST_CASE("a scheduler or an interrupt handler posts, guarded") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::all(), start::disabled));
  m.guarded(1, [&](auto) {
    REQUIRE(granted(m.slots.post().enable(b)));
    REQUIRE(granted(m.slots.post().modify(b, at(0x3000))));
  });
  CHECK(m.system().posted() == mask::of(0, 2));
  CHECK(m.write(1, 0x3000, 8) == 1);
  m.deliver();
  for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x3000, 8) == 1);
  clear(m, b);
}

TEST_CASE("a post on a CPU that the breakpoint does not count on changes nothing there, and asks those where it does") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::of(1)));
  m.forget_log();
  const auto t = m.slots.post().disable(b);
  REQUIRE(granted(t));
  CHECK(m.log().empty());
  CHECK(m.system().posted() == mask::of(1));
  CHECK_FALSE(m.slots.settled(t.value()));
  m.deliver();
  CHECK(m.slots.settled(t.value()));
  CHECK(m.write(1, 0x1000, 8) == 0);
  clear(m, b);
}

// Refusals.

TEST_CASE("posts on what is not registered, or leaves, are refused as not_registered, and nothing changes") {
  machine m;
  probe b("b"), other("other");
  REQUIRE(!m.slots.register_breakpoint(other, at(0x9000)));
  const auto refused_all = [&] {
    const auto before = all_of(m);
    m.forget_log();
    auto post = m.slots.post();
    CHECK(post.enable(b).why() == reason::not_registered);
    CHECK(post.disable(b).why() == reason::not_registered);
    CHECK(post.modify(b, at(0x2000)).why() == reason::not_registered);
    CHECK(post.unregister_breakpoint(b).why() == reason::not_registered);
    CHECK(m.log().empty());
    CHECK(all_of(m) == before);
  };
  refused_all();
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(granted(m.slots.post().unregister_breakpoint(b)));
  m.forget_log();
  auto post = m.slots.post();
  const auto asked = m.system().posted();
  m.system().answered(1);  // so that a request would show
  CHECK(post.enable(b).why() == reason::not_registered);
  CHECK(post.disable(b).why() == reason::not_registered);
  CHECK(post.modify(b, at(0x2000)).why() == reason::not_registered);
  CHECK(post.unregister_breakpoint(b).why() == reason::not_registered);
  CHECK(m.log().empty());
  CHECK(m.system().posted() == (asked - mask::of(1)));
  m.slots.reap();
  m.deliver();
  refused_all();
  clear(m, other);
}

TEST_CASE("what leaves is found by no verb any more: here-verbs do not arm it again, where it has gone or not") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.enable(b); }));
  const auto t = m.slots.post().unregister_breakpoint(b);
  REQUIRE(granted(t));
  for (int round = 0; round < 2; ++round) {
    for (cpu_id cpu : mask::all()) {
      CHECK(m.guarded(cpu, [&](auto view) { return view.enable(b); }).why == reason::not_registered);
      CHECK(m.guarded(cpu, [&](auto view) { return view.disable(b); }).why == reason::not_registered);
      CHECK(m.guarded(cpu, [&](auto view) { return view.modify(b, at(0x2000)); }).why == reason::not_registered);
      CHECK(m.write(cpu, 0x2000, 8) == 0);
      if (round == 1 || cpu == 0) CHECK(m.write(cpu, 0x1000, 8) == 0);
    }
    m.deliver();
    CHECK(m.slots.settled(t.value()));
  }
  m.slots.reap();
  clear(m, b);
}

TEST_CASE("a posted modify is refused as the backend and may_watch do, and nothing changes") {
  machine m;
  probe b("b");
  m.system().deny({0x5000, 16});
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto before = all_of(m);
  m.forget_log();
  auto post = m.slots.post();
  CHECK(post.modify(b, {0x2001, 8, access::write}).why() == reason::misaligned);
  CHECK(post.modify(b, {0x2000, 3, access::write}).why() == reason::bad_length);
  CHECK(post.modify(b, {0x2000, 8, access::io}).why() == reason::unsupported);
  CHECK(post.modify(b, at(0x5008)).why() == reason::forbidden);
  CHECK(post.modify(b, at(reinterpret_cast<std::uint64_t>(&m.slots))).why() == reason::forbidden);
  CHECK(m.log().empty());
  CHECK(all_of(m) == before);
  CHECK(granted(post.modify(b, at(0x5010))));
  CHECK(m.write(0, 0x5010, 8) == 1);
  clear(m, b);
}

TEST_CASE("a posted modify stays in its pool: what needs another is unsupported, and nothing changes") {
  using two = mock::machine<2, 8, 2>;
  two m;
  probe_of<two> b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto before = all_of(m);
  m.forget_log();
  CHECK(m.slots.post().modify(b, {0x2000, 1, access::execute}).why() == reason::unsupported);
  CHECK(m.log().empty());
  CHECK(all_of(m) == before);
  CHECK(granted(m.slots.post().modify(b, at(0x2000, 4))));
  m.deliver();
  // An everywhere verb may change the pool; from then on posts stay in that one.
  CHECK(!m.slots.modify(b, {0x2000, 1, access::execute}));
  CHECK(m.slots.post().modify(b, at(0x1000)).why() == reason::unsupported);
  CHECK(granted(m.slots.post().modify(b, {0x3000, 1, access::execute})));
  m.deliver();
  for (cpu_id cpu : {0U, 1U}) CHECK(m.execute(cpu, 0x3000) == 1);
  clear(m, b);
}

TEST_CASE("posts while an everywhere verb is at the same breakpoint are refused as would_block; on others they are granted") {
  struct verb {
    const char* name;
    std::function<refusal(machine&, probe&)> run;
    std::uint64_t after;  ///< what it watches then; 0: nothing
  };
  const verb verbs[] = {
      {"modify", [](machine& m, probe& b) { return m.slots.modify(b, at(0x2000)); }, 0x2000},
      {"disable", [](machine& m, probe& b) { return m.slots.disable(b); }, 0},
      {"move", [](machine& m, probe& b) { return m.slots.move(b, mask::of(2)); }, 0},
      {"unregister", [](machine& m, probe& b) { return m.slots.unregister_breakpoint(b); }, 0},
  };
  for (const auto& v : verbs)
    for (unsigned k = 1;; ++k) {
      INFO(v.name << ", register write " << k);
      machine m;
      probe b("b"), other("other");
      REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::of(0, 1)));
      REQUIRE(!m.slots.register_breakpoint(other, at(0x9000)));
      bool came = false, over = false;
      m.before_write(k, [&](const auto& write) {
        if (over) return;
        came = true;
        m.nmi(write.cpu, [&] {
          auto post = m.slots.post();
          CHECK(post.enable(b).why() == reason::would_block);
          CHECK(post.disable(b).why() == reason::would_block);
          CHECK(post.modify(b, at(0x3000)).why() == reason::would_block);
          CHECK(post.unregister_breakpoint(b).why() == reason::would_block);
          CHECK(m.system().posted().none());
          CHECK(granted(post.modify(other, at(0xa000))));
          CHECK((mask::all() - mask::of(write.cpu) - m.system().posted()).none());  // itself, too, if it was rewriting its row
        });
      });
      CHECK(!v.run(m, b));
      over = true;
      m.deliver();
      CHECK(m.consistent());
      CHECK(m.write(1, came ? 0xa000 : 0x9000, 8) == 1);
      CHECK(m.write(1, 0x3000, 8) == 0);
      if (v.after != 0) CHECK(m.write(1, v.after, 8) == 1);
      clear(m, b, other);
      if (!came) break;
    }
}

TEST_CASE("a post inside a post for the same breakpoint would block; for another it is granted") {
  // The window is the register writes that the outer post makes here.
  machine m;
  probe b("b"), other("other");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(other, at(0x9000)));
  unsigned gaps = 0;
  for (unsigned k = 1; k <= 3; ++k) {
    m.before_write(k, [&](const auto& write) {
      m.nmi(write.cpu, [&] {
        ++gaps;
        CHECK(m.slots.post().disable(b).why() == reason::would_block);
        CHECK(granted(m.slots.post().modify(other, at(0x9000 + 8 * k))));
      });
    });
    REQUIRE(granted(m.slots.post().modify(b, at(0x1000 + 8 * k))));
    CHECK(m.write(0, 0x1000 + 8 * k, 8) == 1);
    m.deliver();
    CHECK(m.consistent());
    for (cpu_id cpu : mask::all()) {
      CHECK(m.write(cpu, 0x1000 + 8 * k, 8) == 1);
      CHECK(m.write(cpu, 0x9000 + 8 * k, 8) == 1);
    }
  }
  CHECK(gaps == 3);
  clear(m, b, other);
}

// One after the other.

TEST_CASE("of posts that have not arrived only the last is ever live, and the registers are written once") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
  REQUIRE(granted(m.slots.post().disable(b)));
  REQUIRE(granted(m.slots.post().modify(b, at(0x3000))));
  REQUIRE(granted(m.slots.post().enable(b)));
  m.forget_log();
  m.deliver(1);
  CHECK(m.log().size() == 3);
  for (const auto& w : m.log())
    if (w.which == mock::reg::address) CHECK(w.value == 0x3000);
  CHECK(m.write(1, 0x3000, 8) == 1);
  CHECK(m.write(1, 0x2000, 8) + m.write(1, 0x1000, 8) == 0);
  m.deliver();
  CHECK(m.consistent());
  clear(m, b);
}

TEST_CASE("one answer takes over all that was posted, of several breakpoints, at two control writes") {
  machine m;
  probe a("a"), b("b"), c("c");
  for (auto* each : {&a, &b, &c}) REQUIRE(!m.slots.register_breakpoint(*each, at(0x1000)));
  REQUIRE(granted(m.slots.post().modify(a, at(0x2000))));
  REQUIRE(granted(m.slots.post().modify(b, at(0x3000))));
  REQUIRE(granted(m.slots.post().disable(c)));
  m.forget_log();
  m.deliver(2);
  CHECK(m.log().size() == 4);  // off, two addresses, on
  CHECK(m.write(2, 0x2000, 8) == 1);
  CHECK(m.write(2, 0x3000, 8) == 1);
  CHECK(m.write(2, 0x1000, 8) == 0);
  m.deliver();
  CHECK(m.consistent());
  clear(m, a, b, c);
}

TEST_CASE("a posted modify leaves what is disabled disabled: everywhere, or on one CPU") {
  machine m;
  probe b("b"), c("c");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::all(), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(c, at(0x2000)));
  for (cpu_id cpu : {0U, 1U}) REQUIRE(!m.guarded(cpu, [&](auto view) { return view.disable(c); }));
  REQUIRE(granted(m.slots.post().modify(b, at(0x3000))));
  REQUIRE(granted(m.slots.post().modify(c, at(0x4000))));
  m.deliver();
  for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x3000, 8) == 0);
  CHECK(m.write(0, 0x4000, 8) == 0);
  CHECK(m.write(1, 0x4000, 8) == 0);
  CHECK(m.write(2, 0x4000, 8) == 1);
  CHECK(m.consistent());
  REQUIRE(granted(m.slots.post().enable(b)));
  REQUIRE(granted(m.slots.post().enable(c)));  // those too that here-verbs had disarmed
  m.deliver();
  for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x3000, 8) + m.write(cpu, 0x4000, 8) == 2);
  clear(m, b, c);
}

TEST_CASE("here-verbs before the answer: the post replaces what it is about, and leaves the rest") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(b); }));
  REQUIRE(!m.guarded(2, [&](auto view) { return view.modify(b, at(0x3000)); }));
  CHECK(m.write(2, 0x3000, 8) == 1);
  m.deliver();
  CHECK(m.write(1, 0x2000, 8) == 0);  // disabled here, stays disabled
  CHECK(m.write(2, 0x2000, 8) == 1);  // re-aimed here, and then by the post
  CHECK(m.write(2, 0x3000, 8) == 0);
  REQUIRE(granted(m.slots.post().enable(b)));
  REQUIRE(!m.guarded(2, [&](auto view) { return view.modify(b, at(0x4000)); }));
  m.deliver();
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(2, 0x4000, 8) == 1);  // the post was about on and off only
  REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(b); }));
  m.guarded(1, [](auto view) { view.sync(); });
  CHECK(m.write(1, 0x2000, 8) == 0);  // answered before: it does not come again
  CHECK(m.consistent());
  clear(m, b);
}

// Tickets.

TEST_CASE("settled says yes when every online CPU that holds a slot has the change, or a later one") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto first = m.slots.post().modify(b, at(0x2000));
  const auto second = m.slots.post().disable(b);
  REQUIRE(granted(first));
  REQUIRE(granted(second));
  CHECK(later(second.value().generation, first.value().generation));
  for (const auto& t : {first.value(), second.value()}) {
    CHECK_FALSE(m.slots.settled(t));
    const refusal no = m.slots.wait(t, 3);
    CHECK(no.why == reason::would_block);
    CHECK(no.cpu == 1);
  }
  m.deliver(1);
  CHECK(m.slots.wait(first.value(), 0).cpu == 2);
  m.deliver(2);
  for (const auto& t : {first.value(), second.value()}) {
    CHECK(m.slots.settled(t));
    CHECK(!m.slots.wait(t, 0));
  }
  const auto third = m.slots.post().enable(b);
  REQUIRE(granted(third));
  CHECK(m.slots.settled(first.value()));
  CHECK_FALSE(m.slots.settled(third.value()));
  CHECK(!m.slots.disable(b));  // an everywhere verb is later still
  CHECK(m.slots.settled(third.value()));
  clear(m, b);
  CHECK(m.slots.settled(third.value()));  // nobody holds it
}

TEST_CASE("settled is not said before the last register has its value") {
  for (bool everywhere : {false, true}) {
    machine m;
    probe b("b");
    REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
    const auto t = m.slots.post().modify(b, at(0x2000));
    REQUIRE(granted(t));
    m.deliver(1);
    unsigned asked = 0;
    m.before_each_write([&](const auto&) {
      ++asked;
      CHECK_FALSE(m.slots.settled(t.value()));
    });
    if (everywhere)
      CHECK(!m.slots.modify(b, at(0x3000)));
    else
      m.deliver(2);
    m.before_each_write(nullptr);
    CHECK(asked == (everywhere ? 9 : 3));
    CHECK(m.slots.settled(t.value()));
    clear(m, b);
  }
}

TEST_CASE("settled may be asked in a handler, under the guard and in an NMI, and sends nobody anything") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  ticket t;
  bool before = true;
  b.then = [&](const hit&) {
    const auto posted = m.slots.post().modify(b, at(0x2000));
    REQUIRE(granted(posted));
    t = posted.value();
    before = m.slots.settled(t);
  };
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK_FALSE(before);
  m.forget_log();
  m.guarded(1, [&](auto) { CHECK(m.slots.wait(t, 2).cpu == 1); });
  m.nmi(2, [&] { CHECK_FALSE(m.slots.settled(t)); });
  m.deliver();
  b.then = [&](const hit&) { before = m.slots.settled(t); };
  CHECK(m.write(2, 0x2000, 8) == 1);
  CHECK(before);
  clear(m, b);
}

TEST_CASE("a hit of the new setting is not older than the ticket; one of the setting before is") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto t = m.slots.post().modify(b, at(0x1000, 4));
  REQUIRE(granted(t));
  const auto generation = t.value().generation;
  CHECK(generation % 2 == 0);
  (void)m.write(0, 0x1000, 8);
  CHECK_FALSE(later(generation, b.told.back().generation));
  CHECK(b.told.back().watched.length == 4);
  (void)m.write(1, 0x1000, 8);
  CHECK(later(generation, b.told.back().generation));
  CHECK(b.told.back().watched.length == 8);
  m.deliver();
  (void)m.write(1, 0x1000, 8);
  CHECK(b.told.back().generation == generation);
  REQUIRE(granted(m.slots.post().disable(b)));
  REQUIRE(granted(m.slots.post().enable(b)));
  m.deliver();
  (void)m.write(1, 0x1000, 8);
  CHECK(b.told.back().generation == generation);  // of the change that brought the setting
  REQUIRE(!m.slots.modify(b, at(0x1000, 2)));
  (void)m.write(1, 0x1000, 8);
  CHECK(later(b.told.back().generation, generation));
  clear(m, b);
}

TEST_CASE("a generation survives registering again, so that an old ticket stays settled and an old hit stays old") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto gone = m.slots.post().unregister_breakpoint(b);
  REQUIRE(granted(gone));
  CHECK(!m.slots.register_breakpoint(b, at(0x1000)));  // reaped first; nobody has answered
  CHECK(m.slots.settled(gone.value()));
  (void)m.write(1, 0x1000, 8);
  CHECK(later(b.told.back().generation, gone.value().generation));
  m.deliver();  // late answers to the registration before
  for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x1000, 8) == 1);
  CHECK(m.consistent());
  clear(m, b);
}

// Everywhere verbs and posts.

TEST_CASE("an everywhere verb over what was posted and has not arrived: nothing of it is lost") {
  const auto posted = [](machine& m, probe& b) {
    REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::all(), start::disabled));
    REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
    REQUIRE(granted(m.slots.post().enable(b)));
  };
  SUBCASE("modify: it is on") {
    machine m;
    probe b("b");
    posted(m, b);
    m.forget_log();
    CHECK(!m.slots.modify(b, at(0x3000)));
    for (const auto& w : m.log())
      if (w.which == mock::reg::address) CHECK(w.value == 0x3000);
    for (bool delivered : {false, true}) {
      for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x3000, 8) == 1);
      CHECK(m.consistent());
      if (!delivered) m.deliver();
    }
    clear(m, b);
  }
  SUBCASE("disable: it has the new address, off") {
    machine m;
    probe b("b");
    posted(m, b);
    CHECK(!m.slots.disable(b));
    m.deliver();
    for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x2000, 8) == 0);
    for (cpu_id cpu : mask::all()) CHECK(m.slots.snapshot(cpu).slots[3].watched == at(0x2000));
    CHECK(!m.slots.enable(b));
    for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x2000, 8) == 1);
    CHECK(m.consistent());
    clear(m, b);
  }
  SUBCASE("move: the new CPU has all of it, those that stay when they answer") {
    machine m;
    probe b("b");
    REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::of(0, 1), start::disabled));
    REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
    const auto t = m.slots.post().enable(b);
    REQUIRE(granted(t));
    CHECK(!m.slots.move(b, mask::of(1, 2)));
    CHECK(m.write(2, 0x2000, 8) == 1);
    CHECK(m.write(1, 0x2000, 8) == 0);
    CHECK(m.write(0, 0x2000, 8) == 0);
    CHECK(m.slots.wait(t.value(), 0).cpu == 1);
    m.deliver();
    CHECK(m.slots.settled(t.value()));
    CHECK(m.write(1, 0x2000, 8) == 1);
    CHECK(m.consistent());
    clear(m, b);
  }
  SUBCASE("unregister: nothing is left, and late answers find nothing") {
    machine m;
    probe b("b");
    posted(m, b);
    CHECK(!m.slots.unregister_breakpoint(b));
    CHECK(b.idle());
    m.forget_log();
    m.deliver();
    CHECK(m.log().empty());
    clear(m, b);
  }
  SUBCASE("a refused modify: what was posted still arrives") {
    machine m;
    probe b("b");
    posted(m, b);
    CHECK(m.slots.modify(b, {0x3001, 8, access::write}).why == reason::misaligned);
    m.deliver();
    for (cpu_id cpu : mask::all()) CHECK(m.write(cpu, 0x2000, 8) == 1);
    clear(m, b);
  }
  SUBCASE("modify to another pool: it is on there") {
    using two = mock::machine<2, 8, 2>;
    two m;
    probe_of<two> b("b");
    REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), two::slot_manager::mask::all(), start::disabled));
    REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
    const auto t = m.slots.post().enable(b);
    REQUIRE(granted(t));
    CHECK(!m.slots.modify(b, {0x4000, 1, access::execute}));
    CHECK(m.slots.settled(t.value()));
    m.deliver();
    for (cpu_id cpu : {0U, 1U}) CHECK(m.execute(cpu, 0x4000) == 1);
    for (cpu_id cpu : {0U, 1U}) CHECK(m.write(cpu, 0x2000, 8) == 0);
    CHECK(m.consistent());
    clear(m, b);
  }
}

TEST_CASE("a posted unregister's slots come back before a registration that needs them is refused, in every form") {
  machine m;
  probe b[4] = {probe("0"), probe("1"), probe("2"), probe("3")}, more("more");
  for (auto& each : b) REQUIRE(!m.slots.register_breakpoint(each, at(0x1000)));
  CHECK(m.slots.register_breakpoint(more, at(0x2000)).why == reason::no_slot);
  SUBCASE("register") {
    REQUIRE(granted(m.slots.post().unregister_breakpoint(b[1])));
    CHECK(!m.slots.register_breakpoint(more, at(0x2000)));
  }
  SUBCASE("try_register, from a handler's post") {
    b[1].then = [&](const hit& h) { CHECK(granted(m.slots.post().unregister_breakpoint(h.kernel()))); };
    (void)m.write(2, 0x1000, 8);
    CHECK(!m.slots.try_register_breakpoint(more, at(0x2000)));
  }
  SUBCASE("a user's") {
    machine::task task;
    machine::user_breakpoint u("u");
    CHECK(m.slots.register_breakpoint(u, task, at(0x2000)).why == reason::no_slot);
    REQUIRE(granted(m.slots.post().unregister_breakpoint(b[1])));
    CHECK(!m.slots.register_breakpoint(u, task, at(0x2000)));
    m.slots.on_exit(task);
  }
  SUBCASE("withhold") {
    REQUIRE(granted(m.slots.post().unregister_breakpoint(b[0])));
    CHECK(!m.slots.withhold(0, 8));
    CHECK(m.slots.withhold(0, 4).why == reason::no_slot);
  }
  SUBCASE("a question") {
    CHECK(m.slots.full() == mask::all());
    REQUIRE(granted(m.slots.post().unregister_breakpoint(b[1])));
    CHECK(m.slots.full().none());
    CHECK(b[1].idle());
  }
  clear(m, b[0], b[1], b[2], b[3], more);
}

TEST_CASE("a posted unregister below a running task: its slot goes back, and the task is repacked when it is reaped") {
  machine m;
  probe b("b");
  machine::task task;
  machine::user_breakpoint u("u", 7);
  REQUIRE(!m.slots.withhold(0, 0b0001));
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(u, task, at(0x2000)));
  REQUIRE(!m.run(0, task));
  REQUIRE(granted(m.slots.post().unregister_breakpoint(b)));
  CHECK(m.write(0, 0x2000, 8) == 1);
  m.slots.reap();
  CHECK(m.write(0, 0x2000, 8) == 1);
  CHECK(m.delivered().size() == 2);
  CHECK(m.consistent());
  m.slots.on_exit(task);
  (void)m.idle(0);
  clear(m, b);
}

TEST_CASE("thread context registers again what a handler posted away, and unregistering what leaves says that it is gone") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  b.then = [&](const hit& h) { CHECK(granted(m.slots.post().unregister_breakpoint(h.kernel()))); };
  (void)m.write(1, 0x1000, 8);
  b.then = nullptr;
  CHECK_FALSE(b.idle());
  SUBCASE("registered again at once") {
    CHECK(!m.slots.register_breakpoint(b, at(0x2000), mask::of(1, 2)));
    m.deliver();
    CHECK(m.write(0, 0x2000, 8) == 0);
    CHECK(m.write(1, 0x2000, 8) == 1);
    CHECK(m.slots.register_breakpoint(b, at(0x2000)).why == reason::already_registered);
  }
  SUBCASE("everywhere verbs find it no more, and by then it is idle") {
    CHECK(m.slots.unregister_breakpoint(b).why == reason::not_registered);
    CHECK(b.idle());
  }
  SUBCASE("enable, disable, modify, move too") {
    CHECK(m.slots.enable(b).why == reason::not_registered);
    CHECK(m.slots.disable(b).why == reason::not_registered);
    CHECK(m.slots.modify(b, at(0x3000)).why == reason::not_registered);
    CHECK(m.slots.move(b, mask::of(1)).why == reason::not_registered);
    CHECK(b.idle());
  }
  clear(m, b);
}

TEST_CASE("what an NMI posts away while a verb reaps another's is reaped by that verb, too: gone, or registered again") {
  for (const bool again : {false, true}) {
    CAPTURE(again);
    machine m;
    probe first("first"), b("b");
    REQUIRE(!m.slots.register_breakpoint(first, at(0x1000)));
    REQUIRE(!m.slots.register_breakpoint(b, at(0x2000)));
    REQUIRE(m.guarded(0, [&](auto) { return granted(m.slots.post().unregister_breakpoint(first)); }));
    // Some other CPU has not heard of it: its reaping writes.
    m.before_write(1, [&](const auto& w) { m.nmi(w.cpu, [&] { CHECK(granted(m.slots.post().unregister_breakpoint(b))); }); });
    if (again)
      CHECK(!m.slots.register_breakpoint(b, at(0x3000)));
    else
      CHECK(m.slots.disable(b).why == reason::not_registered);
    CHECK(m.interrupted());
    CHECK(first.idle());
    CHECK(b.idle() == !again);
    CHECK(m.write(1, 0x3000, 8) == (again ? 1 : 0));
    CHECK(m.write(1, 0x2000, 8) == 0);
    CHECK(m.consistent());
    if (again) CHECK(!m.slots.unregister_breakpoint(b));
  }
}

TEST_CASE("storage is free as soon as it is idle: late answers and traps do not touch it") {
  machine m;
  alignas(probe) static std::byte storage[sizeof(probe)];
  for (bool delivered : {false, true}) {
    auto* b = new (storage) probe("b");
    REQUIRE(!m.slots.register_breakpoint(*b, at(0x1000)));
    REQUIRE(granted(m.slots.post().modify(*b, at(0x2000))));
    REQUIRE(granted(m.slots.post().unregister_breakpoint(*b)));
    if (delivered) m.deliver();
    m.slots.reap();
    REQUIRE(b->idle());
    b->~probe();
    for (auto& byte : storage) byte = std::byte{0xa5};
    m.deliver();
    for (cpu_id cpu : mask::all()) {
      CHECK(m.write(cpu, 0x1000, 8) + m.write(cpu, 0x2000, 8) == 0);
      m.guarded(cpu, [](auto view) { view.sync(); });
    }
  }
  CHECK(m.consistent());
}

TEST_CASE("a kernel breakpoint in storage that a user's had is not mistaken for it: its tickets settle") {
  machine m;
  using user = machine::user_breakpoint;
  constexpr std::size_t size = sizeof(probe) > sizeof(user) ? sizeof(probe) : sizeof(user);
  alignas(64) static std::byte storage[size];
  machine::task task;
  auto* u = new (storage) user("u");
  REQUIRE(!m.slots.register_breakpoint(*u, task, at(0x1000)));
  REQUIRE(!m.run(1, task));
  REQUIRE(!m.offline(1));
  REQUIRE(!m.slots.unregister_breakpoint(*u));
  u->~user();
  auto* b = new (storage) probe("b");
  REQUIRE(!m.slots.register_breakpoint(*b, at(0x2000)));
  REQUIRE(!m.online(1));
  const auto t = m.slots.post().disable(*b);
  REQUIRE(granted(t));
  m.deliver();
  CHECK(m.slots.settled(t.value()));
  clear(m, *b);
  b->~probe();
}

// CPUs that come and go.

TEST_CASE("a CPU that comes online has what was posted while it was away before anything is armed there") {
  machine m;
  probe moved("moved"), off("off"), on("on"), gone("gone");
  REQUIRE(!m.slots.register_breakpoint(moved, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(off, at(0x2000)));
  REQUIRE(!m.slots.register_breakpoint(on, at(0x3000), mask::all(), start::disabled));
  REQUIRE(!m.slots.register_breakpoint(gone, at(0x4000)));
  REQUIRE(!m.offline(1));
  std::vector<ticket> tickets;
  const auto keep = [&](const result<ticket>& t) {
    REQUIRE(granted(t));
    tickets.push_back(t.value());
  };
  m.forget_log();
  keep(m.slots.post().modify(moved, at(0x5000)));
  keep(m.slots.post().disable(off));
  keep(m.slots.post().enable(on));
  keep(m.slots.post().unregister_breakpoint(gone));
  CHECK_FALSE(m.system().posted().test(1));
  m.deliver();
  for (const auto& t : tickets) CHECK(m.slots.settled(t));  // it does not count
  for (const auto& w : m.log()) CHECK(w.cpu != 1);
  m.forget_log();
  m.system().set_online(1, true);
  REQUIRE(!m.online(1));
  for (const auto& w : m.log()) {
    if (w.cpu != 1) continue;
    if (w.which == mock::reg::address) CHECK(w.value != 0x1000);
    if (w.which == mock::reg::control) CHECK((w.value & 0b0101) == 0);  // off and gone
  }
  for (const auto& t : tickets) CHECK(m.slots.settled(t));
  CHECK(m.write(1, 0x5000, 8) == 1);
  CHECK(m.write(1, 0x3000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) + m.write(1, 0x2000, 8) + m.write(1, 0x4000, 8) == 0);
  CHECK(m.consistent());
  clear(m, moved, off, on, gone);
}

TEST_CASE("an NMI that posts while its CPU comes online, at any register write: it is not lost, and what is off is never armed") {
  for (unsigned verb = 0; verb < 4; ++verb)
    for (bool silenced : {false, true})
      for (unsigned k = 1;; ++k) {
        INFO("verb " << verb << ", register write " << k << (silenced ? ", silenced" : ""));
        machine m;
        probe b("b"), other("other");
        REQUIRE(!m.slots.register_breakpoint(b, at(0x1000), mask::all(), verb == 1 ? start::disabled : start::enabled));
        REQUIRE(!m.slots.register_breakpoint(other, at(0x9000)));
        if (silenced)
          m.guarded(1, [](auto view) { view.silence(); });
        else
          REQUIRE(!m.offline(1));
        REQUIRE(granted(m.slots.post().modify(other, at(0xa000))));
        interrupting_post nmi(m, k, verb, b, at(0x2000));
        REQUIRE(!m.online(1));
        if (!nmi.called_off()) {
          CHECK(k > 2);
          clear(m, b, other);
          break;
        }
        // The first write is the one that was interrupted; what is wrong about it is corrected at once.
        for (std::size_t i = 1; i < m.log().size(); ++i) {
          const auto& w = m.log()[i];
          if (w.cpu == 1 && w.which == mock::reg::control && (verb == 0 || verb == 3)) CHECK((w.value & 8) == 0);
        }
        m.deliver();
        CHECK(m.slots.settled(nmi.posted()));
        CHECK(m.write(1, 0x1000, 8) == (verb == 1 ? 1 : 0));
        CHECK(m.write(1, 0x2000, 8) == (verb == 2 ? 1 : 0));
        CHECK(m.write(1, 0xa000, 8) == 1);
        m.slots.reap();
        CHECK(m.consistent());
        clear(m, b, other);
      }
}

TEST_CASE("a CPU that goes offline with a post pending need not answer, and has it when it comes back") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  const auto t = m.slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  m.deliver(2);
  CHECK(m.slots.wait(t.value(), 0).cpu == 1);
  REQUIRE(!m.offline(1));
  CHECK(m.slots.settled(t.value()));
  m.deliver();  // late: it is off
  CHECK(m.write(1, 0x1000, 8) + m.write(1, 0x2000, 8) == 0);
  REQUIRE(!m.online(1));
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(m.consistent());
  clear(m, b);
}

TEST_CASE("what here-verbs changed on a CPU survives its absence, unless a post was about it") {
  machine m;
  probe a("a"), b("b"), c("c");
  for (auto* each : {&a, &b, &c}) REQUIRE(!m.slots.register_breakpoint(*each, at(0x1000)));
  for (auto* each : {&a, &b, &c}) REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(*each); }));
  REQUIRE(!m.offline(1));
  REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
  REQUIRE(granted(m.slots.post().enable(c)));
  REQUIRE(!m.online(1));
  CHECK(m.write(1, 0x2000, 8) == 0);
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(a.hits[1] + b.hits[1] == 0);
  CHECK(c.hits[1] == 1);
  clear(m, a, b, c);
}

TEST_CASE("lent, silenced, quiet: an answer changes the row only, and it is there when the registers are ours again") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  SUBCASE("lent") {
    m.guarded(1, [](auto view) { view.lend(); });
  }
  SUBCASE("silenced") {
    m.guarded(1, [](auto view) { view.silence(); });
  }
  const auto t = m.slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  m.forget_log();
  m.deliver(1);
  CHECK(m.log().empty());
  m.deliver(2);
  CHECK(m.slots.settled(t.value()));
  m.guarded(1, [](auto view) { view.restore(); });
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  CHECK(m.consistent());
  clear(m, b);
}

// Generations. A post that is being written cannot be held in that state from outside, nor can 2^31 posts be waited for: an
// explicit instantiation may name what is private.

template <class Tag, auto Member>
struct opened {
  friend constexpr auto member(Tag) { return Member; }
};
struct intent_of_breakpoint {
  friend constexpr auto member(intent_of_breakpoint);
};
struct number_of_intent {
  friend constexpr auto member(number_of_intent);
};
using setting = mock::system<3, 4>::setting;
template struct opened<intent_of_breakpoint, &machine::kernel_breakpoint::intent_>;
template struct opened<number_of_intent, &intent<setting>::generation_>;
std::uint32_t& number_of(machine::kernel_breakpoint& b) {
  return (b.*member(intent_of_breakpoint{})).*member(number_of_intent{});
}

TEST_CASE("a post that is being written is left out by an answer, and taken over by the next one, which its writer asks for") {
  machine m;
  probe b("b"), other("other");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.slots.register_breakpoint(other, at(0x9000)));
  const auto t = m.slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  REQUIRE(granted(m.slots.post().modify(other, at(0xa000))));
  number_of(b) -= 1;  // half written
  m.deliver();
  CHECK(m.write(1, 0xa000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) == 1);
  CHECK(m.write(1, 0x2000, 8) == 0);
  number_of(b) += 1;
  CHECK_FALSE(m.slots.settled(t.value()));
  for (cpu_id cpu : mask::all()) m.guarded(cpu, [](auto view) { view.sync(); });
  CHECK(m.slots.settled(t.value()));
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.consistent());
  clear(m, b, other);
}

TEST_CASE("a CPU that comes online waits for a post that is being written: nobody has asked it yet") {
  machine m;
  probe b("b");
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  REQUIRE(!m.offline(1));
  const auto t = m.slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  auto& number = number_of(b);
  __atomic_store_n(&number, number - 1, __ATOMIC_RELEASE);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    __atomic_store_n(&number, t.value().generation, __ATOMIC_RELEASE);
  });
  REQUIRE(!m.online(1));
  writer.join();
  CHECK(m.write(1, 0x2000, 8) == 1);
  CHECK(m.write(1, 0x1000, 8) == 0);
  m.deliver(2);
  CHECK(m.slots.settled(t.value()));
  clear(m, b);
}

TEST_CASE("the generations wrap: posts, answers, tickets and hits go on as before") {
  machine m;
  probe b("b");
  number_of(b) = 0xffff'fff4;
  REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
  for (unsigned n = 1; n <= 12; ++n) {
    const std::uint64_t now = 0x1000 + 8 * n;
    const auto t = m.slots.post().modify(b, at(now));
    REQUIRE(granted(t));
    CHECK_FALSE(m.slots.settled(t.value()));
    (void)m.write(1, now - 8, 8);
    CHECK(later(t.value().generation, b.told.back().generation));
    if (n % 3 == 0) CHECK(!m.slots.enable(b));
    if (n % 3 == 1) m.deliver();
    if (n % 3 == 2) CHECK(!m.slots.modify(b, at(now)));
    CHECK(m.slots.settled(t.value()));
    for (cpu_id cpu : mask::all()) {
      CHECK(m.write(cpu, now, 8) == 1);
      CHECK_FALSE(later(t.value().generation, b.told.back().generation));
    }
  }
  CHECK(number_of(b) < 0x100);
  clear(m, b);
}

TEST_CASE("a part of the intent that is 2^31 numbers old is not taken for a new one: what here-verbs did stays") {
  machine m;
  probe aimed("aimed"), turned("turned");
  for (auto* each : {&aimed, &turned}) REQUIRE(!m.slots.register_breakpoint(*each, at(0x1000)));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.modify(aimed, at(0x2000)); }));
  REQUIRE(!m.guarded(1, [&](auto view) { return view.disable(turned); }));
  for (unsigned n = 0; n < 40; ++n) {
    for (auto* each : {&aimed, &turned}) number_of(*each) += 0x0800'0000;
    REQUIRE(granted(m.slots.post().enable(aimed)));
    REQUIRE(granted(m.slots.post().modify(turned, at(0x3000 + 8 * n))));
    m.deliver();
    CHECK(m.write(1, 0x2000, 8) == 1);
    CHECK(m.write(1, 0x3000 + 8 * n, 8) == 0);
    CHECK(m.write(2, 0x3000 + 8 * n, 8) == 1);
  }
  clear(m, aimed, turned);
}

// Interrupted.

TEST_CASE("a post that interrupts an answer, at any register write, is there at once if it disables, and after the next one") {
  for (unsigned verb = 0; verb < 4; ++verb)
    for (unsigned k = 1;; ++k) {
      INFO("verb " << verb << ", register write " << k);
      machine m;
      probe b("b"), c("c");
      REQUIRE(!m.slots.register_breakpoint(b, at(0x1000)));
      REQUIRE(!m.slots.register_breakpoint(c, at(0x8000)));
      REQUIRE(granted(m.slots.post().modify(b, at(0x2000))));
      REQUIRE(granted(m.slots.post().modify(c, at(0x9000))));
      interrupting_post nmi(m, k, verb, b, at(0x3000));
      m.deliver(1);
      if (!nmi.called_off()) {
        CHECK(k > 3);
        clear(m, b, c);
        break;
      }
      if (verb == 0 || verb == 3) CHECK(m.write(1, 0x1000, 8) + m.write(1, 0x2000, 8) == 0);
      m.deliver();
      CHECK(m.slots.settled(nmi.posted()));
      CHECK(m.write(1, 0x2000, 8) == (verb == 1 ? 1 : 0));
      CHECK(m.write(1, 0x3000, 8) == (verb == 2 ? 1 : 0));
      CHECK(m.write(1, 0x1000, 8) == 0);
      CHECK(m.write(1, 0x9000, 8) == 1);
      m.slots.reap();
      CHECK(m.consistent());
      clear(m, b, c);
    }
}

// Platforms.

/// One host thread that names its CPUs, and knows of no "this CPU".
struct emulator : mock::backend<3, 4>, single_thread<3> {
  static bool may_watch(side, range) noexcept { return true; }
  void post_on(const mask& m) noexcept { asked |= m; }
  mask asked{};
};
static_assert(!has_this_cpu<emulator>);
static_assert(can_post<emulator>);
static_assert(can_post<mock::system<2, 4>>);
static_assert(!can_post<mock::system<2, 4, 1, true>>);  // a machine that can fail

TEST_CASE("where there is no this_cpu(), every CPU of the breakpoint is asked, and changes when it answers") {
  slot_manager<emulator> slots;
  static unsigned hits;
  hits = 0;
  slot_manager<emulator>::kernel_breakpoint b("b", [](auto&) { ++hits; });
  for (cpu_id cpu : {0U, 1U}) REQUIRE(!slots.cpu_online(cpu));
  REQUIRE(!slots.register_breakpoint(b, at(0x1000)));
  const auto write = [&](cpu_id cpu, std::uint64_t address) {
    mock::frame f;
    if (slots.system().bank(cpu).touched(mock::touch::write, {address, 8})) (void)slots.on(cpu).trap(f);
  };
  const auto t = slots.post().modify(b, at(0x2000));
  REQUIRE(granted(t));
  CHECK(slots.system().asked == mask::of(0, 1));  // not the one that is offline
  write(0, 0x1000);
  write(1, 0x1000);
  CHECK(hits == 2);
  CHECK_FALSE(slots.settled(t.value()));
  slots.on(0).sync();
  CHECK(slots.wait(t.value(), 1).cpu == 1);
  slots.on(1).sync();
  slots.on(2).sync();
  CHECK(slots.settled(t.value()));
  for (cpu_id cpu : {0U, 1U}) write(cpu, 0x2000), write(cpu, 0x1000);
  CHECK(hits == 4);
  REQUIRE(granted(slots.post().unregister_breakpoint(b)));
  slots.reap();
  CHECK(b.idle());
  for (cpu_id cpu : {0U, 1U}) CHECK(slots.system().bank(cpu).control().on == 0);
}

}  // namespace
