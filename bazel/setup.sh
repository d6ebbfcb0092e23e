#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bazel/setup.sh — installs the Debian packages that are missing, and says nothing when none is.
#   bash bazel/setup.sh             all: what the tests need, too
#   bash bazel/setup.sh examples    only what the examples need
set -euo pipefail

packages=(
  bazel-bootstrap g++ git ca-certificates                  # the build
  libcli11-dev libdw-dev libelf-dev libfmt-dev nlohmann-json3-dev  # examples/watch
  qemu-system-x86                                          # examples/kernel
  libunicorn-dev                                           # examples/guest
)
if [ "${1:-all}" != examples ]; then
  packages+=(
    doctest-dev libbenchmark-dev                           # tests/, bench/
    clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev  # the second compiler, the checks, the sanitizers, tests/fuzz/
    llvm-19 zip                                            # tests/gates/coverage.sh; with zip Bazel keeps what tests leave
    g++-aarch64-linux-gnu g++-riscv64-linux-gnu            # that the core builds for other machines
    qemu-user                                              # runs the tests with threads for aarch64
    spin                                                   # tests/models/
    valgrind                                               # counts the instructions of a compilation, and of bench/
    gnuplot-nox python3                                    # bench/: its plots and its table
  )
fi

command -v dpkg-query apt-get >/dev/null || {
  command -v bazel g++ >/dev/null && exit 0  # not Debian, but somebody has prepared it
  echo "setup: this is for Debian; elsewhere install the likes of: ${packages[*]}" >&2
  exit 1
}
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: missing: ${missing[*]}; run this as root once, or install sudo" >&2
    exit 1
  }
  as_root=(sudo)
fi
log=$(mktemp "${TMPDIR:-/tmp}/bookend-setup.XXXXXX")
# Waits while another installation holds the lock; counts the packages as they come, which takes minutes on a new machine.
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" \
    </dev/null 2>&1 | tee "$log" | awk '/^Setting up/ && ++n % 25 == 0 { print "setup: " n " packages installed"; fflush() }'
}
echo "setup: installing ${missing[*]}"
start=$SECONDS
if ! apt update || ! apt install -y --no-install-recommends "${missing[@]}"; then
  tail -n 20 "$log" >&2
  echo "setup: could not install ${missing[*]} (the whole log: $log)" >&2
  exit 1
fi
rm -f "$log"
echo "setup: done in $((SECONDS - start)) s"
