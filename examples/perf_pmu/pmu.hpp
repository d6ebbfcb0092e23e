// SPDX-License-Identifier: MIT
// examples/perf_pmu/pmu.hpp — events as perf has them, over debug registers: reserved when they are opened, in thread context;
// armed and disarmed on one CPU, with interrupts off, when what they count is switched in and out there.
#pragma once
#include <bookend/bookend.hpp>

namespace perf {

using bookend::cpu_id;
inline constexpr cpu_id any_cpu = ~0U;

struct context;

/// Counts accesses: of one task, wherever it runs or on one CPU only, or of one CPU, whoever runs there.
struct event {
  bookend::request what;
  cpu_id cpu = any_cpu;     ///< counts there only
  bool inherit = false;     ///< a child that is forked gets one like it
  std::uint64_t count = 0;  ///< its own; pmu::read() adds its children's

  // The pmu's.
  context* of = nullptr;
  event* next = nullptr;
  event* parent = nullptr;
  unsigned at = nowhere;  ///< which of the reserved it has while it is added
  bool stopped = false;
  static constexpr unsigned nowhere = ~0U;
  [[nodiscard]] bool counts_on(cpu_id c) const noexcept { return cpu == any_cpu || cpu == c; }
};

/// The events of one task, or of one CPU: perf's group, scheduled in and out together. Must not move or go while it has any.
struct context {
  event* first = nullptr;
  context* next = nullptr;  ///< of all tasks that have events
  [[nodiscard]] unsigned wants(cpu_id c) const noexcept {
    unsigned n = 0;
    for (const event* e = first; e != nullptr; e = e->next) n += e->counts_on(c) ? 1u : 0u;
    return n;
  }
};

/// Each CPU has as many slots reserved as it wants for itself and its neediest task wants there, in breakpoints of the kernel's
/// that nobody has for long: a task that is switched in takes as many as it has events, aims them and arms them; one that is
/// switched out disarms them. They stay reserved while nobody is in, so no event can lose its place, whoever registers what
/// meanwhile; and tasks do not compete. For machines of one pool.
/// Kernel: `slots` is its manager; `on_cpu(cpu, f)` runs f() there, interrupts off, and returns when it has run; nothing
/// where there is no such CPU.
template <class Kernel, class System>
class pmu {
  using slot_manager = bookend::slot_manager<System>;
  using mask = typename slot_manager::mask;
  using refusal = bookend::refusal;

 public:
  constexpr explicit pmu(Kernel& kernel) noexcept : kernel_(kernel) {}

  // Thread context, one at a time; the kernel does not switch a task while its own context is being changed (perf: the context's
  // lock).

  /// Of a task. Refused: as a kernel breakpoint is, no_slot among them; then nothing has changed.
  [[nodiscard]] refusal open(event& e, context& task) noexcept { return do_open(e, task); }
  /// Of a CPU: `e.cpu` says which.
  [[nodiscard]] refusal open(event& e) noexcept {
    return e.cpu < System::max_cpus ? do_open(e, cpu_[e.cpu]) : refusal{bookend::reason::bad_cpu};
  }
  /// Nothing happens if it is not open.
  void close(event& e) noexcept {
    if (e.of == nullptr) return;
    each_of_tasks([&](event& child) {
      if (child.parent == &e) child.parent = e.parent;
    });
    // What is left on a CPU moves together, so that what is given back is free.
    for (cpu_id c = 0; c < System::max_cpus; ++c)
      kernel_.on_cpu(c, [&] {
        if (in_[c] != nullptr) all_out(*in_[c], c);
        all_out(cpu_[c], c);
      });
    unlink(e);
    for (cpu_id c = 0; c < System::max_cpus; ++c)
      kernel_.on_cpu(c, [&] {
        all_in(cpu_[c], c);
        if (in_[c] != nullptr) all_in(*in_[c], c);
      });
    (void)reserve(e.what);  // fewer than before
  }
  /// `storage_for(event)` names an event that is not open; null leaves that one out. Never refused: what fits the parent fits the
  /// child. Before the child first runs.
  template <class StorageFor>
  void fork(context& parent, context& child, StorageFor storage_for) noexcept {
    for (event* e = parent.first; e != nullptr; e = e->next) {
      event* const its = e->inherit ? storage_for(*e) : nullptr;
      if (its == nullptr) continue;
      *its = event{.what = e->what, .cpu = e->cpu, .inherit = true};
      its->parent = e;
      its->stopped = e->stopped;
      link(*its, child);
    }
  }
  /// The task has been switched out for the last time. What inherited events have counted is their parents' now.
  void exit(context& task) noexcept {
    while (task.first != nullptr) {
      event& e = *task.first;
      if (e.parent != nullptr) e.parent->count += e.count;
      close(e);
    }
  }
  /// Its own count and that of all its children that live.
  [[nodiscard]] std::uint64_t read(const event& e) const noexcept {
    std::uint64_t n = e.count;
    each_of_tasks([&](const event& child) {
      if (child.parent == &e) n += read(child);
    });
    return n;
  }

  // The scheduler's, on the CPU that switches, interrupts off.

  void schedule_in(context& task, cpu_id c) noexcept {
    in_[c] = &task;
    all_in(task, c);
  }
  void schedule_out(context& task, cpu_id c) noexcept {
    all_out(task, c);
    in_[c] = nullptr;
  }
  // perf's four, the same. add and del: a place on this CPU, and no place; start and stop: armed there, or not.

