// SPDX-License-Identifier: MIT
// tests/placement_test.cpp — who gets which slot (P1 to P4), and that no register is written more often than that takes: at every
// step of random walks over all verbs, and of the smallest machines by hand.
#include <conformance/random_walk.hpp>
#include <doctest/doctest.h>

namespace {

using namespace bookend;

/// Counts the writes of one step on each CPU, and knows from the registers before it and after it what the least was.
template <class Walk>
class accountant {
 public:
  explicit accountant(Walk& w) : walk_(w), before_(w.model) {
    for (cpu_id cpu = 0; cpu < Walk::cpus; ++cpu) banks_.push_back(w.m.system().bank(cpu));
    w.m.forget_log();
  }
  /// Empty, or what was too much or too little.
  std::string audit() const {
    for (cpu_id cpu = 0; cpu < Walk::cpus; ++cpu) {
      unsigned addresses = 0, controls = 0;
      for (const auto& write : walk_.m.log()) {
        if (write.cpu != cpu) continue;
        addresses += write.which == mock::reg::address;
        controls += write.which == mock::reg::control;
      }
      const auto row = walk_.model.row(cpu);
      const auto& was = banks_[cpu];
      const auto& is = walk_.m.system().bank(cpu);
      const bool live = before_.live(cpu) && walk_.model.live(cpu);
      slot_mask moved = 0;  // A of the minimum
      for (const auto& [s, e] : row)
        if (was.address(s) != e.watch.what.address) moved |= slot_mask{1} << s;
      const unsigned a = detail::count_bits(moved);
      const auto text = [&](unsigned at_least, unsigned at_most) {
        return walk_.did + ": cpu " + std::to_string(cpu) + ": " + std::to_string(addresses) + " address and " +
               std::to_string(controls) + " control writes, and not " + std::to_string(live ? a : 0) + " and " +
               std::to_string(at_least) + " to " + std::to_string(at_most);
      };
      if (!live) {  // handed over, taken back, or neither: by walk_test. Here: to what is not ours nothing is written.
        if (!before_.live(cpu) && !walk_.model.live(cpu) && addresses + controls != 0) return text(0, 0);
        continue;
      }
      // What leaves by a post takes over what was posted before; a handler's post, too.
      if (addresses != a && !walk_.did.starts_with("post 7") && !walk_.did.starts_with("an access whose")) return text(0, 2);
      if (walk_.did == "NMI on " + std::to_string(cpu)) {
        const unsigned due = was.control().on != 0 ? 2 : 0;
        if (controls != due) return text(due, due);
      } else if (walk_.did.starts_with("an access")) {
        continue;  // a trap in kernel mode is a quiet scope, in which a handler may do something
      } else if (walk_.did.starts_with("post 7")) {
        continue;  // what was posted before may arrive here with it, and then it is reaped
      } else if ((moved & was.control().on) != 0) {
        // Off, and on again: but for a slot that does not come on again it may be one.
        const unsigned least = (moved & is.control().on) != 0 ? 2 : 1;
        if (controls < least || controls > 2) return text(least, 2);
      } else {
        const unsigned due = was.control() == is.control() ? 0 : 1;
        // An enable that had not arrived, and a modify to another pool, are two steps.
        const unsigned most = Walk::pools > 1 && walk_.did.starts_with("modify") ? 2 : due;
        if (controls < due || controls > most) return text(due, most);
      }
    }
    return "";
  }
  /// A kernel breakpoint that arrives moves nobody, and one that is registered stays where it is.
  std::string unmoved() const {
    for (cpu_id cpu = 0; cpu < Walk::cpus; ++cpu) {
      const auto was = before_.row(cpu);
      const auto is = walk_.model.row(cpu);
      for (const auto& [s, e] : was) {
        const auto it = std::find_if(is.begin(), is.end(), [&, &held = e](const auto& n) {
          return n.second.of_kernel == held.of_kernel && n.second.id == held.id;
        });
        if (it == is.end() || it->first == s) continue;
        const bool arrival =
            walk_.did.starts_with("register k") || walk_.did.starts_with("enable") || walk_.did.starts_with("disable");
        const bool same_pool = before_.pool_of(e.watch.what) == walk_.model.pool_of(it->second.watch.what);
        if (arrival || (e.of_kernel && same_pool))
          return walk_.did + ": slot " + std::to_string(s) + " went to " + std::to_string(it->first);
      }
    }
    return "";
  }

