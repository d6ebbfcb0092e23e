// SPDX-License-Identifier: MIT
// examples/watch/console.cpp — where the report goes, and one line of life on the terminal that never mixes with it.
#include "console.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "complaint.hpp"

namespace watch {

console::console(const std::string& path) : terminal_(isatty(STDERR_FILENO) == 1) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), "we"));
  if (!file_) throw complaint(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
}

console::~console() { clear_status(); }

void console::line(const std::string& text) {
  clear_status();
  std::FILE* const to = file_ ? file_.get() : stdout;
  const bool written = std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fputc('\n', to) != EOF;
  if (std::fflush(to) != 0 || !written) works_ = false;
}

void console::status(const std::string& text) {
  if (!terminal_) return;
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
  status_shown_ = true;
}

void console::note(const std::string& text) {
  clear_status();
  fmt::print(stderr, "watch: {}\n", text);
}

void console::clear_status() {
  if (!status_shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  status_shown_ = false;
}

}  // namespace watch
