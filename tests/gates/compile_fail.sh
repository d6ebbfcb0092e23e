#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/compile_fail.sh — every tests/fail/*.cpp is a mistake that the compiler must catch: it does not compile, what the
# compiler says matches the file's EXPECT line, and with -DCURED it does compile. Both compilers.
source "$(dirname "$0")/common.sh"
shopt -s nullglob
n=0
for file in tests/fail/*.cpp; do
  n=$((n + 1))
  expect=$(sed -n 's,^// EXPECT: ,,p' "$file")
  [ "$(grep -c . <<<"$expect")" = 1 ] || failed "$file has no line '// EXPECT: regex', or more than one"
  printf '%s' "$expect" >"$tmp/$n.regex"
  for compiler in g++ clang++-19; do
    compile="$compiler -std=c++20 $warnings $includes -fsyntax-only $file"
    printf '%s\t%s\n' "$file, $compiler" "must_fail \"\$(cat $tmp/$n.regex)\" $compile"
    printf '%s\t%s\n' "$file cured, $compiler" "$compile -DCURED"
  done
done >"$tmp/jobs"
[ $n -gt 0 ] || failed "tests/fail is empty"
run_jobs "$tmp/jobs"
[ "$bad" = 0 ] || failed "$bad of $total compilations"
passed "$n mistakes caught and cured, g++ and clang"
