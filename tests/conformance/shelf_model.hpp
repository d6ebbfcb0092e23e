// SPDX-License-Identifier: MIT
// tests/conformance/shelf_model.hpp — the rule, the placement, the verbs and the hits, worked out the slow and obvious way:
// lists, loops and a search for places (oracle/fits.hpp), nothing of the library but its requests.
#pragma once
#include <bookend/request.hpp>
#include <algorithm>
#include <cstdint>
#include <map>
#include <oracle/fits.hpp>
#include <set>
#include <string>
#include <vector>

namespace conformance {

/// What a slot watches, for whom.
struct modelled_watch {
  bookend::request what{};
  bool on = false;
  std::uint32_t generation = 0;
  friend bool operator==(const modelled_watch&, const modelled_watch&) = default;
};

/// Breakpoints, tasks and CPUs are numbers here. A breakpoint that is not in `kernels` or `users` is not registered.
struct shelf_model {
  using request = bookend::request;
  struct kernel {
    std::set<unsigned> cpus;
    modelled_watch everywhere;                ///< what an everywhere verb asked for last
    std::map<unsigned, unsigned> slot;        ///< per CPU
    std::map<unsigned, modelled_watch> here;  ///< per CPU, with what here-verbs did
    struct change {
      bool aims;
      modelled_watch to;
    };
    std::map<unsigned, std::vector<change>> posted;  ///< per CPU, what has not arrived there

    void arrive(unsigned c) {
      if (here.count(c) != 0)
        for (const change& p : posted[c]) {
          modelled_watch& w = here.at(c);
          if (p.aims)
            w = {p.to.what, w.on, p.to.generation};
          else
            w.on = p.to.on;
        }
      posted.erase(c);
    }
    void arrive_everywhere() {
      for (unsigned c : cpus) arrive(c);
    }
  };
  static constexpr int wide = -1;
  struct user {
    unsigned task = 0;
    int where = wide;
    unsigned index = 0;
    unsigned order = 0;  ///< of its registration
    modelled_watch watch;
  };
  struct cpu {
    bool online = true, lent = false, silenced = false;
    int running = -1;  ///< the task whose breakpoints are loaded
    std::set<unsigned> withheld;
  };
  struct refusal {
    std::string why = "granted";
    unsigned cpu = 0, kernel_held = 0, user_held = 0, pool = 0;
    bool granted() const { return why == "granted"; }
  };
  struct row_entry {
    bool of_kernel = false;
    unsigned id = 0;
    modelled_watch watch;
  };

  unsigned slots = 0, pools = 1;
  std::vector<cpu> cpus;
  std::map<unsigned, kernel> kernels;
  std::map<unsigned, user> users;
  unsigned registrations = 0;
  std::map<unsigned, std::uint32_t> kernel_generation, user_generation;  ///< of the storage: survives a registration

  static constexpr std::uint64_t forbidden = 0x2000;  ///< where the machine denies a watch, if it does at all
  refusal watchable(const request& r) const {
    if (r.on == bookend::access::io) return {"unsupported"};
    if (r.length != 1 && r.length != 2 && r.length != 4 && r.length != 8) return {"bad_length"};
    if (r.address % r.length != 0) return {"misaligned"};
    return r.address == forbidden ? refusal{"forbidden"} : refusal{};
  }
  // As the mock machine has it: with two pools the lower half (and the odd one) is for execution.
  unsigned pool_of(const request& r) const { return pools == 2 && r.on != bookend::access::execute ? 1 : 0; }
  unsigned first_of(unsigned pool) const { return pool == 0 ? 0 : (slots + 1) / 2; }
  unsigned end_of(unsigned pool) const { return pools == 2 && pool == 0 ? (slots + 1) / 2 : slots; }
  unsigned size_of(unsigned pool) const { return end_of(pool) - first_of(pool); }

