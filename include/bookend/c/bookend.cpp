// SPDX-License-Identifier: MIT
// include/bookend/c/bookend.cpp — the verbs of bookend.h. Compiled once, by a kernel written in C; C++20, freestanding.
//   -DBOOKEND_MAX_CPUS=64 -Iinclude -Iarch/x86/include -std=c++20 -ffreestanding -fno-exceptions -fno-rtti -mgeneral-regs-only
// The include path picks the machine, as for C++: what <bookend/native.hpp> calls native_backend. Or name another:
//   -DBOOKEND_BACKEND_HEADER='<bookend/mock/backend.hpp>' -DBOOKEND_BACKEND='bookend::mock::backend<64, 4>'
// A kernel that has a slot_manager in C++ already lends it to its C files: a file of its own includes what declares it, defines
// BOOKEND_SLOT_MANAGER as its name, and includes this one; then the bookend_os_ functions are not asked for.
// Broken promises stop at __builtin_trap(), or where -DBOOKEND_ASSERT='(condition, text)...' sends them; see assert.hpp.
#include <bookend/bookend.h>

#include <bookend/bookend.hpp>
#include <new>

#ifndef BOOKEND_SLOT_MANAGER
#ifdef BOOKEND_BACKEND_HEADER
#include BOOKEND_BACKEND_HEADER
#endif
#ifndef BOOKEND_BACKEND
#include <bookend/native.hpp>
#define BOOKEND_BACKEND native_backend
#endif

namespace bookend::c {

/// The kernel's eight functions and its machine together.
struct os : BOOKEND_BACKEND {
  struct frame;  // the kernel's own; only passed on
  static constexpr unsigned max_cpus = BOOKEND_MAX_CPUS;
  static cpu_id this_cpu() noexcept { return bookend_os_this_cpu(); }
  static void lock() noexcept { bookend_os_lock(); }
  static void unlock() noexcept { bookend_os_unlock(); }
  static unsigned long traps_off() noexcept { return bookend_os_traps_off(); }
  static void traps_restore(unsigned long token) noexcept { bookend_os_traps_restore(token); }
  static void run_on(const cpumask<max_cpus>& cpus, call f, void* argument) noexcept {
    bookend_os_run_on(reinterpret_cast<const bookend_cpumask*>(cpus.words()), f, argument);
  }
  static bool may_watch(side who, range r) noexcept {
    return bookend_os_may_watch(static_cast<bookend_side>(who), r.first, r.last());
  }
  static void step_past(frame& f) noexcept { bookend_os_step_past(&f); }
#ifdef BOOKEND_POST_ON
  static void post_on(const cpumask<max_cpus>& cpus) noexcept {
    bookend_os_post_on(reinterpret_cast<const bookend_cpumask*>(cpus.words()));
  }
#endif
};

constinit slot_manager<os> slots;  // .bss

}  // namespace bookend::c
#define BOOKEND_SLOT_MANAGER bookend::c::slots
#endif

