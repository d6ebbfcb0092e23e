// SPDX-License-Identifier: MIT
// tests/mock_backend_test.cpp — the simulated registers: what they report, how they fail, who is told.
// The contract of backend.hpp itself is tried by conformance_mock_test.
#include <bookend/mock/platform.hpp>
#include <doctest/doctest.h>
#include <string_view>
#include <vector>

namespace {

using namespace bookend;
using mock::fault;
using mock::reg;
using mock::touch;

using four = mock::backend<2, 4>;
using two_pools = mock::backend<1, 5, 2>;
using poor = mock::backend<2, 4, 1, true>;
static_assert(backend<four> && backend<two_pools> && backend<poor> && backend<mock::backend<300, 32>>);
static_assert(!can_fail<four> && can_fail<poor>);
static_assert(bookend::system<mock::system<2, 4>> && has_try_lock<mock::system<2, 4>> && has_this_cpu<mock::system<2, 4>>);

/// Arms one slot of CPU 0, alone.
template <class Machine>
constexpr bool arm(Machine& m, slot_id slot, request r) {
  typename Machine::setting all[Machine::slots]{};
  all[slot] = Machine::encode(r).value();
  if constexpr (can_fail<Machine>) {
    return m.write_control(0, {}) && m.write_address(0, slot, all[slot]) &&
           m.write_control(0, Machine::control_of(all, 1u << slot));
  } else {
    m.write_control(0, {});
    m.write_address(0, slot, all[slot]);
    m.write_control(0, Machine::control_of(all, 1u << slot));
    return true;
  }
}

TEST_CASE("a new machine is all zero bytes, so that it can live in .bss") {
  static constinit mock::system<64, 8> m;
  const auto* byte = reinterpret_cast<const unsigned char*>(&m);
  std::size_t set = 0;
  for (std::size_t i = 0; i < sizeof m; ++i) set += byte[i] != 0;
  CHECK(set == 0);
  CHECK(m.bank(63).status() == mock::status_reset);
}

TEST_CASE("lengths are 1, 2, 4 and 8, aligned, for every access but I/O") {
  for (const auto on : {access::write, access::read_write, access::read, access::execute}) {
    CHECK(four::encode({0x1000, 1, on}).value().address == 0x1000);
    CHECK(four::encode({0x1002, 2, on}));
    CHECK(four::encode({0x1004, 4, on}));
    CHECK(four::encode({0x1008, 8, on}));
    CHECK(four::encode({~std::uint64_t{0} - 7, 8, on}));
    CHECK(four::encode({0, 8, on}));
    CHECK(four::encode({0x1000, 0, on}).why() == reason::bad_length);
    CHECK(four::encode({0x1000, 3, on}).why() == reason::bad_length);
    CHECK(four::encode({0x1000, 16, on}).why() == reason::bad_length);
    CHECK(four::encode({~std::uint64_t{0}, 2, on}).why() == reason::bad_length);
    CHECK(four::encode({0x1001, 2, on}).why() == reason::misaligned);
    CHECK(four::encode({0x1004, 8, on}).why() == reason::misaligned);
  }
  CHECK(four::encode({0x60, 1, access::io}).why() == reason::unsupported);
}

TEST_CASE("the kind byte is the hardware's own: bits 0-1 the length, bit 2 writes, bit 3 reads, bit 4 execution") {
  CHECK(four::encode({0, 1, access::write}).value().kind == 0b0'0100);
  CHECK(four::encode({0, 2, access::read}).value().kind == 0b0'1001);
  CHECK(four::encode({0, 4, access::read_write}).value().kind == 0b0'1110);
  CHECK(four::encode({0, 8, access::execute}).value().kind == 0b1'0011);
}

TEST_CASE("two pools: the lower half, and the odd slot, watches execution; the upper half watches data") {
  CHECK(two_pools::pools[0] == 0b00111);
  CHECK(two_pools::pools[1] == 0b11000);
  CHECK(two_pools::pool_of(two_pools::encode({0, 1, access::execute}).value()) == 0);
  CHECK(two_pools::pool_of(two_pools::encode({0, 1, access::write}).value()) == 1);
  CHECK(two_pools::pool_of(two_pools::encode({0, 1, access::read}).value()) == 1);
  CHECK(four::pools[0] == 0b1111);
  CHECK(mock::backend<1, 32>::pools[0] == 0xffff'ffff);
  CHECK(four::pool_of(four::encode({0, 1, access::write}).value()) == 0);
}

TEST_CASE("status bits stay until they are taken: two traps later both hits are there") {
  four m;
  four::setting all[4]{};
  all[0] = four::encode({0x1000, 4, access::write}).value();
  all[3] = four::encode({0x2000, 4, access::write}).value();
  m.write_address(0, 0, all[0]);
  m.write_address(0, 3, all[3]);
  m.write_control(0, four::control_of(all, 0b1001));
  CHECK(m.bank(0).touched(touch::write, {0x1000, 1}));
  CHECK(m.bank(0).touched(touch::write, {0x2003, 1}));
  m.bank(0).stepped();
  const status s = m.take_status(0);
  CHECK(s.hits == 0b1001);
  CHECK(s.step);
  CHECK(s.rest == mock::status_step);
  CHECK(m.bank(0).status() == mock::status_reset);
}

TEST_CASE("a status register that somebody has zeroed says a bus lock that never was, once") {
  four m;
  m.bank(0).set_status(0);
  CHECK(m.take_status(0).rest == mock::status_no_bus_lock);
  CHECK(m.take_status(0).rest == 0);
}

TEST_CASE("an access that crosses two watches shows both, or the lowest where the machine is such") {
  four m;
  four::setting all[4]{};
  all[1] = four::encode({0x1000, 4, access::write}).value();
  all[2] = four::encode({0x1004, 4, access::write}).value();
  for (slot_id slot : {1u, 2u}) m.write_address(0, slot, all[slot]);
  m.write_control(0, four::control_of(all, 0b0110));
  CHECK(m.bank(0).touched(touch::write, {0x1002, 4}));
  CHECK(m.take_status(0).hits == 0b0110);
  CHECK(m.bank(0).touched(touch::write, {0x1002, 4}, {.lowest_only = true}));
  CHECK(m.take_status(0).hits == 0b0010);
  CHECK(m.bank(0).touched(touch::write, {0x1006, 4}, {.lowest_only = true}));
  CHECK(m.take_status(0).hits == 0b0100);
}

TEST_CASE("slots that are off show only where the machine is such, and never make a trap") {
  four m;
  REQUIRE(arm(m, 0, {0x1000, 4, access::write}));
  m.write_address(0, 2, four::encode({0x1000, 4, access::write}).value());
  CHECK(m.bank(0).touched(touch::write, {0x1000, 4}));
  CHECK(m.take_status(0).hits == 0b0001);
  CHECK(m.bank(0).touched(touch::write, {0x1000, 4}, {.shows_disabled = true}));
  CHECK(m.take_status(0).hits == 0b0101);
  CHECK_FALSE(m.bank(0).touched(touch::read, {0x1000, 4}, {.shows_disabled = true}));
  CHECK(m.take_status(0).hits == 0);
}

TEST_CASE("a refused write leaves the register, and only that write fails") {
  poor m;
  REQUIRE(arm(m, 1, {0x1000, 1, access::write}));
  const auto control = m.bank(0).control();
  m.faults().fail(1);
  CHECK_FALSE(m.write_control(0, {}));
  CHECK(m.bank(0).control() == control);
  CHECK(m.write_control(0, {}));
  CHECK(m.bank(0).control().on == 0);
  CHECK(m.faults().failed() == 1);
}

TEST_CASE("the k-th write fails, counted from now, for as many as asked, on the CPU asked for") {
  poor m;
  const poor::setting s = poor::encode({0x1000, 1, access::write}).value();
  m.faults().fail(2, fault::refused, 2);
  CHECK(m.write_address(0, 0, s));
  CHECK_FALSE(m.write_address(0, 1, s));
  CHECK_FALSE(m.write_control(1, {}));
  CHECK(m.write_address(0, 1, s));

  m.faults().fail(2, fault::refused, 1, 1);
  CHECK(m.write_address(1, 0, s));
  CHECK(m.write_address(0, 2, s));
  CHECK(m.write_address(0, 3, s));
  CHECK_FALSE(m.write_address(1, 2, s));

  m.faults().fail(1, fault::refused, mock::faults<true>::forever);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(m.write_control(0, {}));
  m.faults().fail_none();
  CHECK(m.write_control(0, {}));
}

TEST_CASE("a dropped bit is seen when the register is read back, and the old value is restored") {
  poor m;
  REQUIRE(arm(m, 1, {0x1000, 1, access::write}));
  std::vector<mock::register_write<4>> seen;
  m.observe({&seen, nullptr, [](void* to, const auto& w) noexcept { static_cast<decltype(seen)*>(to)->push_back(w); }});
  m.faults().fail(1, fault::dropped);
  CHECK_FALSE(m.write_address(0, 0, poor::encode({0x3000, 1, access::write}).value()));
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].value == 0x2000);  // bit 12 did not take
  CHECK(seen[1].value == 0);
  CHECK(m.bank(0).address(0) == 0);

  m.faults().fail(1, fault::dropped);
  CHECK_FALSE(m.write_control(0, {}));
  CHECK(m.bank(0).control().on == 0b0010);
  m.faults().fail(1, fault::dropped);
  CHECK_FALSE(m.write_control(0, m.bank(0).control()));  // nothing changes: a bit turns over and is put back
  CHECK(m.bank(0).control().on == 0b0010);
}

TEST_CASE("a late failure has done what was asked") {
  poor m;
  m.faults().fail(1, fault::late);
  CHECK_FALSE(m.write_address(0, 0, poor::encode({0x3000, 1, access::write}).value()));
  CHECK(m.bank(0).address(0) == 0x3000);
}

TEST_CASE("the observer is told before and after each write, with the register's old and new value in place") {
  four m;
  struct notes {
    four* m;
    std::vector<mock::register_write<4>> before, after;
    std::vector<std::uint64_t> held;
  } n{&m, {}, {}, {}};
  m.observe({&n,
             [](void* to, const auto& w) noexcept {
               auto& my = *static_cast<notes*>(to);
               my.before.push_back(w);
               my.held.push_back(my.m->bank(w.cpu).address(w.slot));
             },
             [](void* to, const auto& w) noexcept { static_cast<notes*>(to)->after.push_back(w); }});
  const auto s = four::encode({0x1000, 4, access::write}).value();
  four::setting all[4]{};
  all[2] = s;
  m.write_address(1, 2, s);
  m.write_control(1, four::control_of(all, 0b0100));
  static_cast<void>(m.take_status(1));
  REQUIRE(n.after.size() == 3);
  CHECK(n.before == n.after);
  CHECK(n.held[0] == 0);
  CHECK(n.after[0] == mock::register_write<4>{1, reg::address, 2, 0x1000, {}});
  CHECK(n.after[1].which == reg::control);
  CHECK(n.after[1].value == 0b0100);
  CHECK(n.after[1].control.kind[2] == 0b0'0110);
  CHECK(n.after[2] == mock::register_write<4>{1, reg::status, 0, mock::status_reset, {}});
}

TEST_CASE("everything happens in constant evaluation, too") {
  constexpr slot_mask hits = [] {
    poor m;
    if (!arm(m, 2, {0x1000, 4, access::write})) return slot_mask{0};
    m.bank(0).touched(touch::write, {0x0ffd, 4});
    return m.take_status(0).hits;
  }();
  CHECK(hits == 0b0100);
}

/// Complaints of a platform, as texts.
struct desk {
  std::vector<const char*> complaints;
  template <class Platform>
  explicit desk(Platform& p) {
    p.complain_to({this, [](void* self, const char* text) noexcept { static_cast<desk*>(self)->complaints.push_back(text); }});
  }
  bool took(const char* text) {
    const bool yes = complaints.size() == 1 && std::string_view(complaints[0]) == text;
    complaints.clear();
    return yes;
  }
};

TEST_CASE("a mock kernel complains when it is called out of order") {
  mock::system<2, 4> os;
  desk d(os);
  const call nothing = [](void*, cpu_id) noexcept {};
  os.set_online(0, true);

  os.unlock();
  CHECK(d.took("unlock() while it is free"));
  os.run_on(cpumask<2>::of(0), nothing, nullptr);
  CHECK(d.took("run_on() without the lock"));
  os.lock();
  os.run_on(cpumask<2>::all(), nothing, nullptr);
  CHECK(d.took("run_on() with a CPU that is offline"));
  os.lock();
  CHECK(d.took("lock() while it is held"));
  static_cast<void>(os.this_cpu());
  CHECK(d.took("this_cpu() without the guard: the thread may migrate"));
  const auto token = os.traps_off();
  os.run_on(cpumask<2>::of(0), nothing, nullptr);
  CHECK(d.took("run_on() outside thread context"));
  os.traps_restore(token + 1);
  CHECK(d.took("traps_restore() in another order, or on another CPU, than traps_off()"));
  os.traps_restore(token);
  static_cast<void>(d.took(""));
  os.unlock();

  const auto trap = os.enter_trap(1);
  CHECK(os.try_lock());
  CHECK(d.took("try_lock() outside thread context"));
  os.unlock();
  const auto inside = os.enter_guard(1);
  CHECK(d.took("a task switch or cross-call inside a trap"));
  os.leave_guard(inside);
  os.leave_trap(trap);
  os.migrate(1);
  os.lock();
  os.unlock();
  CHECK(d.complaints.empty());
}

}  // namespace
