// SPDX-License-Identifier: MIT
// tests/c_face_test.cpp — bookend.h, as a kernel written in C sees it: every function, an errno for every refusal. Its platform
// checks how it is called. (That it is C, the gate headers.sh says, and examples/c_kernel.)
#define BOOKEND_MAX_CPUS 4
#define BOOKEND_BACKEND_HEADER <bookend/mock/backend.hpp>
#define BOOKEND_BACKEND bookend::mock::backend<BOOKEND_MAX_CPUS, BOOKEND_SLOTS, 1, true>
#include <bookend/c/bookend.cpp>
// Not before: that file includes what it needs itself.
#include <bookend/hw_breakpoint.h>
#include <bookend/mock/platform.hpp>
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace {

using bookend::mock::touch;
constexpr unsigned cpu_count = BOOKEND_MAX_CPUS;
constexpr std::uint64_t forbidden = 0xbad000, user_end = 0x8000'0004;

struct machine {
  bookend::mock::platform<cpu_count> os;
  const bookend_task* current[cpu_count]{};
  bookend_task idle{};
  bookend_trap_result last{};
  bool from_user = false;
} m;

/// f() on a CPU with interrupts off.
template <class F>
auto guarded(unsigned cpu, F f) {
  const auto was = m.os.enter_guard(cpu);
  if constexpr (std::is_void_v<decltype(f())>) {
    f();
    m.os.leave_guard(was);
  } else {
    const auto result = f();
    m.os.leave_guard(was);
    return result;
  }
}
/// The CPU touches memory; the number of traps.
unsigned touches(unsigned cpu, touch what, std::uint64_t address, std::uint64_t length) {
  if (!bookend::c::slots.system().bank(cpu).touched(what, {address, length})) return 0;
  bookend::mock::frame f{.ip = address, .resume = false};
  const auto was = m.os.enter_trap(cpu);
  if (m.from_user) {
    bookend_trap(nullptr, &f, &m.last);
  } else {
    bookend_quiet q;
    bookend_quiet_enter(&q);
    bookend_trap(&q, &f, &m.last);
    bookend_quiet_leave(&q);
  }
  m.os.leave_trap(was);
  return f.resume ? 2 : 1;
}
unsigned writes(unsigned cpu, std::uint64_t address) { return touches(cpu, touch::write, address, 4); }
bookend_refusal run(unsigned cpu, const bookend_task& next) {
  const bookend_task* prev = m.current[cpu] != nullptr ? m.current[cpu] : &m.idle;
  m.current[cpu] = &next;
  return guarded(cpu, [&] { return bookend_switch_to(prev, &next); });
}
std::string watched(unsigned cpu, unsigned slot) {
  bookend_snapshot s;
  REQUIRE(bookend_snapshot_of(cpu, &s).why == BOOKEND_GRANTED);
  const auto& it = s.slots[slot];
  if (it.state == BOOKEND_SLOT_FREE) return "free";
  if (it.state == BOOKEND_SLOT_WITHHELD) return "withheld";
  return std::string(it.state == BOOKEND_SLOT_USER ? "user " : "kernel ") + it.name + (it.on ? " on " : " off ") +
         std::to_string(it.watched.address);
}

bookend_hit seen;
unsigned hits;
void count(const bookend_hit* h) {
  seen = *h;
  ++hits;
}
bookend_request write_at(std::uint64_t address, std::uint64_t length = 4) { return {address, length, BOOKEND_WRITE}; }
bookend_cpumask only(unsigned cpu) {
  bookend_cpumask mask{};
  bookend_cpumask_set(&mask, cpu);
  return mask;
}
int code(const bookend_refusal& no) { return bookend_errno(no.why); }

/// All CPUs online before, everything given back behind.
struct world {
  world() {
    for (unsigned cpu = 0; cpu < cpu_count; ++cpu) {
      m.os.set_online(cpu, true);
      REQUIRE(code(bookend_cpu_online(cpu)) == 0);
    }
    hits = 0;
  }
  ~world() {
    for (unsigned cpu = 0; cpu < cpu_count; ++cpu) {
      (void)run(cpu, m.idle);
      for (unsigned slot = 0; slot < BOOKEND_SLOTS; ++slot) CHECK(watched(cpu, slot) == "free");
    }
    bookend_cpumask full;
    CHECK(code(bookend_full(BOOKEND_ALL_CPUS, &full)) == 0);
    CHECK(full.words[0] == 0);
  }
};

}  // namespace

