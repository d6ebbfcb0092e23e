#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/kernel/boot.sh — boots a kernel under QEMU (software emulation, never KVM) and shows what it says. The last line of a good
# run is "N passed, 0 failed", and only then the exit status is 0.
#   bash examples/kernel/boot.sh KERNEL checks|endurance|counts [NAME=NUMBER...]
#   CPUS=4      how many processors
#   LIMIT=300   seconds until a run that does not end is stopped, which counts as failed
set -uo pipefail
kernel=$1
shift
cpus=${CPUS:-4}
limit=${LIMIT:-300}
speed=(-accel tcg,thread=multi)
# Where instructions are counted there is one processor, and its time stamp counter counts them.
if [ "${1:-}" = counts ]; then
  cpus=1
  speed=(-accel tcg -icount "shift=0,sleep=off")
fi

log=$(mktemp "${TMPDIR:-/tmp}/bookend-serial.XXXXXX")
trap 'rm -f "$log"' EXIT
timeout --foreground --kill-after=10 "$limit" qemu-system-x86_64 -machine pc "${speed[@]}" -cpu max -smp "$cpus" -m 128 \
  -nodefaults -no-user-config -display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
  -kernel "$kernel" -append "$* cpus=$cpus" </dev/null | tee "$log"
status=${PIPESTATUS[0]}

# The kernel's own 0 arrives as 1.
if [ "$status" = 1 ] && tail -n 1 "$log" | grep -qE '^[1-9][0-9]* passed, 0 failed'; then exit 0; fi
case $status in
  124 | 137) echo "boot: stopped after $limit s; the lines above are all that it has said" ;;
  *) echo "boot: failed (QEMU's exit status is $status)" ;;
esac
exit 1
