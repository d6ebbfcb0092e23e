// SPDX-License-Identifier: MIT
// bench/rows.hpp — what a row is: a work, done n times, that is timed by Google Benchmark and counted under callgrind.
#pragma once
#include <benchmark/benchmark.h>
#include <cstdint>
#include <initializer_list>

namespace bench {

/// What a row is handed. `for (auto _ : state) { work }`, set-up before it, as with Google Benchmark; the same code is timed and
/// counted.
class state {
 public:
  state(std::int64_t n, std::int64_t argument, benchmark::State* timed) noexcept : n_(n), argument_(argument), timed_(timed) {}
  /// The row's argument, 0 if it has none.
  [[nodiscard]] std::int64_t range() const noexcept { return argument_; }
  /// Which of the row's threads this is.
  [[nodiscard]] unsigned thread() const noexcept { return timed_ == nullptr ? 0 : static_cast<unsigned>(timed_->thread_index()); }
  /// The machine does not permit it: the row says so and has no figure.
  void skip(const char* why);
  [[nodiscard]] bool skipped() const noexcept { return skipped_; }

  struct [[maybe_unused]] value {};
  struct sentinel {};
  class iterator {
   public:
    iterator(state* of, std::int64_t left) noexcept : of_(of), left_(left) {}
    value operator*() const noexcept { return {}; }
    iterator& operator++() noexcept {
      --left_;
      return *this;
    }
    bool operator!=(sentinel) const {
      if (left_ != 0) [[likely]]
        return true;
      of_->finish();
      return false;
    }

   private:
    state* of_;
    std::int64_t left_;
  };
  iterator begin() {
    start();
    return {this, skipped_ ? 0 : n_};
  }
  static sentinel end() noexcept { return {}; }

 private:
  void start();
  void finish();
  std::int64_t n_, argument_;
  benchmark::State* timed_;  // null: counted
  bool skipped_ = false;
};

using work = void (*)(state&);
inline constexpr unsigned most_threads = 8;

/// What a row's figures are. `processor`: its own time and its instructions, which repeat. `wall`: time by the clock, where
/// others (another process, a signal) are part of the work.
enum class figure { processor, wall };
/// One row for each value of the argument, or one: BM_trap/hits:1.
bool add(const char* name, work f, const char* argument = nullptr, std::initializer_list<std::int64_t> values = {},
         figure which = figure::processor);
/// A row for each number of threads, which all do the work at once. Its time is the clock's, shared out among all that was done:
/// half is twice as much. Counted with one thread.
bool add_threads(const char* name, work f, std::initializer_list<unsigned> threads);
bool ask(const char* what, const char* question);
bool aim(const char* row, const char* against, double at_most);

}  // namespace bench

/// ROW(BM_trap) or ROW(BM_trap, "dr6", {0, 1, 15}).
#define ROW(f, ...) [[maybe_unused]] static const bool row_##f = bench::add(#f, f __VA_OPT__(, ) __VA_ARGS__)
/// A row a size, for `template <unsigned Cpus> void f(bench::state&)`.
#define ROW_BY_CPUS(f)                                                                                                       \
  [[maybe_unused]] static const bool row_##f = bench::add(#f "/cpus:4", f<4>) && bench::add(#f "/cpus:64", f<64>) &&         \
                                               bench::add(#f "/cpus:256", f<256>) && bench::add(#f "/cpus:1024", f<1024>) && \
                                               bench::add(#f "/cpus:4096", f<4096>) && bench::add(#f "/cpus:8192", f<8192>)
/// Rows for 1 to most_threads threads.
#define ROW_BY_THREADS(f) [[maybe_unused]] static const bool row_##f = bench::add_threads(#f, f, {1, 2, 4, bench::most_threads})
/// What BM_<work> measures, for the table.
#define ASKS(work, question) [[maybe_unused]] static const bool asks_##work = bench::ask(#work, question)
#define BENCH_GLUE2(a, b) a##b
#define BENCH_GLUE(a, b) BENCH_GLUE2(a, b)
/// BM_<row>, a string with its argument, is to cost at most `ratio` times BM_<work>_<against>.
#define TARGET(row, against, ratio) \
  [[maybe_unused]] static const bool BENCH_GLUE(target_, __LINE__) = bench::aim(row, against, ratio)
