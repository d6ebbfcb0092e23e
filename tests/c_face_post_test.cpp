// SPDX-License-Identifier: MIT
// tests/c_face_post_test.cpp — bookend.h where the kernel can ask other CPUs without waiting (BOOKEND_POST_ON), on registers that
// take every write.
#define BOOKEND_MAX_CPUS 2
#define BOOKEND_POST_ON
#define BOOKEND_BACKEND_HEADER <bookend/mock/backend.hpp>
#define BOOKEND_BACKEND bookend::mock::backend<BOOKEND_MAX_CPUS, BOOKEND_SLOTS>
#include <bookend/c/bookend.cpp>
// Not before: that file includes what it needs itself.
#include <bookend/mock/platform.hpp>
#include <doctest/doctest.h>

namespace {

bookend::mock::platform<BOOKEND_MAX_CPUS> os;

template <class F>
auto guarded(unsigned cpu, F f) {
  const auto was = os.enter_guard(cpu);
  const auto result = f();
  os.leave_guard(was);
  return result;
}
/// The number of traps that a write there is.
unsigned writes(unsigned cpu, std::uint64_t address) {
  if (!bookend::c::slots.system().bank(cpu).touched(bookend::mock::touch::write, {address, 4})) return 0;
  bookend::mock::frame f{};
  bookend_trap_result result;
  const auto was = os.enter_trap(cpu);
  bookend_trap(nullptr, &f, &result);
  os.leave_trap(was);
  return 1;
}
/// Every CPU that has been asked answers.
void answer() {
  for (const auto cpu : os.posted()) {
    guarded(cpu, [] { return bookend_sync_here(), 0; });
    os.answered(cpu);
  }
}

unsigned hits;
bookend_ticket last;
void count(const bookend_hit*) { ++hits; }
void unregister_at_once(const bookend_hit* h) {
  ++hits;
  CHECK(bookend_post_unregister(h->breakpoint, &last).why == BOOKEND_GRANTED);
}
constexpr bookend_request at_1000{0x1000, 4, BOOKEND_WRITE}, at_2000{0x2000, 4, BOOKEND_WRITE}, no_access{0x1000, 4, 256};

struct world {
  world() {
    for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu) {
      os.set_online(cpu, true);
      REQUIRE(bookend_cpu_online(cpu).why == BOOKEND_GRANTED);
    }
    hits = 0;
  }
};

}  // namespace

extern "C" {
unsigned bookend_os_this_cpu() { return os.this_cpu(); }
void bookend_os_lock() { os.lock(); }
void bookend_os_unlock() { os.unlock(); }
unsigned long bookend_os_traps_off() { return os.traps_off(); }
void bookend_os_traps_restore(unsigned long token) { os.traps_restore(static_cast<unsigned>(token)); }
void bookend_os_run_on(const bookend_cpumask* cpus, void (*call)(void*, unsigned), void* argument) {
  for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu)
    if (bookend_cpumask_test(cpus, cpu)) guarded(cpu, [&] { return call(argument, cpu), 0; });
}
bool bookend_os_may_watch(bookend_side, std::uint64_t, std::uint64_t) { return true; }
void bookend_os_step_past(void*) {}
void bookend_os_post_on(const bookend_cpumask* cpus) {
  bookend::cpumask<BOOKEND_MAX_CPUS> to;
  for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu)
    if (bookend_cpumask_test(cpus, cpu)) to.set(cpu);
  os.post_on(to);
}
}

TEST_CASE("a post is this CPU's at once, the others' when they have answered, and its ticket says so") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", count);
  CHECK(bookend_post_disable(&b, &last).why == BOOKEND_NOT_REGISTERED);  // nobody has ever asked for it
  REQUIRE(bookend_register_kernel(&b, &at_1000, BOOKEND_ALL_CPUS).why == BOOKEND_GRANTED);
  CHECK(guarded(1, [&] { return bookend_post_disable(&b, &last); }).why == BOOKEND_GRANTED);
  CHECK((last.breakpoint == &b && !bookend_settled(&last)));
  CHECK((writes(0, 0x1000) == 1 && writes(1, 0x1000) == 0));
  answer();
  CHECK(bookend_settled(&last));
  CHECK(writes(0, 0x1000) == 0);

  CHECK(guarded(0, [&] { return bookend_post_modify(&b, &no_access, &last); }).why == BOOKEND_UNSUPPORTED);
  CHECK(guarded(0, [&] { return bookend_post_modify(&b, &at_2000, nullptr); }).why == BOOKEND_GRANTED);
  CHECK(guarded(0, [&] { return bookend_post_enable(&b, &last); }).why == BOOKEND_GRANTED);
  answer();
  CHECK(bookend_settled(&last));
  for (unsigned cpu = 0; cpu < BOOKEND_MAX_CPUS; ++cpu) CHECK((writes(cpu, 0x1000) == 0 && writes(cpu, 0x2000) == 1));
  CHECK(hits == 3);
  CHECK(bookend_unregister_kernel(&b).why == BOOKEND_GRANTED);
  CHECK(guarded(0, [&] { return bookend_post_enable(&b, &last); }).why == BOOKEND_NOT_REGISTERED);
}

TEST_CASE("a handler unregisters its own breakpoint, whose storage is free once it is reaped") {
  const world w;
  bookend_kernel_breakpoint b = BOOKEND_KERNEL_BREAKPOINT("b", unregister_at_once);
  REQUIRE(bookend_register_kernel(&b, &at_1000, BOOKEND_ALL_CPUS).why == BOOKEND_GRANTED);
  CHECK((writes(1, 0x1000) == 1 && writes(1, 0x1000) == 0));
  answer();
  CHECK((bookend_settled(&last) && !bookend_kernel_idle(&b)));
  bookend_reap();
  CHECK(bookend_kernel_idle(&b));
  CHECK((writes(0, 0x1000) == 0 && hits == 1));
}

TEST_CASE("a task switch where no register fails is always granted") {
  const world w;
  bookend_task t{}, none{};
  bookend_user_breakpoint u = BOOKEND_USER_BREAKPOINT("u", 1);
  REQUIRE(bookend_register_user(&u, &t, &at_1000).why == BOOKEND_GRANTED);
  CHECK(guarded(0, [&] { return bookend_switch_to(&none, &t); }).why == BOOKEND_GRANTED);
  CHECK((writes(0, 0x1000) == 1 && writes(1, 0x1000) == 0));
  CHECK(guarded(0, [&] { return bookend_switch_to(&t, &none); }).why == BOOKEND_GRANTED);
  CHECK(writes(0, 0x1000) == 0);
  bookend_on_exit(&t);
  CHECK(bookend_user_idle(&u));
}
