// SPDX-License-Identifier: MIT
// tests/shrink_test.cpp — what searches for defects must find them: a long failing life is cut down to the lines that matter.
#include <doctest/doctest.h>

#include <oracle/explore.hpp>

namespace {

using namespace oracle;

std::vector<int> up_to(int n) {
  std::vector<int> all;
  for (int i = 0; i < n; ++i) all.push_back(i);
  return all;
}
bool has(const std::vector<int>& some, int i) { return std::find(some.begin(), some.end(), i) != some.end(); }

/// A machine that never writes the address of slot 1 of CPU 1.
struct lossy : bookend::mock::system<2, 3> {
  using base = bookend::mock::system<2, 3>;
  constexpr void write_address(bookend::cpu_id cpu, bookend::slot_id slot, const setting& to) noexcept {
    if (cpu != 1 || slot != 1) base::write_address(cpu, slot, to);
  }
};

}  // namespace

TEST_CASE("what it takes is left, in its order, and nothing else") {
  const auto needs = [](std::vector<int> these) {
    return shortest(up_to(100), [&](const auto& some) {
      for (int i : these)
        if (!has(some, i)) return false;
      return true;
    });
  };
  CHECK(needs({3, 11, 12, 97}) == std::vector<int>{3, 11, 12, 97});
  CHECK(needs({0, 99}) == std::vector<int>{0, 99});
  CHECK(needs({}).empty());
  CHECK(needs(up_to(100)) == up_to(100));
}

TEST_CASE("what takes two of three is found as two") {
  const auto two = [](const auto& some) { return has(some, 10) + has(some, 50) + has(some, 90) >= 2; };
  CHECK(shortest(up_to(100), two).size() == 2);
}

TEST_CASE("a defect found in a long life is told in the few lines that show it") {
  const tally n = wander<world<lossy, 3, 4, 2>>(3, 2000);
  MESSAGE(n.wrong);
  CHECK(n.wrong.find("slots.register_breakpoint(") != std::string::npos);
  CHECK(n.wrong.find("// cpu 1 slot 1 has another address than its holder's") != std::string::npos);
  const auto lines = std::count(n.wrong.begin(), n.wrong.end(), '\n');
  CHECK(lines >= 3);
  CHECK(lines <= 5);
}

TEST_CASE("the same found from state to state") {
  const tally n = explore<world<lossy, 2, 2, 1>>(false, 10000);
  CHECK(n.wrong.find("// cpu 1 slot 1 has another address than its holder's") != std::string::npos);
  CHECK(std::count(n.wrong.begin(), n.wrong.end(), '\n') == 3);  // two registrations on CPU 1, and what is wrong
}
