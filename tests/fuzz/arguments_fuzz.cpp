// SPDX-License-Identifier: MIT
// tests/fuzz/arguments_fuzz.cpp — the command line of examples/watch, a word a line: it is understood as a whole, or
// refused with one line that says why.
#include <algorithm>
#include <cstdlib>
#include <fuzz/bytes.hpp>
#include <string_view>
#include <vector>

#include "examples/watch/arguments.hpp"
#include "examples/watch/complaint.hpp"

namespace {

void says_why(const watch::complaint& c) {
  const std::string_view line = c.what();
  fuzz::expect(c.code == watch::bad_usage, "a bad command line is refused with another exit code");
  fuzz::expect(line.size() > 10 && line.find('\n') == line.npos, "a refusal is not one line");
}

/// Reads a number off the front, as the C library has it.
std::uint64_t number(std::string_view& text) {
  const std::string copy(text);
  const bool hexadecimal = copy.starts_with("0x") || copy.starts_with("0X");
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(copy.c_str(), &end, hexadecimal ? 16 : 10);
  text.remove_prefix(static_cast<std::size_t>(end - copy.c_str()));
  return value;
}
bool ate(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}
void place(const std::string& text) {
  try {
    const auto p = watch::parse_place(text);
    std::string_view rest = text;
    fuzz::expect(rest.starts_with(p.symbol), "a place is not where it says");
    rest.remove_prefix(p.symbol.size());
    fuzz::expect((p.symbol.empty() || ate(rest, '+') ? number(rest) : 0) == p.address, "the address or the offset");
    fuzz::expect(ate(rest, ':') == p.length.has_value() && number(rest) == p.length.value_or(0), "the length");
    fuzz::expect(rest.empty(), "a part of a place is left out");
  } catch (const watch::complaint& c) {
    says_why(c);
  }
}

/// CLI11 takes the `-x` of one word `-x !y` for a flag, and goes on with `- !y`.
bool typed(const std::string& text, const std::string& word) {
  return text == word || (text.starts_with('-') && word.starts_with('-') && word.ends_with(text.substr(1)));
}

void check(const watch::options& o, const std::vector<std::string>& words) {
  if (!o.help.empty() || o.probe) return;
  const auto dashes = std::find(words.begin(), words.end(), "--");
  fuzz::expect(!o.watches.empty(), "there is nothing to watch");
  fuzz::expect((o.pid > 0) != !o.command.empty(), "there is nobody to watch, or there are two");
  fuzz::expect(o.command == std::vector<std::string>(std::min(dashes + 1, words.end()), words.end()) || dashes == words.end(),
               "the command is not what follows --");
  fuzz::expect(o.seconds >= 0 && o.seconds < 1e9 && o.count < 1'000'000'000, "it never ends");
  for (const auto& w : o.watches) {
    fuzz::expect(std::any_of(words.begin(), dashes, [&](const std::string& word) { return typed(w.text, word); }),
                 "what is watched was not typed");
    place(w.text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words(1);
  for (const std::uint8_t* c = data; c != data + size; ++c)
    if (*c == '\n')
      words.emplace_back();
    else if (*c != 0)
      words.back() += static_cast<char>(*c);
  for (const auto& w : words) place(w);
  std::vector<const char*> argv{"watch"};
  for (const auto& w : words) argv.push_back(w.c_str());
  try {
    check(watch::parse_arguments(static_cast<int>(argv.size()), argv.data()), words);
  } catch (const watch::complaint& c) {
    says_why(c);
  }
  return 0;
}
