#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/fuzz.sh — the targets of tests/fuzz with libFuzzer and the sanitizers: first what was kept of earlier runs, then new
# inputs from there on for a few seconds each.
#   bash tests/gates/fuzz.sh TARGET...          only these
#   bash tests/gates/fuzz.sh --deep [SECONDS]   so long each, ten minutes if nothing is said, and compiled to run fast
#   bash tests/gates/fuzz.sh --keep ...         also keeps in the corpus what was found, as few files as reach as much
source "$(dirname "$0")/common.sh"
export seconds=5 level=-O0 keep=
targets=
while [ $# -gt 0 ]; do
  case $1 in
    --deep) level=-O1 seconds=600 ;;
    --keep) keep=yes ;;
    [1-9]*) seconds=$1 ;;
    *) [ -e "tests/fuzz/$1_fuzz.cpp" ] && targets+=" $1" || failed "no such option or target: $1" ;;
  esac
  shift
done

export flags="-std=c++20 $level -gline-tables-only -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $warnings $includes -Itests -I."
build() {
  local more=
  [ "$1" != arguments ] || more="examples/watch/arguments.cpp -lfmt"
  clang++-19 $flags "tests/fuzz/$1_fuzz.cpp" $more -o "$tmp/$1"
}
# All that is kept is run first. Found inputs go to the first folder. Where it fails, the input stays in build/fuzz: `PROGRAM FILE`.
fuzz() {
  local corpus=tests/fuzz/corpus/$1 log=$tmp/$1.log new=$tmp/new-$1 options
  options="-max_len=$([ "$1" = verbs ] && echo 1000 || echo 300)"
  [ "$1" != arguments ] || options+=" -only_ascii=1"
  mkdir -p "$new" build/fuzz
  timeout $((seconds + 120)) "$tmp/$1" -seed=1 -max_total_time="$seconds" $options -timeout=10 -artifact_prefix="build/fuzz/$1-" \
    -print_final_stats=1 "$new" "$corpus" >"$log" 2>&1 || {
    grep -E '^WRONG|ERROR|runtime error|SUMMARY|^Test unit written' "$log"
    tail -n 3 "$log"
    return 1
  }
  [ -z "$keep" ] || { mkdir "$tmp/less-$1" && "$tmp/$1" -set_cover_merge=1 -use_counters=0 $options "$tmp/less-$1" "$corpus" "$new" >"$log.merge" 2>&1 && rm -f "$corpus"/* && cp "$tmp/less-$1"/* "$corpus"; }
}
export -f build fuzz

targets=${targets:-verbs arguments registers encode}
for step in build fuzz; do
  for target in $targets; do printf '%s %s\t%s %s\n' $step "$target" $step "$target"; done >"$tmp/jobs"
  run_jobs "$tmp/jobs"
  [ "$bad" = 0 ] || failed "$step: $bad of $total targets"
done

# The last lines that say so: "#12345 DONE cov: 123 ft: 456 ...", and "stat::number_of_executed_units: 12345".
verdict= executions=0
for target in $targets; do
  log=$tmp/$target.log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  kept=$(find "tests/fuzz/corpus/$target" -type f | wc -l)
  [ "$kept" -gt 0 ] && [ "${runs:-0}" -gt "$kept" ] || failed "$target has run nothing but its $kept kept inputs"
  executions=$((executions + runs))
  verdict+="$target $runs runs, $(sed -n 's/.*cov: \([0-9]*\) ft: \([0-9]*\).*/\1 edges, \2 features/p' "$log" | tail -n 1) ($kept kept); "
done
echo "counted: $executions inputs of fuzzers"
passed "$seconds s each: ${verdict%; }"
