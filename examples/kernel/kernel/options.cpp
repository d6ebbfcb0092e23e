// SPDX-License-Identifier: MIT
// examples/kernel/kernel/options.cpp — see options.hpp.
#include "options.hpp"

namespace kernel {

namespace {
/// What follows `word` at p; null if p does not begin with it.
const char* behind(const char* p, const char* word) noexcept {
  for (; *word != '\0'; ++word, ++p)
    if (*p != *word) return nullptr;
  return p;
}
const char* next_word(const char* p) noexcept {
  while (*p != '\0' && *p != ' ') ++p;
  while (*p == ' ') ++p;
  return p;
}
}  // namespace

bool options::command_is(const char* word) const noexcept {
  const char* rest = behind(line_, word);
  return rest != nullptr && (*rest == '\0' || *rest == ' ');
}

std::uint64_t options::number(const char* name, std::uint64_t otherwise) const noexcept {
  for (const char* p = line_; *p != '\0'; p = next_word(p)) {
    const char* value = behind(p, name);
    if (value == nullptr || *value != '=') continue;
    std::uint64_t n = 0;
    for (++value; *value >= '0' && *value <= '9'; ++value) n = n * 10 + static_cast<std::uint64_t>(*value - '0');
    return n;
  }
  return otherwise;
}

}  // namespace kernel
