#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/c_kernel/session_test.sh — what was typed in session.txt, typed once more: the same comes of it.
#   bash session_test.sh PROGRAM SESSION
set -euo pipefail
sed -n 's/^\$ //p; /^#/p; /^$/p' "$2" | "$1" | diff -u "$2" -
