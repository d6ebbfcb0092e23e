// SPDX-License-Identifier: MIT
// tests/conformance/verbs.hpp — every verb, each on a mock machine in a state that makes it write as many registers as it can.
#pragma once
#include <bookend/mock/machine.hpp>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace conformance {

/// A machine with four kernel breakpoints and two tasks of two user breakpoints each, none of them registered. `o` is the one
/// that no verb below touches: others may come and go around it.
template <class Machine>
struct world {
  using machine = Machine;
  using system = std::remove_cvref_t<decltype(std::declval<Machine&>().system())>;
  using hit = typename Machine::hit;
  using user = typename Machine::user_breakpoint;
  using task = typename Machine::task;
  using mask = bookend::cpumask<Machine::max_cpus>;
  static constexpr unsigned cpus = Machine::max_cpus;
  static constexpr unsigned slots = system::slots;

  struct kernel : Machine::kernel_breakpoint {
    kernel(world& w, const char* name) : Machine::kernel_breakpoint(name, &kernel::called), home(w) {}
    static void called(const hit& h) {
      if (auto& on_hit = static_cast<kernel&>(h.kernel()).home.on_hit) on_hit(h);
    }
    world& home;
  };

  Machine m;
  std::function<void(const hit&)> on_hit;
  kernel spare{*this, "spare"}, o{*this, "o"}, s{*this, "s"}, t{*this, "t"};
  task tasks[2];
  user u[2] = {user{"u0", 10}, user{"u1", 11}}, v[2] = {user{"v0", 20}, user{"v1", 21}};

  world() = default;
  ~world() {
    on_hit = nullptr;
    for (kernel* b : {&spare, &o, &s, &t})
      if (!b->idle()) (void)m.slots.unregister_breakpoint(*b);
    for (task& of : tasks) m.slots.on_exit(of);
    for (bookend::cpu_id cpu = 0; cpu < cpus; ++cpu) (void)m.idle(cpu);
  }

  static constexpr bookend::request data(std::uint64_t address, std::uint64_t length = 8) {
    return {address, length, bookend::access::write};
  }
  static constexpr bookend::request code(std::uint64_t address) { return {address, 1, bookend::access::execute}; }
  /// Fewer slots than a state asks for make it a poorer state, not a failure.
  void put(kernel& b, std::uint64_t address, bookend::start how = bookend::start::enabled) {
    (void)m.slots.register_breakpoint(b, data(address), mask::all(), how);
  }
  void put(user& b, task& of, std::uint64_t address, bookend::start how = bookend::start::enabled) {
    (void)m.slots.register_breakpoint(b, of, data(address), how);
  }
  void three() {
    put(o, 0x1000);
    put(s, 0x2000);
    put(t, 0x3000);
  }
  /// Its unregistering is posted; nobody has reaped it.
  void leave(kernel& b) { (void)m.slots.post().unregister_breakpoint(b); }
  /// A post on CPU 1, which the others have not got yet.
  template <class F>
  void from_another_cpu(F f) {
    m.guarded(1, [&](const auto&) { (void)f(m.slots.post()); });
  }
  /// `s` is off; that it watches 0x2800, and is on, all CPUs but one have yet to learn.
  void behind() {
    (void)m.slots.disable(s);
    from_another_cpu([&](auto post) { return post.modify(s, data(0x2800)); });
    from_another_cpu([&](auto post) { return post.enable(s); });
  }
  /// Two tasks of two breakpoints, the first of them running.
  void running(unsigned ours = 2, unsigned theirs = 2) {
    put(o, 0x1000);
    for (unsigned i = 0; i < ours; ++i) put(u[i], tasks[0], 0x8000 + 0x100 * i);
    for (unsigned i = 0; i < theirs; ++i) put(v[i], tasks[1], 0x9000 + 0x100 * i);
    (void)m.run(0, tasks[0]);
  }
};

template <class World>
struct scenario {
  const char* name;
  void (*set_up)(World&);
  bookend::refusal (*verb)(World&);
  bool others_stay = true;  ///< `o` is watched on every CPU before, during and after
};

