#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/consumer.sh — a project outside this tree can use bookend: with Bazel by its public labels, and with nothing but -I.
source "$(dirname "$0")/common.sh"
root=$PWD project=$tmp/project
cp -r tests/gates/consumer "$project"
mkdir "$project/bookend"
# What a checkout has; not what was built in it.
cp -r "$root"/{include,arch,bazel,BUILD.bazel,WORKSPACE,.bazelignore} "$project/bookend/"
cd "$project" || failed "no copy"

expected="hit on CPU 1"
for compiler in g++ clang++-19; do
  $compiler -std=c++20 -Wall -Wextra -Werror -Ibookend/include -Ibookend/arch/mock/include consumer.cpp -o plain >"$tmp/log" 2>&1 ||
    { head -n 25 "$tmp/log"; failed "$compiler -I"; }
  [ "$(./plain)" = "$expected" ] || failed "$compiler -I: the program does not print '$expected'"
done

# A server of its own, which ends with the gate.
bazel() { command bazel --output_base="$tmp/out" --max_idle_secs=60 "$@" </dev/null 3>&-; }
bazel build --nosandbox_debug --noshow_progress --symlink_prefix="$tmp/bazel-" //:consumer >"$tmp/log" 2>&1
rc=$?
output=$("$tmp/bazel-bin/consumer" 2>&1)
bazel shutdown >/dev/null 2>&1
chmod -R u+w "$tmp/out" 2>/dev/null
[ $rc = 0 ] || { tail -n 25 "$tmp/log"; failed "bazel build //:consumer"; }
[ "$output" = "$expected" ] || failed "bazel: the program does not print '$expected'"
passed "bazel by labels; g++ and clang by -I"
