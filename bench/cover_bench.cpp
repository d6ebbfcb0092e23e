// SPDX-License-Identifier: MIT
// bench/cover_bench.cpp — what does it cost to split a range into what debug registers can watch?
#include <bookend/cover.hpp>
#include "memory_machine.hpp"
#include "peers/gdb.hpp"
#include "peers/lldb.hpp"
#include "rows.hpp"

namespace {

using benchmark::DoNotOptimize;
using bookend::fit;
using system = bench::os<1>;

/// Up to four watches, as a debugger keeps them.
struct parts {
  std::uint64_t address[4];
  std::uint64_t length[4];
  unsigned count = 0;
  bool add(std::uint64_t at, std::uint64_t size) {
    if (count < 4) address[count] = at, length[count] = size;
    return ++count <= 4;
  }
};
bool exists(std::uint64_t first, std::uint64_t length) {
  const std::uint64_t last = first + length - 1;
  return length != 0 && last >= first && (first >> 47 == 0 || first >> 47 == 0x1'FFFF) && first >> 47 == last >> 47;
}
bool exact_by_hand(std::uint64_t at, std::uint64_t length, parts& to) {
  if (!exists(at, length)) return false;
  while (length != 0) {
    std::uint64_t size = 8;
    while (size > length || (at & (size - 1)) != 0) size /= 2;
    to.add(at, size);
    at += size;
    length -= size;
  }
  return to.count <= 4;
}
bool superset_by_hand(std::uint64_t at, std::uint64_t length, parts& to) {
  if (!exists(at, length)) return false;
  const std::uint64_t last = at + length - 1;
  for (;;) {
    const std::uint64_t end = (at | 7) < last ? at | 7 : last;
    std::uint64_t size = 1;
    while ((at & ~(size - 1)) != (end & ~(size - 1))) size *= 2;
    to.add(at & ~(size - 1), size);
    if (end == last) return to.count <= 4;
    at = end + 1;
  }
}

/// A range that begins three bytes behind a multiple of eight.
template <class F>
void each(bench::state& state, F f) {
  std::uint64_t at = 0x10003, length = static_cast<std::uint64_t>(state.range());
  for (auto _ : state) {
    DoNotOptimize(at);
    DoNotOptimize(length);
    auto to = f(at, length);
    DoNotOptimize(to);
  }
}

ASKS(cover_exact, "the requests that watch so many bytes and no others, from three behind a multiple of eight");
void BM_cover_exact(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    return bookend::cover<system>({at, length}, bookend::access::write, fit::exact);
  });
}
void BM_cover_exact_by_hand(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    parts p;
    DoNotOptimize(exact_by_hand(at, length, p));
    return p;
  });
}
void BM_cover_exact_peer_gdb(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    parts p;
    peers::gdb_split(at, length, [&](std::uint64_t a, unsigned size) { p.add(a, size); });
    return p;
  });
}
ROW(BM_cover_exact, "bytes", {1, 13});
ROW(BM_cover_exact_by_hand, "bytes", {1, 13});
ROW(BM_cover_exact_peer_gdb, "bytes", {1, 13});

ASKS(cover_superset, "the same where more bytes than those may be watched");
void BM_cover_superset(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    return bookend::cover<system>({at, length}, bookend::access::write, fit::superset);
  });
}
void BM_cover_superset_by_hand(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    parts p;
    DoNotOptimize(superset_by_hand(at, length, p));
    return p;
  });
}
void BM_cover_superset_peer_lldb(bench::state& state) {
  each(state, [](std::uint64_t at, std::uint64_t length) {
    parts p;
    peers::lldb_split(at, length, 8, [&](std::uint64_t a, std::uint64_t size) { p.add(a, size); });
    return p;
  });
}
ROW(BM_cover_superset, "bytes", {1, 13});
ROW(BM_cover_superset_by_hand, "bytes", {1, 13});
ROW(BM_cover_superset_peer_lldb, "bytes", {1, 13});

}  // namespace