extern "C" {
unsigned bookend_os_this_cpu() { return m.os.this_cpu(); }
void bookend_os_lock() { m.os.lock(); }
void bookend_os_unlock() { m.os.unlock(); }
unsigned long bookend_os_traps_off() { return m.os.traps_off(); }
void bookend_os_traps_restore(unsigned long token) { m.os.traps_restore(static_cast<unsigned>(token)); }
void bookend_os_run_on(const bookend_cpumask* cpus, void (*call)(void*, unsigned), void* argument) {
  for (unsigned cpu = 0; cpu < cpu_count; ++cpu)
    if (bookend_cpumask_test(cpus, cpu)) guarded(cpu, [&] { call(argument, cpu); });
}
bool bookend_os_may_watch(bookend_side who, std::uint64_t first, std::uint64_t last) {
  return (who == BOOKEND_KERNEL || last < user_end) && (last < forbidden || first > forbidden + 0xfff);
}
void bookend_os_step_past(void* frame) { static_cast<bookend::mock::frame*>(frame)->resume = true; }
}

TEST_CASE(
    "a kernel breakpoint is every CPU's unless a mask says otherwise, and its handler is told where, what and in which frame") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("jiffies", count);
  int mine = 0;
  b.context = &mine;
  const auto r = write_at(0x1000);
  CHECK(bookend_kernel_idle(&b));
  REQUIRE(code(bookend_register_kernel(&b, &r, BOOKEND_ALL_CPUS)) == 0);
  CHECK(!bookend_kernel_idle(&b));
  for (unsigned cpu = 0; cpu < cpu_count; ++cpu) {
    CHECK(writes(cpu, 0x1000) == 1);
    CHECK(seen.cpu == cpu);
  }
  CHECK(hits == cpu_count);
  CHECK(seen.breakpoint == &b);
  CHECK(seen.breakpoint->context == &mine);
  CHECK(seen.slot == 3);
  CHECK(seen.watched.address == 0x1000);
  CHECK(seen.watched.length == 4);
  CHECK(seen.watched.on == BOOKEND_WRITE);
  CHECK(seen.frame != nullptr);
  CHECK(m.last.handled == 8);
  CHECK(m.last.user_count == 0);
  CHECK(watched(2, 3) == "kernel jiffies on 4096");

  const auto one = only(2);
  CHECK(code(bookend_move_kernel(&b, &one)) == 0);
  CHECK(writes(1, 0x1000) == 0);
  CHECK(writes(2, 0x1000) == 1);
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
  CHECK(bookend_kernel_idle(&b));
  CHECK(writes(2, 0x1000) == 0);
  REQUIRE(code(bookend_register_kernel(&b, &r, &one)) == 0);  // the same object once more
  CHECK(writes(1, 0x1000) == 0);
  CHECK(writes(2, 0x1000) == 1);
  auto other = one;
  bookend_cpumask_set(&other, 1);
  bookend_cpumask_clear(&other, 2);
  CHECK(code(bookend_move_kernel(&b, &other)) == 0);
  CHECK(writes(1, 0x1000) == 1);
  CHECK(writes(2, 0x1000) == 0);
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
}

TEST_CASE("disabled keeps its slot: from the start, everywhere, and on one CPU") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", count);
  b.start_disabled = true;
  auto r = write_at(0x1000);
  REQUIRE(code(bookend_register_kernel(&b, &r, BOOKEND_ALL_CPUS)) == 0);
  CHECK(watched(0, 3) == "kernel b off 4096");
  CHECK(writes(0, 0x1000) == 0);
  CHECK(code(bookend_enable_kernel(&b)) == 0);
  CHECK(writes(0, 0x1000) == 1);
  CHECK(code(bookend_disable_kernel(&b)) == 0);
  CHECK(writes(0, 0x1000) == 0);

  CHECK(code(guarded(1, [&] { return bookend_enable_here(&b); })) == 0);
  CHECK(writes(0, 0x1000) == 0);
  CHECK(writes(1, 0x1000) == 1);
  r.address = 0x2000;
  CHECK(code(guarded(1, [&] { return bookend_modify_here(&b, &r); })) == 0);
  CHECK(watched(1, 3) == "kernel b on 8192");
  CHECK(watched(0, 3) == "kernel b off 4096");
  r.address = 0x3000;
  CHECK(code(bookend_modify_kernel(&b, &r)) == 0);
  CHECK(watched(0, 3) == "kernel b off 12288");
  CHECK(code(guarded(1, [&] { return bookend_disable_here(&b); })) == 0);
  CHECK(writes(1, 0x3000) == 0);
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
}

