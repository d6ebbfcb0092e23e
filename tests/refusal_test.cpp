// SPDX-License-Identifier: MIT
// tests/refusal_test.cpp — mirrors include/bookend/refusal.hpp: values that cross the user boundary, and results.
#include <doctest/doctest.h>

#include <bookend/refusal.hpp>
#include <conformance/ends_the_program.hpp>
#include <cerrno>
#include <string>
#include <type_traits>

namespace {
using bookend::reason;
using bookend::refusal;
using bookend::result;
using conformance::ends_the_program;

struct row {
  reason why;
  int value;
  int error;
  const char* name;
};
/// The whole boundary, spelled out: a reason that changes its number, its errno or its name breaks programs that are already
/// built.
constexpr row table[] = {
    {reason::granted, 0, 0, "granted"},
    {reason::no_slot, 1, ENOSPC, "no_slot"},
    {reason::misaligned, 2, EINVAL, "misaligned"},
    {reason::bad_length, 3, EINVAL, "bad_length"},
    {reason::empty_mask, 4, EINVAL, "empty_mask"},
    {reason::bad_cpu, 5, EINVAL, "bad_cpu"},
    {reason::unsupported, 6, EOPNOTSUPP, "unsupported"},
    {reason::forbidden, 7, EPERM, "forbidden"},
    {reason::not_registered, 8, ENOENT, "not_registered"},
    {reason::already_registered, 9, EEXIST, "already_registered"},
    {reason::would_block, 10, EBUSY, "would_block"},
    {reason::hardware, 11, EIO, "hardware"},
};

TEST_CASE("every reason has the number, the errno and the name that it had before") {
  for (const row& r : table) {
    CHECK(static_cast<int>(r.why) == r.value);
    CHECK(bookend::to_errno(r.why) == r.error);
    CHECK(std::string(bookend::to_string(r.why)) == r.name);
  }
}

TEST_CASE("a refusal is true when something was refused, and says where") {
  CHECK_FALSE(refusal{});
  CHECK_FALSE(refusal{reason::granted});
  for (const row& r : table)
    if (r.why != reason::granted) {
      CHECK(refusal{r.why});
      CHECK(refusal{r.why, 7}.why == r.why);
      CHECK(refusal{r.why, 7}.cpu == 7);
    }
}

TEST_CASE("a result has a value or the reason why not") {
  const result<long> good = 42L;
  CHECK(good);
  CHECK(good.value() == 42);
  CHECK(good.why() == reason::granted);
  const result<long> bad = reason::misaligned;
  CHECK_FALSE(bad);
  CHECK(bad.why() == reason::misaligned);
}

TEST_CASE("the value of a refusal, and a refusal without a reason, are the caller's bugs, and stop there") {
  CHECK(ends_the_program([] { (void)result<long>{reason::misaligned}.value(); }));
  CHECK(ends_the_program([] { (void)result<long>{reason::granted}; }));
}

constexpr result<unsigned> halved(unsigned x) {
  if (x % 2 != 0) return reason::misaligned;
  return x / 2;
}
static_assert(halved(6).value() == 3);
static_assert(halved(7).why() == reason::misaligned);
static_assert(sizeof(refusal) <= 16);
// Explicit: a refusal never turns into a number, and so never into an errno by mistake.
static_assert(!std::is_convertible_v<refusal, bool> && !std::is_convertible_v<refusal, int>);
}  // namespace
