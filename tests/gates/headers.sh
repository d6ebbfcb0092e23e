#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/headers.sh — every header compiles alone: hosted; and, but for arch/linux, freestanding with only the freestanding
# part of the library in reach, for four compilers and three machines. A header with instructions of a machine says #error elsewhere.
# A header for C is C11 and C++20, and includes nothing of a library but the compiler's own.
source "$(dirname "$0")/common.sh"

# Headers of a machine's instructions. (A header of arch/mock that needs a hosted library says "Hosted." in its second line.)
instructions=" arch/x86/include/bookend/native.hpp arch/x86/include/bookend/x86/registers.hpp "

compilers="g++ clang++-19 aarch64-linux-gnu-g++ riscv64-linux-gnu-g++"
declare -A strict
for compiler in $compilers; do
  library=$compiler
  [ "$compiler" = clang++-19 ] && library=g++
  strict[$compiler]=$(strict_search "$compiler" "$library")
  # First that the strict search is strict: else the rest proves nothing.
  for header in vector array atomic string memory cstdlib stdlib.h string.h unistd.h; do
    echo "#include <$header>" >"$tmp/hosted.cpp"
    must_fail "'?$header'?(: No such file| file not found)" $compiler -std=c++20 $freestanding ${strict[$compiler]} -fsyntax-only "$tmp/hosted.cpp" ||
      failed "<$header> can be included where only freestanding headers should be ($compiler)"
  done
done

headers=$(find include arch -name '*.hpp' | sort)
n=0
for header in $headers; do
  n=$((n + 1))
  unit=$tmp/$n.cpp
  printf '#include <%s>\n#include <%s>\n' "${header##*include/bookend/}" "${header##*include/bookend/}" | sed 's,<,<bookend/,' >"$unit"
  case $header in
    arch/linux/*) kind=linux ;;
    arch/mock/*) 
      kind=any
      sed -n 2p "$header" | grep -q ' Hosted\.$' && kind=hosted
      ;;
    *) kind=any ;;
  esac
  [[ $instructions == *" $header "* ]] && kind=instructions
  for compiler in $compilers; do
    case $compiler in
      aarch64* | riscv64*) machine=other ;;
      *) machine=x86 ;;
    esac
    common="$compiler -std=c++20 $warnings $includes -fsyntax-only $unit"
    [ $kind = linux ] && [ $machine = other ] && continue
    if [ $kind = instructions ] && [ $machine = other ]; then
      printf '%s\tmust_fail "#error .*x86-64" %s\n' "$header, $compiler" "$common"
      continue
    fi
    printf '%s\t%s\n' "$header, $compiler" "$common"
    if [ $kind = any ] || [ $kind = instructions ]; then
      printf '%s\t%s\n' "$header, $compiler, freestanding" "$common $freestanding ${strict[$compiler]}"
    fi
  done
done >"$tmp/jobs"
for header in $(find include -name '*.h' | sort); do
  n=$((n + 1))
  printf '#include <%s>\n#include <%s>\n' "${header#include/}" "${header#include/}" >"$tmp/$n.c"
  for compiler in gcc clang-19 aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc; do
    own=$($compiler -print-file-name=include)
    [ $compiler = clang-19 ] && own=$($compiler -print-resource-dir)/include
    for language in "c -std=c11" "c++ -std=c++20"; do
      printf '%s\t%s\n' "$header, $compiler, $language" "$compiler -x $language -pedantic $warnings -ffreestanding -nostdinc -isystem $own -DBOOKEND_MAX_CPUS=64 -DBOOKEND_POST_ON -Iinclude -fsyntax-only $tmp/$n.c"
    done
  done
done >>"$tmp/jobs"
run_jobs "$tmp/jobs"
[ "$bad" = 0 ] || failed "$bad of $total compilations of a header alone"
passed "$n headers alone, $total compilations (hosted and freestanding; g++, clang, aarch64, riscv64)"