 private:
  Walk& walk_;
  conformance::shelf_model before_;
  std::vector<mock::bank<Walk::slots>> banks_;
};

template <class Walk>
void walks(unsigned seeds, unsigned steps) {
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Walk w(seed * 7919);
    for (unsigned i = 0; i < steps; ++i) {
      CAPTURE(i);
      const accountant<Walk> books(w);
      w.did.clear();
      w.step();
      if (w.did.empty()) continue;
      REQUIRE(books.audit() == "");
      REQUIRE(books.unmoved() == "");
      REQUIRE(w.check() == "");  // the model's row is P1 to P3
    }
  }
}

using conformance::random_walk;
using one = random_walk<mock::machine<1, 3>, 4, 3, 8>;
using two = random_walk<mock::machine<2, 4>, 5, 4, 12>;
using pooled = random_walk<mock::machine<2, 7, 2>, 8, 4, 16>;
using machine = mock::machine<1, 4>;
constexpr request at(std::uint64_t address, std::uint64_t length = 8) { return {address, length, access::write}; }
void nothing(const machine::hit&) {}

}  // namespace

TEST_CASE("one CPU: every slot as placed, no register written that need not be") { walks<one>(6, 1500); }
TEST_CASE("two CPUs: every slot as placed, no register written that need not be") { walks<two>(6, 1500); }
TEST_CASE("two pools: every slot as placed, no register written that need not be") { walks<pooled>(6, 1500); }

TEST_CASE("the kernel fills from the top, a task from the bottom, and what leaves in the middle lets the task close up") {
  machine m;
  machine::kernel_breakpoint a("a", nothing), b("b", nothing), c("c", nothing);
  machine::task t;
  machine::user_breakpoint u("u"), v("v");
  REQUIRE_FALSE(m.slots.register_breakpoint(a, at(0xa0)));
  REQUIRE_FALSE(m.slots.register_breakpoint(b, at(0xb0)));
  REQUIRE_FALSE(m.slots.register_breakpoint(c, at(0xc0)));
  REQUIRE_FALSE(m.slots.unregister_breakpoint(a));
  REQUIRE_FALSE(m.slots.register_breakpoint(u, t, at(0x10)));
  REQUIRE_FALSE(m.slots.register_breakpoint(v, t, at(0x20)));
  REQUIRE_FALSE(m.run(0, t));
  const auto names = [&] {
    std::string all;
    for (const auto& slot : m.slots.snapshot(0).slots) all += *slot.name == '\0' ? "-" : slot.name;
    return all;
  };
  CHECK(names() == "ucbv");
  m.forget_log();
  REQUIRE_FALSE(m.slots.unregister_breakpoint(c));
  CHECK(names() == "uvb-");
  CHECK(m.log().size() == 3);  // off, the address, on
  REQUIRE_FALSE(m.slots.disable(u));
  m.forget_log();
  REQUIRE_FALSE(m.slots.register_breakpoint(c, at(0xc0)));
  CHECK(names() == "uvbc");
  CHECK(m.log().size() == 2);  // the address, on
  m.forget_log();
  CHECK(m.slots.register_breakpoint(a, at(0xa0)).why == reason::no_slot);
  CHECK(m.log().empty());
  REQUIRE_FALSE(m.slots.enable(u));
  CHECK(m.log().size() == 1);  // disabled keeps the slot and the address
  m.forget_log();
  REQUIRE_FALSE(m.slots.modify(u, at(0x10, 4)));
  CHECK(m.log().size() == 1);  // another length at the same address: no moment in which it is off
  m.forget_log();
  REQUIRE_FALSE(m.slots.modify(u, at(0x18)));
  CHECK(m.log().size() == 3);
  m.forget_log();
  REQUIRE_FALSE(m.run(0, t));
  CHECK(m.log().empty());
  REQUIRE_FALSE(m.idle(0));
  CHECK(m.log().size() == 1);
  m.forget_log();
  REQUIRE_FALSE(m.run(0, t));
  CHECK(m.log().size() == 1);  // the registers held the addresses still
  REQUIRE_FALSE(m.idle(0));
  for (auto* k : {&b, &c}) REQUIRE_FALSE(m.slots.unregister_breakpoint(*k));
  m.slots.on_exit(t);
}