namespace bookend::c {
namespace {

using manager = decltype(BOOKEND_SLOT_MANAGER);
using os_type = std::remove_reference_t<decltype(BOOKEND_SLOT_MANAGER.system())>;
using mask = manager::mask;
using task = manager::task;

/// What lies in the opaque words of a C breakpoint: whether the rest has been constructed, and that.
template <class Breakpoint>
struct storage {
  std::uint32_t made;
  alignas(Breakpoint) unsigned char bytes[sizeof(Breakpoint)];
};
void tell(const hit<os_type>& h);
template <class C>
const char* name_of(const C& b) noexcept {
  return b.name != nullptr ? b.name : "";
}

/// What a C breakpoint is in C++, and how it is made.
template <class C>
struct kind;
template <>
struct kind<bookend_kernel_breakpoint> {
  using type = manager::kernel_breakpoint;
  static void make(const bookend_kernel_breakpoint& b, void* at) noexcept { ::new (at) type(name_of(b), tell); }
};
template <>
struct kind<bookend_user_breakpoint> {
  using type = manager::user_breakpoint;
  static void make(const bookend_user_breakpoint& b, void* at) noexcept { ::new (at) type(name_of(b), b.cookie); }
};
template <class C>
using made_of = typename kind<C>::type;

// The C side's sizes, and what both sides count alike.
template <class C>
inline constexpr bool has_room = sizeof(storage<made_of<C>>) <= sizeof(C::opaque) && alignof(storage<made_of<C>>) <= alignof(C);
static_assert(BOOKEND_MAX_CPUS == os_type::max_cpus);
static_assert(BOOKEND_SLOTS >= os_type::slots, "define BOOKEND_SLOTS for every file of the kernel");
static_assert(has_room<bookend_kernel_breakpoint> && has_room<bookend_user_breakpoint>);
static_assert(sizeof(task) <= sizeof(bookend_task) && alignof(task) <= alignof(bookend_task));
static_assert(sizeof(quiet_scope<os_type>) <= sizeof(bookend_quiet) && alignof(quiet_scope<os_type>) <= alignof(bookend_quiet));
static_assert(sizeof(bookend_cpumask) == sizeof(mask));
static_assert(int{BOOKEND_IO} == static_cast<int>(access::io) && int{BOOKEND_EXECUTE} == static_cast<int>(access::execute));
static_assert(int{BOOKEND_USER} == static_cast<int>(side::user));
static_assert(int{BOOKEND_HARDWARE} == static_cast<int>(reason::hardware));
static_assert(int{BOOKEND_SLOT_WITHHELD} == static_cast<int>(slot_state::withheld));

// From C.

template <class C>
storage<made_of<C>>& storage_of(const C& b) noexcept {
  return *reinterpret_cast<storage<made_of<C>>*>(const_cast<std::uint64_t*>(b.opaque));
}
/// The breakpoint in it; null if it has never been registered.
template <class C>
made_of<C>* find(const C& b) noexcept {
  auto& s = storage_of(b);
  return detail::load_acquire(s.made) != 0 ? std::launder(reinterpret_cast<made_of<C>*>(s.bytes)) : nullptr;
}
/// The breakpoint in it. Under the owner lock: two that come at the same time find the same one.
template <class C>
made_of<C>* make_owned(C& b) noexcept {
  auto& s = storage_of(b);
  if (s.made == 0) {
    kind<C>::make(b, s.bytes);
    detail::store_release(s.made, std::uint32_t{1});  // with find()
  }
  return find(b);
}
template <class C>
made_of<C>& make(C& b) noexcept {
  if (auto* found = find(b)) return *found;
  auto& sys = BOOKEND_SLOT_MANAGER.system();
  sys.lock();
  auto* made = make_owned(b);
  sys.unlock();
  return *made;
}
// Every byte of a bookend_task is the task's, and all zero is one without watches.
task& from_c(bookend_task* t) noexcept { return *reinterpret_cast<task*>(t); }
const task& from_c(const bookend_task* t) noexcept { return *reinterpret_cast<const task*>(t); }

template <class C>
start how(const C& b) noexcept {
  return b.start_disabled ? start::disabled : start::enabled;
}
/// False if a CPU is named that there cannot be: the first is in `bad`.
bool from_c(const bookend_cpumask* from, mask& to, cpu_id& bad) noexcept {
  to = mask::all();
  if (from == nullptr) return true;
  for (unsigned i = 0; i < mask::word_count; ++i) {
    const std::uint64_t beyond = from->words[i] & ~to.words()[i];
    if (beyond != 0) return bad = 64 * i + detail::lowest_bit(beyond), false;
    to.words()[i] = from->words[i];
  }
  return true;
}

// To C.

bookend_refusal to_c(const refusal& no) noexcept {
  return {static_cast<bookend_reason>(no.why), no.cpu, no.kernel_held, no.user_held, no.pool};
}
bookend_request to_c(const request& r) noexcept { return {r.address, r.length, static_cast<std::uint32_t>(r.on)}; }
template <class C>
C* to_c(made_of<C>& b) noexcept {
  using kept = storage<made_of<C>>;
  return reinterpret_cast<C*>(reinterpret_cast<unsigned char*>(&b) - offsetof(kept, bytes) - offsetof(C, opaque));
}
void tell(const hit<os_type>& h) {
  auto* const b = to_c<bookend_kernel_breakpoint>(h.kernel());
  const bookend_hit to_tell{b, h.here.cpu(), h.slot, h.generation, to_c(h.watched()), &h.frame};
  b->on_hit(&to_tell);
}

/// `verb(breakpoint)`, if it has ever been registered.
template <class C, class Verb>
bookend_refusal of_registered(C* b, Verb verb) noexcept {
  auto* const found = find(*b);
  return to_c(found != nullptr ? verb(*found) : refusal{reason::not_registered});
}
/// `verb(request)`, if there is such an access: a backend is asked for those that have a name only.
template <class Verb>
refusal of_request(const bookend_request& r, Verb verb) noexcept {
  if (r.on > BOOKEND_IO) return reason::unsupported;
  return verb(request{r.address, r.length, static_cast<access>(r.on)});
}
/// `verb(mask)`, if there is such a mask.
template <class Verb>
bookend_refusal of_mask(const bookend_cpumask* cpus, Verb verb) noexcept {
  mask m;
  cpu_id bad = 0;
  return to_c(from_c(cpus, m, bad) ? verb(m) : refusal{reason::bad_cpu, bad});
}

#ifdef BOOKEND_POST_ON
/// `post(breakpoint)`, if it has ever been registered; the ticket, if it is wanted.
template <class Post>
refusal of_posted(bookend_kernel_breakpoint* b, bookend_ticket* ticket, Post post) noexcept {
  auto* const found = find(*b);
  if (found == nullptr) return reason::not_registered;
  const auto t = post(*found);
  if (t && ticket != nullptr) *ticket = {b, t.value().generation};
  return t.why();
}
#endif

}  // namespace

#define SLOTS BOOKEND_SLOT_MANAGER

extern "C" {

int bookend_errno(bookend_reason why) { return to_errno(static_cast<reason>(why)); }
const char* bookend_reason_name(bookend_reason why) { return to_string(static_cast<reason>(why)); }

bookend_refusal bookend_register_kernel(bookend_kernel_breakpoint* b, const bookend_request* what, const bookend_cpumask* cpus) {
  return of_mask(cpus, [=](const mask& m) {
    return of_request(*what, [=](const request& r) { return SLOTS.register_breakpoint(make(*b), r, m, how(*b)); });
  });
}
bookend_refusal bookend_unregister_kernel(bookend_kernel_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.unregister_breakpoint(it); });
}
bookend_refusal bookend_modify_kernel(bookend_kernel_breakpoint* b, const bookend_request* what) {
  return of_registered(b, [=](auto& it) { return of_request(*what, [&](const request& r) { return SLOTS.modify(it, r); }); });
}
bookend_refusal bookend_enable_kernel(bookend_kernel_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.enable(it); });
}
bookend_refusal bookend_disable_kernel(bookend_kernel_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.disable(it); });
}
bookend_refusal bookend_move_kernel(bookend_kernel_breakpoint* b, const bookend_cpumask* cpus) {
  return of_mask(cpus, [=](const mask& m) {
    auto* const it = find(*b);
    return it != nullptr ? SLOTS.move(*it, m) : refusal{reason::not_registered};
  });
}
bool bookend_kernel_idle(const bookend_kernel_breakpoint* b) {
  const auto* const it = find(*b);
  return it == nullptr || it->idle();
}
bookend_refusal bookend_full(const bookend_cpumask* cpus, bookend_cpumask* full) {
  return of_mask(cpus, [=](const mask& m) {
    const mask found = SLOTS.full(m);
    for (unsigned i = 0; i < mask::word_count; ++i) full->words[i] = found.words()[i];
    return refusal{};
  });
}

