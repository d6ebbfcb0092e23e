// SPDX-License-Identifier: MIT
// tests/priority_test.cpp — by_priority: who is granted what, who makes way and who comes back, against a model that asks the
// exactness oracle; then what the evicted keep, and what a failing register leaves.
#include <bookend/by_priority.hpp>
#include <bookend/mock/machine.hpp>
#include <algorithm>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <oracle/fits.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace bookend;

std::vector<std::string> told;

template <unsigned Cpus, unsigned Slots, unsigned Pools, bool Fallible = false>
struct world {
  using os = mock::system<Cpus, Slots, Pools, Fallible>;
  using slots_type = by_priority<os>;
  using machine = mock::machine_of<os, slots_type>;
  using kernel = typename slots_type::kernel_breakpoint;
  using user = typename slots_type::user_breakpoint;
  using task = typename slots_type::task;
  using mask = cpumask<Cpus>;

  static void kernel_told(kernel& b, seat s) { told.push_back((s == seat::lost ? "lost " : "back ") + std::string(b.name())); }
  static void user_told(user& b, seat s) { told.push_back((s == seat::lost ? "lost " : "back ") + std::string(b.name())); }
  static void handler(const typename slots_type::hit&) {}
  static request watch(unsigned pool, std::uint64_t at) {
    return {at, 1, Pools == 2 && pool == 0 ? access::execute : access::write};
  }
};

/// What the model knows of a breakpoint.
struct item {
  std::string name;
  bool is_kernel, may_go;
  int rank;
  bool registered = false, seated = false, on = false;
  unsigned age = 0, pool = 0, also = ~0U;  // also: a second pool, while it changes
  std::set<unsigned> cpus{};               // a kernel breakpoint's
  unsigned of = 0, where = 0;              // a user's: task, and 0 or cpu + 1
  unsigned index = 0;
};

/// Where choices come from: below n.
using dice = std::function<unsigned(unsigned n)>;

/// `each`: so many kernel and so many user breakpoints.
template <class W, unsigned Cpus, unsigned Slots, unsigned Pools>
class walk {
 public:
  static constexpr unsigned tasks = 2;
  walk(dice from, unsigned number_of_each) : each(number_of_each), roll(std::move(from)) {
    told.clear();
    for (unsigned i = 0; i < 2 * each; ++i) {
      item it{.name = (i < each ? "k" : "u") + std::to_string(i),
              .is_kernel = i < each,
              .may_go = roll(4) != 0,
              .rank = static_cast<int>(roll(4)) - 1};
      items_.push_back(it);
    }
    for (unsigned i = 0; i < each; ++i) {
      const item &k = items_[i], &u = items_[each + i];
      kernels_.push_back(
          std::make_unique<typename W::kernel>(k.name.c_str(), &W::handler, k.rank, k.may_go ? &W::kernel_told : nullptr));
      users_.push_back(std::make_unique<typename W::user>(u.name.c_str(), u.rank, u.may_go ? &W::user_told : nullptr));
    }
    (void)m_.run(0, tasks_[0]);
  }
  ~walk() {
    for (auto& t : tasks_) m_.slots.on_exit(t);
    for (auto& k : kernels_)
      if (!k->idle()) (void)m_.slots.unregister_breakpoint(*k);
    for (unsigned c = 0; c < Cpus; ++c) (void)m_.idle(c);
  }
  unsigned evictions = 0, returns = 0, refusals = 0, grants = 0;
  std::string said;

