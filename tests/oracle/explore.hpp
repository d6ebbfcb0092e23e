// SPDX-License-Identifier: MIT
// tests/oracle/explore.hpp — every verb from every state that can be reached, breadth first; and long random lives, of which a
// failing one is cut down to the steps that it takes.
#pragma once
#include <algorithm>
#include <deque>
#include <memory>
#include <oracle/replay.hpp>
#include <oracle/world.hpp>
#include <random>
#include <unordered_map>
#include <unordered_set>

namespace oracle {

struct tally {
  unsigned long states = 0, transitions = 0, refusals = 0;
  std::string wrong;  ///< empty, or the first thing that was, after the lines that lead there
};

/// What makes two states the same: who holds what where. Which object, which of two tasks, and what is watched do not.
template <class World>
std::string key_of(const World& w) {
  const auto& m = w.model();
  std::vector<std::string> kernels, tasks(World::tasks);
  const auto put = [](std::string& s, unsigned v) { s += static_cast<char>('0' + v); };
  for (const auto& [id, k] : m.kernels) {
    std::string& s = kernels.emplace_back();
    put(s, m.pool_of(k.everywhere.what) * 2 + k.everywhere.on);
    for (unsigned c = 0; c < World::cpus; ++c) put(s, k.slot.count(c) != 0 ? 1 + k.slot.at(c) : 0);
  }
  std::vector<std::pair<unsigned, unsigned>> users;
  for (const auto& [id, u] : m.users) users.emplace_back(u.order, id);
  std::sort(users.begin(), users.end());
  for (int where = step::wide; where < static_cast<int>(World::cpus); ++where)  // as the tasks' lists are sorted
    for (const auto& [order, id] : users) {
      const auto& u = m.users.at(id);
      if (u.where != where) continue;
      std::string& s = tasks[u.task];
      put(s, static_cast<unsigned>(where + 1));
      put(s, m.pool_of(u.watch.what) * 2 + u.watch.on);
      put(s, u.index);
    }
  std::string key;
  for (unsigned c = 0; c < World::cpus; ++c) {
    put(key, m.cpus[c].online);
    if (m.cpus[c].running >= 0) put(tasks[static_cast<unsigned>(m.cpus[c].running)] += '@', c);
  }
  std::sort(kernels.begin(), kernels.end());
  std::sort(tasks.begin(), tasks.end());
  for (const auto& s : kernels) key += 'k' + s;
  for (const auto& s : tasks) key += 't' + s;
  return key;
}

/// The steps that there are from here. Of idle breakpoints the first stands for all. `with_disabled`: enable, disable, and
/// registering disabled are among them.
template <class World>
std::vector<step> steps_from(const World& w, bool with_disabled) {
  const auto& m = w.model();
  std::vector<step> all;
  const auto breakpoints = [&](bool of_user, unsigned count, const auto& registered, auto fresh) {
    bool idle_seen = false;
    for (unsigned id = 0; id < count; ++id) {
      const bool idle = registered.count(id) == 0;
      if (idle && std::exchange(idle_seen, true)) continue;
      if (idle || id == registered.begin()->first)  // already_registered: one of them is enough
        for (unsigned pool = 0; pool < World::pools; ++pool)
          for (bool on : {true, false})
            if (on || (with_disabled && idle)) fresh(id, pool, on);
      all.push_back({.what = step::unregister, .of_user = of_user, .who = id});
      for (const auto what : {step::enable, step::disable})
        if (with_disabled) all.push_back({.what = what, .of_user = of_user, .who = id});
      for (unsigned pool = 0; pool < World::pools; ++pool)
        all.push_back({.what = step::modify, .of_user = of_user, .who = id, .pool = pool});
      for (unsigned cpus = 0; !of_user && cpus < 1U << World::cpus; ++cpus)
        all.push_back({.what = step::move, .who = id, .cpus = cpus});
    }
  };
  breakpoints(false, World::kernels, m.kernels, [&](unsigned id, unsigned pool, bool on) {
    for (unsigned cpus = 0; cpus < 1U << World::cpus; ++cpus)
      all.push_back({.what = step::register_kernel, .who = id, .cpus = cpus, .pool = pool, .on = on});
  });
  breakpoints(true, World::users, m.users, [&](unsigned id, unsigned pool, bool on) {
    for (unsigned t = 0; t < World::tasks; ++t)
      for (int where = step::wide; where <= static_cast<int>(World::cpus); ++where)  // the last is no CPU
        all.push_back(
            {.what = step::register_user, .of_user = true, .who = id, .task = t, .where = where, .pool = pool, .on = on});
  });
  for (unsigned t = 0; t < World::tasks; ++t) {
    for (int c = 0; c < static_cast<int>(World::cpus); ++c) all.push_back({.what = step::run, .task = t, .where = c});
    for (unsigned child = 0; child < World::tasks; ++child)
      if (child != t) all.push_back({.what = step::fork, .task = t, .child = child});
    for (const auto what : {step::exec, step::exit}) all.push_back({.what = what, .task = t});
  }
  for (int c = 0; c < static_cast<int>(World::cpus); ++c)
    for (const auto what : {step::idle, step::online, step::offline}) all.push_back({.what = what, .where = c});
  return all;
}

/// Every state there is with so many breakpoints; every step from each. Stops after `most` states, which is one state too many.
template <class World>
tally explore(bool with_disabled, unsigned long most) {
  tally n;
  struct node {
    std::size_t from;
    step by;
    std::string ledger;
  };
  struct place {
    std::size_t id;
    typename World::image bytes;
    typename World::model_type model;
  };
  std::vector<node> nodes;
  std::unordered_map<std::string, std::size_t> seen;
  std::deque<place> queue;
  const auto w = std::make_unique<World>();
  std::size_t at = 0;
  const step* last = nullptr;
  const auto way = [&] {
    std::vector<step> steps;
    if (last != nullptr) steps.push_back(*last);
    for (std::size_t id = at; id != 0; id = nodes[id].from) steps.insert(steps.begin(), nodes[id].by);
    return steps;
  };
  const last_words assertion([&] { return told_shortly<World>(way(), "an assertion"); });
  const auto failed = [&](const std::string& wrong) {
    n.wrong = told_shortly<World>(way(), wrong);
    return n;
  };
  const auto reached = [&](std::size_t from, const step& by) {
    const auto [known, fresh] = seen.try_emplace(key_of(*w), nodes.size());
    if (!fresh) return nodes[known->second].ledger == w->ledger_bytes();
    queue.push_back({nodes.size(), w->bytes(), w->model()});
    nodes.push_back({from, by, w->ledger_bytes()});
    return true;
  };
  (void)reached(0, {});
  for (; !queue.empty(); queue.pop_front()) {
    const place& here = queue.front();
    at = here.id;
    last = nullptr;
    if (++n.states > most) return n.wrong = "more states than that", n;
    w->restore(here.bytes, here.model);
    if (const std::string wrong = w->look(); !wrong.empty()) return failed(wrong);
    for (const step& s : steps_from(*w, with_disabled)) {
      w->restore(here.bytes, here.model);
      ++n.transitions;
      last = &s;
      if (const std::string wrong = w->take(s); !wrong.empty()) return failed(wrong);
      if (w->refused())
        ++n.refusals;
      else if (!reached(here.id, s))
        return failed("the ledger depends on the way");
    }
    last = nullptr;
    w->restore(here.bytes, here.model);
    if (const std::string wrong = w->clear(); !wrong.empty()) return failed(wrong);
  }
  return n;
}

/// Lives of random steps, one a seed.
template <class World>
tally wander(unsigned seeds, unsigned length) {
  tally n;
  std::unordered_set<std::string> seen;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    std::mt19937 random(seed);
    std::vector<step> way;
    const auto w = std::make_unique<World>();
    const last_words assertion([&] { return told_shortly<World>(way, "an assertion"); });
    for (unsigned i = 0; i < length; ++i) {
      const auto all = steps_from(*w, true);
      way.push_back(all[random() % all.size()]);
      ++n.transitions;
      std::string wrong = w->take(way.back());
      if (wrong.empty()) wrong = w->look();
      if (!wrong.empty()) return n.wrong = told_shortly<World>(way, wrong), n;
      n.refusals += w->refused();
      n.states += seen.insert(key_of(*w)).second;
    }
    if (std::string wrong = w->clear(); !wrong.empty()) return n.wrong = told_shortly<World>(way, wrong), n;
  }
  return n;
}

}  // namespace oracle
