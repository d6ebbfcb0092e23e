#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/assembly.sh — what both compilers make of the ways that are taken most, in a ring-0 kernel: the switch between tasks
# without watches is three loads, one branch and no store; a trap with one hit reads and writes DR6 once and calls nothing but
# the handler; and none is longer than it was. The table is in bench/footprint/paths.sh.
source "$(dirname "$0")/common.sh"
source bench/footprint/paths.sh

bad=0 total=0
trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }
for compiler in g++ clang++-19; do
  compile_for_paths $compiler "$tmp" || failed "$compiler does not compile bench/footprint"
  for unit in verbs parts; do
    ! nm -uC "$tmp/$unit.$compiler.o" | grep -v ' os::' || { echo "$unit, $compiler: asks for a library"; bad=$((bad + 1)); }
  done
  # Who does not reserve by priority pays nothing for it: the same instructions, and objects of the same size.
  for with in bookend.hpp by_priority.hpp; do
    $compiler @bench/footprint/flags -O2 -include bookend/$with -c bench/footprint/verbs.cpp -o "$tmp/$with.o" || failed "$compiler with $with"
    { objdump -d --no-show-raw-insn "$tmp/$with.o" | tail -n +3 && nm -S "$tmp/$with.o"; } >"$tmp/$with.txt"
  done
  total=$((total + 1))
  diff -q "$tmp/bookend.hpp.txt" "$tmp/by_priority.hpp.txt" || { echo "first come is not as it was beside by_priority.hpp, $compiler"; bad=$((bad + 1)); }
  while IFS='|' read -r name what conditions most; do
    name=$(trim "$name") most=($most) total=$((total + 1))
    [ $compiler = g++ ] && most=${most[0]} || most=${most[1]}
    if ! way $compiler "$tmp" "$(trim "$what")" $conditions >"$tmp/way" 2>"$tmp/log"; then
      echo "$name, $compiler: $(cat "$tmp/log")"
    elif [ "$(wc -l <"$tmp/way")" -gt "$most" ]; then
      echo "$name, $compiler: $(wc -l <"$tmp/way") instructions, at most $most:"
      sed 's/^/  /' "$tmp/way"
    else
      [ "$name" != switch ] || switch+=" $(wc -l <"$tmp/way")"
      [ "$name" != trap ] || trap_+=" $(wc -l <"$tmp/way")"
      continue
    fi
    bad=$((bad + 1))
  done < <(paths)
done
[ $bad = 0 ] || failed "$bad of $total ways"
passed "$total ways: the switch in$switch instructions, a trap with one hit in$trap_ (g++, clang), no lock, no call but the handler's"
