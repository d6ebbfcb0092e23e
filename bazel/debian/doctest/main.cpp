// SPDX-License-Identifier: MIT
// bazel/debian/doctest/main.cpp — the test runner's main(), compiled once for all tests.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
