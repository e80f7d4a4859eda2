#!/usr/bin/env bash
# Each public header compiles alone as C17, without warnings, and can be included twice.
#
#     test_headers.sh COMPILER
set -uo pipefail

COMPILER=${1:?usage: $0 COMPILER}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
FLAGS=(-std=c17 -pedantic -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Werror -fsyntax-only -x c -I "$ROOT/include")
failures=0
count=0

# compiles NAME TEXT
compiles() {
    count=$((count + 1))
    printf '%s\n' "$2" | "$COMPILER" "${FLAGS[@]}" - && return
    failures=$((failures + 1))
    echo "FAIL: $1"
}

all=
for header in "$ROOT"/include/colrow/*.h; do
    name=colrow/$(basename "$header")
    line="#include <$name>"
    compiles "$name, twice" "$line"$'\n'"$line"$'\n'"extern int end;"
    all="$line"$'\n'"$all"
done
compiles "all of them, last to first" "$all"$'\n'"extern int end;"
((count > 5)) || failures=$((failures + 1)) # there are some, or this looked in the wrong place
echo "$count checks, $failures failed"
((failures == 0))
