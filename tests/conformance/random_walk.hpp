// SPDX-License-Identifier: MIT
// tests/conformance/random_walk.hpp — a mock machine and its model (shelf_model.hpp) taking the same steps, compared after each.
// Who picks the steps: a seed, or whoever calls (tests/fuzz: the fuzzer's bytes).
#pragma once
#include <bookend/mock/machine.hpp>
#include <conformance/shelf_model.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <random>

namespace conformance {

template <class Machine, unsigned KernelBreakpoints, unsigned Tasks, unsigned UserBreakpoints>
class random_walk {
 public:
  using system = std::remove_cvref_t<decltype(std::declval<Machine&>().system())>;
  using mask = bookend::cpumask<Machine::max_cpus>;
  using hit = typename Machine::hit;
  static constexpr unsigned cpus = Machine::max_cpus;
  static constexpr unsigned slots = system::slots;
  static constexpr unsigned pools = bookend::pool_count<system>;
  static constexpr bool can_post = bookend::can_post<system>;

  using picker = std::function<unsigned(unsigned below)>;  ///< of that many, one

  explicit random_walk(unsigned seed)
      : random_walk(seed % 2 == 0, [random = std::mt19937(seed)](unsigned below) mutable {
          return std::uniform_int_distribution<unsigned>(0, below - 1)(random);
        }) {}
  random_walk(bool shows_disabled, picker one_of) : pick_(std::move(one_of)) {
    model.slots = slots;
    model.pools = pools;
    model.cpus.resize(cpus);
    m.shows.shows_disabled = shows_disabled;
    m.system().deny({shelf_model::forbidden, 8});
    for (unsigned i = 0; i < KernelBreakpoints; ++i) kernels_.push_back(std::make_unique<kernel>(*this, i));
    for (unsigned i = 0; i < UserBreakpoints; ++i) users_.push_back(fresh_user(i));
    for (unsigned i = 0; i < Tasks; ++i) tasks_.push_back(std::make_unique<task>());
  }
  ~random_walk() { clear(); }

  Machine m;
  shelf_model model;
  std::string did;    ///< the last step, in words
  std::string wrong;  ///< the first thing that was
  unsigned granted = 0, refused = 0, hits = 0;

  /// One verb, at random, on both. The caller compares more if it likes; check() is enough.
  void step() {
    struct choice {
      unsigned weight;
      void (random_walk::*verb)();
    };
    constexpr choice choices[] = {
        {10, &random_walk::kernel_register},
        {5, &random_walk::kernel_unregister},
        {4, &random_walk::kernel_set_on},
        {6, &random_walk::kernel_modify},
        {4, &random_walk::kernel_move},
        {can_post ? 12 : 0, &random_walk::post},
        {can_post ? 8 : 0, &random_walk::deliver},
        {12, &random_walk::user_register},
        {5, &random_walk::user_unregister},
        {4, &random_walk::user_set_on},
        {6, &random_walk::user_modify},
        {12, &random_walk::run},
        {2, &random_walk::fork},
        {1, &random_walk::exec_or_exit},
        {6, &random_walk::hotplug},
        {6, &random_walk::lend},
        {6, &random_walk::silence},
        {8, &random_walk::here},
        {3, &random_walk::nmi},
        {1, &random_walk::withhold},
        {24, &random_walk::touch},
    };
    unsigned total = 0;
    for (const auto& c : choices) total += c.weight;
    unsigned roll = pick(total);
    for (const auto& c : choices) {
      if (roll < c.weight) return take(c.verb);
      roll -= c.weight;
    }
  }

  /// Every snapshot is the model's row, and the registers are the snapshot's. Empty, or the first thing that is wrong.
  const std::string& check() {
    for (unsigned c = 0; c < cpus; ++c) {
      const std::string bad = model.difference(m.slots.snapshot(c), c);
      expect(bad.empty(), bad);
    }
    check_tickets();
    if (const auto bad = m.difference())
      expect(false, std::string("cpu ") + std::to_string(bad.cpu) + " slot " + std::to_string(bad.slot) + ' ' + bad.what);
    return wrong;
  }

