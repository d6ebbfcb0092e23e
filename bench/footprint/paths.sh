# SPDX-License-Identifier: MIT
# bench/footprint/paths.sh — the ways through the code that are taken most, and what may be on them. Sourced in the root of the
# tree, by tests/gates/assembly.sh, which checks them, and by listing.sh, which shows them.

# name | unit, function | what is on the way exactly so often (see paths.py) | at most so many instructions, g++ 12 and clang 19
# A direct call is no part of any of them, but for those named by calls=. Of the switch's loads two are what the next task and this
# CPU have, the third is the CPU's number.
paths() {
  cat <<'PATHS'
switch | verbs switch_to | loads=3 stores=0 branches=1 locked=0 | 11 11
trap | verbs trap_from_user | handler=1 reads_dr6=1 writes_dr6=1 writes_dr7=0 repeats=0 locked=0 | 78 74
trap, not ours | verbs trap_from_user | handler=0 reads_dr6=1 writes_dr6=1 writes_dr7=0 repeats=0 locked=0 | 44 42
trap, quiet | verbs trap_from_kernel | handler=1 reads_dr6=1 writes_dr6=1 writes_dr7=2 repeats=0 locked=0 | 106 96
trap, quiet, not ours | verbs trap_from_kernel | handler=0 reads_dr6=1 writes_dr6=1 writes_dr7=2 repeats=0 locked=0 | 72 69
NMI | verbs nmi | handler=1 reads_dr6=0 writes_dr7=2 locked=0 | 48 49
NMI, nothing on | verbs nmi | handler=1 reads_dr6=0 writes_dr7=0 locked=0 | 44 45
disable here | verbs disable_here | handler=0 writes_dr7=1 writes_address=0 locked=0 calls=<os>:: | 88 106
reserve for a task | parts reserve_for_task | locked=0 stores=2 | 24 23
PATHS
}

# `compile_for_paths COMPILER FOLDER`, then `way COMPILER FOLDER "UNIT FUNCTION" CONDITIONS...`: the instructions, one a line.
compile_for_paths() {
  local unit
  for unit in verbs parts; do $1 @bench/footprint/flags -O2 -c bench/footprint/$unit.cpp -o "$2/$unit.$1.o" || return 1; done
}
way() { python3 bench/footprint/paths.py "$2/${3% *}.$1.o" "${3#* }" "${@:4}"; }