template <class World>
std::vector<scenario<World>> scenarios() {
  using namespace bookend;
  using W = World;
  using mask = typename W::mask;
  std::vector<scenario<W>> all = {
      {"register", [](W& w) { w.put(w.o, 0x1000), w.put(w.t, 0x3000); },
       [](W& w) { return w.m.slots.register_breakpoint(w.s, w.data(0x2000)); }},
      {"register disabled", [](W& w) { w.put(w.o, 0x1000), w.put(w.t, 0x3000); },
       [](W& w) { return w.m.slots.register_breakpoint(w.s, w.data(0x2000), mask::all(), start::disabled); }},
      {"register where another was", [](W& w) { w.three(), (void)w.m.slots.unregister_breakpoint(w.s); },
       [](W& w) { return w.m.slots.register_breakpoint(w.s, w.data(0x2000, 4)); }},
      {"register above a running task", [](W& w) { w.running(2, 0); },
       [](W& w) { return w.m.slots.register_breakpoint(w.s, w.data(0x2000)); }},
      {"unregister", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.unregister_breakpoint(w.s); }},
      {"unregister disabled", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
       [](W& w) { return w.m.slots.unregister_breakpoint(w.s); }},
      {"unregister below a running task",
       [](W& w) {
         w.put(w.spare, 0x500), w.put(w.o, 0x1000), w.put(w.s, 0x2000);
         (void)w.m.slots.unregister_breakpoint(w.spare);
         w.running();
       },
       [](W& w) { return w.m.slots.unregister_breakpoint(w.s); }},
      {"enable", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); }, [](W& w) { return w.m.slots.enable(w.s); }},
      {"enable again", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.enable(w.s); }},
      {"disable", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.disable(w.s); }},
      {"modify the kind", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.modify(w.s, {0x2000, 4, access::read_write}); }},
      {"modify the address", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.modify(w.s, w.data(0x2800)); }},
      {"modify disabled", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
       [](W& w) { return w.m.slots.modify(w.s, w.data(0x2800)); }},
      {"modify lent",
       [](W& w) {
         w.three();
         w.m.guarded(0, [](auto view) { view.lend(); });
       },
       [](W& w) { return w.m.slots.modify(w.s, w.data(0x2800)); }, false},
      {"user register", [](W& w) { w.running(1); },
       [](W& w) { return w.m.slots.register_breakpoint(w.u[1], w.tasks[0], w.data(0x8100)); }},
      {"user register pinned", [](W& w) { w.running(1); },
       [](W& w) { return w.m.slots.register_breakpoint(w.u[1], w.tasks[0], w.data(0x8100), pinned{0}); }},
      {"user unregister", [](W& w) { w.running(); }, [](W& w) { return w.m.slots.unregister_breakpoint(w.u[0]); }},
      {"user enable", [](W& w) { w.running(), (void)w.m.slots.disable(w.u[0]); }, [](W& w) { return w.m.slots.enable(w.u[0]); }},
      {"user disable", [](W& w) { w.running(); }, [](W& w) { return w.m.slots.disable(w.u[0]); }},
      {"user modify the kind", [](W& w) { w.running(); }, [](W& w) { return w.m.slots.modify(w.u[0], w.data(0x8000, 2)); }},
      {"user modify the address", [](W& w) { w.running(); }, [](W& w) { return w.m.slots.modify(w.u[0], w.data(0x8800)); }},
      {"exec", [](W& w) { w.running(); },
       [](W& w) {
         w.m.slots.on_exec(w.tasks[0]);
         return refusal{};
       }},
      {"switch 2 to 2", [](W& w) { w.running(); }, [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"switch 2 to 1", [](W& w) { w.running(2, 1); }, [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"switch 1 to 2", [](W& w) { w.running(1, 2); }, [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"switch 2 to none", [](W& w) { w.running(2, 0); }, [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"switch none to 2", [](W& w) { w.running(0, 2); }, [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"switch to the same address, another length",
       [](W& w) {
         w.running(2, 0);
         w.put(w.v[0], w.tasks[1], 0x8100);
         (void)w.m.slots.register_breakpoint(w.v[1], w.tasks[1], w.data(0x8000, 2));
       },
       [](W& w) { return w.m.run(0, w.tasks[1]); }},
      {"lend", [](W& w) { w.three(); },
       [](W& w) {
         w.m.guarded(0, [](auto view) { view.lend(); });
         return refusal{};
       },
       false},
      {"restore",
       [](W& w) {
         w.three();
         w.m.guarded(0, [](auto view) { view.lend(); });
         for (slot_id i = 0; i < W::slots; ++i) w.m.system().bank(0).set_address(i, 0x6660);
       },
       [](W& w) { return w.m.guarded(0, [](auto view) { return view.restore(); }); }, false},
      {"online",
       [](W& w) {
         w.three();
         (void)w.m.offline(0);
         (void)w.m.slots.modify(w.s, w.data(0x2800));
         for (slot_id i = 0; i < W::slots; ++i) w.m.system().bank(0).set_address(i, 0x6660);
       },
       [](W& w) { return w.m.online(0); }, false},
      {"offline", [](W& w) { w.running(); }, [](W& w) { return w.m.offline(0); }, false},
      {"withhold", [](W& w) { w.running(1); }, [](W& w) { return w.m.slots.withhold(0, 1); }},
      {"quiet", [](W& w) { w.running(); },
       [](W& w) {
         w.m.nmi(0, [] {});
         return refusal{};
       },
       false},
  };
  if constexpr (W::cpus >= 2) {
    all.push_back({"move away",
                   [](W& w) { w.put(w.o, 0x1000), (void)w.m.slots.register_breakpoint(w.s, w.data(0x2000), mask::of(0)); },
                   [](W& w) { return w.m.slots.move(w.s, mask::of(1)); }});
    all.push_back({"move wider",
                   [](W& w) { w.put(w.o, 0x1000), (void)w.m.slots.register_breakpoint(w.s, w.data(0x2000), mask::of(0)); },
                   [](W& w) { return w.m.slots.move(w.s, mask::all()); }});
    all.push_back({"move narrower", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.move(w.s, mask::of(1)); }});
  }
  if constexpr (bookend::pool_count<typename W::system> == 2) {
    all.push_back({"modify across pools", [](W& w) { w.three(); }, [](W& w) { return w.m.slots.modify(w.s, w.code(0x4000)); }});
    all.push_back({"modify across pools, disabled", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
                   [](W& w) { return w.m.slots.modify(w.s, w.code(0x4000)); }});
    all.push_back(
        {"user modify across pools", [](W& w) { w.running(); }, [](W& w) { return w.m.slots.modify(w.u[0], w.code(0x4000)); }});
  }
  if constexpr (can_post<typename W::system>) {
    static constexpr auto why = [](const auto& posted) { return refusal(posted.why()); };
    all.push_back({"post enable", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
                   [](W& w) { return why(w.m.slots.post().enable(w.s)); }});
    all.push_back({"post disable", [](W& w) { w.three(); }, [](W& w) { return why(w.m.slots.post().disable(w.s)); }});
    all.push_back(
        {"post modify", [](W& w) { w.three(); }, [](W& w) { return why(w.m.slots.post().modify(w.s, w.data(0x2800))); }});
    all.push_back({"post modify disabled", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
                   [](W& w) { return why(w.m.slots.post().modify(w.s, w.data(0x2000, 4))); }});
    all.push_back(
        {"post unregister", [](W& w) { w.three(); }, [](W& w) { return why(w.m.slots.post().unregister_breakpoint(w.s)); }});
    all.push_back({"here modify", [](W& w) { w.three(); },
                   [](W& w) { return w.m.guarded(0, [&](auto view) { return view.modify(w.s, w.data(0x2800)); }); }});
    all.push_back({"here enable", [](W& w) { w.three(), (void)w.m.slots.disable(w.s); },
                   [](W& w) { return w.m.guarded(0, [&](auto view) { return view.enable(w.s); }); }});
    all.push_back({"reap", [](W& w) { w.three(), w.leave(w.s); },
                   [](W& w) {
                     w.m.slots.reap();
                     return refusal{};
                   }});
    all.push_back({"register what leaves", [](W& w) { w.three(), w.leave(w.s); },
                   [](W& w) { return w.m.slots.register_breakpoint(w.s, w.data(0x2800)); }});
    if constexpr (W::cpus >= 2) {
      static constexpr auto deliver = [](W& w) {
        w.m.deliver();
        return refusal{};
      };
      all.push_back({"deliver modify and disable",
                     [](W& w) {
                       w.three();
                       w.from_another_cpu([&](auto post) { return post.modify(w.s, w.data(0x2800)); });
                       w.from_another_cpu([&](auto post) { return post.disable(w.t); });
                     },
                     deliver});
      all.push_back({"deliver modify and enable", [](W& w) { w.three(), w.behind(); }, deliver});
      all.push_back({"deliver unregister", [](W& w) { w.three(), w.leave(w.s); }, deliver});
      all.push_back({"modify what is behind", [](W& w) { w.three(), w.behind(); },
                     [](W& w) { return w.m.slots.modify(w.s, w.data(0x2000, 4)); }});
      all.push_back({"disable what is behind", [](W& w) { w.three(), w.behind(); }, [](W& w) { return w.m.slots.disable(w.s); }});
      all.push_back({"online where it is behind",
                     [](W& w) {
                       w.three();
                       (void)w.m.offline(0);
                       w.behind();
                     },
                     [](W& w) { return w.m.online(0); }, false});
    }
  }
  return all;
}

/// True when the verb claims `s`: meanwhile a post for it is refused as would_block.
template <class World>
bool claims_s(const scenario<World>& s) {
  const std::string name = s.name;
  for (const char* verb : {"register", "unregister", "enable", "disable", "modify", "move", "post", "reap"})
    if (name.rfind(verb, 0) == 0) return true;
  return false;
}

/// All that can be seen of a machine: who holds each slot of each CPU, and what for. `generations` or not: they tell two equal
/// states apart.
template <class World>
std::string shelves(World& w, bool generations = true) {
  std::ostringstream text;
  for (bookend::cpu_id cpu = 0; cpu < World::cpus; ++cpu) {
    const auto shown = w.m.slots.snapshot(cpu);
    text << "cpu " << cpu << (shown.online ? "" : " offline") << (shown.away ? " away" : "") << ':';
    for (const auto& slot : shown.slots) {
      text << " [" << static_cast<int>(slot.state);
      if (slot.state == bookend::slot_state::kernel || slot.state == bookend::slot_state::user) {
        text << ' ' << slot.name << (slot.on ? " on " : " off ") << std::hex << slot.watched.address << std::dec << '/'
             << slot.watched.length << '/' << static_cast<int>(slot.watched.on);
        if (generations) text << " #" << slot.generation;
      }
      text << ']';
    }
    text << '\n';
  }
  return text.str();
}

/// Touches, on every CPU, all that any verb here watches: each access must be told to those who watch it by the snapshots, once,
/// with their setting and generation, and to nobody else. The first difference in words; empty if there is none.
template <class World>
std::string misdirected(World& w) {
  using namespace bookend;
  std::string bad;
  for (cpu_id cpu = 0; cpu < World::cpus; ++cpu) {
    const auto shown = w.m.slots.snapshot(cpu);
    for (std::uint64_t address : {0x1000U, 0x2000U, 0x2800U, 0x3000U, 0x4000U, 0x5000U, 0x5100U, 0x5200U, 0x6660U, 0x8000U,
                                  0x8100U, 0x8800U, 0x9000U, 0x9100U})
      for (access how : {access::write, access::read, access::execute}) {
        const auto text = [](const char* name, const request& watched, std::uint32_t generation) {
          std::ostringstream t;
          t << name << '@' << std::hex << watched.address << '/' << watched.length << '/' << static_cast<int>(watched.on) << '#'
            << generation << ' ';
          return t.str();
        };
        std::string due, got;
        for (const auto& slot : shown.slots) {
          const bool same = slot.watched.on == how || (slot.watched.on == access::read_write && how != access::execute);
          if (shown.online && !shown.away && slot.on && same &&
              slot.watched.bytes().overlaps({address, how == access::execute ? 1U : 8U}))
            due += text(slot.name, slot.watched, slot.generation);
        }
        const auto before = w.m.delivered().size();
        std::string kernels;
        w.on_hit = [&](const typename World::hit& h) { kernels += text(h.kernel().name(), h.watched(), h.generation); };
        w.m.set_mode(cpu, mock::mode::user);
        if (how == access::write) (void)w.m.write(cpu, address, 8);
        if (how == access::read) (void)w.m.read(cpu, address, 8);
        if (how == access::execute) (void)w.m.execute(cpu, address);
        w.m.set_mode(cpu, mock::mode::kernel);
        w.on_hit = nullptr;
        for (auto i = before; i < w.m.delivered().size(); ++i) {
          const auto& to = w.m.delivered()[i];
          const auto& from = to.to == &w.tasks[0] ? w.u : w.v;
          const auto& b = from[to.hit.cookie % 10];
          got += text(b.cookie() == to.hit.cookie ? b.name() : "a task that does not run", World::system::decode(to.hit.setting),
                      to.hit.generation);
        }
        got += kernels;
        if (got != due)
          bad = "cpu " + std::to_string(cpu) + ": told " + (got.empty() ? "nobody" : got) + ", and not " +
                (due.empty() ? "nobody" : due);
      }
  }
  return bad;
}

/// The registers of all CPUs: what is on and as what, and the addresses of the slots that are on.
template <class World>
std::string registers(World& w) {
  std::ostringstream text;
  for (bookend::cpu_id cpu = 0; cpu < World::cpus; ++cpu) {
    const auto& bank = w.m.system().bank(cpu);
    text << "cpu " << cpu << ':';
    for (bookend::slot_id i = 0; i < World::slots; ++i)
      if ((bank.control().on >> i & 1) != 0)
        text << ' ' << i << '=' << std::hex << bank.address(i) << std::dec << '/' << static_cast<int>(bank.control().kind[i]);
    text << '\n';
  }
  return text.str();
}

}  // namespace conformance
