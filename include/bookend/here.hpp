// SPDX-License-Identifier: MIT
// include/bookend/here.hpp — the views of one CPU: its verbs, the context switch, the quiet scope and the trap.
#pragma once
#include <bookend/shelf.hpp>

namespace bookend {

/// While it lives, this CPU's breakpoints are off; verbs change the row only, and what is wanted is written when the outermost
/// scope ends. Open one at kernel-mode #DB and NMI entry, before anything that may be watched is touched.
template <class System>
class [[nodiscard]] quiet_scope {
 public:
  [[gnu::always_inline]] quiet_scope(shelf<System>& s, row<System>& r, cpu_id cpu) noexcept
      : shelf_(s), row_(r), cpu_(cpu), since_(r.quiet_enter(s.system(), cpu)) {}
  [[gnu::always_inline]] ~quiet_scope() { row_.quiet_leave(shelf_.system(), cpu_, since_); }
  /// The trap that it was opened for; see cpu_view::trap().
  trap_result<System> trap(typename System::frame& frame) const noexcept;
  quiet_scope(const quiet_scope&) = delete;
  quiet_scope& operator=(const quiet_scope&) = delete;

 private:
  shelf<System>& shelf_;
  row<System>& row_;
  cpu_id cpu_;
  std::uint32_t since_;
};

/// A CPU that the caller drives: `slots.on(cpu)` where CPUs are numbers. The caller is that CPU for the call: nothing else acts
/// on it.
template <class System>
class cpu_view : public handler_view<System> {
 public:
  using handler_view<System>::handler_view;

  /// Loads what `next` watches here in place of what `prev` watched. Guard. Two loads and a branch when neither watches
  /// anything (and a store, where the platform has no current_task), and on a CPU that is offline; otherwise the registers that
  /// differ, and at most two control writes. Returns a refusal (hardware: the old ones are loaded still) if the backend can
  /// fail, else nothing.
  auto switch_to(const task<System>& /*prev*/, const task<System>& next) const noexcept {
    auto& r = this->own_row();
    [[maybe_unused]] const auto* was = r.current;
    if constexpr (!has_current_task<System, task<System>>) r.current = &next;
    const bool nothing = (reinterpret_cast<std::uintptr_t>(next.first()) | r.user) == 0;
    if constexpr (!can_fail<System>) {
      if (!nothing) (void)exchange(*this->shelf_, this->cpu_, r, next);
    } else {
      if (nothing || exchange(*this->shelf_, this->cpu_, r, next)) return refusal{};
      r.current = was;
      return refusal{reason::hardware, this->cpu()};
    }
  }

  /// A debug trap on this CPU, traps off; from kernel mode inside a quiet() scope. Calls the handlers of kernel breakpoints
  /// that hit, collects the user ones, and says what is left for others. One status read and write, then the hits. No lock.
  trap_result<System> trap(typename System::frame& frame) const noexcept;

  /// The answer to the platform's post_on(): takes over what was posted for this CPU. Guard, not inside a trap. A look at each
  /// slot that the kernel holds; register writes as for the verbs that were posted.
  void sync() const noexcept
    requires can_post<System>
  {
    if (auto& r = this->own_row(); r.online()) r.catch_up(this->shelf_->system_, this->cpu());
  }

  /// See quiet_scope. Guard or trap or NMI. One control write if anything is on, and one at the end if anything is wanted then.
  [[nodiscard, gnu::always_inline]] quiet_scope<System> quiet() const noexcept {
    return {*this->shelf_, this->own_row(), this->cpu()};
  }

  /// Hands this CPU's registers to somebody else: a guest about to run, a suspend. Guard. Everything off, nothing written until
  /// restore(); verbs meanwhile change the row only. Not twice without restore() between. hardware if switching off fails: lent
  /// all the same.
  refusal lend() const noexcept { return outcome(this->own_row().lend(this->shelf_->system_, this->cpu())); }
  /// Takes them back, whatever they hold: writes every held address and the control. Guard. hardware if that fails: the next
  /// verb here tries again.
  refusal restore() const noexcept { return outcome(this->own_row().take_back(this->shelf_->system_, this->cpu())); }
  /// Off now and until restore() or cpu_online(): for crash and kexec. Any context, NMI included. One control write.
  void silence() const noexcept { this->own_row().silence(this->shelf_->system_, this->cpu()); }

