#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/kernel/run.sh — installs what is missing (Debian), builds the kernel and boots it under QEMU.
#   bash examples/kernel/run.sh [checks|endurance|counts] [NAME=NUMBER...]
# CPUS and LIMIT are boot.sh's.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- checks
bash bazel/setup.sh examples
source bazel/home.sh
bazel build --noshow_progress --ui_event_filters=-info //examples/kernel </dev/null
exec bash examples/kernel/boot.sh "$(bazel info --noshow_progress bazel-bin 2>/dev/null </dev/null)/examples/kernel/kernel" "$@"