  std::string step() {
    told.clear();
    expected_.clear();
    const unsigned i = roll(2 * each);
    item& it = items_[i];
    const unsigned pool = roll(Pools);
    refusal no;
    bool good = true;
    const unsigned what = roll(6);
    said = it.name + " verb " + std::to_string(what);
    switch (what) {
      case 0: {
        if (it.registered) break;
        item wants = it;
        wants.registered = wants.seated = true;
        wants.on = roll(2) != 0;
        wants.pool = pool;
        wants.age = ++clock_;
        const auto how = wants.on ? start::enabled : start::disabled;
        if (it.is_kernel) {
          wants.cpus = some_cpus();
          no = m_.slots.register_breakpoint(*kernels_[i], W::watch(pool, 0x1000 + 16 * i), mask_of(wants.cpus), how);
        } else {
          wants.of = roll(tasks);
          wants.where = roll(3) == 0 ? 1 + roll(Cpus) : 0;
          auto& b = *users_[i - each];
          const request q = W::watch(pool, 0x1000 + 16 * i);
          no = wants.where == 0 ? m_.slots.register_breakpoint(b, tasks_[wants.of], q, how)
                                : m_.slots.register_breakpoint(b, tasks_[wants.of], q, pinned{wants.where - 1}, how);
          wants.index = b.index();
        }
        good = granted(it, wants);
        if (good) it = wants;
        break;
      }
      case 1:
        no = on_it(i, [&](auto& b) { return m_.slots.unregister_breakpoint(b); });
        good = it.registered;
        it.registered = it.seated = false;
        break;
      case 2:
        no = on_it(i, [&](auto& b) { return m_.slots.disable(b); });
        good = it.registered, it.on = false;
        break;
      case 3:
        no = on_it(i, [&](auto& b) { return m_.slots.enable(b); });
        good = it.registered, it.on = good;
        break;
      case 4: {
        no = on_it(i, [&](auto& b) { return m_.slots.modify(b, W::watch(pool, 0x1000 + 16 * i + roll(2))); });
        item wants = it;
        if (it.pool != pool) wants.also = pool;
        good = it.registered && (!it.seated || granted(it, wants));
        if (good) it.pool = pool;
        break;
      }
      default:
        if (it.is_kernel) {
          item wants = it;
          const auto to = some_cpus();
          no = m_.slots.move(*kernels_[i], mask_of(to));
          if (it.seated)
            wants.cpus.insert(to.begin(), to.end());
          else
            wants.cpus = to;
          wants.seated = true;
          good = it.registered && granted(it, wants);
          if (good) it.cpus = to, it.seated = true;
        } else if (roll(6) == 0) {
          const unsigned t = roll(tasks);
          m_.slots.on_exec(tasks_[t]);
          for (item& other : items_)
            if (!other.is_kernel && other.of == t) other.registered = other.seated = false;
        }
    }
    if (good) come_back();
    good ? ++grants : ++refusals;
    if (static_cast<bool>(no) == good) return it.name + (good ? " is refused" : " is granted");
    return check();
  }

 private:
  const unsigned each;
  const dice roll;
  std::set<unsigned> some_cpus() {
    std::set<unsigned> s{roll(Cpus)};
    for (unsigned c = 0; c < Cpus; ++c)
      if (roll(2) != 0) s.insert(c);
    return s;
  }
  static typename W::mask mask_of(const std::set<unsigned>& s) {
    typename W::mask m;
    for (unsigned c : s) m.set(c);
    return m;
  }
  template <class F>
  refusal on_it(unsigned i, F f) {
    return i < each ? f(*kernels_[i]) : f(*users_[i - each]);
  }

  // The model.

  static bool fit(const std::vector<const item*>& all) {
    for (unsigned pool = 0; pool < Pools; ++pool)
      for (unsigned c = 0; c < Cpus; ++c) {
        unsigned kernel = 0;
        std::vector<unsigned> of(tasks);
        for (const item* i : all) {
          const unsigned n = (i->pool == pool) + (i->also == pool);
          if (i->is_kernel)
            kernel += i->cpus.count(c) != 0 ? n : 0;
          else if (i->where == 0 || i->where == c + 1)
            of[i->of] += n;
        }
        if (!oracle::fits(Slots / Pools, kernel, of)) return false;
      }
    return true;
  }
  static bool before(const item* a, const item* b) { return a->rank != b->rank ? a->rank > b->rank : a->age < b->age; }
  /// Is `wants` granted in place of `it`? Evicts whom it must.
  bool granted(const item& it, const item& wants) {
    std::vector<const item*> stay, all{&wants};
    std::vector<item*> may;
    for (item& i : items_) {
      if (&i == &it || !i.seated) continue;
      all.push_back(&i);
      i.may_go&& i.rank < wants.rank ? may.push_back(&i) : stay.push_back(&i);
    }
    if (fit(all)) return true;
    stay.push_back(&wants);
    if (!fit(stay)) return false;
    std::sort(may.begin(), may.end(), before);
    for (item* i : may) {
      stay.push_back(i);
      if (fit(stay)) continue;
      stay.pop_back();
      i->seated = false;
      expected_.push_back("lost " + i->name);
      ++evictions;
    }
    return true;
  }
  void come_back() {
    std::vector<item*> away;
    for (item& i : items_)
      if (i.registered && !i.seated) away.push_back(&i);
    std::sort(away.begin(), away.end(), before);
    for (item* i : away) {
      std::vector<const item*> all{i};
      for (const item& other : items_)
        if (other.seated) all.push_back(&other);
      if (!fit(all)) continue;
      i->seated = true;
      expected_.push_back("back " + i->name);
      ++returns;
    }
  }

