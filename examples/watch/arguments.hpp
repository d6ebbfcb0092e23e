// SPDX-License-Identifier: MIT
// examples/watch/arguments.hpp — the command line, as values.
#pragma once
#include <sys/types.h>

#include <bookend/request.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace watch {

/// SYMBOL[+OFFSET][:LEN] or 0xADDR[:LEN], taken apart. What the symbol means is for symbols.hpp to say.
struct place {
  std::string symbol;                   ///< empty: `address` is absolute
  std::uint64_t address = 0;            ///< absolute, or the offset from the symbol
  std::optional<std::uint64_t> length;  ///< as typed after the colon
};
/// Throws a complaint when the text is no place.
place parse_place(std::string_view text);

/// One watch of the command line, with the options that were in force where it stood.
struct wanted {
  std::string text;  ///< as typed: this is its name from here on
  place where;
  bookend::access on = bookend::access::write;
  std::string thread;  ///< empty: all threads, from the top (kernel side). Else this one's, from the bottom (user side)
  bool enabled = true;
};

struct options {
  std::vector<wanted> watches;
  pid_t pid = 0;                     ///< attach to this one
  std::vector<std::string> command;  ///< or start this
  std::uint64_t count = 0;           ///< stop after so many hits; 0: never
  double seconds = 0;                ///< stop after so long; 0: never
  bool json = false;
  std::string output;  ///< a file for the report; empty: standard output
  bool probe = false;  ///< only say whether watching is possible here
  std::string help;    ///< not empty: print this and end well
};

/// Throws a complaint for a command line that makes no sense. Asks nothing of the machine.
options parse_arguments(int argc, const char* const* argv);

/// The kind of access in the words of the command line.
constexpr const char* to_text(bookend::access on) noexcept {
  return on == bookend::access::write ? "writes" : on == bookend::access::execute ? "executions" : "reads and writes";
}

}  // namespace watch
