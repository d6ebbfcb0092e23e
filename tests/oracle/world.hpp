// SPDX-License-Identifier: MIT
// tests/oracle/world.hpp — a simulated machine with its manager, and the naive model, taking the same steps; both can be put back
// to where they were.
#pragma once
#include <bookend/mock/compare.hpp>
#include <conformance/shelf_model.hpp>
#include <cstring>
#include <oracle/parts.hpp>
#include <oracle/step.hpp>
#include <utility>
#include <vector>

namespace oracle {

/// `Kernels` and `Users`: how many breakpoints there are at most. Does not move: the manager's bytes hold its address.
template <class System, unsigned Kernels, unsigned Users, unsigned Tasks>
class world {
 public:
  static constexpr unsigned cpus = System::max_cpus, slots = System::slots, pools = bookend::pool_count<System>;
  static constexpr unsigned kernels = Kernels, users = Users, tasks = Tasks;
  using model_type = conformance::shelf_model;
  using image = std::vector<unsigned char>;

  world() {
    book_.slots = slots;
    book_.pools = pools;
    book_.cpus.resize(cpus);
    os().observe({.context = this, .before = &before_write, .after = nullptr});
    for (unsigned c = 0; c < cpus; ++c) {
      os().set_online(c, true);
      (void)all_.m.cpu_online(c);
    }
    wrong_.clear();
  }
  ~world() { (void)clear(); }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  [[nodiscard]] const model_type& model() const { return book_; }
  /// Every byte of the manager, the registers, the breakpoints and the tasks.
  [[nodiscard]] image bytes() const {
    const auto* p = reinterpret_cast<const unsigned char*>(&all_);
    return {p, p + sizeof all_};
  }
  void restore(const image& from, const model_type& book) {
    std::memcpy(static_cast<void*>(&all_), from.data(), sizeof all_);
    book_ = book;
  }
  /// The ledgers' bytes.
  [[nodiscard]] std::string ledger_bytes() const { return all_.m.ledger_bytes(); }

  /// Takes a step, whether or not it is granted. Empty, or the first thing that is wrong. A step that cannot be asked for now
  /// (to run a task where it is not free to) is none.
  std::string take(const step& s) {
    wrong_.clear();
    refused_ = false;
    writes_ = 0;
    apply(s);
    if (wrong_.empty() && !refused_) check();
    return wrong_;
  }
  /// Whether the last step was refused.
  [[nodiscard]] bool refused() const { return refused_; }
  /// Is everything as the model says: rows, registers, ledgers, and where it is full?
  std::string look() {
    wrong_.clear();
    check();
    for (unsigned pool = 0; pool < pools; ++pool) {
      const auto full = all_.m.full(mask::all(), pool);
      for (unsigned c = 0; c < cpus; ++c) expect(full.test(c) == !book_.kernel_fits(c, pool), "full(): cpu " + std::to_string(c));
    }
    return wrong_;
  }
  /// Ends everything, and looks whether anything is left.
  std::string clear() {
    wrong_.clear();
    for (auto& k : all_.kernel)
      if (!k.idle()) (void)all_.m.unregister_breakpoint(k);
    for (auto& t : all_.task) all_.m.on_exit(t);
    for (unsigned c = 0; c < cpus; ++c) {
      switch_to(c, wide);
      expect(os().bank(c).control().on == 0, "a register is on at the end");
    }
    book_.kernels.clear();
    book_.users.clear();
    for (char byte : all_.m.ledger_bytes()) expect(byte == 0, "the ledger is not empty at the end");
    for (unsigned c = 0; c < cpus; ++c) book_.switch_to(c, wide);
    if (wrong_.empty()) check();
    return wrong_;
  }

 private:
  static constexpr int wide = step::wide;
  using mask = bookend::cpumask<cpus>;
  using parts_type = parts<System, Kernels, Users, Tasks>;
  using user_breakpoint = typename parts_type::user_breakpoint;
  using manager = typename parts_type::manager;

