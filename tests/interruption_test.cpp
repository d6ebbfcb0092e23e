// SPDX-License-Identifier: MIT
// tests/interruption_test.cpp — a debug trap, an NMI or a crash in every gap of every verb: before and after each register write,
// and at each question the core asks about a setting (which is between its reading of a row and its writing of it).
#include <conformance/verbs.hpp>
#include <doctest/doctest.h>
#include <map>
#include <set>
#include <type_traits>

namespace {

using namespace bookend;
using conformance::scenario;
using conformance::scenarios;
using conformance::shelves;

/// Counts the gaps that the core passes, and at one of them lets something else happen. What happens there has gaps of its own,
/// for `then`.
struct interrupter {
  unsigned at = 0;  ///< 1: the first gap; 0: none
  std::function<void(cpu_id)> what;
  interrupter* within = nullptr;  ///< counts while `what` runs
  interrupter* next = nullptr;    ///< goes on counting afterwards
  unsigned seen = 0;
  bool happened = false;
  static inline interrupter* active = nullptr;

  static void gap(cpu_id cpu) noexcept {
    interrupter* const me = active;
    if (me == nullptr || ++me->seen != me->at) return;
    me->happened = true;
    active = me->within;
    me->what(cpu);
    active = me->next;
  }
  /// Runs f with this one counting.
  template <class F>
  void during(F f) {
    active = this;
    f();
    active = nullptr;
  }
};

/// A mock system in which every question that the core asks is a gap, too. Only of a CPU that is under its guard or in a trap:
/// other code works on rows of CPUs that are offline, or on no row.
template <unsigned Cpus, unsigned Slots, unsigned Pools, bool Fallible>
struct porous : mock::system<Cpus, Slots, Pools, Fallible> {
  using base = mock::system<Cpus, Slots, Pools, Fallible>;
  using setting = typename base::setting;
  using control = typename base::control;
  static inline const porous* only = nullptr;

  static constexpr void gap() noexcept {
    if (!std::is_constant_evaluated()) gap_of_the_cpu();
  }
  static void gap_of_the_cpu() noexcept {
    if (only == nullptr) return;
    for (cpu_id cpu = 0; cpu < Cpus; ++cpu)
      if (only->guard_depth(cpu) + only->trap_depth(cpu) != 0) return interrupter::gap(only->this_cpu());
  }
  void post_on(const cpumask<Cpus>& mask) noexcept {
    gap();
    base::post_on(mask);
    gap();
  }
  static constexpr bool same_address(const setting& a, const setting& b) noexcept {
    const bool same = base::same_address(a, b);
    gap();
    return same;
  }
  static constexpr control control_of(const setting (&all)[Slots], slot_mask on) noexcept {
    gap();
    const control c = base::control_of(all, on);
    gap();
    return c;
  }
};

template <unsigned Cpus, unsigned Slots, unsigned Pools, bool Fallible = false>
struct world : conformance::world<mock::machine_of<porous<Cpus, Slots, Pools, Fallible>>> {
  using base = conformance::world<mock::machine_of<porous<Cpus, Slots, Pools, Fallible>>>;
  using typename base::hit;
  using typename base::kernel;
  static constexpr unsigned cpus = Cpus;

  std::vector<std::string> complaints;
  std::vector<std::string> answers;  ///< what each interruption's handler was told

  world() {
    porous<Cpus, Slots, Pools, Fallible>::only = &this->m.system();
    this->m.system().observe({.context = this, .before = &before, .after = &after});
  }
  ~world() { porous<Cpus, Slots, Pools, Fallible>::only = nullptr; }

  static void before(void*, const mock::register_write<Slots>& w) noexcept { interrupter::gap(w.cpu); }
  static void after(void* self, const mock::register_write<Slots>& w) noexcept {
    auto& me = *static_cast<world*>(self);
    if (me.quiet_on == w.cpu && w.which == mock::reg::control && w.value != 0)
      me.complain("a slot is switched on in a quiet scope");
    interrupter::gap(w.cpu);
  }
  void complain(std::string text) { complaints.push_back(std::move(text)); }

