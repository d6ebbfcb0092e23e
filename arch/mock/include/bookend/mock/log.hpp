// SPDX-License-Identifier: MIT
// arch/mock/include/bookend/mock/log.hpp — the log of register writes; interruptions between them; broken contracts. Hosted.
#pragma once
#include <bookend/mock/platform.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bookend::mock {

/// What happened at a system's registers, and what shall happen there. Attached for the system's whole life; does not move.
template <unsigned Slots>
class logbook {
 public:
  using write = register_write<Slots>;
  using interruption = std::function<void(const write&)>;

  logbook() = default;
  logbook(const logbook&) = delete;
  logbook& operator=(const logbook&) = delete;

  /// From now on it is told of everything.
  template <class System>
  void attach(System& system) noexcept {
    system.observe({.context = this, .before = &before, .after = &after});
    system.complain_to({.context = this, .file = &complaint});
  }

  /// Every register write, oldest first: addresses, control, and the status values that were written back.
  [[nodiscard]] const std::vector<write>& log() const noexcept { return log_; }
  void forget_log() noexcept { log_.clear(); }

  /// Once, just before the k-th register write from now (1: the next), `f` runs as an interruption of the CPU that writes: touch
  /// memory there, raise an NMI. Writes made by `f` are not counted. Replaces what was asked before.
  void before_write(unsigned k, interruption f) { interrupt(moment::before, k, std::move(f)); }
  /// The same just after it, before the writer has taken note.
  void after_write(unsigned k, interruption f) { interrupt(moment::after, k, std::move(f)); }
  /// `f` runs before every register write but those of `f` itself; null ends it. (A trap each time is a verb that never ends: it
  /// writes again what the trap may have undone.)
  void before_each_write(interruption f) { interrupt(moment::before, 0, std::move(f)); }
  /// True when the interruption of before_write() or after_write() has happened.
  [[nodiscard]] bool interrupted() const noexcept { return countdown_ == 0; }

  /// Contracts broken so far, in words. Unless they are collected, the first one ends the program.
  [[nodiscard]] const std::vector<std::string>& violations() const noexcept { return violations_; }
  void collect_violations() noexcept { collecting_ = true; }
  void violation(const char* text) {
    if (!collecting_) {
      std::fprintf(stderr, "bookend::mock: %s\n", text);
      std::abort();
    }
    violations_.emplace_back(text);
  }

 private:
  enum class moment : bool { before, after };

  static void before(void* self, const write& w) noexcept { static_cast<logbook*>(self)->maybe_interrupt(moment::before, w); }
  static void after(void* self, const write& w) noexcept {
    static_cast<logbook*>(self)->log_.push_back(w);
    static_cast<logbook*>(self)->maybe_interrupt(moment::after, w);
  }
  static void complaint(void* self, const char* text) noexcept { static_cast<logbook*>(self)->violation(text); }

  void interrupt(moment when, unsigned k, interruption f) {
    when_ = when;
    countdown_ = k;
    interruption_ = std::move(f);
  }
  void maybe_interrupt(moment now, const write& w) {
    if (!interruption_ || interrupting_ || now != when_) return;
    const bool once = countdown_ != 0;
    if (once && --countdown_ != 0) return;
    interrupting_ = true;
    const interruption f = once ? std::exchange(interruption_, nullptr) : interruption_;
    f(w);
    interrupting_ = false;
  }

  std::vector<write> log_;
  std::vector<std::string> violations_;
  interruption interruption_;
  unsigned countdown_ = 0;
  moment when_ = moment::before;
  bool interrupting_ = false;
  bool collecting_ = false;
};

}  // namespace bookend::mock
