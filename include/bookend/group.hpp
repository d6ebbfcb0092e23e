// SPDX-License-Identifier: MIT
// include/bookend/group.hpp — several breakpoints registered together: wholly or not at all.
#pragma once
#include <bookend/locked.hpp>

namespace bookend {

/// One of a group: what is to watch, and what it is to watch.
template <class System>
struct kernel_member {
  kernel_breakpoint<System>* breakpoint;
  request watch;
};
template <class System>
struct user_member {
  user_breakpoint<System>* breakpoint;
  request watch;
};

/// What a verb of a group returns: true when it was refused, why, and for which member.
struct group_refusal {
  refusal why;
  unsigned member = 0;  ///< for no_slot, the first that there was no room for beside those before it
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return static_cast<bool>(why); }
};

namespace detail {

/// No two members may be one breakpoint; then ask(member) of each; then enter(member, how), which fails as hardware only.
template <class System, class Member, class Ask, class Enter>
group_refusal register_all(locked<System>& verbs, const Member* members, unsigned count, start how, Ask ask,
                           Enter enter) noexcept {
  for (unsigned i = 0; i < count; ++i) {
    for (unsigned j = 0; j < i; ++j)
      if (members[j].breakpoint == members[i].breakpoint) return {reason::already_registered, i};
    if (const refusal no = ask(members[i])) return {no, i};
  }
  // Where writes can fail, none is armed before every address is in its register.
  const start first = can_fail<System> ? start::disabled : how;
  unsigned in = 0, at = 0;
  refusal no;
  for (; !no && in < count; in += no ? 0 : 1) no = enter(members[at = in], first);
  if (first != how)
    for (unsigned i = 0; !no && i < count; ++i) no = verbs.enable(*members[at = i].breakpoint);
  if (!no) return {};
  while (in != 0) (void)verbs.unregister_breakpoint(*members[--in].breakpoint);
  return {no, at};
}
/// f(breakpoint) for each; the first refusal.
template <class Member, class F>
group_refusal each_member(const Member* members, unsigned count, F f) noexcept {
  group_refusal first;
  for (unsigned i = 0; i < count; ++i)
    if (const refusal no = f(*members[i].breakpoint); no && !first) first = {no, i};
  return first;
}
template <class Member, class F>
group_refusal each_registered(const Member* members, unsigned count, F f) noexcept {
  if (const auto no =
          each_member(members, count, [](const auto& b) { return b.idle() ? reason::not_registered : reason::granted; }))
    return no;
  return each_member(members, count, f);
}

}  // namespace detail

// A group is `count` members, an array of the caller's that is not needed afterwards. Nobody's verb comes between those of a
// group. Thread context, as for the verbs of one breakpoint, which may be used on each member at any time.

/// On every CPU of `cpus`, all of them or none. What refuses one refuses all, before any register is written, and no hit of any
/// has been delivered; but for hardware, where some CPU may have been armed already. Everything that registering one refuses;
/// already_registered also for the same breakpoint twice. no_slot says who is in the way without counting the group.
template <class System>
[[nodiscard]] group_refusal register_group(slot_manager<System>& slots, const kernel_member<System>* members, unsigned count,
                                           const cpumask<System::max_cpus>& cpus = cpumask<System::max_cpus>::all(),
                                           start how = start::enabled) noexcept {
  locked<System> verbs(slots);
  typename locked<System>::weight so_far;
  return detail::register_all(
      verbs, members, count, how, [&](const auto& m) { return verbs.ask(*m.breakpoint, m.watch, cpus, so_far); },
      [&](const auto& m, start s) { return verbs.register_breakpoint(*m.breakpoint, m.watch, cpus, s); });
}
/// A task's, wherever it runs.
template <class System>
[[nodiscard]] group_refusal register_group(slot_manager<System>& slots, task<System>& t, const user_member<System>* members,
                                           unsigned count, start how = start::enabled) noexcept {
  locked<System> verbs(slots);
  typename locked<System>::weight so_far;
  return detail::register_all(
      verbs, members, count, how, [&](const auto& m) { return verbs.ask(*m.breakpoint, t, m.watch, so_far); },
      [&](const auto& m, start s) { return verbs.register_breakpoint(*m.breakpoint, t, m.watch, s); });
}
/// A task's, while it runs on one CPU.
template <class System>
[[nodiscard]] group_refusal register_group(slot_manager<System>& slots, task<System>& t, const user_member<System>* members,
                                           unsigned count, pinned where, start how = start::enabled) noexcept {
  locked<System> verbs(slots);
  typename locked<System>::weight so_far;
  return detail::register_all(
      verbs, members, count, how, [&](const auto& m) { return verbs.ask(*m.breakpoint, t, m.watch, where, so_far); },
      [&](const auto& m, start s) { return verbs.register_breakpoint(*m.breakpoint, t, m.watch, where, s); });
}

/// Unregisters all that are registered, whatever is said of one; the first refusal is what it says.
template <class System, class Member>
group_refusal unregister_group(slot_manager<System>& slots, const Member* members, unsigned count) noexcept {
  locked<System> verbs(slots);
  return detail::each_member(members, count, [&](auto& b) { return verbs.unregister_breakpoint(b); });
}
/// Arms all of them. Refused as not_registered before anything is changed. If the hardware refuses one, the others are armed.
template <class System, class Member>
group_refusal enable_group(slot_manager<System>& slots, const Member* members, unsigned count) noexcept {
  locked<System> verbs(slots);
  return detail::each_registered(members, count, [&](auto& b) { return verbs.enable(b); });
}
/// Silences all of them; the slots stay their own. Refused in the same way.
template <class System, class Member>
group_refusal disable_group(slot_manager<System>& slots, const Member* members, unsigned count) noexcept {
  locked<System> verbs(slots);
  return detail::each_registered(members, count, [&](auto& b) { return verbs.disable(b); });
}

// First come, first served: a group evicts nobody.
template <class System>
group_refusal register_group(by_priority<System>&, auto&&...) = delete;
template <class System>
group_refusal unregister_group(by_priority<System>&, auto&&...) = delete;
template <class System>
group_refusal enable_group(by_priority<System>&, auto&&...) = delete;
template <class System>
group_refusal disable_group(by_priority<System>&, auto&&...) = delete;

}  // namespace bookend