bookend_refusal bookend_enable_here(bookend_kernel_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.here().enable(it); });
}
bookend_refusal bookend_disable_here(bookend_kernel_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.here().disable(it); });
}
bookend_refusal bookend_modify_here(bookend_kernel_breakpoint* b, const bookend_request* what) {
  return of_registered(b,
                       [=](auto& it) { return of_request(*what, [&](const request& r) { return SLOTS.here().modify(it, r); }); });
}

#ifdef BOOKEND_POST_ON
bookend_refusal bookend_post_enable(bookend_kernel_breakpoint* b, bookend_ticket* ticket) {
  return to_c(of_posted(b, ticket, [](auto& it) { return SLOTS.post().enable(it); }));
}
bookend_refusal bookend_post_disable(bookend_kernel_breakpoint* b, bookend_ticket* ticket) {
  return to_c(of_posted(b, ticket, [](auto& it) { return SLOTS.post().disable(it); }));
}
bookend_refusal bookend_post_modify(bookend_kernel_breakpoint* b, const bookend_request* what, bookend_ticket* ticket) {
  return to_c(of_request(
      *what, [=](const request& r) { return of_posted(b, ticket, [&](auto& it) { return SLOTS.post().modify(it, r); }); }));
}
bookend_refusal bookend_post_unregister(bookend_kernel_breakpoint* b, bookend_ticket* ticket) {
  return to_c(of_posted(b, ticket, [](auto& it) { return SLOTS.post().unregister_breakpoint(it); }));
}
bool bookend_settled(const bookend_ticket* t) { return SLOTS.settled({find(*t->breakpoint), t->generation}); }
void bookend_sync_here() { SLOTS.here().sync(); }
void bookend_reap() { SLOTS.reap(); }
#endif

