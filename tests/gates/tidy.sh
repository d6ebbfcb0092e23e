#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/tidy.sh — clang-tidy over every header (one unit a folder), the units that instantiate every verb, and our programs.
# Other people's headers cost it most of its time, so a program's files are one unit too: their file-local names differ. The kernel's
# checks include nobody's: each is a unit.
source "$(dirname "$0")/common.sh"
clang-tidy-19 --verify-config --config-file=.clang-tidy >"$tmp/config" 2>&1 || { cat "$tmp/config"; failed ".clang-tidy"; }
# `tidy UNIT [CHECKS]`: prints what it objects to, without the quotations.
tidy() {
  local output
  output=$(clang-tidy-19 --quiet --config-file=.clang-tidy --checks="${2:-}" "$1" -- -std=c++20 -DBOOKEND_MAX_CPUS=8 $includes -I. 2>&1) && return
  grep -E ' (error|warning): ' <<<"$output" || echo "$output"
  return 1
}
export includes
export -f tidy
for folder in include arch/x86/include arch/mock/include arch/linux/include; do
  find "$folder" -name '*.hpp' | sort | sed 's,.*include/\(bookend/.*\),#include <\1>,' >"$tmp/${folder//\//_}.cpp"
done
units=("$tmp"/*.cpp tests/gates/freestanding/any_machine.cpp tests/gates/freestanding/x86.cpp include/bookend/c/bookend.cpp)
for unit in "${units[@]}"; do
  [ -s "$unit" ] && printf '%s\t%s\n' "$unit" "tidy $unit"
done >"$tmp/jobs"
# The path-sensitive analysis (clang-analyzer) is for the library; of a program with that much library code it takes minutes.
for folder in $(find examples -name '*.cpp' -exec dirname {} + 2>/dev/null | sort -u); do
  if [ "$folder" = examples/kernel/checks ]; then
    for file in "$folder"/*.cpp; do printf '%s\t%s\n' "$file" "tidy $file -clang-analyzer-*"; done
    continue
  fi
  unit=$tmp/${folder//\//_}.cpp
  : >"$unit"
  for file in "$folder"/*.cpp; do
    if grep -q '^int main(' "$file" && grep -q . "$tmp/has_main" 2>/dev/null; then
      printf '%s\t%s\n' "$file" "tidy $file -clang-analyzer-*"
    else
      grep '^int main(' "$file" >>"$tmp/has_main"
      echo "#include \"$PWD/$file\"" >>"$unit"
    fi
  done
  rm -f "$tmp/has_main"
  printf '%s\t%s\n' "$folder" "tidy $unit -clang-analyzer-*,-bugprone-suspicious-include"
done >"$tmp/programs"
cat "$tmp/programs" "$tmp/jobs" >"$tmp/all"  # the longest first
run_jobs "$tmp/all"
[ "$bad" = 0 ] || failed "$bad of $total units"
passed "$total units"