  std::string check() {
    if (told != expected_) {
      std::string text = "told:";
      for (const auto& t : told) text += " " + t;
      text += "; not:";
      for (const auto& t : expected_) text += " " + t;
      return text;
    }
    for (unsigned i = 0; i < 2 * each; ++i) {
      const item& it = items_[i];
      const bool seated = i < each ? kernels_[i]->seated() : users_[i - each]->seated();
      const bool idle = i < each ? kernels_[i]->idle() : users_[i - each]->idle();
      if (seated != it.seated || idle == it.registered) return it.name + " is not as it should be";
      if (!it.is_kernel && seated && users_[i - each]->index() != it.index) return it.name + " has another index";
    }
    for (unsigned c = 0; c < Cpus; ++c) {
      std::multiset<std::string> shown, wanted;
      for (const auto& slot : m_.slots.snapshot(c).slots)
        if (slot.state != slot_state::free) shown.insert(slot.name + std::string(slot.on ? " on" : ""));
      for (const item& it : items_) {
        if (!it.seated) continue;
        const bool here = it.is_kernel ? it.cpus.count(c) != 0 : c == 0 && it.of == 0 && (it.where == 0 || it.where == 1);
        if (here) wanted.insert(it.name + (it.on ? " on" : ""));
      }
      if (shown != wanted) {
        std::string text = "cpu " + std::to_string(c) + " shows";
        for (const auto& s : shown) text += " " + s;
        text += "; not";
        for (const auto& s : wanted) text += " " + s;
        return text;
      }
    }
    return m_.consistent() ? "" : "the registers are not as shown";
  }

  typename W::machine m_;
  typename W::task tasks_[tasks];
  std::vector<item> items_;
  std::vector<std::unique_ptr<typename W::kernel>> kernels_;
  std::vector<std::unique_ptr<typename W::user>> users_;
  std::vector<std::string> expected_;
  unsigned clock_ = 0;
};

struct tally {
  unsigned verbs = 0, evictions = 0, returns = 0;
  template <class Walk>
  void add(const Walk& w) {
    verbs += w.grants + w.refusals, evictions += w.evictions, returns += w.returns;
  }
  void tell() const {
    MESSAGE("counted: " << verbs << " verbs by priority");
    MESSAGE(evictions << " evicted, " << returns << " came back");
    CHECK(evictions > 40);
    CHECK(returns > 40);
  }
};

template <unsigned Cpus, unsigned Slots, unsigned Pools>
void walks(unsigned seeds, unsigned steps) {
  tally all;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    std::minstd_rand random(seed);
    walk<world<Cpus, Slots, Pools>, Cpus, Slots, Pools> w([&](unsigned n) { return static_cast<unsigned>(random() / 7 % n); }, 7);
    for (unsigned i = 0; i < steps; ++i) {
      CAPTURE(seed);
      CAPTURE(i);
      REQUIRE_MESSAGE(w.step() == "", w.said);
    }
    all.add(w);
  }
  all.tell();
}

/// Every choice that there is in so many steps, for one breakpoint of the kernel and one of a task; ranks and callbacks are
/// given.
template <unsigned Cpus, unsigned Slots, unsigned Pools>
void every(unsigned steps, const std::vector<unsigned>& given) {
  tally all;
  std::vector<std::pair<unsigned, unsigned>> choices;  // taken, and out of how many
  std::string wrong;
  do {
    std::size_t at = 0;
    walk<world<Cpus, Slots, Pools>, Cpus, Slots, Pools> w(
        [&](unsigned n) {
          if (at < given.size()) return given[at++];
          const std::size_t i = at++ - given.size();
          if (i == choices.size()) choices.emplace_back(0, n);
          return choices[i].first;
        },
        1);
    for (unsigned i = 0; i < steps && wrong.empty(); ++i) wrong = w.step();
    all.add(w);
    while (!choices.empty() && ++choices.back().first == choices.back().second) choices.pop_back();
  } while (!choices.empty() && wrong.empty());
  CHECK(wrong == "");
  all.tell();
}

}  // namespace

