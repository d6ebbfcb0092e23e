// SPDX-License-Identifier: MIT
// examples/watch/tally.hpp — who touched what, counted.
#pragma once
#include <map>
#include <tuple>
#include <vector>

#include "report.hpp"

namespace watch {

class tally {
 public:
  void add(const hit_seen& h) {
    touch& t = by_place_[{h.watch, h.thread.tid, h.where.pc}];
    t.watch = h.watch;
    t.thread = h.thread;  // the latest: threads take their names after they start
    t.where = h.where;
    ++t.hits;
    ++total_;
  }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// By watch, then thread, then place.
  [[nodiscard]] std::vector<touch> rows() const {
    std::vector<touch> all;
    for (const auto& [key, row] : by_place_) all.push_back(row);
    return all;
  }

 private:
  std::map<std::tuple<std::size_t, pid_t, std::uint64_t>, touch> by_place_;
  std::uint64_t total_ = 0;
};

}  // namespace watch