 private:
  /// The registers differ, or may.
  // tests/models/switch.pml: cpu.
  [[gnu::noinline]] static bool exchange(shelf<System>& home, cpu_id cpu, row<System>& r, const task<System>& next) noexcept {
    return !r.online() || r.seat(home.system_, cpu, next, if_it_fails::go_back);
  }
  [[nodiscard]] refusal outcome(bool good) const noexcept { return good ? refusal{} : refusal{reason::hardware, this->cpu()}; }
};

/// This CPU, where the platform has this_cpu(): `slots.here()`. The first three take the guard for their own time, so any
/// thread or interrupt may call them; the others are called under the guard, or in a trap, and say so on cpu_view.
template <class System>
class here_view {
 public:
  constexpr explicit here_view(shelf<System>& s) noexcept : shelf_(&s) {}

  [[nodiscard]] cpu_id cpu() const noexcept { return shelf_->system().this_cpu(); }
  refusal enable(kernel_breakpoint<System>& b) const noexcept {
    return guarded([&](auto view) { return view.enable(b); });
  }
  refusal disable(kernel_breakpoint<System>& b) const noexcept {
    return guarded([&](auto view) { return view.disable(b); });
  }
  [[nodiscard]] refusal modify(kernel_breakpoint<System>& b, const request& r) const noexcept {
    return guarded([&](auto view) { return view.modify(b, r); });
  }
  auto switch_to(const task<System>& prev, const task<System>& next) const noexcept { return view().switch_to(prev, next); }
  [[gnu::always_inline]] trap_result<System> trap(typename System::frame& frame) const noexcept { return view().trap(frame); }
  void sync() const noexcept
    requires can_post<System>
  {
    view().sync();
  }
  [[nodiscard, gnu::always_inline]] quiet_scope<System> quiet() const noexcept { return view().quiet(); }
  refusal lend() const noexcept { return view().lend(); }
  refusal restore() const noexcept { return view().restore(); }
  void silence() const noexcept { view().silence(); }

 private:
  [[nodiscard, gnu::always_inline]] cpu_view<System> view() const noexcept { return {*shelf_, cpu()}; }
  template <class F>
  [[gnu::always_inline]] refusal guarded(F f) const noexcept {
    auto& sys = shelf_->system();
    const auto token = sys.traps_off();
    const refusal no = f(view());
    sys.traps_restore(token);
    return no;
  }
  shelf<System>* shelf_;
};

template <class System>
[[gnu::always_inline]] inline reason handler_view<System>::set_on(kernel_breakpoint<System>& b, bool wanted) const noexcept {
  auto& r = own_row();
  const slot_mask held = r.slots_of(&b);
  if (held == 0 || b.leaves()) return reason::not_registered;
  if (!r.set_on(shelf_->system_, cpu_, held, wanted, if_it_fails::go_back)) return reason::hardware;
  if (b.leaves()) [[unlikely]]
    return left(held);
  if constexpr (can_fail<System>)
    if ((held >> r.undo.slot & 1) != 0) r.undo.on = static_cast<std::uint8_t>(wanted);
  return reason::granted;
}

/// Whoever interrupted set_on() has posted the breakpoint away.
template <class System>
[[gnu::noinline]] reason handler_view<System>::left(slot_mask held) const noexcept {
  (void)own_row().set_on(shelf_->system_, cpu_, held, false, if_it_fails::go_on);
  return reason::not_registered;
}

template <class System>
reason handler_view<System>::re_aim(kernel_breakpoint<System>& b, const request& q) const noexcept {
  auto& r = own_row();
  const slot_mask held = r.slots_of(&b);
  if (held == 0 || b.leaves()) return reason::not_registered;
  if (r.editing() || (held & (held - 1)) != 0) return reason::would_block;
  const slot_id s = detail::lowest_bit(held);
  const auto encoded = System::encode(q);
  if (const reason no = shelf_->accept(side::kernel, q, encoded); no != reason::granted) return no;
  if (System::pool_of(encoded.value()) != System::pool_of(r.settings[s])) return reason::unsupported;
  if (!r.retarget(shelf_->system_, cpu_, s, encoded.value(), r.generations[s], if_it_fails::go_back)) return reason::hardware;
  if constexpr (can_fail<System>)
    if (r.undo.slot == s) r.undo.aim = encoded.value();
  return reason::granted;
}

}  // namespace bookend
