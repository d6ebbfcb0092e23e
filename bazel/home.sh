# SPDX-License-Identifier: MIT
# bazel/home.sh — to be sourced. Bazel keeps what it builds under the home directory; a container or build machine may have none.
# Afterwards there is one; made_home says which, if it was made here.
made_home=
if [ ! -w "${HOME:-/nonexistent}" ]; then
  made_home=$(mktemp -d "${TMPDIR:-/tmp}/bookend-home.XXXXXX")
  export HOME=$made_home
fi