  unsigned kernel_held(unsigned c, unsigned pool) const {
    unsigned n = 0;
    for (const auto& [id, k] : kernels) n += k.cpus.count(c) != 0 && pool_of(k.everywhere.what) == pool;
    for (unsigned s : cpus[c].withheld) n += s >= first_of(pool) && s < end_of(pool);
    return n;
  }
  unsigned user_held(unsigned task, unsigned c, unsigned pool) const {
    unsigned n = 0;
    for (const auto& [id, u] : users)
      n += u.task == task && (u.where == wide || u.where == static_cast<int>(c)) && pool_of(u.watch.what) == pool;
    return n;
  }
  unsigned tallest(unsigned c, unsigned pool) const {
    unsigned most = 0;
    for (const auto& [id, u] : users) most = std::max(most, user_held(u.task, c, pool));
    return most;
  }
  /// What each task needs there when it runs.
  std::map<unsigned, unsigned> needs(unsigned c, unsigned pool) const {
    std::map<unsigned, unsigned> n;
    for (const auto& [id, u] : users)
      n[u.task] += (u.where == wide || u.where == static_cast<int>(c)) && pool_of(u.watch.what) == pool;
    return n;
  }
  bool fits(unsigned pool, unsigned of_kernel, const std::map<unsigned, unsigned>& of_tasks) const {
    std::vector<unsigned> heights;
    for (const auto& [task, height] : of_tasks) heights.push_back(height);
    return oracle::fits(size_of(pool), of_kernel, heights);
  }
  /// Whether `k` more slots for the kernel on CPU c keep the rule.
  bool kernel_fits(unsigned c, unsigned pool, unsigned k = 1) const {
    return fits(pool, kernel_held(c, pool) + k, needs(c, pool));
  }
  refusal kernel_may(const std::set<unsigned>& on, unsigned pool) const {
    for (unsigned c : on)
      if (!kernel_fits(c, pool)) return {"no_slot", c, kernel_held(c, pool), tallest(c, pool), pool};
    return {};
  }
  refusal user_may(unsigned task, int where, unsigned pool) const {
    for (unsigned c = 0; c < cpus.size(); ++c) {
      if (where != wide && where != static_cast<int>(c)) continue;
      auto after = needs(c, pool);
      ++after[task];
      if (!fits(pool, kernel_held(c, pool), after)) return {"no_slot", c, kernel_held(c, pool), user_held(task, c, pool), pool};
    }
    return {};
  }

  /// The highest slot of the pool that the kernel does not hold.
  unsigned kernel_slot(unsigned c, unsigned pool) const {
    std::set<unsigned> taken = cpus[c].withheld;
    for (const auto& [id, k] : kernels)
      if (k.slot.count(c) != 0) taken.insert(k.slot.at(c));
    for (unsigned s = end_of(pool); s-- > first_of(pool);)
      if (taken.count(s) == 0) return s;
    return slots;
  }
  void place(unsigned id, unsigned c) {
    kernel& k = kernels.at(id);
    const unsigned s = kernel_slot(c, pool_of(k.everywhere.what));
    k.slot[c] = s;
    k.here[c] = k.everywhere;
    k.posted.erase(c);
  }
  /// A task's breakpoints for a CPU, in its order: wide ones as registered, then the pinned ones.
  std::vector<unsigned> list_of(unsigned task, unsigned c) const {
    std::vector<unsigned> ids;
    for (const auto& [id, u] : users)
      if (u.task == task && (u.where == wide || u.where == static_cast<int>(c))) ids.push_back(id);
    std::sort(ids.begin(), ids.end(), [&](unsigned a, unsigned b) {
      return std::pair(users.at(a).where != wide, users.at(a).order) < std::pair(users.at(b).where != wide, users.at(b).order);
    });
    return ids;
  }
  /// Slot by slot what a CPU's shelf is: P1 to P3.
  std::map<unsigned, row_entry> row(unsigned c) const {
    std::map<unsigned, row_entry> held;
    for (const auto& [id, k] : kernels)
      if (k.slot.count(c) != 0) held[k.slot.at(c)] = {true, id, k.here.at(c)};
    if (cpus[c].running < 0) return held;
    for (unsigned id : list_of(static_cast<unsigned>(cpus[c].running), c)) {
      const user& u = users.at(id);
      unsigned s = first_of(pool_of(u.watch.what));
      while (held.count(s) != 0 || cpus[c].withheld.count(s) != 0) ++s;
      held[s] = {false, id, u.watch};
    }
    return held;
  }
  bool live(unsigned c) const { return cpus[c].online && !cpus[c].lent && !cpus[c].silenced; }
  /// The slots that an access hits, lowest first.
  std::vector<unsigned> hit_by(unsigned c, bookend::access how, bookend::range bytes) const {
    std::vector<unsigned> hits;
    if (!live(c)) return hits;
    for (const auto& [s, e] : row(c)) {
      const auto on = e.watch.what.on;
      const bool reports = on == how || (on == bookend::access::read_write && how != bookend::access::execute);
      if (e.watch.on && reports && bytes.first <= e.watch.what.bytes().last() && e.watch.what.address <= bytes.last())
        hits.push_back(s);
    }
    return hits;
  }
  /// The lowest number that no breakpoint of the task that may share a CPU with it has.
  unsigned free_index(unsigned task, int where) const {
    std::set<unsigned> used;
    for (const auto& [id, u] : users)
      if (u.task == task && (where == wide || u.where == wide || u.where == where)) used.insert(u.index);
    unsigned i = 0;
    while (used.count(i) != 0) ++i;
    return i;
  }

