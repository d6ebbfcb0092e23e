// SPDX-License-Identifier: MIT
// tests/oracle/shrink.hpp — delta debugging: the shortest form of a sequence that fails.
#pragma once
#include <cstddef>
#include <vector>

namespace oracle {

/// Leaves out what `fails(steps) -> bool` can do without, large pieces first, until no single step more can go. Precondition: it
/// fails as it is. Every prefix that fails is as good: cut it there before.
template <class Step, class Fails>
std::vector<Step> shortest(std::vector<Step> steps, Fails fails) {
  for (std::size_t piece = steps.size(); piece != 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at < steps.size();) {
      std::vector<Step> rest(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(at));
      if (at + piece < steps.size())
        rest.insert(rest.end(), steps.begin() + static_cast<std::ptrdiff_t>(at + piece), steps.end());
      if (fails(rest)) {
        steps = rest;
        shorter = true;
      } else {
        at += piece;
      }
    }
    if (piece > 1)
      piece = (piece + 1) / 2 < piece ? (piece + 1) / 2 : piece - 1;
    else if (!shorter)
      piece = 0;
  }
  return steps;
}

}  // namespace oracle