TEST_CASE("who is granted, who makes way and who comes back: as the model says, one CPU") { walks<1, 3, 1>(40, 400); }
TEST_CASE("three CPUs") { walks<3, 3, 1>(40, 400); }
TEST_CASE("two pools") { walks<2, 4, 2>(40, 400); }
TEST_CASE("every choice of three steps: the kernel may evict the task, or the task the kernel") {
  every<1, 1, 1>(3, {1, 0, 1, 2});  // may go, rank: of the kernel's, of the task's
  every<1, 1, 1>(3, {1, 2, 1, 0});
}

using one = world<1, 2, 1>;
struct scene : one {
  machine m;
  kernel low{"low", &handler, 1, &kernel_told}, high{"high", &handler, 2}, rock{"rock", &handler, 1};
  user mine{"mine", 1, &user_told, 7}, heir{"heir", 1, &user_told, 8}, other{"other", 3};
  task parent, child;
  scene() { told.clear(); }
  ~scene() {
    for (auto* t : {&parent, &child}) m.slots.on_exit(*t);
    for (auto* b : {&low, &high, &rock})
      if (!b->idle()) (void)m.slots.unregister_breakpoint(*b);
    (void)m.idle(0);
  }
  static constexpr request at(std::uint64_t address) { return {address, 8, access::write}; }
};

std::string said() {
  std::string text;
  for (const auto& t : std::exchange(told, {})) text += (text.empty() ? "" : ", ") + t;
  return text;
}

