// SPDX-License-Identifier: MIT
// tests/watch/nearest_test.cpp — mirrors examples/watch/nearest.hpp.
#include <doctest/doctest.h>

#include "examples/watch/nearest.hpp"

using names = std::vector<std::string>;

TEST_CASE("a distance counts changed, added, missing and swapped letters") {
  CHECK(watch::distance("balance", "balance", 3) == 0);
  CHECK(watch::distance("balnce", "balance", 3) == 1);
  CHECK(watch::distance("ballance", "balance", 3) == 1);
  CHECK(watch::distance("bakance", "balance", 3) == 1);
  CHECK(watch::distance("blaance", "balance", 3) == 1);
  CHECK(watch::distance("Balance", "balance", 3) == 0);
  CHECK(watch::distance("", "abc", 3) == 3);
}

TEST_CASE("what is too far is only known to be too far") {
  CHECK(watch::distance("balance", "ledger", 2) == 3);
  CHECK(watch::distance("a", "abcdefgh", 2) == 3);
}

TEST_CASE("the nearest come first, at most three, each once") {
  CHECK(watch::nearest("audtis", {"audit", "balance", "audits", "audits"}) == names{"audits", "audit"});
  CHECK(watch::nearest("abc", {"abd", "abe", "abf", "abg"}) == names{"abd", "abe", "abf"});
}

TEST_CASE("a part of a name finds it") {
  CHECK(watch::nearest("temp_directory", {"sqlite3_temp_directory"}) == names{"sqlite3_temp_directory"});
}

TEST_CASE("nothing is suggested that nobody could have meant") {
  CHECK(watch::nearest("quux", {"balance", "ledger", "x"}).empty());
  CHECK(watch::did_you_mean("quux", {"balance"}).empty());
}

TEST_CASE("a suggestion reads as a question") {
  CHECK(watch::did_you_mean("aa", {"ab"}) == ": did you mean ab?");
  CHECK(watch::did_you_mean("aa", {"ab", "ac"}) == ": did you mean ab or ac?");
  CHECK(watch::did_you_mean("aa", {"ab", "ac", "ad"}) == ": did you mean ab, ac or ad?");
}