  void add(event& e, cpu_id c) noexcept {
    for (unsigned i = 0; i < System::slots; ++i) {
      reserved& r = reserved_[i];
      // Where it has no slot on this CPU it refuses. Nothing is written if the last event here watched the same.
      if (r.now[c] != nullptr || kernel_.slots.here().modify(r, e.what)) continue;
      r.now[c] = &e;
      e.at = i;
      if (!e.stopped) (void)kernel_.slots.here().enable(r);
      return;
    }
    BOOKEND_ASSERT(false, "an event that was granted finds no slot");
  }
  void del(event& e, cpu_id c) noexcept {
    (void)kernel_.slots.here().disable(reserved_[e.at]);
    reserved_[e.at].now[c] = nullptr;
    e.at = event::nowhere;
  }
  /// For an event that is added on this CPU, or nowhere.
  void start(event& e) noexcept {
    e.stopped = false;
    if (e.at != event::nowhere) (void)kernel_.slots.here().enable(reserved_[e.at]);
  }
  void stop(event& e) noexcept {
    e.stopped = true;
    if (e.at != event::nowhere) (void)kernel_.slots.here().disable(reserved_[e.at]);
  }

 private:
  /// A slot on each CPU that wants that many.
  struct reserved : slot_manager::kernel_breakpoint {
    constexpr reserved() noexcept : slot_manager::kernel_breakpoint("perf", on_hit) {}
    static void on_hit(const bookend::hit<System>& h) { ++static_cast<reserved&>(h.breakpoint).now[h.here.cpu()]->count; }
    mask held;
    event* now[System::max_cpus]{};  // each CPU its own
  };

  refusal do_open(event& e, context& group) noexcept {
    if (e.of != nullptr) return bookend::reason::already_registered;
    if (const auto encoded = System::encode(e.what); !encoded) return encoded.why();
    if (!kernel_.slots.system().may_watch(bookend::side::kernel, e.what.bytes())) return bookend::reason::forbidden;
    e.count = 0;
    link(e, group);
    if (const refusal no = reserve(e.what)) {
      unlink(e);
      (void)reserve(e.what);  // as before
      return no;
    }
    for (cpu_id c = 0; c < System::max_cpus; ++c)
      if (e.counts_on(c) && (&group == &cpu_[c] || &group == in_[c])) kernel_.on_cpu(c, [&] { add(e, c); });
    return {};
  }
  /// On every CPU as many as it wants. A new one watches `what`, until it is aimed; nothing is armed. When it is refused, some
  /// may have been taken.
  refusal reserve(const bookend::request& what) noexcept {
    unsigned wants[System::max_cpus];
    for (cpu_id c = 0; c < System::max_cpus; ++c) {
      wants[c] = 0;
      for (const context* t = tasks_; t != nullptr; t = t->next) wants[c] = t->wants(c) > wants[c] ? t->wants(c) : wants[c];
      wants[c] += cpu_[c].wants(c);
      if (wants[c] > System::slots) return {bookend::reason::no_slot, c};
    }
    for (unsigned i = 0; i < System::slots; ++i) {
      reserved& r = reserved_[i];
      mask wanted;
      for (cpu_id c = 0; c < System::max_cpus; ++c)
        if (wants[c] > i) wanted.set(c);
      if (wanted == r.held) continue;
      const refusal no = wanted.none()   ? kernel_.slots.unregister_breakpoint(r)
                         : r.held.none() ? kernel_.slots.register_breakpoint(r, what, wanted, bookend::start::disabled)
                                         : kernel_.slots.move(r, wanted);
      if (no) return no;
      r.held = wanted;
    }
    return {};
  }

  void all_in(context& group, cpu_id c) noexcept {
    for (event* e = group.first; e != nullptr; e = e->next)
      if (e->counts_on(c)) add(*e, c);
  }
  void all_out(context& group, cpu_id c) noexcept {
    for (event* e = group.first; e != nullptr; e = e->next)
      if (e->at != event::nowhere) del(*e, c);
  }
  template <class F>
  void each_of_tasks(F f) const noexcept {
    for (context* t = tasks_; t != nullptr; t = t->next)
      for (event* e = t->first; e != nullptr; e = e->next) f(*e);
  }
  void link(event& e, context& group) noexcept {
    if (group.first == nullptr && !of_cpu(group)) {
      group.next = tasks_;
      tasks_ = &group;
    }
    e.of = &group;
    e.next = group.first;
    group.first = &e;
  }
  void unlink(event& e) noexcept {
    context& group = *e.of;
    event** at = &group.first;
    while (*at != &e) at = &(*at)->next;
    *at = e.next;
    e.of = nullptr;
    if (group.first != nullptr || of_cpu(group)) return;
    context** t = &tasks_;
    while (*t != &group) t = &(*t)->next;
    *t = group.next;
  }
  [[nodiscard]] bool of_cpu(const context& group) const noexcept {
    for (const context& c : cpu_)
      if (&c == &group) return true;
    return false;
  }

  Kernel& kernel_;
  reserved reserved_[System::slots];
  context cpu_[System::max_cpus];
  context* in_[System::max_cpus]{};  // each CPU its own
  context* tasks_ = nullptr;
};

}  // namespace perf
