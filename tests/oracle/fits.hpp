// SPDX-License-Identifier: MIT
// tests/oracle/fits.hpp — the judge: does it fit? A search for real places: it puts every breakpoint into a slot, and shares no
// code and no idea with the ledger.
#pragma once
#include <algorithm>
#include <map>
#include <vector>

namespace oracle {

/// Can `units` more units get a slot each? Tries every slot for every unit.
inline bool seats(unsigned slots, unsigned taken, unsigned units) {
  if (units == 0) return true;
  for (unsigned s = 0; s < slots; ++s)
    if ((taken >> s & 1) == 0 && seats(slots, taken | 1U << s, units - 1)) return true;
  return false;
}
/// Is there a place for the kernel's units such that each task, when it runs, finds places beside them?
inline bool shelf_works(unsigned slots, unsigned taken, unsigned kernel, const std::vector<unsigned>& tasks) {
  if (kernel == 0) {
    for (unsigned units : tasks)
      if (!seats(slots, taken, units)) return false;
    return true;
  }
  for (unsigned s = 0; s < slots; ++s)
    if ((taken >> s & 1) == 0 && shelf_works(slots, taken | 1U << s, kernel - 1, tasks)) return true;
  return false;
}
/// Do they fit on one CPU: so many units of the kernel, so many of each task that may run there? The search, remembered.
/// Equal tasks find equal places: one of each is enough. That only the tallest matters is the ledger's claim, not ours.
inline bool fits(unsigned slots, unsigned kernel, std::vector<unsigned> tasks) {
  static std::map<std::vector<unsigned>, bool> known;
  std::sort(tasks.begin(), tasks.end());
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  std::vector<unsigned> key = tasks;
  key.push_back(kernel);
  key.push_back(slots);
  const auto [at, fresh] = known.try_emplace(std::move(key), false);
  if (fresh) at->second = shelf_works(slots, 0, kernel, tasks);
  return at->second;
}

}  // namespace oracle
