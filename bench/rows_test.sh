#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/rows_test.sh — every row has its floor and its question, every target its two rows. Nothing is timed.
set -uo pipefail
bad=0
for benchmark in "$@"; do
  "$benchmark" --check || bad=1
done
exit $bad
