// SPDX-License-Identifier: MIT
// tests/group_test.cpp — mirrors include/bookend/group.hpp and locked.hpp: a group is granted exactly when its members would be,
// one after the other; refused, it names the first that would not, and not a byte has changed.
#include <bookend/group.hpp>
#include <bookend/mock/machine.hpp>
#include <bookend/print.hpp>
#include <cstring>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

namespace {
using namespace bookend;

/// What a member asks for.
enum class kind { data, code, misaligned, busy, twice };

/// A machine with some slots held, and breakpoints for a group of up to 4.
template <class Machine>
struct scene {
  using mask = typename Machine::slot_manager::mask;
  using kernel = typename Machine::kernel_breakpoint;
  using user = typename Machine::user_breakpoint;

  static request watch(kind of, unsigned i) {
    if (of == kind::code) return {0x2000 + 8 * i, 1, access::execute};
    return {0x1000 + 8 * i + (of == kind::misaligned ? 1 : 0), 8, access::write};
  }
  /// False if that much does not fit.
  bool hold(unsigned on_0, unsigned on_1, unsigned wide, unsigned pinned_to_1) {
    bool fits = true;
    for (unsigned i = 0; i < on_0; ++i) fits = fits && !m.slots.register_breakpoint(k[i], watch(kind::data, 50), mask::of(0));
    for (unsigned i = 0; i < on_1; ++i) fits = fits && !m.slots.register_breakpoint(k[2 + i], watch(kind::data, 51), mask::of(1));
    for (unsigned i = 0; i < wide; ++i) fits = fits && !m.slots.register_breakpoint(u[i], t, watch(kind::data, 52));
    for (unsigned i = 0; i < pinned_to_1; ++i)
      fits = fits && !m.slots.register_breakpoint(u[2 + i], t, watch(kind::data, 53), pinned{1});
    fits = fits && !m.slots.register_breakpoint(busy_user, other, watch(kind::code, 54)) &&
           !m.slots.register_breakpoint(busy, watch(kind::code, 55), mask::of(0));
    (void)m.slots.online();  // takes the lock: what stripes have noted is in the ledger
    return fits && !m.run(1, t);
  }
  ~scene() {
    m.slots.on_exit(t);
    m.slots.on_exit(other);
    for (auto* all : {k, in_group})
      for (unsigned i = 0; i < 4; ++i)
        if (!all[i].idle()) (void)m.slots.unregister_breakpoint(all[i]);
    if (!busy.idle()) (void)m.slots.unregister_breakpoint(busy);
  }
  template <class Breakpoint>
  Breakpoint& nth(Breakpoint (&mine)[4], Breakpoint& taken, const std::vector<kind>& kinds, unsigned i) {
    if (kinds[i] == kind::busy) return taken;
    return kinds[i] == kind::twice && i != 0 ? nth(mine, taken, kinds, i - 1) : mine[i];
  }

  /// The shelf as text.
  std::string text() {
    std::string s;
    for (cpu_id cpu = 0; cpu < 2; ++cpu) print(m.slots.snapshot(cpu), [&](char c) { s += c; });
    for (const auto& b : in_group) s += b.idle() ? '-' : '+';
    for (const auto& b : user_group) s += b.idle() ? '-' : std::to_string(b.index())[0];
    return s;
  }
  /// Every byte that a verb could change.
  std::string bytes() {
    std::string s;
    const auto add = [&](const auto& of) { s.append(reinterpret_cast<const char*>(&of), sizeof of); };
    add(m.slots), add(k), add(u), add(in_group), add(user_group), add(t), add(busy), add(busy_user);
    return s;
  }

