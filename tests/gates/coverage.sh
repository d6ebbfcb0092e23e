#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/coverage.sh — which lines and branches of the core and of arch/x86 the sanitizers' tests reach, as clang counts them:
# all, but for what tests/coverage.md explains, by its text. Takes what those tests left, and runs those that have changed since.
# Report: build/coverage/index.html.
source "$(dirname "$0")/common.sh"
source bazel/home.sh
known=tests/coverage.md
how="--config=sanitize --test_tag_filters=-local,-exhaustive --build_tests_only"

bazel test --noshow_progress $how -- //tests:all >"$tmp/log" 2>&1 </dev/null || {
  tail -n 20 "$tmp/log"
  failed "the tests themselves"
}
logs=$(bazel info bazel-testlogs $how 2>/dev/null </dev/null) programs=$(bazel info bazel-bin $how 2>/dev/null </dev/null)
# Not those with threads: what they meet is luck, and two threads may count as one.
tests=$(sed -n 's,^//tests:\([a-z0-9_]*\) .*PASSED.*,\1,p' "$tmp/log" | grep -v threads_test | sort -u)
[ -n "$tests" ] || failed "no test has run"
objects=  # the first is no option
for test in $tests; do
  mkdir "$tmp/$test" && unzip -qo "$logs/tests/$test/test.outputs/outputs.zip" -d "$tmp/$test" || failed "$test has left nothing"
  objects+=" ${objects:+-object }$programs/tests/$test"
done
llvm-profdata-19 merge -sparse "$tmp"/*/profile.raw -o "$tmp/profile" || failed "the profiles cannot be merged"
covered() { llvm-cov-19 "$@" $objects -instr-profile="$tmp/profile" -ignore-filename-regex='^/|^(tests|examples|arch/mock|arch/linux|bench|bazel-out)/' 2>"$tmp/warnings"; }
covered export -format=lcov >"$tmp/lcov" && covered export -format=text -skip-expansions >"$tmp/json" || failed "llvm-cov: $(tail -n 1 "$tmp/warnings")"
rm -rf build/coverage
covered show -format=html -show-branches=count -output-dir=build/coverage >"$tmp/html" || failed "no report: $(tail -n 1 "$tmp/warnings")"

python3 tests/gates/coverage.py "$tmp/lcov" "$tmp/json" $known >"$tmp/report" || {
  grep -v '^[0-9]' "$tmp/report"
  failed "$(tail -n 1 "$tmp/report"): reach it with a test, or explain it in $known"
}
passed "$(tail -n 1 "$tmp/report")"
