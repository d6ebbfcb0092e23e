// SPDX-License-Identifier: MIT
// examples/watch/console.hpp — where the report goes, and one line of life on the terminal that never mixes with it.
#pragma once
#include <cstdio>
#include <memory>
#include <string>

namespace watch {

class console {
 public:
  /// Writes to `path`, or to standard output when it is empty. Throws a complaint when the file cannot be written.
  explicit console(const std::string& path);
  ~console();
  console(const console&) = delete;
  console& operator=(const console&) = delete;

  /// One line of the report, at once.
  void line(const std::string& text);
  /// One line to standard error, for what is worth knowing but ends nothing.
  void note(const std::string& text);
  /// A line for the person who waits, overwritten by the next: only if standard error is a terminal.
  void status(const std::string& text);
  /// False once the report can no longer be written (its reader is gone, the disk is full).
  [[nodiscard]] bool works() const noexcept { return works_; }
  /// True when status() shows anything.
  [[nodiscard]] bool is_watched() const noexcept { return terminal_; }

 private:
  void clear_status();
  struct closer {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, closer> file_;  // empty: standard output
  bool terminal_;
  bool status_shown_ = false;
  bool works_ = true;
};

}  // namespace watch
