// SPDX-License-Identifier: MIT
// examples/watch/wishes.hpp — what the person who watches wants meanwhile: keys and signals, as values.
#pragma once
#include <termios.h>

#include <optional>
#include <string>

namespace watch {

struct wish {
  enum class kind { toggle, show_slots, end };
  kind what;
  unsigned watch = 0;  ///< toggle: which, from 0
  std::string why;     ///< end: said in the report
};

/// Standard input, if it is a terminal of ours: keys come one at a time, unechoed, until the end of the scope. Then a command
/// that is started gets /dev/null to read, so that the keys are ours alone.
class keyboard {
 public:
  explicit keyboard(bool for_a_command);
  ~keyboard();
  keyboard(const keyboard&) = delete;
  keyboard& operator=(const keyboard&) = delete;
  /// -1 when there is none.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] std::optional<wish> read() const;

 private:
  int fd_ = -1;
  termios before_{};
};

/// Until there are wishes, a signal that toggles a watch is lost instead of ending us. A command does not inherit that.
void survive_early_toggles();

/// From construction on, the signals that mean something to us are read here, and end nobody. Construct it after a command is
/// started: a blocked signal stays blocked in a child.
class wishes {
 public:
  explicit wishes(const keyboard& keys);
  ~wishes();
  wishes(const wishes&) = delete;
  wishes& operator=(const wishes&) = delete;
  /// Readable when next() has something to say.
  [[nodiscard]] int fd() const noexcept { return either_; }
  /// The next wish, if there is one. Never waits.
  [[nodiscard]] std::optional<wish> next();

 private:
  const keyboard& keys_;
  int signals_ = -1;
  int either_ = -1;
};

}  // namespace watch