  // The verbs: what each must answer, and how it leaves the shelf.

  refusal register_kernel(unsigned id, const request& r, const std::set<unsigned>& on, bool enabled) {
    if (kernels.count(id) != 0) return {"already_registered"};
    if (on.empty()) return {"empty_mask"};
    if (const refusal no = watchable(r); !no.granted()) return no;
    if (const refusal no = kernel_may(on, pool_of(r)); !no.granted()) return no;
    kernels[id].everywhere = {r, enabled, kernel_generation[id] += 2};
    for (unsigned c : on) place(id, c);
    kernels[id].cpus = on;
    return {};
  }
  refusal set_kernel_on(unsigned id, bool on) {
    if (kernels.count(id) == 0) return {"not_registered"};
    kernel& k = kernels.at(id);
    k.everywhere.on = on;
    k.arrive_everywhere();
    kernel_generation[id] += 2;
    for (auto& [c, w] : k.here) w.on = on;
    return {};
  }
  refusal modify_kernel(unsigned id, const request& r) {
    if (kernels.count(id) == 0) return {"not_registered"};
    if (const refusal no = watchable(r); !no.granted()) return no;
    kernel& k = kernels.at(id);
    const unsigned to = pool_of(r);
    const bool moves = to != pool_of(k.everywhere.what);
    if (moves)
      if (const refusal no = kernel_may(k.cpus, to); !no.granted()) return no;
    kernel_generation[id] += 2;
    k.arrive_everywhere();
    if (moves)
      for (auto& [c, s] : k.slot) s = kernel_slot(c, to);
    k.everywhere.what = r;
    k.everywhere.generation = kernel_generation[id];
    for (auto& [c, w] : k.here) w = {r, w.on, kernel_generation[id]};
    return {};
  }
  refusal move_kernel(unsigned id, const std::set<unsigned>& to) {
    if (kernels.count(id) == 0) return {"not_registered"};
    if (to.empty()) return {"empty_mask"};
    kernel& k = kernels.at(id);
    std::set<unsigned> added;
    for (unsigned c : to)
      if (k.cpus.count(c) == 0) added.insert(c);
    if (const refusal no = kernel_may(added, pool_of(k.everywhere.what)); !no.granted()) return no;
    for (unsigned c : added) place(id, c);
    for (unsigned c : k.cpus)
      if (to.count(c) == 0) k.slot.erase(c), k.here.erase(c), k.posted.erase(c);
    k.cpus = to;
    return {};
  }
  refusal unregister_kernel(unsigned id) { return {kernels.erase(id) != 0 ? "granted" : "not_registered"}; }

  /// What a post from CPU c answers: there at once, elsewhere when it arrives. `what`: 0 to 2 modify, 3 and 4 enable, 5 and 6
  /// disable, 7 unregister.
  refusal post_kernel(unsigned id, unsigned c, unsigned what, const request& r) {
    if (const refusal no = watchable(r); what < 3 && !no.granted()) return no;
    if (kernels.count(id) == 0) return {"not_registered"};
    kernel& k = kernels.at(id);
    if (what < 3 && pool_of(r) != pool_of(k.everywhere.what)) return {"unsupported"};
    const std::uint32_t generation = kernel_generation[id] += 2;
    if (what < 3) k.everywhere = {r, k.everywhere.on, generation};
    if (what >= 3) k.everywhere.on = what < 5;
    for (unsigned on : k.cpus) k.posted[on].push_back({what < 3, k.everywhere});
    if (cpus[c].online) k.arrive(c);
    if (what == 7) kernels.erase(id);
    return {};
  }
  /// A here-verb on CPU c. `what`: 0 modify, 1 enable, 2 disable.
  refusal change_here(unsigned id, unsigned c, unsigned what, const request& r) {
    if (kernels.count(id) == 0 || kernels.at(id).here.count(c) == 0) return {"not_registered"};
    modelled_watch& w = kernels.at(id).here.at(c);
    if (what == 0) {
      if (const refusal no = watchable(r); !no.granted()) return no;
      if (pool_of(r) != pool_of(w.what)) return {"unsupported"};
      w.what = r;
    } else {
      w.on = what == 1;
    }
    return {};
  }