  cpu_id quiet_on = ~0U;
};

// What may interrupt.

enum class wish { none, enable, disable, modify, leave };
struct interruption {
  enum { trap, user_trap, nmi, silence, to_task, to_none, here } kind;
  wish what = wish::none;
  unsigned whom = 0;       ///< 0: the breakpoint that hits; 1: the one that the interrupted verb is about; 2: a third
  bool elsewhere = false;  ///< on another CPU than the one in the gap
  bool posted = false;     ///< asked for everywhere, by a post
};

std::string to_text(const interruption& i) {
  static const char* const kinds[] = {"trap", "trap in user mode", "NMI", "silence", "switch", "switch to none", "verb"};
  static const char* const verbs[] = {"", ": enable ", ": disable ", ": modify ", ": unregister "};
  static const char* const names[] = {"o", "s", "t"};
  return std::string(kinds[i.kind]) + (i.posted ? ", post" : "") + verbs[static_cast<unsigned>(i.what)] +
         (i.what == wish::none ? "" : names[i.whom]) + (i.elsewhere ? " on another CPU" : "");
}

template <class World>
refusal post(World& w, wish what, typename World::kernel& b, const request& to) {
  if constexpr (can_post<typename World::system>) {
    auto post = w.m.slots.post();
    if (what == wish::enable) return post.enable(b).why();
    if (what == wish::disable) return post.disable(b).why();
    if (what == wish::modify) return post.modify(b, to).why();
    return post.unregister_breakpoint(b).why();
  }
  return {};
}

/// A verb of one CPU, for a handler or a scheduler there.
template <class View, class Kernel>
refusal act(const View& here, const interruption& i, Kernel& b, const request& to) {
  if (i.what == wish::enable) return here.enable(b);
  if (i.what == wish::disable) return here.disable(b);
  if (i.what == wish::modify) return here.modify(b, to);
  return {};
}

template <class World>
void happen(World& w, const interruption& i, cpu_id cpu, std::size_t number) {
  if (i.elsewhere) cpu = (cpu + 1) % World::cpus;
  typename World::kernel* const targets[] = {&w.o, &w.s, &w.t};
  const request to = w.data(0x5000 + 0x100 * i.whom);
  switch (i.kind) {
    case interruption::trap:
    case interruption::user_trap: {
      w.on_hit = [&](const typename World::hit& h) {
        auto& b = *targets[i.whom];
        if (&h.kernel() != &w.o) w.complain("an access to o's address is taken for another's");
        const refusal no = i.posted ? post(w, i.what, b, to) : act(h.here, i, b, to);
        w.answers[number] = to_string(no.why);
      };
      w.m.set_mode(cpu, i.kind == interruption::trap ? mock::mode::kernel : mock::mode::user);
      (void)w.m.write(cpu, 0x1000, 8);
      w.m.set_mode(cpu, mock::mode::kernel);
      w.on_hit = nullptr;
      if (w.answers[number].empty()) w.answers[number] = "-";
      break;
    }
    case interruption::nmi: {
      const cpu_id outer = w.quiet_on;
      w.m.nmi(cpu, [&] {
        w.quiet_on = cpu;
        if (w.m.system().bank(cpu).control().on != 0) w.complain("something is on in a quiet scope");
        for (std::uint64_t address :
             {0x1000U, 0x2000U, 0x2800U, 0x3000U, 0x5000U, 0x5100U, 0x6660U, 0x8000U, 0x8100U, 0x8800U, 0x9000U})
          if (w.m.write(cpu, address, 8) != 0) w.complain("a debug trap in a quiet scope");
        w.quiet_on = outer;
      });
      break;
    }
    case interruption::silence:
      w.m.slots.on(cpu).silence();
      if (w.m.system().bank(cpu).control().on != 0) w.complain("something is on when silence() returns");
      break;
    case interruption::to_task:
      (void)w.m.run(cpu, w.tasks[1]);
      break;
    case interruption::to_none:
      (void)w.m.idle(cpu);
      break;
    case interruption::here:
      w.answers[number] = to_string(w.m.guarded(cpu, [&](const auto& view) { return act(view, i, *targets[i.whom], to); }).why);
      break;
  }
}

/// What the world looks like when all that was posted has arrived: the same text is the same outcome.
template <class World>
std::string outcome(World& w, const refusal& no) {
  if constexpr (can_post<typename World::system>) {
    w.m.deliver();
    w.m.slots.reap();
    if (w.m.system().posted().any()) w.complain("an answer has asked again");
  }
  std::string text = std::string(to_string(no.why)) + '\n';
  for (const auto& answer : w.answers) text += "told: " + answer + '\n';
  return text + shelves(w);
}

/// The registers are as the rows say, and hits go where the rows say.
template <class World>
void look_for_litter(World& w) {
  if (const auto bad = w.m.difference()) w.complain(std::string("slot ") + std::to_string(bad.slot) + " " + bad.what);
  if (const auto bad = conformance::misdirected(w); !bad.empty()) w.complain(bad);
}

/// The outcomes of the verb and the interruptions one after the other, in every order.
template <class World>
class orders {
 public:
  struct event {
    cpu_id where = 0;       ///< the CPU in whose gap it happened
    std::string instead{};  ///< not empty: it came to nothing, and its handler was told this
    friend auto operator<=>(const event&, const event&) = default;
  };
  orders(const scenario<World>& s, const std::vector<interruption>& all) : scenario_(s), all_(all) {}

