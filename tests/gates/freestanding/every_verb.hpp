// SPDX-License-Identifier: MIT
// tests/gates/freestanding/every_verb.hpp — calls every verb of a manager, so that an object file has the code of each.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/by_priority.hpp>
#include <bookend/cover.hpp>
#include <bookend/group.hpp>
#include <bookend/print.hpp>
#include <bookend/shared.hpp>

/// What a kernel would have around its manager. All constant-initialized: all but the names is .bss or .data.
template <class System>
struct kernel {
  using slot_manager = bookend::slot_manager<System>;
  using kernel_breakpoint = typename slot_manager::kernel_breakpoint;
  using user_breakpoint = typename slot_manager::user_breakpoint;
  using task = typename slot_manager::task;

  static void on_hit(const typename slot_manager::hit& hit) {
    (void)hit.here.disable(hit.kernel());
    (void)hit.here.enable(hit.kernel());
    (void)hit.here.modify(hit.kernel(), hit.watched());
    last = hit.here.cpu() + hit.slot + hit.generation;
  }
  static constinit inline slot_manager slots{};
  static constinit inline kernel_breakpoint watch{"watch", &on_hit};
  static constinit inline user_breakpoint own[2];
  static constinit inline task tasks[2];
  static constinit inline unsigned last = 0;
  static constinit inline char text[4096]{};
};

/// The number of refusals of one call of each verb.
template <class System>
unsigned everywhere(const bookend::request& r, bookend::cpu_id cpu) {
  using k = kernel<System>;
  auto& m = k::slots;
  const auto one = k::slot_manager::mask::of(cpu);
  unsigned refused = 0;
  const auto count = [&](bookend::refusal no) { refused += no ? 1 : 0; };
  count(m.cpu_online(cpu));
  count(m.withhold(cpu, 1));
  count(m.register_breakpoint(k::watch, r, one, bookend::start::disabled));
  count(m.register_breakpoint(k::own[0], k::tasks[0], r));
  count(m.register_breakpoint(k::own[1], k::tasks[0], r, bookend::pinned{cpu}));
  count(m.enable(k::watch));
  count(m.disable(k::watch));
  count(m.modify(k::watch, r));
  count(m.move(k::watch, k::slot_manager::mask::all()));
  count(m.enable(k::own[0]));
  count(m.disable(k::own[0]));
  count(m.modify(k::own[0], r));
  m.on_fork(k::tasks[0], k::tasks[1]);
  m.on_fork(k::tasks[0], k::tasks[1], [](const auto&) { return &k::own[1]; });
  m.on_exec(k::tasks[1]);
  m.on_exit(k::tasks[0]);
  count(m.unregister_breakpoint(k::own[0]));
  count(m.unregister_breakpoint(k::watch));
  count(m.cpu_offline(cpu));
  unsigned at = 0;
  const auto put = [&](char c) { k::text[at++ % sizeof k::text] = c; };
  bookend::print(m.snapshot(cpu), put);
  bookend::print(bookend::refusal{bookend::reason::bad_cpu, cpu}, put);
  bookend::registration guard{m, k::watch};
  return refused + m.full(one).count() + m.online().count();
}

/// The same for the try_ forms.
template <class System>
unsigned tried(const bookend::request& r, bookend::cpu_id cpu) {
  using k = kernel<System>;
  auto& m = k::slots;
  const auto one = k::slot_manager::mask::of(cpu);
  unsigned refused = 0;
  const auto count = [&](bookend::refusal no) { refused += no ? 1 : 0; };
  count(m.try_register_breakpoint(k::watch, r, one, bookend::start::enabled));
  count(m.try_register_breakpoint(k::own[0], k::tasks[0], r, bookend::start::enabled));
  count(m.try_register_breakpoint(k::own[1], k::tasks[0], r, bookend::pinned{cpu}, bookend::start::enabled));
  count(m.try_enable(k::watch));
  count(m.try_disable(k::watch));
  count(m.try_modify(k::watch, r));
  count(m.try_move(k::watch, one));
  count(m.try_unregister_breakpoint(k::own[0]));
  count(m.try_unregister_breakpoint(k::watch));
  return refused;
}

/// Those of the layers that bookend.hpp leaves out.
template <class System>
struct layers {
  using k = kernel<System>;
  using sharer = bookend::sharer<System>;
  static constinit inline bookend::shared_watches<System> shared{k::slots};
  static constinit inline sharer one{[](const auto&, auto&) { ++k::last; }};

