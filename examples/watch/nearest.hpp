// SPDX-License-Identifier: MIT
// examples/watch/nearest.hpp — which names a mistyped one may have meant.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace watch {

/// How many letters must be changed, added, left out or swapped with their neighbour to turn one into the other, letter case
/// aside. Stops counting above `limit` and then returns something larger.
unsigned distance(std::string_view a, std::string_view b, unsigned limit);

/// Up to `most` of `names`, the nearest first; only those that somebody could have meant. Keeps the order of equals.
std::vector<std::string> nearest(std::string_view typed, const std::vector<std::string>& names, std::size_t most = 3);

/// ": did you mean a, b or c?", or nothing when there is nothing near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names);

}  // namespace watch