  refusal register_user(unsigned id, unsigned task, const request& r, int where, bool enabled) {
    if (users.count(id) != 0) return {"already_registered"};
    if (where >= static_cast<int>(cpus.size())) return {"bad_cpu", static_cast<unsigned>(where)};
    if (const refusal no = watchable(r); !no.granted()) return no;
    if (const refusal no = user_may(task, where, pool_of(r)); !no.granted()) return no;
    const unsigned index = free_index(task, where);
    users[id] = {task, where, index, ++registrations, {r, enabled, ++user_generation[id]}};
    return {};
  }
  refusal set_user_on(unsigned id, bool on) {
    if (users.count(id) == 0) return {"not_registered"};
    users.at(id).watch.on = on;
    return {};
  }
  refusal modify_user(unsigned id, const request& r) {
    if (users.count(id) == 0) return {"not_registered"};
    if (const refusal no = watchable(r); !no.granted()) return no;
    user& u = users.at(id);
    if (pool_of(r) != pool_of(u.watch.what))
      if (const refusal no = user_may(u.task, u.where, pool_of(r)); !no.granted()) return no;
    u.watch = {r, u.watch.on, ++user_generation[id]};
    return {};
  }
  refusal unregister_user(unsigned id) { return {users.erase(id) != 0 ? "granted" : "not_registered"}; }

  /// The child's copy of one of the parent's, in storage `id`. To `child`, which may not be the users yet: the fork goes on.
  user inherited(const user& from, unsigned id, unsigned child) {
    user copy = from;
    copy.task = child;
    copy.order = ++registrations;
    copy.watch.generation = ++user_generation[id];
    return copy;
  }
  /// exec, and exit.
  void flush(unsigned task) {
    std::erase_if(users, [&](const auto& u) { return u.second.task == task; });
  }
  void switch_to(unsigned c, int task) { cpus[c].running = cpus[c].online ? task : -1; }
  void go_offline(unsigned c) { cpus[c].online = false, cpus[c].running = -1; }
  void come_online(unsigned c) {
    cpus[c].online = true;
    for (auto& [id, k] : kernels) k.arrive(c);
    cpus[c].running = -1;
    cpus[c].lent = cpus[c].silenced = false;
  }

  /// What CPU c shows is not the row of the model: the first thing. Kernel breakpoint i is named "k<i>"; the cookie of user
  /// breakpoint i is 1000 + i. Empty if it is.
  template <class Snapshot>
  std::string difference(const Snapshot& shown, unsigned c) const {
    using state = decltype(shown.slots[0].state);
    const cpu& is = cpus[c];
    if (shown.online != is.online || shown.away != (is.lent || is.silenced)) return "online or away";
    const auto held = row(c);
    for (unsigned s = 0; s < slots; ++s) {
      const auto& slot = shown.slots[s];
      const auto it = held.find(s);
      const auto wrong = [&](const char* what) {
        return std::string(what) + " of cpu " + std::to_string(c) + " slot " + std::to_string(s);
      };
      if (it == held.end()) {
        if (slot.state != (is.withheld.count(s) != 0 ? state::withheld : state::free)) return wrong("the state");
        continue;
      }
      const row_entry& e = it->second;
      if (slot.state != (e.of_kernel ? state::kernel : state::user)) return wrong("the state");
      if (!(modelled_watch{slot.watched, slot.on, slot.generation} == e.watch)) return wrong("the watch");
      if (e.of_kernel ? slot.name != "k" + std::to_string(e.id) : slot.cookie != 1000 + e.id) return wrong("the holder");
    }
    return "";
  }
};

}  // namespace conformance
