#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/run.sh — installs what is missing, builds, and catches real writes of a running process through this machine's debug registers.
#   bash examples/run.sh         where debug registers cannot be used, it says why, and shows the same on the simulated machine
#   bash examples/run.sh mock    only the simulated machine
set -euo pipefail
cd "$(dirname "$0")/.."

# Lines of text, after an empty one.
say() {
  echo
  printf '%s\n' "$@"
}
# `command_line WORDS...`: as one would type it.
command_line() {
  local word line='$'
  for word in "$@"; do
    case $word in
      *'#'*) line+=" '$word'" ;;
      *) line+=" $word" ;;
    esac
  done
  say "$line"
}
show() {
  command_line "$@"
  "$@" 2>&1
}
on_the_simulated_machine() {
  show "$bin/shelf/shelf"
  say "That was examples/shelf/shelf.cpp. The simulated machine is in arch/mock; your own code can run on it in the same way."
}

bash bazel/setup.sh examples
source bazel/home.sh
echo "building (a minute, the first time) ..."
bazel build --noshow_progress --ui_event_filters=-info //examples/... </dev/null
bin=bazel-bin/examples

if [ "${1:-}" = mock ]; then
  on_the_simulated_machine
  exit
fi
if ! why=$("$bin/watch/watch" --probe 2>&1); then
  say "Real registers are not for us on this machine:" "  $why" "So here is the same on a simulated one, with 2 CPUs of 4 debug registers each."
  on_the_simulated_machine
  exit
fi

say "An x86 CPU has four debug registers. bookend keeps them like a shelf: the kernel fills it from the top, user programs from the" \
  "bottom, and a slot is reserved before a register is written. In the program watch, each thread of a traced process is a CPU:" \
  "a watch of all threads is the kernel's, a watch of one thread is a user's. The registers are this machine's own."

say "1. A small bank has two tellers and, later, an auditor. All threads are watched for writes to 'balance' (from the top); the fourth" \
  "   thread, which has not started yet, for writes to 'audits' (from the bottom). 'last' has a slot too, but is disabled."
show "$bin/watch/watch" balance --disabled last --enabled --thread '#4' audits -- "$bin/watch/victim" 3
say "   Each line is one real write: time, thread, old and new value, and the source line it came from. 'last' was written six times as" \
  "   well: disabled, it stopped nobody, and 'last [kernel, off]' shows that it kept its slot in every thread."

say "2. A disabled watch comes back with one register write per thread, and goes again. SIGUSR1 toggles watch 1."
toggled=("$bin/watch/watch" --disabled last -- "$bin/watch/victim" 12 50)
command_line "${toggled[@]}"
"${toggled[@]}" &
watching=$!
for pause in 0.2 0.15; do
  sleep "$pause"
  kill -USR1 "$watching" 2>/dev/null || true
done
wait "$watching"

say "3. Four watches fit. A fifth is refused before anything is written: one line that names who holds each slot, and exit code 1."
show "$bin/watch/watch" balance audits --thread '#1' last limit --all closed -- "$bin/watch/victim" 3 && exit 1

say "To watch a program of your own, in $PWD:" "  $bin/watch/watch --help"