  /// Unregisters all there is, and lets the tasks end.
  void clear() {
    for (unsigned i = 0; i < KernelBreakpoints; ++i)
      if (!kernels_[i]->idle()) (void)m.slots.unregister_breakpoint(*kernels_[i]);
    for (auto& t : tasks_) m.slots.on_exit(*t);
    for (unsigned c = 0; c < cpus; ++c) (void)m.idle(c);
    model.kernels.clear();
    model.users.clear();
    for (auto& c : model.cpus) c.running = -1;
  }

  /// At the end: all slots of all CPUs are there again, to the last one, and nothing is on. Empty, or what is wrong.
  const std::string& check_empty() {
    using bookend::reason;
    clear();
    did = "at the end";
    std::vector<std::unique_ptr<typename Machine::kernel_breakpoint>> all;
    for (unsigned pool = 0; pool < pools; ++pool) {
      const bookend::request q{0x1000, 1, pools == 2 && pool == 0 ? bookend::access::execute : bookend::access::write};
      for (unsigned c = 0; c < cpus; ++c) {
        const unsigned room = model.size_of(pool) - model.kernel_held(c, pool);
        for (unsigned i = 0; i <= room; ++i) {
          expect(m.slots.full(mask::of(c), pool).any() == (i == room), "what full() says");
          all.push_back(std::make_unique<typename Machine::kernel_breakpoint>("all", [](const hit&) {}));
          const reason due = i == room ? reason::no_slot : reason::granted;
          expect(m.slots.register_breakpoint(*all.back(), q, mask::of(c)).why == due, "how many there is room for");
        }
      }
    }
    expect(m.consistent(), "the registers");
    for (auto& b : all)
      if (!b->idle()) (void)m.slots.unregister_breakpoint(*b);
    for (unsigned c = 0; c < cpus; ++c) expect(m.system().bank(c).control().on == 0, "something is on");
    return wrong;
  }

  unsigned pick(unsigned below) { return pick_(below); }

 private:
  using task = typename Machine::task;
  using user = typename Machine::user_breakpoint;
  struct kernel : Machine::kernel_breakpoint {
    kernel(random_walk& w, unsigned i)
        : Machine::kernel_breakpoint("", &kernel::called), walk(w), id(i), text("k" + std::to_string(i)) {
      this->name_ = text.c_str();
    }
    static void called(const hit& h) {
      auto& me = static_cast<kernel&>(h.kernel());
      me.walk.on_hit(me.id, h);
    }
    random_walk& walk;
    unsigned id;
    std::string text;
  };
  static std::unique_ptr<user> fresh_user(unsigned i) { return std::make_unique<user>("u", 1000 + i); }

  void expect(bool kept, const std::string& what) {
    if (!kept && wrong.empty()) wrong = did + ": " + what;
  }
  void note(std::string text, const bookend::refusal& got, const shelf_model::refusal& expected) {
    did = text + ": " + to_string(got.why);
    if (bookend::can_fail<system> && got.why == bookend::reason::hardware && expected.why == "granted") {
      failed_ = true;
      return;
    }
    expect(to_string(got.why) == expected.why, "should be " + expected.why);
    if (got.why == bookend::reason::no_slot)
      expect(got.cpu == expected.cpu && got.kernel_held == expected.kernel_held && got.user_held == expected.user_held &&
                 got.pool == expected.pool,
             "who is in the way");
    ++(got ? refused : granted);
  }
  /// Now and then one that cannot be watched.
  bookend::request any_request() {
    using bookend::access;
    if (pick(16) == 0) {
      constexpr bookend::request wrong_ones[] = {{0x1000, 3, access::write},
                                                 {0x1002, 4, access::write},
                                                 {0x1000, 1, access::io},
                                                 {shelf_model::forbidden, 1, access::execute}};
      return wrong_ones[pick(4)];
    }
    const unsigned length = 1U << pick(4);
    const std::uint64_t address = 0x1000 + 8 * pick(10);
    if (pick(pools == 2 ? 2 : 5) == 0) return {address, 1, access::execute};
    return {address + length * pick(8 / length), length, pick(2) == 0 ? access::write : access::read_write};
  }
  mask any_mask(std::set<unsigned>& as_set) {
    mask some;
    while (as_set.empty())
      for (unsigned c = 0; c < cpus; ++c)
        if (pick(2) == 0) as_set.insert(c);
    for (unsigned c : as_set) some.set(c);
    return some;
  }
  bool runs_somewhere(unsigned t) {
    for (unsigned c = 0; c < cpus; ++c)
      if (m.current(c) == tasks_[t].get()) return true;
    return false;
  }