  static void ignore(const typename Machine::hit&) {}
  Machine m;
  typename Machine::task t, other;
  kernel k[4] = {{"k", ignore}, {"k", ignore}, {"k", ignore}, {"k", ignore}};
  kernel in_group[4] = {{"g", ignore}, {"g", ignore}, {"g", ignore}, {"g", ignore}};
  kernel busy{"busy", ignore};
  user u[4], user_group[4], busy_user;
};

/// Whom a group is for.
struct target {
  bool of_kernel;
  unsigned where;  ///< the kernel's: CPUs as bits; a task's: the CPU that it is pinned to, or 9
};

template <class Machine>
group_refusal as_group(scene<Machine>& s, const std::vector<kind>& kinds, target to, start how) {
  using system = std::remove_reference_t<decltype(s.m.system())>;
  const auto count = static_cast<unsigned>(kinds.size());
  if (to.of_kernel) {
    kernel_member<system> members[4]{};
    for (unsigned i = 0; i < count; ++i) members[i] = {&s.nth(s.in_group, s.busy, kinds, i), s.watch(kinds[i], i)};
    typename scene<Machine>::mask cpus;
    for (cpu_id c = 0; c < 2; ++c)
      if ((to.where >> c & 1) != 0) cpus.set(c);
    return register_group(s.m.slots, members, count, cpus, how);
  }
  user_member<system> members[4]{};
  for (unsigned i = 0; i < count; ++i) members[i] = {&s.nth(s.user_group, s.busy_user, kinds, i), s.watch(kinds[i], i)};
  if (to.where == 9) return register_group(s.m.slots, s.t, members, count, how);
  return register_group(s.m.slots, s.t, members, count, pinned{to.where}, how);
}
/// The same by the verbs of one breakpoint, which know nothing of groups; up to the first refusal.
template <class Machine>
group_refusal one_by_one(scene<Machine>& s, const std::vector<kind>& kinds, target to, start how) {
  typename scene<Machine>::mask cpus;
  for (cpu_id c = 0; c < 2; ++c)
    if ((to.where >> c & 1) != 0) cpus.set(c);
  for (unsigned i = 0; i < kinds.size(); ++i) {
    const request q = s.watch(kinds[i], i);
    auto& of_task = s.nth(s.user_group, s.busy_user, kinds, i);
    const refusal no = to.of_kernel    ? s.m.slots.register_breakpoint(s.nth(s.in_group, s.busy, kinds, i), q, cpus, how)
                       : to.where == 9 ? s.m.slots.register_breakpoint(of_task, s.t, q, how)
                                       : s.m.slots.register_breakpoint(of_task, s.t, q, pinned{to.where}, how);
    if (no) return {no, i};
  }
  return {};
}

unsigned granted = 0, refused[12] = {};

template <class Machine>
void compare(unsigned const (&held)[4], const std::vector<kind>& kinds, target to, start how) {
  auto group = std::make_unique<scene<Machine>>(), twin = std::make_unique<scene<Machine>>();
  if (!group->hold(held[0], held[1], held[2], held[3]) || !twin->hold(held[0], held[1], held[2], held[3])) return;
  const std::string before = group->bytes();
  group->m.forget_log();
  const group_refusal no = as_group(*group, kinds, to, how);
  const group_refusal expected = one_by_one(*twin, kinds, to, how);
  REQUIRE(no.why.why == expected.why.why);
  REQUIRE(no.member == expected.member);
  REQUIRE(no.why.cpu == expected.why.cpu);
  REQUIRE(no.why.pool == expected.why.pool);
  if (!no) {
    ++granted;
    REQUIRE(group->text() == twin->text());
    REQUIRE(group->m.consistent());
    return;
  }
  ++refused[static_cast<unsigned>(no.why.why)];
  REQUIRE(group->m.log().empty());  // not a register: no hit of a group that is refused
  REQUIRE(group->bytes() == before);
  if (no.why.why != reason::no_slot) return;
  // Who is in the way without the group: all there were before it.
  unsigned own = 0;
  for (unsigned i = 0; i < no.member; ++i)
    own += pool_count<std::remove_reference_t<decltype(group->m.system())>> == 1 ||
           (kinds[i] == kind::code) == (kinds[no.member] == kind::code);
  REQUIRE(no.why.kernel_held + (to.of_kernel ? own : 0) == expected.why.kernel_held);
  REQUIRE(no.why.user_held + (to.of_kernel ? 0 : own) == expected.why.user_held);
}

/// Every group of up to `most` members of these kinds.
template <class F>
void each_group(const std::vector<kind>& of, unsigned most, F f) {
  std::vector<std::vector<kind>> groups = {{}};
  for (std::size_t done = 0; done < groups.size(); ++done) {
    f(groups[done]);
    if (groups[done].size() == most) continue;
    for (const kind more : of) {
      groups.push_back(groups[done]);
      groups.back().push_back(more);
    }
  }
}

template <class Machine>
void compare_all(const std::vector<kind>& kinds, unsigned most) {
  constexpr target targets[] = {{true, 0}, {true, 1}, {true, 2}, {true, 3}, {false, 9}, {false, 0}, {false, 1}, {false, 2}};
  for (unsigned held = 0; held < 36; ++held)
    each_group(kinds, most, [&](const std::vector<kind>& group) {
      for (const target to : targets)
        for (const start how : {start::disabled, start::enabled})
          compare<Machine>({held % 2, held / 2 % 3, held / 6 % 3, held / 18}, group, to, how);
    });
}

/// One whose owner lock has a shared side.
struct striped : mock::system<2, 4> {
  static constexpr unsigned stripes = 2;
  static unsigned stripe() noexcept { return 1; }
  static void relax() noexcept {}
  void run_on(const cpumask<2>& m, call f, void* argument) noexcept {
    const bool on_the_shared_side = !locked();
    if (on_the_shared_side) lock();
    system::run_on(m, f, argument);
    if (on_the_shared_side) unlock();
  }
};
static_assert(can_share<striped>);

using machine = mock::machine<2, 4>;
using os = mock::system<2, 4>;
using mask = machine::slot_manager::mask;

}  // namespace

