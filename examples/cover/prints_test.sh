#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/cover/prints_test.sh — the program prints the block of its README. `prints_test.sh PROGRAM README`
set -uo pipefail
printed=$("$1") || { echo "$1 exits with $?"; exit 1; }
expected=$(awk '/^```/ { inside = !inside; next } inside' "$2")
[ -n "$expected" ] || { echo "no block in $2"; exit 1; }
diff <(echo "$expected") <(echo "$printed")
