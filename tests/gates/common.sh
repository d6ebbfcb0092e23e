#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/common.sh — what every gate shares. A gate is `bash tests/gates/NAME.sh`: it prints what is wrong, then one line
# that begins with "ok" or "FAILED", and its exit status says the same.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
gate=$(basename "$0" .sh)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/bookend-$gate.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# `--deep`, or BOOKEND_DEEP=1: larger bounds and longer runs, where a gate has any.
[ "${1:-}" != --deep ] || {
  export BOOKEND_DEEP=1
  shift
}

exec 3>&1  # the verdict is seen wherever it is given
passed() {
  printf 'ok     %-12s %s\n' "$gate" "$1" >&3
  exit 0
}
failed() {
  printf 'FAILED %-12s %s\n' "$gate" "$1" >&3
  exit 1
}

warnings="-Wall -Wextra -Wconversion -Wshadow -Werror"
includes="-Iinclude -Iarch/x86/include -Iarch/mock/include -Iarch/linux/include"
freestanding="-ffreestanding -fno-exceptions -fno-rtti"

# Our C and C++ files, and all our text files that carry a licence line.
cpp_files() { find include arch tests examples bench bazel -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) 2>/dev/null | sort; }
source_files() {
  cpp_files
  find . -path ./.git -prune -o -path './bazel-*' -prune -o -type f \
    \( -name '*.sh' -o -name '*.py' -o -name '*.bzl' -o -name '*.pml' -o -name BUILD.bazel -o -name WORKSPACE -o -path ./.ci/run \) -print | sed 's,^\./,,' | sort
}

# A job is a label, a tab and a command; `run_jobs FILE` runs them on every core, prints the output of the first that fail,
# and leaves their number in $bad and the number of all in $total.
run_job() {
  local label=${1%%$'\t'*} command=${1#*$'\t'} output
  output=$(eval "$command" 2>&1) && return
  echo "$label" >>"$tmp/bad"
  [ "$(wc -l <"$tmp/bad")" -gt 5 ] || printf '%s\n%s\n' "--- $label: $command" "$(head -n 15 <<<"$output")" >&2
}
run_jobs() {
  : >"$tmp/bad"
  tr '\n' '\0' <"$1" | xargs -0 -P "$(nproc)" -n 1 bash -c 'run_job "$1"' _ || echo xargs >>"$tmp/bad"
  [ "$(wc -l <"$tmp/bad")" -le 5 ] || { echo "--- and:"; tail -n +6 "$tmp/bad"; } >&2
  bad=$(wc -l <"$tmp/bad") total=$(wc -l <"$1")
}
# `must_fail REGEX COMMAND...`: the command fails, and says something that matches.
must_fail() {
  local regex=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "compiles, but must not"
    return 1
  fi
  grep -qE -- "$regex" <<<"$output" || {
    printf '%s\n%s\n' "fails, but nothing there matches: $regex" "$output"
    return 1
  }
}
export tmp
export -f run_job must_fail

# `strict_search COMPILER [LIBRARY_OF]`: flags with which nothing of a hosted library can be included. What is left is the
# compiler's own <stddef.h> and <stdint.h>, and those headers of libstdc++ that our core may use.
# LIBRARY_OF is the g++ whose libstdc++ it is, where the compiler has none of its own (clang).
core_headers="bit compare concepts cstddef cstdint initializer_list limits new type_traits version"
strict_search() {
  local compiler=$1 library=${2:-$1} own at=$tmp/strict/${2:-$1} dir header
  case $compiler in
    clang*) own=$("$compiler" -print-resource-dir)/include ;;
    *) own=$("$compiler" -print-file-name=include) ;;
  esac
  if [ ! -d "$at" ]; then
    mkdir -p "$at/machine/bits"
    while read -r dir; do
      if [ -e "$dir/concepts" ]; then
        for header in $core_headers bits; do ln -s "$(realpath "$dir/$header")" "$at/$header"; done
      elif [ -e "$dir/bits/c++config.h" ]; then
        ln -s "$(realpath "$dir/bits")"/* "$at/machine/bits/"
        rm "$at/machine/bits/os_defines.h"  # asks for the C library's <features.h>; without an operating system
        touch "$at/machine/bits/os_defines.h"  # this file of libstdc++ is empty
      fi
    done < <("$library" -x c++ -E -v /dev/null 2>&1 | sed -n '/search starts here/,/^End of search/s/^ //p')
  fi
  echo "-nostdinc -nostdinc++ -isystem $at -isystem $at/machine -isystem $own"
}