TEST_CASE("a handler silences its own breakpoint, and is quiet about what it touches itself") {
  const world w;
  static unsigned inside;
  const auto silence = [](const bookend_hit* h) {
    inside += writes(h->cpu, 0x1000);
    CHECK(code(bookend_disable_here(h->breakpoint)) == 0);
  };
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", silence);
  const auto r = write_at(0x1000);
  REQUIRE(code(bookend_register_kernel(&b, &r, BOOKEND_ALL_CPUS)) == 0);
  inside = 0;
  CHECK(writes(3, 0x1000) == 1);
  CHECK(inside == 0);
  CHECK(writes(3, 0x1000) == 0);
  CHECK(watched(3, 3) == "kernel b off 4096");
  CHECK(watched(2, 3) == "kernel b on 4096");
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
}

TEST_CASE("an execution breakpoint is stepped past through the kernel's own frame") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("f", count);
  const bookend_request r{0x1001, 1, BOOKEND_EXECUTE};
  REQUIRE(code(bookend_register_kernel(&b, &r, BOOKEND_ALL_CPUS)) == 0);
  CHECK(touches(0, touch::execute, 0x1001, 1) == 2);
  CHECK(hits == 1);
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
}

TEST_CASE("user breakpoints follow their task, and a trap says which of them hit") {
  const world w;
  bookend_task t{};
  bookend_user_breakpoint wide = BOOKEND_USER_BREAKPOINT("wide", 77), pinned = BOOKEND_USER_BREAKPOINT(nullptr, 78);
  auto at_1000 = write_at(0x1000), at_2000 = write_at(0x2000);
  CHECK(bookend_user_idle(&wide));
  CHECK(bookend_user_index(&wide) == 0);
  REQUIRE(code(bookend_register_user(&wide, &t, &at_1000)) == 0);
  REQUIRE(code(bookend_register_user_on(&pinned, &t, &at_2000, 1)) == 0);
  CHECK(!bookend_user_idle(&wide));
  CHECK(bookend_user_index(&wide) == 0);
  CHECK(bookend_user_index(&pinned) == 1);
  CHECK(writes(0, 0x1000) == 0);
  CHECK(code(run(0, t)) == 0);
  m.from_user = true;
  CHECK(touches(0, touch::write, 0x1000, 4) == 1);
  m.from_user = false;
  REQUIRE(m.last.user_count == 1);
  CHECK(m.last.user == 1);
  CHECK(m.last.user_hits[0].cookie == 77);
  CHECK(m.last.user_hits[0].index == 0);
  CHECK(m.last.user_hits[0].slot == 0);
  CHECK(m.last.user_hits[0].watched.address == 0x1000);
  CHECK(writes(0, 0x2000) == 0);
  CHECK(code(run(0, m.idle)) == 0);
  CHECK(writes(0, 0x1000) == 0);
  CHECK(code(run(1, t)) == 0);
  CHECK(writes(1, 0x2000) == 1);
  CHECK(m.last.user == 2);
  CHECK(watched(1, 1) == "user  on 8192");

  CHECK(code(bookend_disable_user(&wide)) == 0);
  CHECK(writes(1, 0x1000) == 0);
  at_1000.address = 0x3000;
  CHECK(code(bookend_modify_user(&wide, &at_1000)) == 0);
  CHECK(writes(1, 0x3000) == 0);
  CHECK(code(bookend_enable_user(&wide)) == 0);
  CHECK(writes(1, 0x3000) == 1);
  CHECK(code(bookend_unregister_user(&pinned)) == 0);
  CHECK(bookend_user_idle(&pinned));
  bookend_on_exit(&t);
  CHECK(bookend_user_idle(&wide));
  wide.start_disabled = true;
  REQUIRE(code(bookend_register_user(&wide, &t, &at_1000)) == 0);
  CHECK(writes(1, 0x3000) == 0);
  bookend_on_exec(&t);
  CHECK(bookend_user_idle(&wide));
}

