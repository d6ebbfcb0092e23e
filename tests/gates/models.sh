#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/models.sh — searches the protocols' models (tests/models) with spin: nothing wrong is found in them as they are,
# and something in each of them with a defect put in. `--deep`: larger bounds, minutes; the largest are sampled.
source "$(dirname "$0")/common.sh"
command -v spin >/dev/null || failed "spin is missing: bash bazel/setup.sh"
export models=$PWD/tests/models

# `build AT MODEL OPTIMIZE OPTIONS...`: options begin with -D, and go to the model and to the search.
build() {
  local at=$1 model=$2 optimize=$3
  shift 3
  mkdir -p "$at" && cd "$at" || return 1
  spin "$@" -a "$models/$model.pml" >log || { cat log; return 1; }
  gcc "$optimize" -w -DSAFETY -DMEMLIM=5000 -DCOLLAPSE $([ "$model" != quiet ] || echo -DNOREDUCE) "$@" -o pan pan.c
}
# Every state of it, or as many as a bit a state lets see, is without error.
search() {
  local number=$1 model=$2
  shift 2
  build "$tmp/$number" "$model" -O2 "$@" || return 1
  timeout 600 ./pan -m4000000 $([[ $* != *BITSTATE* ]] || echo -w31) >out 2>&1
  if ! grep -q 'errors: 0' out || { [[ $* != *BITSTATE* ]] && grep -q 'Search not completed' out; }; then
    grep -vE 'Depth=|unreached|^$' out | head -n 20
    return 1
  fi
  echo "$model $* $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)" >>"$tmp/states"
}
# Something is found within so many steps, and it is a broken promise or a CPU that waits for ever.
found() {
  local number=$1 depth=$2 model=$3
  shift 3
  build "$tmp/$number" "$model" -O0 "$@" || return 1
  timeout 120 ./pan -m"$depth" >out 2>&1
  grep -qE '^pan:1: (assertion violated|invalid end state)' out || {
    echo "nothing is found in $model with $*"
    return 1
  }
}
export -f build search found

jobs=$tmp/jobs
number=0 defects=0
job() { printf '%s\t%s\n' "$1" "$2" >>"$jobs"; }
whole() { number=$((number + 1)) && job "$*" "search $number $*"; }
# `defect DEPTH MODEL NAME OPTIONS...`, `limit` the same: a hole that is known, see tests/models/README.md.
defect() {
  local depth=$1 model=$2 name=$3
  shift 3
  number=$((number + 1)) defects=$((defects + 1))
  job "$model without $name" "found $number $depth $model -DDEFECT_$name $*"
}
limit() {
  number=$((number + 1))
  job "the limit $3 of $2, which is no more" "found $number $1 $2 -DLIMIT_$3 ${*:4}"
}

whole quiet -DSLOTS=1 -DSETTINGS=2
whole post -DVERBS=0
whole quiet -DSLOTS=1 -DDEPTH=1 -DARRIVALS=1 -DLENDING
whole quiet -DDEPTH=1 -DARRIVALS=1
whole post -DPOSTS=1 -DLIVES=2 -DUNREGISTERS=1
whole switch
whole online
whole lock
if [ -n "${BOOKEND_DEEP:-}" ]; then
  whole post -DVERBS=0 -DENABLES=1
  whole post -DVERBS=0 -DCYCLES=0 -DLIVES=2 -DUNREGISTERS=1
  whole post -DPOSTS=1 -DVERBS=2 -DCYCLES=2 -DLIVES=2 -DUNREGISTERS=1
  whole post -DLIVES=2 -DUNREGISTERS=1 -DBITSTATE
  whole quiet -DSLOTS=1 -DDEPTH=1 -DLENDING
  whole quiet -DSLOTS=1 -DSETTINGS=2 -DLENDING -DBITSTATE
  whole quiet -DARRIVALS=3 -DLENDING -DBITSTATE
  whole switch -DVERBS=9
  whole lock -DROUNDS=6
fi

one="-DSLOTS=1 -DDEPTH=1 -DARRIVALS=1"
two="-DSLOTS=1 -DSETTINGS=2"
for name in NO_RECHECK NO_VERSION ADDRESS_WHILE_ON NO_EDIT_MASK MASK_BEFORE_ON RESTORES_WHAT_IT_FOUND SETTLED_TOO_EARLY \
  OFF_WHILE_SETTLED EDITS_AFTER_LOOK TURN_LOOKS_LATE BUMP_NOT_LOOKED_AT HUSH_NOT_RECORDED; do
  defect 100000 quiet $name $one
done
for name in DEPTH_NOT_COUNTED TRUSTS_LIT FLUSHED_AS_IT_IS_NOW MIDWAY_FORGOTTEN DARK_NOT_RECHECKED; do
  defect 400 quiet $name $two
done
defect 100000 quiet ON_IS_A_MASK -DDEPTH=1 -DARRIVALS=1 -DSETTINGS=2
defect 500 quiet WRITES_SETTLED $two -DDEPTH=1 -DARRIVALS=3
for name in TURNS_UNSETTLED SILENCE_HALF_UNDONE; do defect 100000 quiet $name $one -DLENDING; done
defect 400 quiet HUSH_OUTLASTS_SILENCE -DSLOTS=1 -DDEPTH=1 -DLENDING
limit 1000 quiet OVERTAKEN $two
limit 1000 quiet SAME_ADDRESS $one

for name in ONE_CELL INDEX_FIRST NO_RELOAD NO_FENCE_IN_VERB NO_FENCE_IN_SCHEDULER NO_EAGER_UNLOAD GONE_TOO_EARLY \
  FREED_TOO_EARLY; do
  defect 10000 switch $name
done

for name in NO_ODD_CHECK NO_SECOND_LOOK UNCLAIMED_TOO_EARLY ACKNOWLEDGED_TOO_EARLY VERB_NOT_CLAIMED VERB_OVERTAKES \
  NOT_CUMULATIVE ANSWERS_ONCE; do
  defect 10000 post $name
done
for name in SKIPS_WHEN_ONLINE ONLINE_AFTER_LOOK; do defect 150 post $name -DVERBS=0; done
for name in FREED_TOO_EARLY IDLE_AT_ONCE; do
  defect 10000 post $name -DPOSTS=1 -DVERBS=0 -DCYCLES=0 -DLIVES=2 -DUNREGISTERS=1
done
defect 10000 post OLD_NUMBER_STAYS -DVERBS=0 -DCYCLES=0 -DLIVES=2
for name in NO_FENCE_IN_POST NO_FENCE_IN_ONLINE LOOKS_FIRST; do defect 1000 online $name; done
for name in LOCK_DOES_NOT_SERVE RUN_ON_DOES_NOT_SERVE RUN_ON_DOES_NOT_WAIT; do defect 1000 lock $name; done

run_jobs "$jobs"
sort "$tmp/states" 2>/dev/null
[ "$bad" = 0 ] || failed "$bad of $total searches are not as they should be: $(tr '\n' ',' <"$tmp/bad")"
searches=$(wc -l <"$tmp/states")
echo "counted: $(awk '{ n += $NF } END { printf "%d", n }' "$tmp/states") states of the protocols"
echo "counted: $defects defects in the protocols, each found"
passed "$searches searches of $(find "$models" -name '*.pml' | wc -l) models find nothing; $defects defects put in, each found"
