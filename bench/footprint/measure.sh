#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/footprint/measure.sh — what bookend adds to a kernel, in bytes and lines. Needs no build.
#   bash bench/footprint/measure.sh     one figure a line: its name, a tab, a number
# Objects are compiled as a kernel's are: see flags.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d "${TMPDIR:-/tmp}/bookend-footprint.XXXXXX")
trap 'rm -rf "$out"' EXIT

object() { $1 @bench/footprint/flags "${@:4}" -c "bench/footprint/$2.cpp" -o "$out/$3.o"; }
text() { size -A "$out/$1.o" | awk '/^\.text/ { n += $2 } END { print n }'; }

for compiler in g++ clang++-19; do
  for level in -Os -O2; do
    object $compiler verbs verbs.$compiler.$level $level
    object $compiler verbs few.$compiler.$level $level -DFEW
    object $compiler verbs priority.$compiler.$level $level -DFEW -DBY_PRIORITY
    printf '%s\t%s\n' "text, every verb, $compiler $level" "$(text verbs.$compiler.$level)" "text, few verbs, $compiler $level" "$(text few.$compiler.$level)" \
      "text, few verbs by priority, $compiler $level" "$(text priority.$compiler.$level)"
  done
done
object g++ parts parts -O2
while read -r symbol what; do
  printf '%s\t%s\n' "$what" "$(nm -S --radix=d "$out/parts.o" | awk -v symbol="$symbol" '$4 == symbol { print $2 + 0 }')"
done <<'DATA'
cpu data, a CPU
per_task data, a task
per_kernel_breakpoint data, a kernel breakpoint
per_user_breakpoint data, a user breakpoint
ledger_64 data, the ledger of 64 CPUs
ledger_1024 data, the ledger of 1024 CPUs
ledger_8192 data, the ledger of 8192 CPUs
manager data, the manager of 64 CPUs
DATA

# What including it costs: lines that are not blank with every include expanded, the compiler's instructions, its time.
echo '#include <bookend/bookend.hpp>' >"$out/unit.cpp"
compile=(g++ -std=c++20 -Iinclude -fsyntax-only "$out/unit.cpp")
printf '%s\t%s\n' "lines, preprocessed" "$(g++ -std=c++20 -Iinclude -E -P "$out/unit.cpp" | grep -c .)" "lines, ours" \
  "$(g++ -std=c++20 -Iinclude -E "$out/unit.cpp" | awk '/^# / { ours = $3 ~ /^"include\/bookend/ } !/^#/ && NF && ours' | wc -l)"
"${compile[@]}" -wrapper valgrind,--tool=cachegrind,--cache-sim=no,--cachegrind-out-file=/dev/null,--log-file="$out/count" >/dev/null 2>&1
printf '%s\t%s\n' "compile, million instructions" "$(awk '/I +refs/ { gsub(",", "", $NF); print int($NF / 1000000) }' "$out/count")"
printf '%s\t%s\n' "compile, ms" "$(for _ in 1 2 3 4 5; do
  start=$(date +%s%N)
  "${compile[@]}"
  echo $((($(date +%s%N) - start) / 1000000))
done | sort -n | head -n 1)"
