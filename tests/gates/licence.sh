#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/licence.sh — every source file opens with its licence and its path, so that a copy in another tree says both.
source "$(dirname "$0")/common.sh"
[ -s LICENSE ] || failed "there is no LICENSE"
n=0 wrong=0
while read -r file; do
  n=$((n + 1))
  # A script's first line is the interpreter's.
  head -n 3 "$file" | sed '1{/^#!/d}' | awk -v path="$file" '
    NR == 1 { licence = $0 ~ /^(\/\/|#|\/\*) SPDX-License-Identifier: MIT( \*\/)?$/ }
    NR == 2 { name = index($0, " " path " — ") > 0 }
    END { exit !(licence && name) }' && continue
  wrong=$((wrong + 1))
  echo "$file: lines 1 and 2 are to be the SPDX line and '$file — what it is'"
done < <(source_files)
[ $wrong = 0 ] || failed "$wrong of $n files"
passed "$n files"
