#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/freestanding.sh — an object with the code of every verb asks for no C++ runtime, no libgcc and no library, and its
# manager is all zero (.bss); the one of a kernel written in C only for the functions that it provides. g++ and clang, -O2 and -Os, for x86-64, aarch64 and riscv64. For a ring-0 x86-64 kernel `nm -u` is empty.
# Elsewhere the compilers copy structures with the four functions that they ask of every freestanding environment (GCC manual,
# "Language Standards Supported by GCC": memcpy, memmove, memset, memcmp); nothing in a source file keeps them from it.
source "$(dirname "$0")/common.sh"

# `object SOURCE ALLOWED BINUTILS-PREFIX COMPILER FLAGS...`: compiles, and lists what is undefined but for the names that the regular
# expression allows, and managers outside .bss.
object() {
  local source=$1 allowed=$2 prefix=${3#native-} out managers
  shift 3
  out=$(mktemp "$tmp/XXXXXX.o")
  "$@" -c "$source" -o "$out" || return 1
  if "${prefix}nm" -uC "$out" | grep -vE "^ +U ($allowed)\$"; then return 1; fi
  managers=$("${prefix}objdump" -tC "$out" | grep -E '::slots$')
  [ -n "$managers" ] || { echo "no manager in it"; return 1; }
  if grep -vE ' \.bss' <<<"$managers"; then
    echo "a manager that is not all zero"
    return 1
  fi
}
export -f object

for size in -O2 -Os; do
  while read -r machine prefix library compiler; do
    search=$(strict_search "${compiler%% *}" "$library")
    sources=tests/gates/freestanding/any_machine.cpp
    [ "$machine" = x86-64 ] && sources+=" tests/gates/freestanding/x86.cpp include/bookend/c/bookend.cpp"
    for source in $sources; do
      case $source in
        */x86.cpp) allowed=nothing ;;
        */c/bookend.cpp) allowed='bookend_os_[a-z_]+' ;;
        *) allowed='memcpy|memmove|memset|memcmp' ;;
      esac
      printf '%s\t%s\n' "${source##*/}, ${compiler%% *} $size for $machine" \
        "object $source '$allowed' $prefix $compiler -std=c++20 $size $warnings $freestanding $search -DBOOKEND_MAX_CPUS=64 -DBOOKEND_POST_ON -Iinclude -Iarch/x86/include -Iarch/mock/include"
    done
  done <<'WAYS'
x86-64 native- g++ g++ -mgeneral-regs-only
x86-64 native- g++ clang++-19 -mgeneral-regs-only
aarch64 aarch64-linux-gnu- aarch64-linux-gnu-g++ aarch64-linux-gnu-g++ -mgeneral-regs-only -mno-outline-atomics
aarch64 aarch64-linux-gnu- aarch64-linux-gnu-g++ clang++-19 --target=aarch64-linux-gnu -mgeneral-regs-only -mno-outline-atomics
riscv64 riscv64-linux-gnu- riscv64-linux-gnu-g++ riscv64-linux-gnu-g++
riscv64 riscv64-linux-gnu- riscv64-linux-gnu-g++ clang++-19 --target=riscv64-linux-gnu
WAYS
done >"$tmp/jobs"
run_jobs "$tmp/jobs"
[ "$bad" = 0 ] || failed "$bad of $total objects"
passed "$total objects with every verb, none asks for a library, managers in .bss"
