#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/mutants.sh — the small edits of mutation/mutants.txt in copies of the headers, one at a time: the test named must go
# red.
#   bash tests/gates/mutants.sh             some, evenly spread; which, the headers' own sum says: others when they change
#   bash tests/gates/mutants.sh --deep      all
#   bash tests/gates/mutants.sh HEADER...   all of these headers
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/mutation/put_back.sh"
every=8
[ $# = 0 ] && [ -z "${BOOKEND_DEEP:-}" ] || every=1
sum=$(find include/bookend arch/x86/include -name '*.hpp' -print0 | sort -z | xargs -0 cat | cksum | cut -d ' ' -f 1)
first=$((sum % every))

# Red means something only where the test is green without an edit.
stays_green() { ! put_back "$1" "$2" 's/\z/\n/' >"$tmp/green.$1" && grep -q 'stays green$' "$tmp/green.$1"; }
export -f stays_green

jobs=$tmp/jobs
n=0
while read -r test header edit; do
  case $test in '' | '#'*) continue ;; esac
  n=$((n + 1))
  [ $((n % every)) = $first ] && { [ $# = 0 ] || [[ " $* " == *" $header "* ]]; } || continue
  path=include/bookend/$header
  [ -e "$path" ] || path=arch/x86/$path
  printf '%s: %s: %s\tput_back %q %q %q\n' "$header" "$test" "$edit" "${test}_test" "$path" "$edit" >>"$jobs"
  echo "$path" >>"$tmp/asked"
  echo "${test}_test $path" >>"$tmp/used"
done <tests/gates/mutation/mutants.txt
[ -s "$jobs" ] || failed "no such header: $*"
count=$(wc -l <"$jobs")
# In a sample one of the tests stands for all.
sort -u -k 1,1 "$tmp/used" | head -n $([ $every = 1 ] && echo 1000 || echo 1) | while read -r test path; do
  printf '%s without an edit\tstays_green %q %q\n' "$test" "$test" "$path" >>"$jobs"
done

run_jobs "$jobs"
awk -F '\t' 'NR == FNR { killed[$2]++; static[$2] += $1 == "static_assert"; next } { asked[$1]++ }
  END { for (h in asked) printf "%-46s %d/%d%s\n", h, killed[h], asked[h], static[h] ? ", " static[h] " statically" : "" }' \
  "$tmp/red" "$tmp/asked" | sort
[ "$bad" = 0 ] || failed "$bad of $total: an edit that no test sees, or finds nothing to change, or a test that is red without one"
echo "counted: $count small edits of the headers, each seen red"
which=$([ $every = 1 ] || echo " of $n, each ${every}th from the ${first}th")
passed "$count/$count killed$which, $(grep -c '^static_assert' "$tmp/red") by a static_assert"