  using verb = void (random_walk::*)();
  /// A machine whose writes can fail fails one of some verbs': then nothing has changed but, perhaps, the next change's number.
  void take(verb v) {
    constexpr verb undone[] = {&random_walk::kernel_register, &random_walk::kernel_modify, &random_walk::kernel_set_on,
                               &random_walk::kernel_move,     &random_walk::user_register, &random_walk::user_modify,
                               &random_walk::user_set_on,     &random_walk::here};
    if constexpr (bookend::can_fail<system>)
      if (std::find(std::begin(undone), std::end(undone), v) != std::end(undone) && pick(4) == 0) {
        using bookend::mock::fault;
        constexpr fault ways[] = {fault::refused, fault::dropped, fault::late};
        const auto before = model;
        m.system().faults().fail(1 + pick(8), ways[pick(3)]);
        failed_ = false;
        (this->*v)();
        m.system().faults().fail_none();
        if (!failed_) return;
        const auto of_kernel = model.kernel_generation, of_user = model.user_generation;
        model = before;
        if (v != &random_walk::kernel_set_on) model.kernel_generation = of_kernel;
        model.user_generation = of_user;
        return;
      }
    (this->*v)();
  }

  // Every verb, done to both.

  void kernel_register() {
    const unsigned id = pick(KernelBreakpoints);
    auto& b = *kernels_[id];
    const auto r = any_request();
    std::set<unsigned> on;
    const mask some = pick(3) == 0 ? mask::all() : any_mask(on);
    if (on.empty())
      for (unsigned c = 0; c < cpus; ++c) on.insert(c);
    const bool enabled = pick(4) != 0;
    const auto expected = model.register_kernel(id, r, on, enabled);
    const auto got = m.slots.register_breakpoint(b, r, some, enabled ? bookend::start::enabled : bookend::start::disabled);
    note("register k" + std::to_string(id), got, expected);
  }
  void kernel_unregister() {
    const unsigned id = pick(KernelBreakpoints);
    const auto expected = model.unregister_kernel(id);
    const auto got = m.slots.unregister_breakpoint(*kernels_[id]);
    note("unregister k" + std::to_string(id), got, expected);
    if (pick(2) == 0) {  // its storage is free: whoever looks at it now, looks at nothing of ours
      kernels_[id] = std::make_unique<kernel>(*this, id);
      model.kernel_generation[id] = 0;
      tickets_.erase(id);
    }
  }
  void kernel_set_on() {
    const unsigned id = pick(KernelBreakpoints);
    const bool on = pick(2) == 0;
    const auto expected = model.set_kernel_on(id, on);
    const auto got = on ? m.slots.enable(*kernels_[id]) : m.slots.disable(*kernels_[id]);
    note(std::string(on ? "enable k" : "disable k") + std::to_string(id), got, expected);
  }
  void kernel_modify() {
    const unsigned id = pick(KernelBreakpoints);
    const auto r = any_request();
    const auto expected = model.modify_kernel(id, r);
    note("modify k" + std::to_string(id), m.slots.modify(*kernels_[id], r), expected);
  }
  void kernel_move() {
    const unsigned id = pick(KernelBreakpoints);
    std::set<unsigned> to;
    const mask some = any_mask(to);
    const auto expected = model.move_kernel(id, to);
    note("move k" + std::to_string(id), m.slots.move(*kernels_[id], some), expected);
  }
  /// A post from a random CPU: there at once, elsewhere when it is delivered.
  void post() {
    if constexpr (can_post) {
      const unsigned id = pick(KernelBreakpoints), c = pick(cpus), what = pick(8);
      auto& b = *kernels_[id];
      const auto r = any_request();
      const auto expected = model.post_kernel(id, c, what, r);
      note("post " + std::to_string(what) + " to k" + std::to_string(id), m.guarded(c, [&](auto) { return do_post(b, what, r); }),
           expected);
      if (!expected.granted() || what != 7) return;
      expect(!b.idle(), "idle before anybody has reaped");
      expect(m.guarded(c, [&](auto) { return m.slots.post().enable(b); }).why() == bookend::reason::not_registered,
             "a breakpoint that is leaving is not registered any more");
      if (pick(2) == 0) m.slots.reap(), expect(b.idle(), "reaped, and not idle");
    }
  }
  /// `what`: 0 to 2 modify, 3 and 4 enable, 5 and 6 disable, 7 unregister.
  bookend::reason do_post(typename Machine::kernel_breakpoint& b, unsigned what, const bookend::request& r) {
    const auto posts = m.slots.post();
    const auto got = what < 3   ? posts.modify(b, r)
                     : what < 5 ? posts.enable(b)
                     : what < 7 ? posts.disable(b)
                                : posts.unregister_breakpoint(b);
    if (!got) return got.why();
    const auto id = static_cast<kernel&>(b).id;
    expect(got.value().generation == model.kernel_generation[id], "the ticket");
    tickets_[id] = got.value();
    return bookend::reason::granted;
  }
  void deliver() {
    if constexpr (bookend::can_post<system>) {
      const unsigned c = pick(cpus);
      did = "deliver to cpu " + std::to_string(c);
      if (m.system().posted().test(c) && model.cpus[c].online)
        for (auto& [id, k] : model.kernels) k.arrive(c);
      m.deliver(c);
    }
  }
  void check_tickets() {
    if constexpr (bookend::can_post<system>)
      for (const auto& [id, k] : model.kernels) {
        bool settled = true;
        for (unsigned c : k.cpus) settled = settled && (!model.cpus[c].online || k.posted.count(c) == 0);
        if (tickets_.count(id) != 0)
          expect(m.slots.settled(tickets_.at(id)) == settled && !m.slots.wait(tickets_.at(id), 1) == settled,
                 "whether k" + std::to_string(id) + " is settled");
      }
  }
  void user_register() {
    const unsigned id = pick(UserBreakpoints), t = pick(Tasks);
    const auto r = any_request();
    const int where = pick(3) == 0 ? static_cast<int>(pick(cpus)) : shelf_model::wide;
    const bool enabled = pick(4) != 0;
    const auto how = enabled ? bookend::start::enabled : bookend::start::disabled;
    const auto expected = model.register_user(id, t, r, where, enabled);
    const auto got = where == shelf_model::wide ? m.slots.register_breakpoint(*users_[id], *tasks_[t], r, how)
                                                : m.slots.register_breakpoint(*users_[id], *tasks_[t], r,
                                                                              bookend::pinned{static_cast<unsigned>(where)}, how);
    if (expected.granted()) expect(users_[id]->index() == model.users.at(id).index, "the index");
    note("register u" + std::to_string(id) + " of task " + std::to_string(t) + " at " + std::to_string(where), got, expected);
  }
  void user_unregister() {
    const unsigned id = pick(UserBreakpoints);
    const auto expected = model.unregister_user(id);
    const auto got = m.slots.unregister_breakpoint(*users_[id]);
    note("unregister u" + std::to_string(id), got, expected);
    if (pick(2) == 0) renew_user(id);
  }
  void renew_user(unsigned id) {
    users_[id] = fresh_user(id);
    model.user_generation[id] = 0;
  }
  void user_set_on() {
    const unsigned id = pick(UserBreakpoints);
    const bool on = pick(2) == 0;
    const auto expected = model.set_user_on(id, on);
    const auto got = on ? m.slots.enable(*users_[id]) : m.slots.disable(*users_[id]);
    note(std::string(on ? "enable u" : "disable u") + std::to_string(id), got, expected);
  }
  void user_modify() {
    const unsigned id = pick(UserBreakpoints);
    const auto r = any_request();
    const auto expected = model.modify_user(id, r);
    note("modify u" + std::to_string(id), m.slots.modify(*users_[id], r), expected);
  }
  void run() {
    const unsigned c = pick(cpus);
    const unsigned t = pick(Tasks + 1);
    if (t == Tasks) {
      note("cpu " + std::to_string(c) + " idles", m.idle(c), {});
      model.switch_to(c, -1);
      return;
    }
    for (unsigned other = 0; other < cpus; ++other)
      if (other != c && m.current(other) == tasks_[t].get()) return;
    note("cpu " + std::to_string(c) + " runs task " + std::to_string(t), m.run(c, *tasks_[t]), {});
    model.switch_to(c, static_cast<int>(t));
  }
  void fork() {
    const unsigned parent = pick(Tasks), child = pick(Tasks);
    if (parent == child || runs_somewhere(child)) return;
    m.slots.on_exit(*tasks_[child]);
    model.flush(child);
    std::map<unsigned, shelf_model::user> copies;
    m.slots.on_fork(*tasks_[parent], *tasks_[child], [&](const user& p) -> user* {
      if (pick(3) == 0) return nullptr;
      for (unsigned id = 0; id < UserBreakpoints; ++id) {
        if (!users_[id]->idle() || copies.count(id) != 0) continue;
        copies[id] = model.inherited(model.users.at(static_cast<unsigned>(p.cookie() - 1000)), id, child);
        return users_[id].get();
      }
      return nullptr;
    });
    model.users.merge(copies);
    did = "fork " + std::to_string(parent) + " to " + std::to_string(child);
  }
  void exec_or_exit() {
    const unsigned t = pick(Tasks);
    model.flush(t);
    if (pick(2) == 0 || runs_somewhere(t)) {
      m.slots.on_exec(*tasks_[t]);
      did = "exec " + std::to_string(t);
    } else {
      m.slots.on_exit(*tasks_[t]);
      tasks_[t] = std::make_unique<task>();
      did = "exit " + std::to_string(t);
    }
    for (unsigned id = 0; id < UserBreakpoints; ++id)
      if (model.users.count(id) == 0 && pick(2) == 0) renew_user(id);
  }
  void litter(unsigned c) {  // what somebody else leaves behind
    auto& bank = m.system().bank(c);
    bank.set_control({});
    for (unsigned s = 0; s < slots; ++s) bank.set_address(s, 0xbad0000 + s);
  }
  void hotplug() {
    const unsigned c = pick(cpus);
    auto& cpu = model.cpus[c];
    if constexpr (requires { m.system().note_current(c, nullptr); })  // else its next verb loads the task, not its next switch
      (void)m.idle(c), cpu.running = -1;
    if (cpu.online) {
      if (pick(6) != 0) return;
      note("offline " + std::to_string(c), m.offline(c), {});
      model.go_offline(c);
    } else {
      litter(c);
      note("online " + std::to_string(c), m.online(c), {});
      model.come_online(c);
    }
  }
  void lend() {
    const unsigned c = pick(cpus);
    auto& cpu = model.cpus[c];
    if (!cpu.online) return;
    if (cpu.lent) {
      litter(c);
      note("restore " + std::to_string(c), m.guarded(c, [](auto view) { return view.restore(); }), {});
      cpu.lent = cpu.silenced = false;
    } else {
      if (pick(6) != 0) return;
      m.guarded(c, [](auto view) { (void)view.lend(); });
      did = "lend " + std::to_string(c);
      cpu.lent = true;
    }
  }
  void silence() {
    const unsigned c = pick(cpus);
    auto& cpu = model.cpus[c];
    if (!cpu.online || cpu.lent) return;
    if (cpu.silenced) {
      litter(c);
      note("restore " + std::to_string(c) + " after silence", m.guarded(c, [](auto view) { return view.restore(); }), {});
    } else {
      if (pick(6) != 0) return;
      m.slots.on(c).silence();
      did = "silence " + std::to_string(c);
    }
    cpu.silenced = !cpu.silenced;
  }
  /// `what`: 0 modify, 1 enable, 2 disable.
  template <class View>
  bookend::refusal do_here(const View& here, unsigned id, unsigned what, const bookend::request& r) {
    auto& b = *kernels_[id];
    return what == 0 ? here.modify(b, r) : what == 1 ? here.enable(b) : here.disable(b);
  }
  void here() {
    const unsigned id = pick(KernelBreakpoints), c = pick(cpus), what = pick(3);
    const auto r = any_request();
    const auto expected = model.change_here(id, c, what, r);
    note("here " + std::to_string(what) + " to k" + std::to_string(id),
         m.guarded(c, [&](auto view) { return do_here(view, id, what, r); }), expected);
  }
  void nmi() {
    const unsigned c = pick(cpus);
    did = "NMI on " + std::to_string(c);
    m.nmi(c, [&] {
      for (unsigned i = 0; i < 10; ++i) expect(m.write(c, 0x1000 + 8 * i, 8) == 0, "a trap in a quiet scope");
    });
  }
  void withhold() {
    const unsigned c = pick(cpus), s = pick(slots);
    if (withheld_ == 2 || pick(8) != 0) return;
    const unsigned pool = s >= model.end_of(0) ? 1 : 0;
    bool taken = model.cpus[c].withheld.count(s) != 0;
    for (const auto& [id, k] : model.kernels) taken = taken || (k.slot.count(c) != 0 && k.slot.at(c) == s);
    shelf_model::refusal expected{};
    if (taken || !model.kernel_fits(c, pool)) expected = {"no_slot", c, model.kernel_held(c, pool), model.tallest(c, pool), pool};
    const auto got = m.slots.withhold(c, bookend::slot_mask{1} << s);
    if (expected.why == "granted") model.cpus[c].withheld.insert(s), ++withheld_;
    note("withhold slot " + std::to_string(s) + " of cpu " + std::to_string(c), got, expected);
  }

