#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/run.sh — installs what is missing, runs every test with both compilers and under the sanitizers, then every gate.
#   bash tests/run.sh            everything; the last line is "N passed, N failed"
#   bash tests/run.sh gates      only the gates
#   bash tests/run.sh --deep     everything, with larger machines, longer fuzzing and all mutants: hours
# A test case of doctest counts as one in each way that it runs, so does a check of examples/kernel; a gate as one.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
only=${1:-all}
deep=()
[ "$only" != --deep ] || {
  export BOOKEND_DEEP=1
  deep=(--test_env=BOOKEND_DEEP=1 --test_timeout=7200)
  only=all
}
passed=0 failed=0
start=$SECONDS

say() { printf '\n== %s (%d s)\n' "$1" "$((SECONDS - start))"; }
bash bazel/setup.sh || {
  echo "0 passed, 1 failed"
  exit 1
}
log=$(mktemp "${TMPDIR:-/tmp}/bookend-tests.XXXXXX")
counted=$(mktemp "${TMPDIR:-/tmp}/bookend-tests.XXXXXX")
source bazel/home.sh
finish() {
  rm -f "$log" "$counted"
  # Bazel's server would stay for hours, to be fast the next time.
  [ -z "${CI:-}$made_home" ] || bazel shutdown >/dev/null 2>&1 </dev/null
  [ -z "$made_home" ] || { chmod -R u+w "$made_home" && rm -rf "$made_home"; }
}
trap finish EXIT

# `count FILE`: adds the cases of a doctest log, or those of a last line "N passed, N failed"; false if there was none. Any other
# test counts as one.
count() {
  local cases='' good=0 bad=0
  # [doctest] test cases:  12 |  11 passed | 1 failed | 0 skipped
  read -r cases good bad < <(sed -n 's/^\[doctest\] test cases: *\([0-9]*\) *| *\([0-9]*\) passed *| *\([0-9]*\) failed.*/\1 \2 \3/p' "$1" 2>/dev/null | tail -n 1)
  [ -n "$cases" ] || {
    read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$1" 2>/dev/null | tail -n 1)
    [ -n "$good" ] || good=1 bad=0
    cases=$((good + bad))
  }
  [ "$cases" -gt 0 ] || return 1
  passed=$((passed + good)) failed=$((failed + bad))
}

# Of what was searched, a test or a gate says "counted: NUMBER WHAT", some several times. `note FILE` keeps that; `summary` adds it up.
note() { sed -nE 's/.*counted: ([0-9]+ .*)/\1/p' "$1" >>"$counted"; }
summary() { awk '{ n = $1; $1 = ""; of[$0] += n } END { for (what in of) printf "%12d%s\n", of[what], what }' "$counted" | sort -k 2; }

# `suite NAME TARGETS BAZEL-OPTIONS...`: runs the tests, one line each and the logs of those that fail, and counts their cases.
suite() {
  local name=$1 targets=$2 status target outcome before so_far rc logs
  shift 2
  say "tests, $name"
  before=$failed
  bazel test --keep_going --noshow_progress "${deep[@]}" "$@" -- $targets >"$log" 2>&1 </dev/null
  rc=$?
  cat "$log"
  logs=$(bazel info bazel-testlogs "$@" 2>/dev/null </dev/null)
  while read -r target status; do
    outcome=$logs/${target#//}
    outcome=${outcome/://}/test.log
    [ "$name" != g++ ] || note "$outcome"  # once; the others count the same
    case $status in
      *PASSED*) count "$outcome" || { echo "$target: no test case ran"; failed=$((failed + 1)); } ;;
      *"TO BUILD"* | *"NO STATUS"*) failed=$((failed + 1)) ;;
      *) # Where the log has no failed case, the test crashed, or was stopped, or is no doctest program.
        so_far=$failed
        grep -qE '^\[doctest\] test cases|^[0-9]+ passed, [0-9]+ failed$' "$outcome" 2>/dev/null && count "$outcome"
        [ "$failed" -gt "$so_far" ] || failed=$((failed + 1)) ;;
    esac
  done < <(grep -E '^//[^ ]+ +(\(cached\) )?(PASSED|FAILED|TIMEOUT|FLAKY|NO STATUS)' "$log" | sort -u)
  # Something that is not a test did not build, or Bazel itself failed.
  if [ $rc != 0 ] && [ "$failed" = "$before" ]; then failed=$((failed + 1)); fi
}

if [ "$only" = all ]; then
  # Not //...: Bazel follows its own bazel-* links there when another output base has made them.
  everything="//:all //arch/... //bench/... //examples/... //tests/..."
  suite "g++" "$everything"
  # With clang the tests that follow under the sanitizers are not run without them, too.
  live=$(bazel query 'attr(tags, local, tests(//tests/...))' 2>/dev/null </dev/null | tr '\n' ' ')
  suite "clang" "//:all //arch/... //bench/... //examples/... $live" --config=clang
  # Not the live tests: a debugger and its tracee under the sanitizer test the sanitizer. Nor every verb from every state once more.
  suite "clang, address and undefined-behaviour sanitizers" //tests/... --config=sanitize --test_tag_filters=-local,-exhaustive --build_tests_only
  suite "clang, thread sanitizer" "//tests:threads_test //tests:posted_threads_test //tests:shared_threads_test //tests:priority_threads_test //tests:shared_test //tests:intent_test" --config=tsan
fi

say "gates"
for gate in tests/gates/*.sh; do
  [ "$gate" = tests/gates/common.sh ] && continue
  bash "$gate" 2>&1 </dev/null | tee "$log"
  if [ "${PIPESTATUS[0]}" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  note "$log"
done

say "done; what was searched"
summary
echo "$passed passed, $failed failed"
[ $failed = 0 ]