  const std::set<std::string>& allowed(const std::vector<event>& events) {
    auto& known = known_[events];
    if (!known.empty()) return known;
    for (unsigned verb_at = 0; verb_at <= all_.size(); ++verb_at)
      for (bool swapped : {false, true}) {
        if (swapped && all_.size() < 2) continue;
        World w;
        scenario_.set_up(w);
        w.answers.resize(all_.size());
        refusal no;
        for (unsigned i = 0; i <= all_.size(); ++i) {
          if (i == verb_at) no = scenario_.verb(w);
          if (i == all_.size()) break;
          const unsigned n = swapped ? 1 - i : i;
          if (events[n].instead.empty())
            happen(w, all_[n], events[n].where, n);
          else
            w.answers[n] = events[n].instead;
        }
        known.insert(outcome(w, no));
      }
    return known;
  }

 private:
  const scenario<World>& scenario_;
  const std::vector<interruption>& all_;
  std::map<std::vector<event>, std::set<std::string>> known_;
};

/// What an answer in a gap means for the order: refused as would_block, or never asked because the whole CPU was off, it changes
/// nothing. `hits_count`: it was not in a quiet scope.
template <class World>
typename orders<World>::event event_of(World& w, const scenario<World>& s, const interruption& i, cpu_id where, std::size_t n,
                                       bool hits_count) {
  auto& answer = w.answers[n];
  const bool blocked = answer == "would_block";
  const bool may_block = i.posted ? i.whom == 1 && conformance::claims_s(s) : i.what == wish::modify && !i.elsewhere;
  if (blocked && !may_block) w.complain("refused as would_block, where nothing may be");
  if (answer == "-" && s.others_stay && hits_count) w.complain("a hit of a bystander is lost");
  return {where, blocked || answer == "-" ? answer : ""};
}

/// What came of a verb and of what interrupted it must be what comes of them in some order.
template <class World>
bool check_order(World& w, const scenario<World>& s, orders<World>& expected, const std::vector<interruption>& all,
                 const std::vector<cpu_id>& where, const refusal& no, const std::string& gaps, bool inside = false) {
  std::vector<typename orders<World>::event> events;
  std::string what;
  for (std::size_t n = 0; n < all.size(); ++n) {
    events.push_back(event_of(w, s, all[n], where[n], n, n == 0 || !inside));
    what += ", " + to_text(all[n]);
  }
  const std::string got = outcome(w, no);
  if (expected.allowed(events).count(got) == 0) {
    std::string text = "in no order do they come to\n" + got;
    for (const auto& either : expected.allowed(events)) text += "but to\n" + either;
    w.complain(text);
  }
  look_for_litter(w);
  INFO(std::string(s.name) << ", gap " << gaps << what);
  for (const auto& text : w.complaints) FAIL_CHECK(text);
  return w.complaints.empty();
}

/// What a handler has posted off is silent on its CPU when the verb that it interrupted is over, not only when that CPU answers.
template <class World>
void look_for_what_is_off(World& w, const scenario<World>& s, const interruption& i, cpu_id cpu) {
  if (!i.posted || (i.what != wish::disable && i.what != wish::leave) || w.answers[0] != "granted") return;
  if (i.whom == 1 && conformance::claims_s(s)) return;  // the verb may come after it
  if (i.elsewhere) cpu = (cpu + 1) % World::cpus;
  const std::set<std::uint64_t> watched[] = {{0x1000}, {0x2000, 0x2800}, {0x3000}};
  const auto& bank = w.m.system().bank(cpu);
  for (slot_id slot = 0; slot < World::slots; ++slot)
    if ((bank.control().on >> slot & 1) != 0 && watched[i.whom].count(bank.address(slot)) != 0)
      w.complain("what a handler has posted off is on");
}

template <class World>
void check_one_gap(const scenario<World>& s, const interruption& i, unsigned& runs) {
  const std::vector<interruption> all{i};
  orders<World> expected(s, all);
  for (unsigned at = 1;; ++at) {
    World w;
    s.set_up(w);
    w.answers.resize(1);
    cpu_id where = 0;
    interrupter gap{.at = at, .what = [&](cpu_id cpu) { happen(w, i, where = cpu, 0); }};
    refusal no;
    gap.during([&] { no = s.verb(w); });
    if (!gap.happened) return;
    ++runs;
    look_for_what_is_off(w, s, i, where);
    if (!check_order(w, s, expected, all, {where}, no, std::to_string(at))) return;
  }
}

/// The second interruption comes `distance` gaps after the first, in the verb; or `inside` the first, in each of its gaps.
template <class World>
void check_two_gaps(const scenario<World>& s, const interruption& first, const interruption& second, bool inside,
                    unsigned& runs) {
  const std::vector<interruption> all{first, second};
  orders<World> expected(s, all);
  for (unsigned at = 1;; ++at)
    for (unsigned then = 1;; ++then) {
      World w;
      s.set_up(w);
      w.answers.resize(2);
      std::vector<cpu_id> where(2);
      interrupter two{.at = then, .what = [&](cpu_id cpu) { happen(w, second, where[1] = cpu, 1); }};
      interrupter one{.at = at, .what = [&](cpu_id cpu) { happen(w, first, where[0] = cpu, 0); }};
      (inside ? one.within : one.next) = &two;
      refusal no;
      one.during([&] { no = s.verb(w); });
      if (!one.happened) return;
      if (!two.happened) break;
      ++runs;
      if (!check_order(w, s, expected, all, where, no, std::to_string(at) + " and " + std::to_string(then), inside)) return;
      if (!inside && then == 3) break;
    }
}

template <class World>
std::vector<interruption> everything() {
  std::vector<interruption> all;
  for (bool elsewhere : {false, true}) {
    if (elsewhere && World::cpus < 2) break;
    all.push_back({.kind = interruption::trap, .elsewhere = elsewhere});
    for (wish what : {wish::enable, wish::disable, wish::modify})
      for (unsigned whom = 0; whom < 3; ++whom) all.push_back({interruption::trap, what, whom, elsewhere});
    for (wish what : {wish::enable, wish::disable, wish::modify, wish::leave})
      for (unsigned whom = 0; whom < 3; ++whom) all.push_back({interruption::trap, what, whom, elsewhere, true});
    all.push_back({.kind = interruption::nmi, .elsewhere = elsewhere});
    all.push_back({.kind = interruption::silence, .elsewhere = elsewhere});
  }
  if (World::cpus < 2) return all;
  for (wish what : {wish::disable, wish::modify}) all.push_back({interruption::user_trap, what, 1, true});
  // What the guard keeps away from the CPU in the gap goes on on another.
  all.push_back({.kind = interruption::to_task, .elsewhere = true});
  all.push_back({.kind = interruption::to_none, .elsewhere = true});
  for (wish what : {wish::enable, wish::disable, wish::modify})
    for (unsigned whom = 0; whom < 3; ++whom) all.push_back({interruption::here, what, whom, true});
  return all;
}

template <class World>
void check_every_gap() {
  unsigned runs = 0;
  for (const auto& s : scenarios<World>())
    for (const auto& i : everything<World>())
      if (i.kind != interruption::to_task || !std::string(s.name).starts_with("switch"))  // a task runs on one CPU
        check_one_gap<World>(s, i, runs);
  MESSAGE("counted: " << runs << " interrupted verbs");
  CHECK(runs > 1000);
}

/// In every gap, touches all that the verb or its neighbours watch: who is told must be one who watches that before the verb or
/// after it, as it was or as it will be, never a mixture of the two.
template <class World>
void check_attribution(const scenario<World>& s, unsigned& runs) {
  const auto of_slot = [](const std::string& name, const request& q, std::uint32_t generation) {
    std::ostringstream text;
    text << name << '@' << std::hex << q.address << '/' << q.length << '#' << generation;
    return text.str();
  };
  std::set<std::string> known;
  const auto learn = [&](World& w) {
    for (cpu_id cpu = 0; cpu < World::cpus; ++cpu)
      for (const auto& slot : w.m.slots.snapshot(cpu).slots)
        if (slot.on) known.insert(of_slot(slot.name, slot.watched, slot.generation));
  };
  {
    World w;
    s.set_up(w);
    learn(w);
    (void)s.verb(w);
    learn(w);
  }
  for (unsigned at = 1;; ++at) {
    World w;
    s.set_up(w);
    interrupter gap{.at = at, .what = [&](cpu_id cpu) {
                      std::uint64_t address = 0;
                      const auto told = [&](const std::string& name, const request& q, std::uint32_t generation) {
                        const std::string text = of_slot(name, q, generation);
                        if (known.count(text) == 0) w.complain(text + " is told, which there never is");
                        if (!q.bytes().overlaps({address, 8})) w.complain(text + " is told of an access that it does not watch");
                      };
                      w.on_hit = [&](const typename World::hit& h) { told(h.kernel().name(), h.watched(), h.generation); };
                      for (std::uint64_t a : {0x500U, 0x1000U, 0x2000U, 0x2800U, 0x3000U, 0x4000U, 0x6660U, 0x8000U, 0x8100U,
                                              0x8800U, 0x9000U, 0x9100U}) {
                        address = a;
                        const auto before = w.m.delivered().size();
                        (void)w.m.write(cpu, a, 8);
                        for (auto i = before; i < w.m.delivered().size(); ++i) {
                          const auto& d = w.m.delivered()[i].hit;
                          const auto& from = d.cookie < 20 ? w.u : w.v;
                          told(from[d.cookie % 10].name(), World::system::decode(d.setting), d.generation);
                        }
                      }
                      w.on_hit = nullptr;
                    }};
    gap.during([&] { (void)s.verb(w); });
    if (!gap.happened) return;
    ++runs;
    look_for_litter(w);
    INFO(std::string(s.name) << ", gap " << at);
    for (const auto& text : w.complaints) FAIL_CHECK(text);
    if (!w.complaints.empty()) return;
  }
}

/// The write after the interruption fails, once. The verb may be refused then; what the handler asked for stands.
template <class World>
void check_failing_gap(const scenario<World>& s, const interruption& i, unsigned& runs) {
  const std::vector<interruption> all{i};
  orders<World> expected(s, all);
  // Only what it comes to: a handler may have found a breakpoint that is not to stay.
  const auto shelves_of = [](const std::string& text) { return text.substr(text.find("cpu 0")); };
  for (unsigned at = 1;; ++at) {
    World w;
    s.set_up(w);
    w.answers.resize(1);
    cpu_id where = 0;
    interrupter gap{.at = at, .what = [&](cpu_id cpu) {
                      happen(w, i, where = cpu, 0);
                      w.m.system().faults().fail(1);
                    }};
    refusal no;
    gap.during([&] { no = s.verb(w); });
    if (!gap.happened) return;
    w.m.system().faults().fail_none();
    ++runs;
    auto event = event_of(w, s, i, where, 0, false);
    if (no && w.answers[0] != "granted") event.instead = w.answers[0];  // the verb was half done, and made it impossible
    std::set<std::string> allowed;
    for (const auto& text : expected.allowed({event})) allowed.insert(shelves_of(text));
    if (no) {
      World v;
      s.set_up(v);
      v.answers.resize(1);
      happen(v, i, where, 0);
      if (!event.instead.empty()) {
        World u;
        s.set_up(u);
        u.answers = {event.instead};
        allowed.insert(shelves_of(outcome(u, {})));
      } else {
        allowed.insert(shelves_of(outcome(v, {})));
      }
    }
    const std::string got = shelves_of(outcome(w, no));
    if (allowed.count(got) == 0) {
      std::string text = std::string(to_string(no.why)) + ": in no order do they come to\n" + got;
      for (const auto& either : allowed) text += "but to\n" + either;
      w.complain(text);
    }
    (void)w.m.slots.enable(w.o);  // a write that works: whatever could not be written before is now
    look_for_litter(w);
    INFO(std::string(s.name) << ", gap " << at << ", " << to_text(i) << ", then a failure");
    for (const auto& text : w.complaints) FAIL_CHECK(text);
    if (!w.complaints.empty()) return;
  }
}

template <class World>
void check_pairs(bool inside) {
  const interruption some[] = {{.kind = interruption::nmi},
                               {interruption::trap, wish::enable, 1},
                               {interruption::trap, wish::disable, 1},
                               {interruption::trap, wish::modify, 1},
                               {interruption::trap, wish::modify, 1, false, true}};
  unsigned runs = 0;
  for (const auto& s : scenarios<World>())
    for (const auto& first : some)
      for (const auto& second : some)
        if (!inside || second.kind == interruption::nmi || first.kind == interruption::nmi)
          check_two_gaps<World>(s, first, second, inside, runs);
  MESSAGE("counted: " << runs << " interrupted verbs");
  CHECK(runs > 1000);
}

}  // namespace