TEST_CASE(
    "a group is granted exactly when its members would be, one by one; refused, it names the first, and no byte has changed") {
  compare_all<mock::machine<2, 4>>({kind::data}, 4);
  compare_all<mock::machine<2, 4>>({kind::data, kind::misaligned, kind::busy, kind::twice}, 2);
  compare_all<mock::machine<2, 6, 2>>({kind::data, kind::code}, 3);
  compare_all<mock::machine_of<striped>>({kind::data, kind::busy}, 3);
  compare_all<mock::machine<2, 4, 1, true>>({kind::data, kind::misaligned}, 3);
  CHECK(granted > 1000);
  for (const reason why : {reason::no_slot, reason::misaligned, reason::empty_mask, reason::bad_cpu, reason::already_registered})
    CHECK(refused[static_cast<unsigned>(why)] > 100);
}

TEST_CASE(
    "where writes can fail, whichever does, nothing of the group stays; and none is armed before every address is in place") {
  using poor = mock::machine<2, 4, 1, true>;
  using fault = mock::fault;
  for (const bool of_kernel : {true, false})
    for (const fault how : {fault::refused, fault::dropped, fault::late}) {
      std::string named;  // members that it was refused for
      for (unsigned k = 1;; ++k) {
        auto s = std::make_unique<scene<poor>>();
        REQUIRE(s->hold(0, 0, 1, 0));
        const std::string before = s->text();
        const mask full = s->m.slots.full();
        s->m.forget_log();
        s->m.system().faults().fail(k, how);
        const group_refusal no =
            as_group(*s, {kind::data, kind::data}, of_kernel ? target{true, 3} : target{false, 9}, start::enabled);
        if (!no) {
          REQUIRE(k > 4);
          std::size_t last_address = 0, first_on = ~std::size_t{0};
          for (std::size_t i = 0; i < s->m.log().size(); ++i) {
            const auto& w = s->m.log()[i];
            if (w.which == mock::reg::address) last_address = i;
            if (w.which == mock::reg::control && detail::count_bits(w.value) > 1 && i < first_on) first_on = i;
          }
          REQUIRE(last_address < first_on);
          break;
        }
        REQUIRE(no.why.why == reason::hardware);
        if (const char member = static_cast<char>('0' + no.member); named.empty() || named.back() != member) named += member;
        s->m.system().faults().fail_none();
        REQUIRE(s->text() == before);
        REQUIRE(s->m.slots.full() == full);
        REQUIRE(s->m.consistent());
      }
      CHECK(named == "0101");  // each in its place, then each armed
    }
}

