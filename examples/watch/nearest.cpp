// SPDX-License-Identifier: MIT
// examples/watch/nearest.cpp — which names a mistyped one may have meant.
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace watch {
namespace {
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
}  // namespace

unsigned distance(std::string_view a, std::string_view b, unsigned limit) {
  const auto apart = a.size() < b.size() ? b.size() - a.size() : a.size() - b.size();
  if (apart > limit) return limit + 1;
  // The last three rows of the edit matrix; the third is for swapped neighbours.
  std::vector<unsigned> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (unsigned j = 0; j <= b.size(); ++j) above[j] = j;
  for (unsigned i = 1; i <= a.size(); ++i) {
    row[0] = i;
    unsigned least = i;
    for (unsigned j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
      least = std::min(least, row[j]);
    }
    if (least > limit) return limit + 1;
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::vector<std::string> nearest(std::string_view typed, const std::vector<std::string>& names, std::size_t most) {
  const auto limit = std::max(1U, static_cast<unsigned>(typed.size()) / 3);
  std::vector<std::pair<unsigned, std::size_t>> near;  // how far, and which: sorted, equals keep their order
  for (std::size_t i = 0; i < names.size(); ++i) {
    unsigned far = distance(typed, names[i], limit);
    if (far > limit && typed.size() >= 4 && names[i].find(typed) != std::string::npos) far = limit;  // it is a part of the name
    if (far <= limit) near.emplace_back(far, i);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> best;
  for (const auto& [far, i] : near) {
    if (best.size() == most) break;
    if (std::find(best.begin(), best.end(), names[i]) == best.end()) best.push_back(names[i]);
  }
  return best;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names) {
  const auto best = nearest(typed, names);
  if (best.empty()) return {};
  std::string all = best[0];
  for (std::size_t i = 1; i < best.size(); ++i) all += (i + 1 == best.size() ? " or " : ", ") + best[i];
  return fmt::format(": did you mean {}?", all);
}

}  // namespace watch