  // Accesses, and who is told. A handler may do something to a breakpoint, its own or another: one that is silenced or re-aimed
  // everywhere before its turn has come is skipped.

  struct told {
    bool of_kernel;
    unsigned id, slot, index;
    modelled_watch watch;
    friend bool operator==(const told&, const told&) = default;
  };
  /// What the first handler does: here, or for `what` from 3 on a post.
  struct deed {
    unsigned to, what;
    bookend::request r;
    std::string due;  ///< the answer
  };
  void on_hit(unsigned id, const hit& h) {
    got_.push_back({true, id, h.slot, 0, {h.watched(), true, h.generation}});
    if (!deed_) return;
    const deed d = *deed_;
    deed_.reset();
    auto got = bookend::reason::granted;
    if (d.what < 3) {
      got = do_here(h.here, d.to, d.what, d.r).why;
    } else {
      if constexpr (can_post) got = do_post(*kernels_[d.to], d.what - 3, d.r);
    }
    expect(to_string(got) == d.due, "a handler's " + std::to_string(d.what) + " to k" + std::to_string(d.to) + " should be " +
                                        d.due + ", and is " + to_string(got));
  }
  void touch() {
    using bookend::access;
    const unsigned c = pick(cpus);
    access how = pick(3) == 0 ? access::execute : pick(2) == 0 ? access::write : access::read;
    std::uint64_t address = 0x1000 + 8 * pick(10);
    const auto row = model.row(c);
    if (!row.empty() && pick(4) != 0) {  // mostly where something is watched
      const auto& some = std::next(row.begin(), pick(static_cast<unsigned>(row.size())))->second.watch.what;
      how = some.on == access::execute ? access::execute : access::write;
      address = how == access::execute ? some.address : some.address & ~std::uint64_t{7};
    }
    const bookend::range bytes{address, how == access::execute ? 1U : 8U};
    deed_.reset();
    if (pick(3) == 0) deed_ = {pick(KernelBreakpoints), pick(can_post ? 11 : 3), any_request(), ""};
    // What is due, by the model.
    bool acts = false;
    std::vector<told> due, due_to_users;
    for (unsigned s : model.hit_by(c, how, bytes)) {
      const auto& e = row.at(s);
      if (!e.of_kernel) {
        due_to_users.push_back({false, e.id, s, model.users.at(e.id).index, e.watch});
        continue;
      }
      const auto it = model.kernels.find(e.id);
      if (it == model.kernels.end()) continue;
      const auto& now = it->second.here.at(c);
      if (!now.on || now.generation != e.watch.generation) continue;
      due.push_back({true, e.id, s, 0, e.watch});
      if (acts || !deed_) continue;
      acts = true;
      auto& d = *deed_;
      d.due = (d.what < 3 ? model.change_here(d.to, c, d.what, d.r) : model.post_kernel(d.to, c, d.what - 3, d.r)).why;
    }
    due.insert(due.end(), due_to_users.begin(), due_to_users.end());  // those are delivered after the trap
    got_.clear();
    m.set_mode(c, pick(2) == 0 ? bookend::mock::mode::user : bookend::mock::mode::kernel);
    const auto before = m.delivered().size();
    const unsigned traps = how == access::write  ? m.write(c, bytes.first, 8)
                           : how == access::read ? m.read(c, bytes.first, 8)
                                                 : m.execute(c, bytes.first);
    deed_.reset();
    did = std::string(acts ? "an access whose handler acts" : "an access") + " on cpu " + std::to_string(c);
    expect(traps == (due.empty() ? 0U : 1U), "the number of traps");
    std::uint64_t users = 0;
    for (auto i = before; i < m.delivered().size(); ++i) {
      const auto& d = m.delivered()[i];
      const auto id = static_cast<unsigned>(d.hit.cookie - 1000);
      expect(d.cpu == c && model.users.count(id) != 0 && d.to == tasks_[model.users[id].task].get(),
             "whom a hit is delivered to");
      got_.push_back({false, id, d.hit.slot, d.hit.index, {system::decode(d.hit.setting), true, d.hit.generation}});
      users |= std::uint64_t{1} << d.hit.index;
    }
    expect(got_ == due, "who was told");
    if (traps != 0) {
      bookend::slot_mask handled = 0;
      for (const auto& t : due) handled |= bookend::slot_mask{1} << t.slot;
      expect(m.last_trap(c).user == users && m.last_trap(c).handled == handled && m.last_trap(c).rest == 0, "what trap() said");
    }
    hits += static_cast<unsigned>(due.size());
  }

  picker pick_;
  std::vector<std::unique_ptr<kernel>> kernels_;
  std::vector<std::unique_ptr<user>> users_;
  std::vector<std::unique_ptr<task>> tasks_;
  std::map<unsigned, bookend::ticket<system>> tickets_;  ///< the last of each
  std::vector<told> got_;
  std::optional<deed> deed_;
  unsigned withheld_ = 0;
  bool failed_ = false;  ///< the last verb was refused as hardware
};

}  // namespace conformance
