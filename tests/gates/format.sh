#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/format.sh — our C++ is as clang-format writes it, and no comment line, which it leaves alone, has more than 130
# columns either. To mend: clang-format-19 -i FILE
source "$(dirname "$0")/common.sh"
mapfile -t files < <(cpp_files)
clang-format-19 --dry-run -Werror "${files[@]}" 2>"$tmp/diagnostics" || grep -F ' error: ' "$tmp/diagnostics" | cut -d: -f1 | sort | uniq -c | sort -rn | head -n 20
[ -s "$tmp/diagnostics" ] && failed "clang-format would change $(grep -F ' error: ' "$tmp/diagnostics" | cut -d: -f1 | sort -u | wc -l) of ${#files[@]} files"
long=$(LC_ALL=C.UTF-8 grep -nE '^.{131}' "${files[@]}" | grep -E '^[^:]*:[0-9]*: *//' | cut -c 1-120)
[ -z "$long" ] || { echo "$long" | head -n 20; failed "$(wc -l <<<"$long") comment lines of more than 130 columns"; }
passed "${#files[@]} files"