  static unsigned all(const bookend::request& r, bookend::cpu_id cpu) {
    auto& m = k::slots;
    unsigned refused = 0;
    const auto count = [&](auto no) { refused += no ? 1 : 0; };
    const auto c = bookend::cover<System>(r.bytes(), r.on, bookend::fit::superset);
    refused += c.outside_possible() ? 1 : 0;
    const bookend::kernel_member<System> kernel_group[] = {{&k::watch, c.requests[0]}};
    const bookend::user_member<System> user_group[] = {{&k::own[0], c.requests[0]}, {&k::own[1], c.requests[1]}};
    const unsigned n = c.size() < 2 ? c.size() : 2;
    count(bookend::register_group(m, kernel_group, 1, k::slot_manager::mask::of(cpu)));
    count(bookend::disable_group(m, kernel_group, 1));
    count(bookend::enable_group(m, kernel_group, 1));
    count(bookend::unregister_group(m, kernel_group, 1));
    count(bookend::register_group(m, k::tasks[0], user_group, n));
    count(bookend::unregister_group(m, user_group, n));
    count(bookend::register_group(m, k::tasks[0], user_group, n, bookend::pinned{cpu}));
    count(bookend::unregister_group(m, user_group, n));
    count(shared.join(one, r));
    count(shared.disable(one));
    count(shared.enable(one));
    count(shared.leave(one));
    bookend::remembered<16> before(c.part(c.requests[0]));
    return refused + (before.changed() ? 1 : 0);
  }
};

/// Every verb of a view: here() or on(cpu).
template <class System>
unsigned posted(const bookend::request& r) {
  using k = kernel<System>;
  unsigned refused = 0;
  const auto settle = [&](const auto& t) {
    if (!t || k::slots.wait(t.value(), 10) || !k::slots.settled(t.value())) ++refused;
  };
  const auto post = k::slots.post();
  settle(post.enable(k::watch));
  settle(post.disable(k::watch));
  settle(post.modify(k::watch, r));
  settle(post.unregister_breakpoint(k::watch));
  k::slots.reap();
  return refused;
}

template <class System, class View>
unsigned through(View view, const bookend::request& r, typename System::frame& frame) {
  using k = kernel<System>;
  unsigned refused = 0;
  const auto count = [&](bookend::refusal no) { refused += no ? 1 : 0; };
  count(view.enable(k::watch));
  count(view.disable(k::watch));
  count(view.modify(k::watch, r));
  if constexpr (bookend::can_fail<System>)
    count(view.switch_to(k::tasks[0], k::tasks[1]));
  else
    view.switch_to(k::tasks[0], k::tasks[1]);
  view.lend();
  count(view.restore());
  view.silence();
  if constexpr (bookend::can_post<System>) view.sync();
  const auto quiet = view.quiet();
  const auto left = view.trap(frame);
  return refused + left.handled + left.user_count + quiet.trap(frame).handled + view.cpu();
}

/// Every verb by priority.
template <class System>
struct kernel_by_priority {
  using manager = bookend::by_priority<System>;
  using watch_type = typename manager::kernel_breakpoint;
  using own_type = typename manager::user_breakpoint;
  static void on_hit(const typename manager::hit&) noexcept {}
  static void on_seat(watch_type&, bookend::seat) noexcept {}
  static void on_own_seat(own_type&, bookend::seat) noexcept {}
  static inline constinit manager slots;
  static inline constinit watch_type watch{"watch", &on_hit, 1, &on_seat};
  static inline constinit own_type own{"own", 2, &on_own_seat}, heir{"heir", 2, &on_own_seat};
  static inline constinit typename manager::task tasks[2];
};
template <class System>
unsigned by_priority(const bookend::request& r, bookend::cpu_id cpu) {
  using k = kernel_by_priority<System>;
  auto& m = k::slots;
  unsigned refused = 0;
  const auto count = [&](bookend::refusal no) { refused += no ? 1 : 0; };
  count(m.register_breakpoint(k::watch, r));
  count(m.register_breakpoint(k::own, k::tasks[0], r));
  count(m.move(k::watch, k::manager::mask::of(cpu)));
  count(m.modify(k::watch, r));
  count(m.modify(k::own, r));
  count(m.enable(k::watch));
  count(m.disable(k::own));
  m.on_fork(k::tasks[0], k::tasks[1], [](const auto&) { return &k::heir; });
  m.on_exec(k::tasks[0]);
  m.on_exit(k::tasks[1]);
  count(m.register_breakpoint(k::own, k::tasks[0], r, bookend::pinned{cpu}));
  count(m.unregister_breakpoint(k::own));
  count(m.unregister_breakpoint(k::watch));
  return refused + k::watch.seated() + k::own.idle();
}
