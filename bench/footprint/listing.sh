#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/footprint/listing.sh — the switch between tasks without watches, and a trap with one hit of the kernel's, as both
# compilers have them: Markdown on standard output. Each is one way through the code, taken jumps and followed calls included.
set -euo pipefail
cd "$(dirname "$0")/../.."
source bench/footprint/paths.sh
out=$(mktemp -d "${TMPDIR:-/tmp}/bookend-listing.XXXXXX")
trap 'rm -rf "$out"' EXIT
for compiler in g++ clang++-19; do compile_for_paths $compiler "$out"; done
paths | while IFS='|' read -r name what conditions most; do
  name=${name% }
  [ "$name" = switch ] || [ "$name" = trap ] || continue
  for compiler in g++ clang++-19; do
    way $compiler "$out" "$(echo $what)" $conditions >"$out/way"
    printf '%s, %s -O2: %d instructions\n\n```asm\n' "$name" $compiler "$(wc -l <"$out/way")"
    sed -E 's/bookend:://g; s/<os>//g; s/^(j\w+) \S+ <.*(\+0x[0-9a-f]+)>$/\1 \2/; s/^(j\w+) .*<.*>$/\1 .../' "$out/way"
    printf '```\n\n'
  done
done