TEST_CASE_FIXTURE(scene, "of equals the oldest stays, and who is evicted does not hit until it is back") {
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x2000)));
  (void)m.run(0, parent);
  REQUIRE_FALSE(m.slots.register_breakpoint(other, parent, at(0x3000)));
  CHECK(said() == "lost low");
  CHECK((!low.seated() && mine.seated() && other.seated()));
  CHECK(m.write(0, 0x2000, 8) == 0);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(mine));
  CHECK(said() == "back low");
  CHECK(m.write(0, 0x2000, 8) == 1);
}
TEST_CASE_FIXTURE(scene, "the evicted keep what they were told to be, and become what they are asked to become") {
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x1000)));
  (void)m.run(0, parent);
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x2000), cpumask<1>::all(), start::disabled));
  const unsigned index = mine.index();
  REQUIRE_FALSE(m.slots.register_breakpoint(high, at(0x5000)));
  CHECK(said() == "lost low");
  CHECK(m.slots.register_breakpoint(rock, at(0x6000)).why == reason::no_slot);  // no higher than `mine`
  REQUIRE_FALSE(m.slots.unregister_breakpoint(high));
  CHECK(said() == "back low");
  CHECK(m.write(0, 0x2000, 8) == 0);  // disabled, as it was
  REQUIRE_FALSE(m.slots.unregister_breakpoint(low));

  kernel strong{"strong", &handler, 5}, stronger{"stronger", &handler, 6};
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x5000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(stronger, at(0x6000)));
  CHECK(said() == "lost mine");
  CHECK_FALSE(mine.idle());
  CHECK(m.slots.register_breakpoint(mine, parent, at(0x1000)).why == reason::already_registered);
  CHECK(m.slots.modify(mine, {0x1001, 8, access::write}).why == reason::misaligned);
  REQUIRE_FALSE(m.slots.modify(mine, at(0x7000)));
  REQUIRE_FALSE(m.slots.disable(mine));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  CHECK(said() == "back mine");
  CHECK(mine.index() == index);
  CHECK(m.write(0, 0x7000, 8) == 0);
  REQUIRE_FALSE(m.slots.enable(mine));
  CHECK(m.write(0, 0x7000, 8) == 1);
  CHECK(m.delivered().back().hit.index == index);
  CHECK(m.write(0, 0x1000, 8) == 0);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(stronger));
}
TEST_CASE_FIXTURE(scene, "an index is kept for who is evicted: nobody of its task is known by it meanwhile") {
  kernel strong{"strong", &handler, 5};
  REQUIRE_FALSE(m.slots.register_breakpoint(other, parent, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x2000)));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(other));
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x3000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x4000)));
  CHECK(said() == "lost mine");
  REQUIRE_FALSE(m.slots.unregister_breakpoint(rock));
  CHECK(said() == "back mine");
  CHECK(mine.index() == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  // The other way round: its number would be the lowest that is free.
  REQUIRE_FALSE(m.slots.unregister_breakpoint(mine));
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x2000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x3000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(other, parent, at(0x1000)));
  CHECK(said() == "lost mine");
  CHECK(other.index() == 1);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(rock));
  CHECK(said() == "back mine");
  CHECK((mine.index() == 0 && other.index() == 1));
}
TEST_CASE_FIXTURE(scene, "who gave no callback is never evicted, and a refusal counts those who cannot be") {
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x2000)));
  kernel strong{"strong", &handler, 9}, strongest{"strongest", &handler, 10};
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x3000)));
  CHECK(said() == "lost low");
  const auto before = m.slots.snapshot(0);
  m.forget_log();
  const refusal no = m.slots.register_breakpoint(strongest, at(0x4000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.cpu == 0);
  CHECK(no.kernel_held == 2);
  CHECK(m.log().empty());
  CHECK(m.slots.snapshot(0).slots[0].generation == before.slots[0].generation);
  CHECK((said() == "" && strong.seated() && rock.seated()));
  for (auto* b : {&strong, &strongest})
    if (!b->idle()) (void)m.slots.unregister_breakpoint(*b);
}
TEST_CASE_FIXTURE(scene, "a refusal counts the task's own, wide and pinned") {
  REQUIRE_FALSE(m.slots.register_breakpoint(other, parent, at(0x1000), pinned{0}));
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x2000)));
  const refusal no = m.slots.register_breakpoint(mine, parent, at(0x3000));
  CHECK(no.why == reason::no_slot);
  CHECK(no.user_held == 1);
  CHECK(no.kernel_held == 1);
  CHECK(m.slots.register_breakpoint(mine, parent, at(0x3000), pinned{1}).why == reason::bad_cpu);
}
TEST_CASE_FIXTURE(scene, "a child inherits what is evicted, too, and both come back") {
  kernel strong{"strong", &handler, 5};
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x2000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x3000)));
  CHECK(said() == "lost mine");
  m.slots.on_fork(parent, child, [&](const user& b) { return &b == &mine ? &heir : nullptr; });
  CHECK((said() == "" && !heir.idle() && !heir.seated()));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  CHECK(said() == "back mine, back heir");
  (void)m.run(0, child);
  CHECK(m.write(0, 0x2000, 8) == 1);
  CHECK(m.delivered().back().hit.cookie == 8);
  m.slots.on_exit(child);
  CHECK(heir.idle());
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x3000)));
  CHECK(said() == "lost mine");
  m.slots.on_exec(parent);
  CHECK(mine.idle());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  CHECK(said() == "");
}
TEST_CASE("what a child inherits of an evicted one is pinned where that is") {
  using w = world<2, 1, 1>;
  told.clear();
  w::machine m;
  w::kernel strong{"strong", &w::handler, 5};
  w::user mine{"mine", 1, &w::user_told}, heir{"heir", 1, &w::user_told};
  w::task parent, child;
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, {0x1000, 8, access::write}, pinned{1}));
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, {0x2000, 8, access::write}));
  m.slots.on_fork(parent, child, [&](const w::user&) { return &heir; });
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  CHECK(said() == "lost mine, back mine, back heir");
  (void)m.run(0, child);
  CHECK(m.write(0, 0x1000, 8) == 0);
  (void)m.idle(0);
  (void)m.run(1, child);
  CHECK(m.write(1, 0x1000, 8) == 1);
  m.slots.on_exit(child);
  m.slots.on_exit(parent);
  (void)m.idle(1);
}
TEST_CASE_FIXTURE(scene, "a child inherits what it is given storage for, seated or evicted, and nothing without") {
  kernel strong{"strong", &handler, 5};
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x1000)));
  const auto storage = [&](const user&) { return &heir; };
  const auto none = [](const user&) -> user* { return nullptr; };
  m.slots.on_fork(parent, child, storage);
  CHECK((said() == "" && mine.seated() && heir.seated()));
  (void)m.run(0, child);
  CHECK(m.write(0, 0x1000, 8) == 1);
  CHECK(m.delivered().back().hit.cookie == 8);
  m.slots.on_exit(child);
  m.slots.on_fork(parent, child);
  CHECK((heir.idle() && m.write(0, 0x1000, 8) == 0));
  m.slots.on_exit(child);
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x2000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x3000)));
  CHECK(said() == "lost mine");
  m.slots.on_fork(parent, child, none);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
  CHECK((said() == "back mine" && heir.idle()));
}
TEST_CASE_FIXTURE(scene, "what nobody could make way for is refused as slot_manager does") {
  CHECK(m.slots.register_breakpoint(mine, parent, {0x1001, 8, access::write}).why == reason::misaligned);
  const refusal no = m.slots.register_breakpoint(mine, parent, at(0x1000), pinned{1});
  CHECK((no.why == reason::bad_cpu && no.cpu == 1));
  REQUIRE_FALSE(m.slots.register_breakpoint(mine, parent, at(0x1000), pinned{0}));
  CHECK(m.slots.register_breakpoint(mine, parent, at(0x1000), pinned{1}).why == reason::already_registered);
}
TEST_CASE_FIXTURE(scene, "an evicted kernel breakpoint: here-verbs do not find it, posts and moves do") {
  kernel strong{"strong", &handler, 5};
  REQUIRE_FALSE(m.slots.register_breakpoint(low, at(0x1000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(rock, at(0x2000)));
  REQUIRE_FALSE(m.slots.register_breakpoint(strong, at(0x3000)));
  CHECK(said() == "lost low");
  m.guarded(0, [&](const auto& here) {
    CHECK(here.disable(low).why == reason::not_registered);
    CHECK_FALSE(m.slots.post().modify(low, at(0x4000)).why());
  });
  CHECK(m.slots.move(low, cpumask<1>::all()).why == reason::no_slot);
  REQUIRE_FALSE(m.slots.unregister_breakpoint(rock));
  CHECK(said() == "back low");
  CHECK((m.write(0, 0x1000, 8) == 0 && m.write(0, 0x4000, 8) == 1));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(low));
  CHECK(low.idle());
  REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
}

TEST_CASE("a register that takes no write while somebody makes way: everybody is where he was, or the verb has happened") {
  using w = world<2, 2, 1, true>;
  unsigned failures = 0;
  for (const auto kind : {mock::fault::refused, mock::fault::dropped, mock::fault::late})
    for (unsigned k = 1;; ++k) {
      told.clear();
      w::machine m;
      w::kernel low{"low", &w::handler, 1, &w::kernel_told}, rock{"rock", &w::handler, 1}, strong{"strong", &w::handler, 5};
      w::user mine{"mine", 0, &w::user_told};
      w::task t;
      REQUIRE_FALSE(m.slots.register_breakpoint(low, {0x1000, 8, access::write}));
      REQUIRE_FALSE(m.slots.register_breakpoint(mine, t, {0x2000, 8, access::write}));
      REQUIRE_FALSE(m.run(0, t));
      m.system().faults().fail(k, kind);
      const refusal no = m.slots.register_breakpoint(strong, {0x3000, 8, access::write}, cpumask<2>::of(0));
      const bool failed = m.system().faults().failed() != 0;
      m.system().faults().fail_none();
      failures += failed;
      CAPTURE(k);
      CHECK(static_cast<bool>(no) == strong.idle());
      if (no) {
        CHECK(no.why == reason::hardware);
        CHECK((low.seated() && mine.seated()));
        CHECK(said() == "");
      } else {
        CHECK(said() == "lost mine");
      }
      REQUIRE_FALSE(m.slots.enable(low));
      CHECK(m.consistent());
      m.slots.on_exit(t);
      for (auto* b : {&low, &rock, &strong})
        if (!b->idle()) REQUIRE_FALSE(m.slots.unregister_breakpoint(*b));
      REQUIRE_FALSE(m.idle(0));
      CHECK(m.slots.full().none());
      if (!failed) break;
      REQUIRE(k < 100);
    }
  MESSAGE("counted: " << failures << " verbs with failing writes");
  CHECK(failures > 5);
}
TEST_CASE("who cannot come back since a register takes no write comes back with the next verb") {
  using w = world<1, 1, 1, true>;
  for (const auto kind : {mock::fault::refused, mock::fault::dropped, mock::fault::late})
    for (unsigned k = 1;; ++k) {
      told.clear();
      w::machine m;
      w::kernel strong{"strong", &w::handler, 5};
      w::user mine{"mine", 0, &w::user_told};
      w::task t, other;
      REQUIRE_FALSE(m.slots.register_breakpoint(mine, t, {0x1000, 8, access::write}));
      REQUIRE_FALSE(m.run(0, t));
      REQUIRE_FALSE(m.slots.register_breakpoint(strong, {0x2000, 8, access::write}));
      CHECK(said() == "lost mine");
      m.system().faults().fail(k, kind);
      (void)m.slots.unregister_breakpoint(strong);
      const bool failed = m.system().faults().failed() != 0;
      m.system().faults().fail_none();
      CAPTURE(k);
      if (!strong.idle()) REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
      m.slots.on_exec(other);
      CHECK(mine.seated());
      CHECK(said() == "back mine");
      CHECK(m.write(0, 0x1000, 8) == 1);
      m.slots.on_exit(t);
      REQUIRE_FALSE(m.idle(0));
      CHECK(m.slots.full().none());
      if (!failed) break;
      REQUIRE(k < 100);
    }
}
TEST_CASE(
    "registers that take no write, once or until somebody repairs them: who makes way or comes back has its slots, or knows") {
  using w = world<2, 2, 1, true>;
  unsigned failures = 0, seats_lost = 0, still_away = 0;
  for (unsigned way = 0; way < 8; ++way) {
    const bool of_task = (way & 1) != 0, comes_back = (way & 2) != 0, once = (way & 4) != 0;
    for (unsigned k = 1;; ++k) {
      told.clear();
      w::machine m;
      w::kernel low{"it", &w::handler, 1, &w::kernel_told}, rock{"rock", &w::handler, 1}, strong{"strong", &w::handler, 5};
      w::user mine{"it", 1, &w::user_told};
      w::task t;
      const request there{0x1000, 8, access::write};
      REQUIRE_FALSE(m.slots.register_breakpoint(rock, {0x2000, 8, access::write}));
      REQUIRE_FALSE((of_task ? m.slots.register_breakpoint(mine, t, there) : m.slots.register_breakpoint(low, there)));
      REQUIRE_FALSE(m.run(0, t));
      const auto seated = [&] { return of_task ? mine.seated() : low.seated(); };
      const auto verb = [&] {
        return comes_back ? m.slots.unregister_breakpoint(strong)
                          : m.slots.register_breakpoint(strong, {0x3000, 8, access::write});
      };
      if (comes_back) REQUIRE_FALSE(m.slots.register_breakpoint(strong, {0x3000, 8, access::write}));
      told.clear();
      m.system().faults().fail(k, mock::fault::refused, once ? 1 : ~0U);
      const refusal no = verb();
      const bool failed = m.system().faults().failed() != 0;
      m.system().faults().fail_none();
      failures += failed;
      CAPTURE(way);
      CAPTURE(k);
      const std::string after = said();
      if (comes_back) {
        CHECK(strong.idle());
        CHECK(after == (seated() ? "back it" : ""));
        still_away += !seated();
      } else {
        CHECK(static_cast<bool>(no) == strong.idle());
        CHECK(after == (seated() ? "" : "lost it"));
        if (no && once) CHECK(seated());
        seats_lost += no && !seated();
      }
      REQUIRE_FALSE(m.slots.enable(rock));  // they take writes again
      if (!strong.idle()) REQUIRE_FALSE(m.slots.unregister_breakpoint(strong));
      REQUIRE_FALSE(m.slots.unregister_breakpoint(rock));
      CHECK(seated());
      CHECK(m.write(0, 0x1000, 8) == 1);
      CHECK(m.consistent());
      m.slots.on_exit(t);
      if (!of_task) REQUIRE_FALSE(m.slots.unregister_breakpoint(low));
      REQUIRE_FALSE(m.idle(0));
      CHECK(m.slots.full().none());
      if (!failed) break;
      REQUIRE(k < 100);
    }
  }
  MESSAGE("counted: " << failures << " verbs with failing writes");
  CHECK(seats_lost > 0);
  CHECK(still_away > 0);
}
