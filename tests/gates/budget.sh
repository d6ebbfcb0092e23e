#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/budget.sh — what bookend costs its user: bytes in a kernel, lines and time of its compiler. The figures are those of
# bench/footprint/measure.sh; what is smaller now than its limit has room to grow by a few per cent, and no more.
# A clock on a shared machine is no judge, so the compiler's instructions are counted, which repeat to a thousandth: 0.15 s of
# g++ 12 on a 2.6 GHz server core are about 500 million. The clock is only shown.
source "$(dirname "$0")/common.sh"
limits() {
  cat <<'LIMITS'
text, every verb, g++ -Os	17000
text, every verb, g++ -O2	28500
text, every verb, clang++-19 -Os	18500
text, every verb, clang++-19 -O2	23400
text, few verbs, g++ -Os	11400
text, few verbs, g++ -O2	17900
text, few verbs, clang++-19 -Os	12400
text, few verbs, clang++-19 -O2	14800
text, few verbs by priority, g++ -Os	18200
text, few verbs by priority, g++ -O2	31400
text, few verbs by priority, clang++-19 -Os	21700
text, few verbs by priority, clang++-19 -O2	26800
data, a CPU	256
data, a task	16
data, a kernel breakpoint	72
data, a user breakpoint	104
data, the ledger of 64 CPUs	1152
data, the ledger of 1024 CPUs	17536
data, the ledger of 8192 CPUs	139520
data, the manager of 64 CPUs	17664
lines, preprocessed	6000
compile, million instructions	500
LIMITS
}

bash bench/footprint/measure.sh >"$tmp/figures" || failed "bench/footprint/measure.sh does not come to an end"
over=0
while IFS=$'\t' read -r what limit; do
  is=$(awk -F'\t' -v what="$what" '$1 == what { print $2 }' "$tmp/figures")
  [ "${is:-0}" -gt 0 ] && [ "$is" -le "$limit" ] && continue
  echo "$what: ${is:-not measured}, at most $limit"
  over=$((over + 1))
done < <(limits)
[ $over = 0 ] || failed "$over of $(limits | wc -l) figures"
figure() { awk -F'\t' -v what="$1" '$1 == what { print $2 }' "$tmp/figures"; }
passed "$(limits | wc -l) figures: every verb in $(figure 'text, every verb, g++ -Os') bytes (g++ -Os), $(figure 'lines, preprocessed') lines ($(figure 'lines, ours') ours), \
$(figure 'compile, million instructions') million instructions, fastest of 5: $(figure 'compile, ms') ms"
