#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/readme.sh — README.md's program is at most 30 lines, compiles as it stands there, and prints what stands there.
# The blocks are found by the comment before each: <!-- readme: program --> and <!-- readme: output -->.
source "$(dirname "$0")/common.sh"
[ -e README.md ] || failed "there is no README.md"
# `block NAME`: the lines between the fences that follow the comment.
block() {
  awk -v mark="<!-- readme: $1 -->" '
    $0 == mark { found = 1; next }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }' README.md
}
block program >"$tmp/program.cpp"
block output >"$tmp/expected"
[ -s "$tmp/program.cpp" ] || failed "no block after <!-- readme: program -->"
[ -s "$tmp/expected" ] || failed "no block after <!-- readme: output -->"
lines=$(wc -l <"$tmp/program.cpp")
[ "$lines" -le 30 ] || failed "the program has $lines lines; at most 30 are read"
for compiler in g++ clang++-19; do
  $compiler -std=c++20 $warnings $includes "$tmp/program.cpp" -o "$tmp/program" >"$tmp/log" 2>&1 || { head -n 25 "$tmp/log"; failed "$compiler does not compile the program"; }
  timeout 60 "$tmp/program" >"$tmp/output" 2>&1 || failed "the program exits with $? ($compiler)"
  diff -u "$tmp/expected" "$tmp/output" || failed "the program prints something else ($compiler)"
done
# The kernel's part: a freestanding object that asks only for what the kernel provides.
cat >"$tmp/kernel.cpp" <<'END'
#include <cstdint>
struct trap_frame { std::uint64_t rip, rflags; };
void queue_sigtrap(std::uint64_t);
void other_debug_causes(trap_frame&, std::uint64_t);
END
block kernel >>"$tmp/kernel.cpp"
grep -q constinit "$tmp/kernel.cpp" || failed "no block after <!-- readme: kernel -->"
for compiler in g++ clang++-19; do
  $compiler -std=c++20 -O2 $warnings $freestanding -mgeneral-regs-only -Iinclude -Iarch/x86/include -c "$tmp/kernel.cpp" -o "$tmp/kernel.o" >"$tmp/log" 2>&1 ||
    { head -n 25 "$tmp/log"; failed "$compiler does not compile the kernel"; }
  asked=$(nm -uC "$tmp/kernel.o" | sed 's/^ *U //' | grep -vE '^(os::|queue_sigtrap|other_debug_causes)')
  [ -z "$asked" ] || failed "the kernel's object asks for $asked ($compiler)"
done
block c >"$tmp/kernel.c"
for compiler in gcc clang-19; do
  $compiler -std=c11 -pedantic $warnings -ffreestanding -DBOOKEND_MAX_CPUS=64 -Iinclude -c "$tmp/kernel.c" -o "$tmp/kernel.o" >"$tmp/log" 2>&1 ||
    { head -n 25 "$tmp/log"; failed "$compiler does not compile what is written in C"; }
  nm "$tmp/kernel.o" | grep -q ' T watch_jiffies' || failed "no block after <!-- readme: c -->"
done
passed "the program of $lines lines prints what README.md says, and the kernels in C++ and in C compile, g++ and clang"