  System& os() { return all_.m.system(); }
  void expect(bool kept, const std::string& what) {
    if (!kept && wrong_.empty()) wrong_ = what;
  }
  /// P4: a CPU's registers are written there, under its guard.
  static void before_write(void* self, const bookend::mock::register_write<slots>& w) noexcept {
    auto& me = *static_cast<world*>(self);
    ++me.writes_;
    const bool there = me.os().guard_depth(w.cpu) != 0 && me.os().this_cpu() == w.cpu;
    if (!there) me.expect(false, "P4: a register is written from elsewhere");
  }
  bool runs(unsigned t, unsigned but_on = cpus) const {
    for (unsigned c = 0; c < cpus; ++c)
      if (c != but_on && all_.current[c] == static_cast<int>(t) + 1) return true;
    return false;
  }
  typename manager::task& task_of(int current) { return current == 0 ? all_.idle : all_.task[current - 1]; }
  static std::set<unsigned> set_of(unsigned bits) {
    std::set<unsigned> s;
    for (unsigned c = 0; c < cpus; ++c)
      if ((bits >> c & 1) != 0) s.insert(c);
    return s;
  }
  static mask mask_of(unsigned bits) {
    mask m;
    for (unsigned c : set_of(bits)) m.set(c);
    return m;
  }
  static bookend::request watch(std::uint64_t address, unsigned pool) {
    using bookend::access;
    return pools == 2 && pool == 0 ? bookend::request{address, 1, access::execute} : bookend::request{address, 8, access::write};
  }
  /// Another address than the one that it watches now.
  static bookend::request another(std::uint64_t address, unsigned pool) { return watch(address ^ 8, pool); }

  /// A kernel that says which task is current.
  static constexpr bool says_current = requires(System s) { s.note_current(0, nullptr); };

  void switch_to(unsigned c, int next) {
    auto& to = task_of(next + 1);
    const auto was = os().enter_guard(c);
    all_.m.on(c).switch_to(task_of(all_.current[c]), to);
    if constexpr (says_current) os().note_current(c, next == wide ? nullptr : &to);
    os().leave_guard(was);
    all_.current[c] = next + 1;
  }
  void compare(const bookend::refusal& got, const model_type::refusal& due) {
    refused_ = bool(got);
    if (to_string(got.why) != due.why)
      return expect(false, std::string("it says ") + to_string(got.why) + ", and not " + due.why);
    if (got.why == bookend::reason::no_slot || got.why == bookend::reason::bad_cpu)
      expect(got.cpu == due.cpu, "the CPU in the way");
    if (got.why == bookend::reason::no_slot)
      expect(got.pool == due.pool && got.kernel_held == due.kernel_held && got.user_held == due.user_held, "who is in the way");
  }
  /// A verb that may be refused: then nothing has changed, to the last byte, and nothing was written in between.
  template <class Verb>
  void ask(const model_type::refusal& due, Verb verb) {
    before_.resize(sizeof all_);
    std::memcpy(before_.data(), &all_, sizeof all_);
    compare(verb(), due);
    if (!refused_) return;
    expect(std::memcmp(before_.data(), &all_, sizeof all_) == 0, "a refusal has changed something");
    expect(writes_ == 0, "a refusal has written a register");
  }
  template <class Verb>
  void ask_about(const step& s, const model_type::refusal& due, Verb verb) {
    ask(due, [&] { return s.of_user ? verb(all_.user[s.who]) : verb(all_.kernel[s.who]); });
  }

