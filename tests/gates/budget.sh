#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/budget.sh — what including bookend costs its user: at most 6,000 preprocessed lines (those that are not blank, with
# every include expanded) and 0.15 s of compilation. A clock on a shared machine is no judge, so the compiler's instructions
# are counted, which repeat to a thousandth: 0.15 s of g++ 12 on a 2.6 GHz server core are about 500 million. The clock is only shown.
source "$(dirname "$0")/common.sh"
max_lines=6000
max_millions=500

umbrella=include/bookend/bookend.hpp
[ -e $umbrella ] || failed "there is no $umbrella"
echo '#include <bookend/bookend.hpp>' >"$tmp/unit.cpp"
compile=(g++ -std=c++20 -Iinclude -fsyntax-only "$tmp/unit.cpp")

lines=$(g++ -std=c++20 -Iinclude -E -P "$tmp/unit.cpp" | grep -c .)
ours=$(g++ -std=c++20 -Iinclude -E "$tmp/unit.cpp" | awk '/^# / { ours = $3 ~ /^"include\/bookend/ } !/^#/ && NF && ours' | wc -l)
"${compile[@]}" -wrapper valgrind,--tool=cachegrind,--cache-sim=no,--cachegrind-out-file=/dev/null,--log-file="$tmp/count" >/dev/null 2>&1
millions=$(awk '/I +refs/ { gsub(",", "", $NF); print int($NF / 1000000) }' "$tmp/count")
fastest=$(for _ in 1 2 3 4 5; do
  start=$(date +%s%N)
  "${compile[@]}"
  echo $((($(date +%s%N) - start) / 1000000))
done | sort -n | head -n 1)

cost="$lines lines of at most $max_lines ($ours ours), ${millions:-no count of} million instructions of at most $max_millions, fastest of 5: $fastest ms"
[ "$lines" -gt 0 ] && [ "$lines" -le $max_lines ] && [ "${millions:-0}" -gt 0 ] && [ "$millions" -le $max_millions ] || failed "$cost"
passed "$cost"