TEST_CASE("what a trap says that is not bookend's is left to the kernel") {
  const world w;
  bookend::c::slots.system().bank(2).stepped();
  CHECK(writes(2, 0x1000) == 0);
  bookend::mock::frame f{};
  const auto was = m.os.enter_trap(2);
  bookend_trap(nullptr, &f, &m.last);
  m.os.leave_trap(was);
  CHECK(m.last.rest == bookend::mock::status_step);
  CHECK(m.last.handled == 0);
  CHECK(m.last.user == 0);
}

TEST_CASE("a child inherits what it is given storage for, and nothing without") {
  const world w;
  bookend_task parent{}, child, other;
  std::memset(&child, 0x55, sizeof child);
  std::memset(&other, 0x55, sizeof other);
  bookend_user_breakpoint theirs[2] = {BOOKEND_USER_BREAKPOINT("a", 1), BOOKEND_USER_BREAKPOINT("b", 2)};
  static bookend_user_breakpoint its = BOOKEND_USER_BREAKPOINT("its", 3);
  for (auto& b : theirs) {
    const auto r = write_at(0x1000 + 0x1000 * static_cast<std::uint64_t>(&b - theirs));
    REQUIRE(code(bookend_register_user(&b, &parent, &r)) == 0);
  }
  bookend_on_fork(
      &parent, &child,
      [](void* context, const bookend_user_breakpoint* of) -> bookend_user_breakpoint* { return of == context ? &its : nullptr; },
      &theirs[1]);
  bookend_on_fork(&parent, &other, nullptr, nullptr);
  CHECK(code(run(0, child)) == 0);
  CHECK(code(run(1, other)) == 0);
  CHECK(writes(0, 0x1000) == 0);
  CHECK(writes(0, 0x2000) == 1);
  CHECK(m.last.user_hits[0].cookie == 3);
  CHECK(m.last.user == 2);  // the parent's number for it
  CHECK(writes(1, 0x2000) == 0);
  bookend_on_exit(&child);
  CHECK(bookend_user_idle(&its));
  bookend_on_fork(  // the next child, with the storage of the first
      &parent, &child, [](void*, const bookend_user_breakpoint* of) { return of->cookie == 1 ? &its : nullptr; }, nullptr);
  CHECK(!bookend_user_idle(&its));
  CHECK(bookend_user_index(&its) == 0);
  for (auto* t : {&parent, &child, &other}) bookend_on_exit(t);
  CHECK(bookend_user_idle(&its));
}