TEST_CASE("whatever interrupts a verb on one CPU comes before it or after it") { check_every_gap<world<1, 4, 1>>(); }
TEST_CASE("whatever interrupts a verb on two CPUs, on either, comes before it or after it") { check_every_gap<world<2, 4, 1>>(); }
TEST_CASE("two pools: the same") { check_every_gap<world<1, 8, 2>>(); }
TEST_CASE("a shelf that is nearly full: the same") { check_every_gap<world<1, 2, 1>>(); }
TEST_CASE("two interruptions, one after the other: the three come in some order") { check_pairs<world<1, 4, 1>>(false); }
TEST_CASE("two interruptions, one inside the other: the three come in some order") { check_pairs<world<1, 8, 2>>(true); }
TEST_CASE_TEMPLATE("a hit in any gap is told to one who watches that, before the verb or after it", W, world<2, 4, 1>,
                   world<1, 8, 2>) {
  unsigned runs = 0;
  for (const auto& s : scenarios<W>()) check_attribution<W>(s, runs);
  MESSAGE("counted: " << runs << " interrupted verbs");
  CHECK(runs > 100);
}
TEST_CASE("registers that are lent or silenced hit for somebody else") {
  for (bool lent : {false, true}) {
    world<1, 4, 1> w;
    w.put(w.o, 0x1000);
    w.m.guarded(0, [&](auto view) { lent ? (void)view.lend() : view.silence(); });
    auto& bank = w.m.system().bank(0);
    bank.set_address(3, 0x6660);  // a guest's, in o's slot
    mock::control<4> on{.on = 8};
    on.kind[3] = mock::kind_of(3, static_cast<unsigned>(mock::touch::write));
    bank.set_control(on);
    bool told = false;
    w.on_hit = [&](const auto&) { told = true; };
    CHECK(w.m.write(0, 0x6660, 8) == 1);
    CHECK_FALSE(told);
    CHECK(w.m.last_trap(0).handled == 0);
    bank.set_control({});
  }
}

// On the CPU whose write fails, what a handler asked for in between goes back with the verb (hit.hpp).
TEST_CASE_TEMPLATE("what a handler asks for stands, though the verb fails on another CPU", W, world<2, 4, 1, true>,
                   world<2, 8, 2, true>) {
  unsigned runs = 0;
  for (const auto& s : scenarios<W>())
    for (wish what : {wish::enable, wish::disable, wish::modify})
      if (s.others_stay) check_failing_gap<W>(s, {interruption::trap, what, 1, true}, runs);
  MESSAGE("counted: " << runs << " interrupted verbs");
  CHECK(runs > 500);
}
