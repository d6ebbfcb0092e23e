// SPDX-License-Identifier: MIT
// tests/fuzz/bytes.hpp — the fuzzer's input, taken apart from the front; and how a target says that something is wrong.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace fuzz {

/// Ends the program, which libFuzzer reports with the input that led here.
[[noreturn]] inline void wrong(const std::string& what) {
  std::fprintf(stderr, "WRONG: %s\n", what.c_str());
  std::abort();
}
inline void expect(bool kept, const char* what) {
  if (!kept) wrong(what);
}

/// Past the end every byte is 0.
struct bytes {
  const std::uint8_t* at;
  const std::uint8_t* end;
  [[nodiscard]] bool left() const { return at != end; }
  std::uint8_t byte() { return left() ? *at++ : std::uint8_t{0}; }
  std::uint64_t number(unsigned count) {
    std::uint64_t n = 0;
    for (unsigned i = 0; i < count; ++i) n |= std::uint64_t{byte()} << (8 * i);
    return n;
  }
};

}  // namespace fuzz
