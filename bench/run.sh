#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/run.sh — installs what is missing, builds every benchmark optimised, times its rows interleaved and repeated, counts their
# instructions, and prints one table.
#   bash bench/run.sh                 all, some three minutes once it is built
#   bash bench/run.sh --quick         few repetitions: under a minute once it is built
#   bash bench/run.sh --json FILE     the figures besides
#   bash bench/run.sh --only PART     the benchmarks whose name contains PART
#   bash bench/run.sh --clang         clang++-19 in place of g++
#   bash bench/run.sh --copt=-O3      one more compiler option; may be repeated
#   bash bench/run.sh --readme        writes the table and the plots into bench/README.md and bench/plots, too
#   bash bench/run.sh --from DIR      the table of an earlier run, which kept what it collected by --keep DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
as_called=$PWD
cd "$here/.."

repetitions=15 seconds=0.02 json='' readme='' only='' keep='' from='' options=(--config=opt)
while [ $# -gt 0 ]; do
  case $1 in
    --quick) repetitions=3 seconds=0.002 ;;
    --json) json=$(cd "$as_called" && realpath -m "$2"); shift ;;
    --only) only=$2; shift ;;
    --keep) keep=$(cd "$as_called" && realpath -m "$2"); shift ;;
    --from) from=$(cd "$as_called" && realpath "$2"); shift ;;
    --clang) options+=(--config=clang) ;;
    --copt=*) options+=("$1" --copt=-Wno-error) ;;  # another level finds other warnings
    --readme) readme=yes ;;
    *) sed -n '3,12s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift
done
[ -z "$only" ] || [ -z "$readme" ] || { echo "bench: --readme is for all of them" >&2; exit 2; }
# An output base of one's own: BOOKEND_OUTPUT_BASE=/tmp/mine bash bench/run.sh
bazel=(bazel)
[ -z "${BOOKEND_OUTPUT_BASE:-}" ] || bazel+=("--output_base=$BOOKEND_OUTPUT_BASE")

start=$SECONDS
say() { echo "bench: $1 ($((SECONDS - start)) s)" >&2; }
bash bazel/setup.sh
source bazel/home.sh
out=$(mktemp -d "${TMPDIR:-/tmp}/bookend-bench.XXXXXX")
trap 'rm -rf "$out"' EXIT

collect() {
  local bin binary name n=0 binaries=()
  say "building"
  "${bazel[@]}" build "${options[@]}" --symlink_prefix=/ --noshow_progress --ui_event_filters=-info -- //bench:all >&2 </dev/null
  bin=$("${bazel[@]}" info "${options[@]}" bazel-bin 2>/dev/null </dev/null)/bench
  local commit changed compiler
  commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
  changed=$(git status --porcelain -- include arch bench 2>/dev/null | wc -l)
  compiler=$([[ " ${options[*]} " == *" --config=clang "* ]] && echo clang-19 || echo gcc)
  {
    echo "commit    $commit$([ "$changed" = 0 ] || echo " and $changed changed files in include, arch, bench")"
    echo "machine   $(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $(uname -sr)"
    echo "compiler  $("$compiler" --version | head -n 1)"
    echo "options   -std=c++20, Bazel's --compilation_mode=opt (-O2 -DNDEBUG and hardening), ${options[*]}"
    echo "figures   median of $repetitions interleaved repetitions of at least $seconds s; spread: quartiles apart, of the median"
    echo "load      $(cut -d' ' -f1-3 /proc/loadavg) at the start"
  } >"$out/machine.txt"
  "$bin/exactness" >"$out/exactness.txt"
  bash bench/footprint/measure.sh >"$out/footprint.txt"
  bash bench/footprint/listing.sh >"$out/listing.md"

  for binary in bench/*"$only"*_bench.cpp; do binaries+=("$(basename "$binary" .cpp)"); done
  for name in "${binaries[@]}"; do
    n=$((n + 1))
    say "$n of ${#binaries[@]}: $name"
    "$bin/$name" --describe >"$out/$name.rows"
    # A row that the machine does not permit says so in the JSON file.
    "$bin/$name" --benchmark_repetitions=$repetitions --benchmark_min_time=$seconds --benchmark_enable_random_interleaving=true \
      --benchmark_out="$out/$name.times" --benchmark_out_format=json >"$out/$name.log" 2>&1 || { cat "$out/$name.log" >&2; return 1; }
    valgrind -q --tool=callgrind --instr-atstart=no --callgrind-out-file="$out/$name.count" "$bin/$name" --count \
      >"$out/$name.log" 2>&1 || { cat "$out/$name.log" >&2; return 1; }
  done
  [ -z "$keep" ] || { mkdir -p "$keep" && cp "$out"/* "$keep"/; }
}

if [ -n "$from" ]; then cp "$from"/* "$out"/; else collect; fi
say "the table"
more=()
[ -z "$json" ] || more+=(--json "$json")
[ -z "$readme" ] || more+=(--markdown "$here/README.md" --plots "$out")
python3 "$here/table.py" "$out" "${more[@]}"
if [ -n "$readme" ]; then
  gnuplot -e "data='$out'; plots='$here/plots'" "$here/plots.gp"
fi
say "done"
