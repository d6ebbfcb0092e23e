#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/weak_memory.sh — the tests with threads for a machine that orders less than x86: compiled for aarch64 and run under
# QEMU's user emulation, which gives its barriers and exclusive accesses to threads of this machine; and each acquire, release and
# fence of the core has its reason beside it. What this cannot show: this machine's loads and stores still come in its own order.
#   bash tests/gates/weak_memory.sh --deep    for riscv64, too
source "$(dirname "$0")/common.sh"

# The reason stands on the line, or at most five lines above it: where a function begins. builtin.hpp only gives them names.
bare=$(find include/bookend -name '*.hpp' ! -name builtin.hpp -print0 | sort -z | xargs -0 awk '
  FNR == 1 { comment = 0 }
  /\/\// { comment = FNR }
  /load_acquire\(|store_release\(|__ATOMIC_(ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)/ && !/^ *\/\// && (comment == 0 || FNR - comment > 5) {
    print FILENAME ":" FNR ":" $0
  }')
[ -z "$bare" ] || {
  echo "$bare"
  failed "an order without its reason"
}

# `run_for MACHINE TEST`
run_for() {
  local at=$tmp/$1-$2
  "$1-linux-gnu-g++" -std=c++20 -O2 -static $includes -Itests "tests/$2.cpp" bazel/debian/doctest/main.cpp -pthread -o "$at" &&
    timeout 300 "qemu-$1" "$at" >"$at.log" 2>&1 || {
    tail -n 20 "$at.log" 2>/dev/null
    return 1
  }
  sed -n 's/^\[doctest\] assertions: *\([0-9]*\).*/\1/p' "$at.log" >>"$tmp/assertions"
}
export -f run_for
export includes

machines=aarch64
[ -z "${BOOKEND_DEEP:-}" ] || machines+=" riscv64"
for machine in $machines; do
  for test in threads_test posted_threads_test shared_threads_test intent_test; do
    printf '%s\t%s\n' "$test for $machine" "run_for $machine $test"
  done
done >"$tmp/jobs"
run_jobs "$tmp/jobs"
[ "$bad" = 0 ] || failed "$bad of $total: $(tr '\n' ',' <"$tmp/bad")"
passed "$total tests with threads on $machines, $(awk '{ n += $1 } END { print n }' "$tmp/assertions") assertions; every order has its reason"