  void apply(const step& s) {
    auto& m = all_.m;
    const auto how = s.on ? bookend::start::enabled : bookend::start::disabled;
    const unsigned cpu = static_cast<unsigned>(s.where);
    const std::uint64_t kernel_address = 0x1000 + 16 * s.who, user_address = 0x8000 + 16 * s.who;
    switch (s.what) {
      case step::register_kernel: {
        const auto r = watch(kernel_address, s.pool);
        return ask(book_.register_kernel(s.who, r, set_of(s.cpus), s.on),
                   [&] { return m.register_breakpoint(all_.kernel[s.who], r, mask_of(s.cpus), how); });
      }
      case step::register_user: {
        const auto r = watch(user_address, s.pool);
        auto& b = all_.user[s.who];
        auto& t = all_.task[s.task];
        ask(book_.register_user(s.who, s.task, r, s.where, s.on), [&] {
          return s.where == wide ? m.register_breakpoint(b, t, r, how)
                                 : m.register_breakpoint(b, t, r, bookend::pinned{cpu}, how);
        });
        if (wrong_.empty() && !refused_) expect(b.index() == book_.users.at(s.who).index, "the index");
        return;
      }
      case step::unregister:
        return ask_about(s, s.of_user ? book_.unregister_user(s.who) : book_.unregister_kernel(s.who),
                         [&](auto& b) { return m.unregister_breakpoint(b); });
      case step::enable:
        return ask_about(s, s.of_user ? book_.set_user_on(s.who, true) : book_.set_kernel_on(s.who, true),
                         [&](auto& b) { return m.enable(b); });
      case step::disable:
        return ask_about(s, s.of_user ? book_.set_user_on(s.who, false) : book_.set_kernel_on(s.who, false),
                         [&](auto& b) { return m.disable(b); });
      case step::modify: {
        auto r = watch(s.of_user ? user_address : kernel_address, s.pool);
        if (s.of_user && book_.users.count(s.who) != 0) r = another(book_.users.at(s.who).watch.what.address, s.pool);
        if (!s.of_user && book_.kernels.count(s.who) != 0) r = another(book_.kernels.at(s.who).everywhere.what.address, s.pool);
        return ask_about(s, s.of_user ? book_.modify_user(s.who, r) : book_.modify_kernel(s.who, r),
                         [&](auto& b) { return m.modify(b, r); });
      }
      case step::move:
        return ask(book_.move_kernel(s.who, set_of(s.cpus)), [&] { return m.move(all_.kernel[s.who], mask_of(s.cpus)); });
      case step::run:
        if (runs(s.task, cpu) || !book_.cpus[cpu].online) return;
        switch_to(cpu, static_cast<int>(s.task));
        return book_.switch_to(cpu, static_cast<int>(s.task));
      case step::idle:
        switch_to(cpu, wide);
        return book_.switch_to(cpu, wide);
      case step::fork:
        return fork(s.task, s.child);
      case step::exec:
        m.on_exec(all_.task[s.task]);
        return book_.flush(s.task);
      case step::exit:
        if (runs(s.task)) return;
        m.on_exit(all_.task[s.task]);
        return book_.flush(s.task);
      case step::online:
        if (!book_.cpus[cpu].online) os().set_online(cpu, true);
        compare(m.cpu_online(cpu), {});
        if (!book_.cpus[cpu].online) book_.come_online(cpu);
        return;
      case step::offline:
        if (book_.cpus[cpu].online) switch_to(cpu, wide);
        compare(m.cpu_offline(cpu), {});
        os().set_online(cpu, false);
        return book_.go_offline(cpu);
    }
  }
  /// A child that runs nowhere inherits all for which there is storage left.
  void fork(unsigned parent, unsigned child) {
    if (parent == child || runs(child)) return;
    all_.m.on_exit(all_.task[child]);
    book_.flush(child);
    std::map<unsigned, model_type::user> copies;
    all_.m.on_fork(all_.task[parent], all_.task[child], [&](const user_breakpoint& p) -> user_breakpoint* {
      for (unsigned id = 0; id < Users; ++id) {
        if (!all_.user[id].idle() || copies.count(id) != 0) continue;
        copies[id] = book_.inherited(book_.users.at(static_cast<unsigned>(p.cookie() - 1000)), id, child);
        return &all_.user[id];
      }
      return nullptr;
    });
    book_.users.merge(copies);
  }
  /// P1 to P3: each row is the model's, and the registers are the row; the ledgers have counted so.
  void check() {
    for (unsigned c = 0; c < cpus; ++c) {
      const auto shown = all_.m.snapshot(c);
      if (const std::string bad = book_.difference(shown, c); !bad.empty()) expect(false, bad);
      if (const auto bad = bookend::mock::difference(shown, os().bank(c)))
        expect(false, "cpu " + std::to_string(c) + " slot " + std::to_string(bad.slot) + ' ' + bad.what);
      for (unsigned pool = 0; pool < pools; ++pool)
        expect(all_.m.held(pool, c) == std::pair(book_.kernel_held(c, pool), book_.tallest(c, pool)), "the ledger's count");
    }
    for (unsigned id = 0; id < Kernels; ++id) expect(all_.kernel[id].idle() == (book_.kernels.count(id) == 0), "idle()");
    for (unsigned id = 0; id < Users; ++id) expect(all_.user[id].idle() == (book_.users.count(id) == 0), "idle()");
  }

  parts_type all_;
  model_type book_;
  image before_;
  std::string wrong_;
  unsigned writes_ = 0;
  bool refused_ = false;
};

}  // namespace oracle
