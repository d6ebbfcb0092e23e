# SPDX-License-Identifier: MIT
# tests/gates/mutation/put_back.sh — an edit in a copy of one header: does the test named go red? For defects.sh and mutants.sh.
# What is the same for every edit is compiled once: the test runner, and what tests include first.
fast="clang++-19 -std=c++20 -pthread -DDOCTEST_CONFIG_SUPER_FAST_ASSERTS"
first="doctest/doctest.h algorithm array chrono concepts functional initializer_list map set string type_traits vector"
printf '#include <%s>\n' $first >"$tmp/first.hpp"
$fast -fpch-instantiate-templates -x c++-header "$tmp/first.hpp" -o "$tmp/first.pch" &&
  $fast -c bazel/debian/doctest/main.cpp -o "$tmp/main.o" || failed "the test runner does not compile"

# `put_back TEST HEADER EDIT`: EDIT is a Perl substitution over the whole header. Succeeds when the test is red, and appends how
# ("test" or "static_assert"), a tab and the header to $tmp/red; else says what is wrong.
put_back() {
  local test=$1 header=$2 edit=$3 at copy how=test limit=20
  at=$(mktemp -d "$tmp/put_back.XXXXXX") || return 1
  copy=$at/${header##*include/}
  mkdir -p "$(dirname "$copy")"
  perl -0pe "$edit" "$header" >"$copy" || return 1
  if cmp -s "$header" "$copy"; then
    echo "the edit finds nothing to change in $header"
    return 1
  fi
  if $fast -include-pch "$tmp/first.pch" -I"$at" $includes -Itests "tests/$test.cpp" "$tmp/main.o" -o "$at/test" \
    >"$at/log" 2>&1; then
    # What does not end, or wants all the memory, is as red as can be; but that test takes long when it finds nothing.
    [ "$test" = exactness_test ] && limit=120
    # priority_test has all of its quick cases see them: every choice there is takes 20 s.
    (ulimit -v 8000000 -c 0 &&
      timeout $limit env -u BOOKEND_DEEP "$at/test" --abort-after=1 --test-case-exclude='every choice of*') >"$at/log" 2>&1
    case $?,$test in
      0,* | 124,exactness_test)
        echo "$test stays green"
        return 1
        ;;
    esac
  else
    # A static_assert that is wrong now is as red as can be, too; any other error is one of the edit.
    if ! grep -q 'error: ' "$at/log" || grep 'error: ' "$at/log" | grep -qv 'error: static assertion'; then
      echo "does not compile any more:"
      grep -m 3 'error: ' "$at/log"
      return 1
    fi
    how=static_assert
  fi
  printf '%s\t%s\n' "$how" "$header" >>"$tmp/red"
  rm -rf "$at"
}
export -f put_back
export includes fast
: >"$tmp/red"