namespace {
/// Counts how often the lock is taken, and keeps what an observer is told.
struct observed : os {
  void lock() noexcept {
    ++locks;
    os::lock();
  }
  void on_verb(const event& e) { told.push_back({e.what, std::string(e.name), e.outcome.why}); }
  struct note {
    verb what;
    std::string name;
    reason why;
    bool operator==(const note&) const = default;
  };
  unsigned locks = 0;
  std::vector<note> told;
};
}  // namespace

TEST_CASE("a group's verbs are one hold of the lock, and act on all; the observer hears of each member") {
  using big = mock::machine_of<observed>;
  static unsigned hits;
  hits = 0;
  const auto count = [](const big::hit&) { ++hits; };
  big m;
  big::kernel_breakpoint a("a", count), b("b", count);
  const kernel_member<observed> group[] = {{&a, {0x1000, 8, access::write}}, {&b, {0x1008, 4, access::write}}};
  const auto once = [&](auto verb) {
    m.system().locks = 0;
    m.system().told.clear();
    const group_refusal no = verb();
    CHECK(m.system().locks == 1);
    return no;
  };
  CHECK(!once([&] { return register_group(m.slots, group, 2); }));
  CHECK(m.system().told == std::vector<observed::note>{{verb::register_breakpoint, "a", reason::granted},
                                                       {verb::register_breakpoint, "b", reason::granted}});
  m.write(0, 0x1000, 16);
  CHECK(hits == 2);
  CHECK(!once([&] { return disable_group(m.slots, group, 2); }));
  m.write(1, 0x1000, 16);
  CHECK(hits == 2);
  CHECK(!once([&] { return enable_group(m.slots, group, 2); }));
  m.write(1, 0x1000, 16);
  CHECK(hits == 4);
  const auto again = once([&] { return register_group(m.slots, group, 2); });
  CHECK(again.why.why == reason::already_registered);
  CHECK(m.system().told == std::vector<observed::note>{{verb::register_breakpoint, "a", reason::already_registered}});

  // One of them has gone: what is refused changes nothing, and leaving is for the rest.
  REQUIRE(!m.slots.unregister_breakpoint(b));
  auto no = once([&] { return disable_group(m.slots, group, 2); });
  CHECK(no.why.why == reason::not_registered);
  CHECK(no.member == 1);
  m.write(0, 0x1000, 8);
  CHECK(hits == 5);
  REQUIRE(!m.slots.disable(a));
  CHECK(once([&] { return enable_group(m.slots, group, 2); }).member == 1);
  m.write(0, 0x1000, 8);
  CHECK(hits == 5);
  no = once([&] { return unregister_group(m.slots, group, 2); });
  CHECK(no.why.why == reason::not_registered);
  CHECK(no.member == 1);
  CHECK(a.idle());
  REQUIRE(!once([&] { return register_group(m.slots, group, 2); }));
  REQUIRE(!m.slots.unregister_breakpoint(a));
  CHECK(once([&] { return unregister_group(m.slots, group, 2); }).member == 0);
  CHECK(b.idle());
  CHECK(m.consistent());
}

TEST_CASE("an empty group is granted, and a task's group goes with the task") {
  machine m;
  CHECK(!register_group(m.slots, static_cast<const kernel_member<os>*>(nullptr), 0));
  machine::task t;
  machine::user_breakpoint a("a", 7), b("b", 8);
  const user_member<os> group[] = {{&a, {0x1000, 8, access::write}}, {&b, {0x1008, 8, access::write}}};
  REQUIRE(!register_group(m.slots, t, group, 2));
  REQUIRE(!m.run(1, t));
  m.write(1, 0x1004, 8);
  CHECK(m.delivered().size() == 2);
  CHECK(!disable_group(m.slots, group, 2));
  m.write(1, 0x1004, 8);
  CHECK(m.delivered().size() == 2);
  m.slots.on_exit(t);
  CHECK(a.idle());
  const auto no = unregister_group(m.slots, group, 2);
  CHECK(no.why.why == reason::not_registered);
  CHECK(no.member == 0);  // the first of two
}