TEST_CASE("every refusal has its errno, and nothing has changed") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", count), never{};
  bookend_user_breakpoint u{}, never_user{};
  bookend_task t{};
  const auto good = write_at(0x1000), good_user = write_at(0x5000);
  const auto kernel = [&](const bookend_request& r, const bookend_cpumask* cpus = BOOKEND_ALL_CPUS) {
    return bookend_register_kernel(&b, &r, cpus).why;
  };
  CHECK(kernel(write_at(0x1001)) == BOOKEND_MISALIGNED);
  CHECK(kernel(write_at(0x1000, 3)) == BOOKEND_BAD_LENGTH);
  CHECK(kernel({0x1000, 4, BOOKEND_IO}) == BOOKEND_UNSUPPORTED);
  CHECK(kernel({0x1000, 4, 256}) == BOOKEND_UNSUPPORTED);
  CHECK(kernel(write_at(forbidden)) == BOOKEND_FORBIDDEN);
  CHECK(kernel(write_at(reinterpret_cast<std::uint64_t>(&bookend::c::slots))) == BOOKEND_FORBIDDEN);
  bookend_cpumask cpus{};
  CHECK(kernel(good, &cpus) == BOOKEND_EMPTY_MASK);
  cpus.words[0] = 0x71;
  const auto no_cpu = bookend_register_kernel(&b, &good, &cpus);
  CHECK(no_cpu.why == BOOKEND_BAD_CPU);
  CHECK(no_cpu.cpu == 4);
  CHECK(bookend_register_user_on(&u, &t, &good, 4).why == BOOKEND_BAD_CPU);
  const auto far = write_at(user_end - 4, 8);
  CHECK(bookend_register_user(&u, &t, &far).why == BOOKEND_FORBIDDEN);
  const bookend_request io{0x1000, 4, BOOKEND_IO};
  CHECK(bookend_register_user(&u, &t, &io).why == BOOKEND_UNSUPPORTED);
  CHECK(bookend_kernel_idle(&b));
  CHECK(bookend_user_idle(&u));

  for (auto* idle : {&b, &never}) {  // one that has been refused, and one that nobody has ever asked for
    CHECK(bookend_unregister_kernel(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_modify_kernel(idle, &good).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_enable_kernel(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_disable_kernel(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_move_kernel(idle, BOOKEND_ALL_CPUS).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_enable_here(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_disable_here(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_modify_here(idle, &good).why == BOOKEND_NOT_REGISTERED);
  }
  for (auto* idle : {&u, &never_user}) {
    CHECK(bookend_unregister_user(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_modify_user(idle, &good).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_enable_user(idle).why == BOOKEND_NOT_REGISTERED);
    CHECK(bookend_disable_user(idle).why == BOOKEND_NOT_REGISTERED);
  }

  REQUIRE(kernel(good) == BOOKEND_GRANTED);
  CHECK(kernel(good) == BOOKEND_ALREADY_REGISTERED);
  CHECK(bookend_modify_kernel(&b, &io).why == BOOKEND_UNSUPPORTED);
  CHECK(bookend_modify_here(&b, &io).why == BOOKEND_UNSUPPORTED);
  cpus.words[0] = 0;
  CHECK(bookend_move_kernel(&b, &cpus).why == BOOKEND_EMPTY_MASK);
  cpus.words[0] = 0x10;
  CHECK(bookend_move_kernel(&b, &cpus).why == BOOKEND_BAD_CPU);
  REQUIRE(bookend_register_user(&u, &t, &good_user).why == BOOKEND_GRANTED);
  CHECK(bookend_register_user(&u, &t, &good_user).why == BOOKEND_ALREADY_REGISTERED);
  CHECK(bookend_modify_user(&u, &far).why == BOOKEND_FORBIDDEN);

  bookend_kernel_breakpoint more[3] = {};
  const auto third = only(2);
  for (auto& one : more) {
    one.on_hit = count;
    const auto no = bookend_register_kernel(&one, &good, &third);
    if (&one != &more[2]) {
      CHECK(no.why == BOOKEND_GRANTED);
      continue;
    }
    CHECK(no.why == BOOKEND_NO_SLOT);
    CHECK(no.cpu == 2);
    CHECK(no.kernel_held == 3);
    CHECK(no.user_held == 1);
  }
  bookend_cpumask full;
  CHECK(bookend_full(BOOKEND_ALL_CPUS, &full).why == BOOKEND_GRANTED);
  CHECK(full.words[0] == 0x4);
  CHECK(bookend_full(&cpus, &full).why == BOOKEND_BAD_CPU);

  auto& faults = bookend::c::slots.system().faults();
  faults.fail(1, bookend::mock::fault::refused);
  auto no = bookend_disable_kernel(&b);
  CHECK(no.why == BOOKEND_HARDWARE);
  CHECK(code(no) == EIO);
  CHECK(watched(0, 3) == "kernel b on 4096");
  faults.fail(1, bookend::mock::fault::refused);
  m.current[1] = &t;
  CHECK(guarded(1, [&] { return bookend_switch_to(&m.idle, &t); }).why == BOOKEND_HARDWARE);
  m.current[1] = nullptr;
  faults.fail_none();

  CHECK(bookend_unregister_kernel(&more[0]).why == BOOKEND_GRANTED);
  CHECK(bookend_unregister_kernel(&more[1]).why == BOOKEND_GRANTED);
  CHECK(bookend_unregister_kernel(&b).why == BOOKEND_GRANTED);
  bookend_on_exit(&t);

  const int expected[] = {0, ENOSPC, EINVAL, EINVAL, EINVAL, EINVAL, EOPNOTSUPP, EPERM, ENOENT, EEXIST, EBUSY, EIO};
  const char* const names[] = {"granted",     "no_slot",   "misaligned",     "bad_length",         "empty_mask",  "bad_cpu",
                               "unsupported", "forbidden", "not_registered", "already_registered", "would_block", "hardware"};
  for (unsigned i = 0; i <= BOOKEND_HARDWARE; ++i) {
    CHECK(bookend_errno(static_cast<bookend_reason>(i)) == expected[i]);
    CHECK(std::string(bookend_reason_name(static_cast<bookend_reason>(i))) == names[i]);
  }
}

TEST_CASE("CPUs come and go, are short of a slot, lend their registers, and are silenced") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", count);
  const auto r = write_at(0x1000);
  REQUIRE(code(bookend_register_kernel(&b, &r, BOOKEND_ALL_CPUS)) == 0);
  bookend_snapshot s;
  CHECK(code(bookend_cpu_offline(1)) == 0);
  m.os.set_online(1, false);
  CHECK(writes(1, 0x1000) == 0);
  REQUIRE(code(bookend_snapshot_of(1, &s)) == 0);
  CHECK(!s.online);
  CHECK(s.cpu == 1);
  CHECK(s.slot_count == 4);
  m.os.set_online(1, true);
  CHECK(code(bookend_cpu_online(1)) == 0);
  CHECK(writes(1, 0x1000) == 1);

  guarded(2, [] { CHECK(code(bookend_lend()) == 0); });
  CHECK(writes(2, 0x1000) == 0);
  REQUIRE(code(bookend_snapshot_of(2, &s)) == 0);
  CHECK(s.away);
  guarded(2, [] { CHECK(code(bookend_restore()) == 0); });
  CHECK(writes(2, 0x1000) == 1);

  guarded(3, [] { bookend_silence(); });
  CHECK(writes(3, 0x1000) == 0);
  CHECK(code(bookend_cpu_online(3)) == 0);
  CHECK(writes(3, 0x1000) == 1);

  CHECK(bookend_cpu_online(4).why == BOOKEND_BAD_CPU);
  CHECK(bookend_cpu_offline(4).why == BOOKEND_BAD_CPU);
  CHECK(bookend_withhold(4, 1).why == BOOKEND_BAD_CPU);
  CHECK(bookend_snapshot_of(4, &s).why == BOOKEND_BAD_CPU);
  CHECK(bookend_withhold(0, 8).why == BOOKEND_NO_SLOT);  // it is taken
  CHECK(code(bookend_unregister_kernel(&b)) == 0);
}

struct pt_regs {
  std::uint64_t ip;
};
struct task_struct {
  bookend_task watches;
};
extern "C" {
unsigned long kallsyms_lookup_name(const char* name) { return std::strcmp(name, "pid_max") == 0 ? 0x1000 : 0; }
bookend_task* bookend_task_of(task_struct* t) { return &t->watches; }
}

TEST_CASE("the names of 2009, for the kernel: by symbol, modified in place, on a mask that stays") {
  const world w;
  static unsigned triggered, changed;
  triggered = changed = 0;
  hw_breakpoint bp{}, other{};
  CHECK(register_kernel_hw_breakpoint(&bp) == -EINVAL);  // no handler, no type, no address
  bp.info.name = "pid_max";
  bp.info.len = HW_BREAKPOINT_LEN_4;
  bp.info.type = HW_BREAKPOINT_WRITE;
  CHECK(register_kernel_hw_breakpoint(&bp) == -EINVAL);
  bp.triggered = [](hw_breakpoint* b, pt_regs*) { triggered += b->info.address == 0x1000; };
  for (const unsigned no_type : {0U, 5U}) {
    bp.info.type = static_cast<std::uint8_t>(no_type);
    CHECK(register_kernel_hw_breakpoint(&bp) == -EINVAL);
  }
  bp.info.type = HW_BREAKPOINT_WRITE;
  CHECK(register_kernel_hw_breakpoint(&bp) == 0);
  CHECK(register_kernel_hw_breakpoint(&bp) == -EEXIST);
  CHECK(watched(3, 3) == "kernel pid_max on 4096");
  CHECK(writes(3, 0x1000) == 1);
  CHECK(triggered == 1);

  CHECK(guarded(3, [&] { return disable_kernel_breakpoint(&bp); }) == 0);
  CHECK(writes(3, 0x1000) == 0);
  CHECK(writes(2, 0x1000) == 1);
  CHECK(guarded(3, [&] { return enable_kernel_breakpoint(&bp); }) == 0);
  CHECK(writes(3, 0x1000) == 1);
  CHECK(triggered == 3);

  other.triggered = [](hw_breakpoint* b, pt_regs*) { changed += b->info.address == 0x2004; };
  other.info.name = "pid_min";
  other.info.type = HW_BREAKPOINT_RW;
  CHECK(modify_kernel_hw_breakpoint(&bp, &other) == -EINVAL);  // no such symbol
  other.info.address = 0x2001;
  other.info.len = HW_BREAKPOINT_LEN_2;
  CHECK(modify_kernel_hw_breakpoint(&bp, &other) == -EINVAL);
  other.info.address = 0x2004;
  auto mask = only(1);
  other.cpumask = &mask;
  CHECK(modify_kernel_hw_breakpoint(&bp, &other) == -EINVAL);
  CHECK(writes(1, 0x1000) == 1);
  CHECK(triggered == 4);
  mask.words[0] = 0xf;  // all there are, by name
  CHECK(modify_kernel_hw_breakpoint(&bp, &other) == 0);
  CHECK(modify_kernel_hw_breakpoint(&other, &bp) == -ENOENT);
  CHECK(writes(1, 0x1000) == 0);
  CHECK(touches(1, touch::read, 0x2004, 4) == 1);
  CHECK(changed == 1);
  unregister_kernel_hw_breakpoint(&bp);
  CHECK(touches(1, touch::read, 0x2004, 4) == 0);
  bp.info.name = "anew";
  mask = only(2);
  bp.cpumask = &mask;
  CHECK(register_kernel_hw_breakpoint(&bp) == 0);
  CHECK(watched(2, 3) == "kernel anew on 8196");
  CHECK(watched(0, 3) == "free");
  CHECK(touches(2, touch::read, 0x2006, 2) == 0);
  CHECK(touches(2, touch::read, 0x2005, 1) == 1);
  other.cpumask = &mask;
  other.info.len = 0;  // one byte
  CHECK(modify_kernel_hw_breakpoint(&bp, &other) == 0);
  CHECK(touches(2, touch::read, 0x2005, 1) == 0);
  CHECK(touches(2, touch::read, 0x2004, 1) == 1);
  unregister_kernel_hw_breakpoint(&bp);
}

TEST_CASE("the names of 2009, for a task: its handler is called where the trap hands it over") {
  const world w;
  static pt_regs* in;
  task_struct t{};
  hw_breakpoint bp{};
  bp.triggered = [](hw_breakpoint*, pt_regs* regs) { in = regs; };
  bp.info.address = 0x1000;
  bp.info.len = HW_BREAKPOINT_LEN_8;
  CHECK(register_user_hw_breakpoint(&t, &bp) == -EINVAL);
  bp.info.type = HW_BREAKPOINT_RW;
  CHECK(register_user_hw_breakpoint(&t, &bp) == 0);
  CHECK(register_user_hw_breakpoint(&t, &bp) == -EEXIST);
  CHECK(code(run(0, t.watches)) == 0);
  CHECK(touches(0, touch::read, 0x1007, 1) == 1);
  pt_regs regs{};
  bookend_hw_deliver(&m.last, &regs);
  CHECK(in == &regs);
  bp.info.address = 0;  // an address like any other
  CHECK(modify_user_hw_breakpoint(&t, &bp) == 0);
  CHECK(touches(0, touch::read, 0x1007, 1) == 0);
  CHECK(touches(0, touch::read, 7, 1) == 1);
  bp.info.address = 4;
  CHECK(modify_user_hw_breakpoint(&t, &bp) == -EINVAL);
  bp.info.type = 0;
  CHECK(modify_user_hw_breakpoint(&t, &bp) == -EINVAL);
  CHECK(touches(0, touch::read, 7, 1) == 1);
  unregister_user_hw_breakpoint(&t, &bp);
  CHECK(touches(0, touch::read, 7, 1) == 0);
  bookend_on_exit(&t.watches);
}

TEST_CASE("a slot that a CPU has not is nobody's") {  // the last: it is for good
  CHECK(code(bookend_withhold(0, 1)) == 0);
  CHECK(watched(0, 0) == "withheld");
}