bookend_refusal bookend_register_user(bookend_user_breakpoint* b, bookend_task* t, const bookend_request* what) {
  return to_c(of_request(*what, [=](const request& r) { return SLOTS.register_breakpoint(make(*b), from_c(t), r, how(*b)); }));
}
bookend_refusal bookend_register_user_on(bookend_user_breakpoint* b, bookend_task* t, const bookend_request* what, unsigned cpu) {
  return to_c(of_request(
      *what, [=](const request& r) { return SLOTS.register_breakpoint(make(*b), from_c(t), r, pinned{cpu}, how(*b)); }));
}
bookend_refusal bookend_unregister_user(bookend_user_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.unregister_breakpoint(it); });
}
bookend_refusal bookend_modify_user(bookend_user_breakpoint* b, const bookend_request* what) {
  return of_registered(b, [=](auto& it) { return of_request(*what, [&](const request& r) { return SLOTS.modify(it, r); }); });
}
bookend_refusal bookend_enable_user(bookend_user_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.enable(it); });
}
bookend_refusal bookend_disable_user(bookend_user_breakpoint* b) {
  return of_registered(b, [](auto& it) { return SLOTS.disable(it); });
}
bool bookend_user_idle(const bookend_user_breakpoint* b) {
  const auto* const it = find(*b);
  return it == nullptr || it->idle();
}
unsigned bookend_user_index(const bookend_user_breakpoint* b) {
  const auto* const it = find(*b);
  return it != nullptr ? it->index() : 0;
}

bookend_refusal bookend_switch_to(const bookend_task* prev, const bookend_task* next) {
  const auto in = [=](auto here) -> refusal {
    if constexpr (can_fail<os_type>)
      return here.switch_to(from_c(prev), from_c(next));
    else
      return here.switch_to(from_c(prev), from_c(next)), refusal{};
  };
  return to_c(in(SLOTS.here()));
}
void bookend_on_fork(const bookend_task* parent, bookend_task* child,
                     bookend_user_breakpoint* (*storage_for)(void*, const bookend_user_breakpoint*), void* context) {
  SLOTS.on_fork(from_c(parent), from_c(child), [=](const manager::user_breakpoint& theirs) -> manager::user_breakpoint* {
    if (storage_for == nullptr) return nullptr;
    auto* const b = storage_for(context, to_c<bookend_user_breakpoint>(const_cast<manager::user_breakpoint&>(theirs)));
    return b != nullptr ? make_owned(*b) : nullptr;
  });
}
void bookend_on_exec(bookend_task* t) { SLOTS.on_exec(from_c(t)); }
void bookend_on_exit(bookend_task* t) { SLOTS.on_exit(from_c(t)); }

void bookend_quiet_enter(bookend_quiet* q) { ::new (static_cast<void*>(q)) quiet_scope<os_type>(SLOTS.here().quiet()); }
void bookend_quiet_leave(bookend_quiet* q) { std::launder(reinterpret_cast<quiet_scope<os_type>*>(q))->~quiet_scope(); }
void bookend_trap(const bookend_quiet* q, void* frame, bookend_trap_result* result) {
  auto& f = *static_cast<os_type::frame*>(frame);
  const auto t = q != nullptr ? std::launder(reinterpret_cast<const quiet_scope<os_type>*>(q))->trap(f) : SLOTS.here().trap(f);
  result->user = t.user;
  result->rest = t.rest;
  result->handled = t.handled;
  result->user_count = t.user_count;
  for (unsigned i = 0; i < t.user_count; ++i) {
    const auto& h = t.user_hits[i];
    result->user_hits[i] = {h.cookie, h.index, h.slot, h.generation, to_c(os_type::decode(h.setting))};
  }
}

bookend_refusal bookend_cpu_online(unsigned cpu) { return to_c(SLOTS.cpu_online(cpu)); }
bookend_refusal bookend_cpu_offline(unsigned cpu) { return to_c(SLOTS.cpu_offline(cpu)); }
bookend_refusal bookend_withhold(unsigned cpu, std::uint32_t which) { return to_c(SLOTS.withhold(cpu, which)); }
bookend_refusal bookend_lend() { return to_c(SLOTS.here().lend()); }
bookend_refusal bookend_restore() { return to_c(SLOTS.here().restore()); }
void bookend_silence() { SLOTS.here().silence(); }

bookend_refusal bookend_snapshot_of(unsigned cpu, bookend_snapshot* of) {
  if (cpu >= os_type::max_cpus) return to_c(refusal{reason::bad_cpu, cpu});
  const auto s = SLOTS.snapshot(cpu);
  of->cpu = cpu;
  of->slot_count = os_type::slots;
  of->online = s.online;
  of->away = s.away;
  of->broken = s.broken;
  for (unsigned i = 0; i < os_type::slots; ++i) {
    const auto& from = s.slots[i];
    of->slots[i] = {
        static_cast<bookend_slot_state>(from.state), from.on, from.generation, from.name, from.cookie, to_c(from.watched)};
  }
  return to_c(refusal{});
}

}  // extern "C"
#undef SLOTS

}  // namespace bookend::c
