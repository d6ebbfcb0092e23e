#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/profiled.sh — runs a test, which leaves what it reached (clang's profile) among its outputs. For --run_under.
LLVM_PROFILE_FILE=$TEST_UNDECLARED_OUTPUTS_DIR/profile.raw exec "$@"
