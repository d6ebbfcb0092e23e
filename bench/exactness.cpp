// SPDX-License-Identifier: MIT
// bench/exactness.cpp — what do bookend and its peers refuse although it would fit, and grant although it does not? All are
// asked the same random requests; whether each fits is worked out from the lists of what was granted.
#include <bookend/ledger.hpp>
#include "peers/gdb.hpp"
#include "peers/linux.hpp"
#include "peers/linux2009.hpp"
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <oracle/fits.hpp>
#include <random>
#include <vector>

namespace {

constexpr unsigned slots = 4, cpus = 8, tasks = 6, wide = cpus;
using mask = bookend::cpumask<cpus>;

struct request {
  bool of_kernel = false;
  mask on;                // the kernel's
  unsigned task = 0;      // a task's
  unsigned where = wide;  // ... or the CPU that it is pinned to
};

/// What somebody has granted, as lists: on each CPU the kernel's breakpoints there and those of any task that count there must
/// find a slot each.
struct held {
  struct entry {
    unsigned id;
    request what;
  };
  std::vector<entry> all;

  /// Would it, where it counts?
  [[nodiscard]] bool fits(const request& more) const {
    for (unsigned c = 0; c < cpus; ++c) {
      if (more.of_kernel ? !more.on.test(c) : more.where != wide && more.where != c) continue;
      unsigned kernel = 0;
      std::vector<unsigned> users(tasks);
      const auto count = [&](const request& r) {
        if (r.of_kernel)
          kernel += r.on.test(c);
        else
          users[r.task] += r.where == wide || r.where == c;
      };
      for (const entry& e : all) count(e.what);
      count(more);
      if (!more.of_kernel) users = {users[more.task]};  // tasks do not compete: what another has too much is not its fault
      if (!oracle::fits(slots, kernel, users)) return false;
    }
    return true;
  }
};

struct ours {
  static constexpr bool pins = true;
  bookend::ledger<slots, cpus> l;
  unsigned wide_of[tasks]{}, pinned[tasks][cpus]{};
  auto pins_of(unsigned t) {
    return [this, t](auto f) {
      for (unsigned c = 0; c < cpus; ++c)
        if (pinned[t][c] != 0) f(c, pinned[t][c]);
    };
  }
  bool take(unsigned, const request& r) {
    if (r.of_kernel) {
      if (!l.fits_kernel(r.on)) return false;
      l.take_kernel(r.on);
    } else if (r.where == wide) {
      unsigned& w = wide_of[r.task];
      if (!l.fits_wide(w + 1, pins_of(r.task))) return false;
      l.change_wide(w, w + 1, pins_of(r.task));
      ++w;
    } else {
      unsigned& p = pinned[r.task][r.where];
      if (!l.fits_pinned(r.where, wide_of[r.task], p + 1)) return false;
      l.change_pinned(r.where, wide_of[r.task], p, p + 1);
      ++p;
    }
    return true;
  }
  void release(unsigned, const request& r) {
    if (r.of_kernel) return l.release_kernel(r.on);
    if (r.where == wide) {
      unsigned& w = wide_of[r.task];
      l.change_wide(w, w - 1, pins_of(r.task));
      --w;
    } else {
      unsigned& p = pinned[r.task][r.where];
      l.change_pinned(r.where, wide_of[r.task], p, p - 1);
      --p;
    }
  }
};

struct linux_today {
  static constexpr bool pins = true;
  using peer = peers::linux_today<slots, cpus>;
  peer l;
  peer::task t[tasks];
  std::vector<std::unique_ptr<peer::breakpoint>> b;
  bool take(unsigned id, const request& r) {
    b.resize(b.size() > id ? b.size() : id + 1);
    b[id] = std::make_unique<peer::breakpoint>();
    return r.of_kernel ? l.take_kernel(r.on) : l.take_task(*b[id], t[r.task], r.where);
  }
  void release(unsigned id, const request& r) { r.of_kernel ? l.release_kernel(r.on) : l.release_task(*b[id]); }
};

struct linux2009 {
  static constexpr bool pins = false;
  using peer = peers::linux2009<slots>;
  peer l;
  peer::task t[tasks];
  std::vector<unsigned> index;
  bool take(unsigned id, const request& r) {
    if (r.of_kernel) return l.take_kernel();
    index.resize(index.size() > id ? index.size() : id + 1);
    return (index[id] = l.take_task(t[r.task])) != peer::none;
  }
  void release(unsigned id, const request& r) { r.of_kernel ? l.release_kernel() : l.release_task(t[r.task], index[id]); }
};

/// Each task has a mirror, and the kernel has one on each CPU.
struct gdb {
  static constexpr bool pins = false;
  using peer = peers::gdb_mirror<slots>;
  peer of_task[tasks], of_kernel[cpus];
  bool take(unsigned id, const request& r) {
    if (!r.of_kernel) return of_task[r.task].insert(id, 9) != peer::none;
    for (unsigned c : r.on)
      if (of_kernel[c].insert(id, 9) == peer::none) {
        for (unsigned granted : r.on) {
          if (granted == c) break;
          of_kernel[granted].remove(id, 9);
        }
        return false;
      }
    return true;
  }
  void release(unsigned id, const request& r) {
    if (!r.of_kernel) return (void)of_task[r.task].remove(id, 9);
    for (unsigned c : r.on) of_kernel[c].remove(id, 9);
  }
};

struct score {
  unsigned requests = 0, granted = 0, refused_wrongly = 0, overcommitted = 0;
};

/// 200 sequences of 300 steps, the same for everybody as long as they grant the same.
template <class Who>
score judge(bool with_pins) {
  score s;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 dice(seed);
    const auto roll = [&] { return static_cast<unsigned>(dice()); };
    const auto who = std::make_unique<Who>();
    held h;
    for (unsigned id = 0; id < 300; ++id) {
      // Always as many throws, so that the sequence does not depend on the answers.
      const unsigned what = roll() % 8, bits = roll(), task = roll() % tasks, cpu = roll() % cpus, victim = roll();
      if (what < 3) {
        if (h.all.empty()) continue;
        const auto at = h.all.begin() + static_cast<std::ptrdiff_t>(victim % h.all.size());
        who->release(at->id, at->what);
        h.all.erase(at);
        continue;
      }
      request r;
      r.of_kernel = what < 5;
      if (r.of_kernel)
        for (unsigned c = 0; c < cpus; ++c)
          if ((bits >> c & 1) != 0 || c == cpu) r.on.set(c);
      r.task = task;
      r.where = with_pins && what == 7 ? cpu : wide;
      const bool fits = h.fits(r);
      ++s.requests;
      if (who->take(id, r)) {
        ++s.granted;
        s.overcommitted += !fits;
        h.all.push_back({id, r});
      } else {
        s.refused_wrongly += fits;
      }
    }
  }
  return s;
}
template <class Who>
score report(const char* name) {
  score sum;
  for (bool with_pins : {false, true}) {
    if (with_pins && !Who::pins) continue;
    const score s = judge<Who>(with_pins);
    std::printf("%s\t%s\t%u\t%u\t%u\t%u\n", name, with_pins ? "tasks with pinned breakpoints, too" : "tasks, kernel masks",
                s.requests, s.granted, s.refused_wrongly, s.overcommitted);
    sum.refused_wrongly += s.refused_wrongly;
    sum.overcommitted += s.overcommitted;
  }
  return sum;
}

}  // namespace

int main() {
  const score s = report<ours>("bookend");
  report<linux_today>("linux");
  report<linux2009>("linux2009");
  report<gdb>("gdb");
  return s.refused_wrongly + s.overcommitted == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
