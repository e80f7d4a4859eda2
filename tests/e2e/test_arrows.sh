#!/usr/bin/env bash
# The include arrows between modules, and the few things that only one module may touch.
#
#     test_arrows.sh [ROOT]
#
# Reads the text of src/ and include/ below ROOT (default: this tree) and compiles nothing; without
# ROOT it also checks itself, on a copy into which forbidden lines are put.
set -uo pipefail

HERE=$(cd "$(dirname "$0")/../.." && pwd)
ROOT=${1:-$HERE}
cd "$ROOT" || exit 1
failures=0

# What a module may include besides itself and base. Nothing else is an arrow.
declare -A MAY=(
    [base]="" [comm]="" [config]="" [engine]="" [optim]="" [data]="" [checkpoint]=""
    [sample]="engine"
    [net]="engine sample"
    [dist]="comm net sample engine"
    [train]="config dist net optim data checkpoint comm sample engine"
    [sweep]="train config"
    [scaling]="sweep train dist net"
    [study]="train comm sample engine"
    [app]="study scaling sweep train config dist net optim data checkpoint comm sample engine"
)

bad() {
    failures=$((failures + 1))
    echo "FAIL: $*"
}

# files_of MODULE: its sources and its public header, a part of which may be MODULE_PART.h
files_of() {
    find "src/$1" -name '*.[ch]'
    find include/colrow -name "$1.h" -o -name "$1_*.h"
}

check_arrows() {
    local module=$1 file included
    while IFS=: read -r file included; do
        [[ " $module base ${MAY[$module]} " == *" $included "* ]] ||
            bad "$file includes colrow/$included.h: $module may include: base ${MAY[$module]}"
    done < <(files_of "$module" | xargs grep -oE '#[[:space:]]*include[[:space:]]*[<"]colrow/[a-z_]+\.h' |
        sed -E 's/:.*colrow\/([a-z]+)(_[a-z_]+)?\.h/:\1/')
}

# only WHAT PATTERN PLACE...: the pattern matches nowhere but in the places (prefixes of paths)
only() {
    local what=$1 pattern=$2 hit place allowed
    shift 2
    while IFS= read -r hit; do
        allowed=no
        for place in "$@"; do [[ $hit == "$place"* ]] && allowed=yes; done
        [[ $allowed == yes ]] || bad "$what belongs to $*: $hit"
    done < <(grep -rnE --include='*.[ch]' -- "$pattern" src include)
}

include_of() { # NAME of a header -> pattern
    printf '#[[:space:]]*include[[:space:]]*[<"]%s[>"]' "$1"
}

for folder in src/*/; do
    module=$(basename "$folder")
    if [[ -v MAY[$module] ]]; then
        check_arrows "$module"
    else
        bad "src/$module: a module without a line in this test"
    fi
done
only 'mpi.h' "$(include_of 'mpi\.h')" src/comm/
only 'hdf5.h' "$(include_of 'h(df)?5[a-z_]*\.h')" src/checkpoint/
only 'yaml.h' "$(include_of 'c?yaml([/a-z]*)\.h')" src/config/
only 'cblas.h' "$(include_of '(openblas/)?cblas\.h')" src/engine/
only 'Random123' "$(include_of 'Random123/[a-z0-9]+\.h')" src/base/
only 'zlib.h' "$(include_of 'zlib\.h')" src/data/
only 'OpenMP' "$(include_of 'omp\.h')" src/engine/ src/net/ src/data/ src/optim/
# a file in a folder of a module may include what lies beside that folder, and nothing further away
only 'a path upwards in an include' '#[[:space:]]*include[[:space:]]*"\.\./' src/*/*/
only 'a path out of a module' '#[[:space:]]*include[[:space:]]*"\.\./.*/' none
only 'printing' '(^|[^a-z_])(v?printf|puts|putchar|perror|v?dprintf)\(' src/base/log.c
# app gives them to argp, which prints help by itself
only 'stdout and stderr' '[(,=] *(stdout|stderr)|(stdout|stderr) *[=)]' \
    src/base/log.c src/app/arguments.c
only 'exit()' '(^|[^a-z_])_?exit\(' src/app/ src/comm/comm.c src/comm/guard.c
only 'abort()' '(^|[^a-z_])abort\(' src/base/status.c
only 'MPI_Abort' 'MPI_Abort' src/comm/
only 'a call of MPI' '(^|[^A-Za-z_])MPI_[A-Z][a-z_]+\(' src/comm/

# ---- this test itself: each of these lines, put into a copy, must be found -------------------------
# seed CODE FILE LINE: a copy with LINE at the end of FILE is judged with exit code CODE
seed() {
    local copy code=0
    copy=$(mktemp -d)
    cp -r src include "$copy/"
    printf '%s\n' "$3" >>"$copy/$2"
    bash "$HERE/tests/e2e/test_arrows.sh" "$copy" >/dev/null || code=$?
    [[ $code == "$1" ]] || bad "judged with $code instead of $1: $2: $3"
    rm -rf -- "$copy"
}

if [[ $# == 0 ]]; then
    seed 0 src/net/count.c '#include <colrow/sample.h>'
    seed 1 src/net/count.c '#include <colrow/comm.h>'
    seed 1 src/optim/rules/sgd.c '# include "colrow/data.h"'
    seed 0 src/net/layers/relu.c '#include "../window.h"'
    seed 1 src/net/layers/relu.c '#include "../../sample/select.h"'
    seed 1 src/net/count.c '#include "../sample/select.h"'
    seed 1 src/net/count.c '#include "../select.h"'
    seed 0 src/study/error.c '#include <colrow/train.h>'
    seed 1 src/train/run.c '#include <colrow/study.h>'
    seed 1 include/colrow/checkpoint.h '#include "colrow/net.h"'
    seed 1 include/colrow/net_layer.h '#include "colrow/comm.h"'
    seed 1 src/checkpoint/read.c '#include "colrow/net_layer.h"'
    seed 1 src/train/step.c '#include <mpi.h>'
    seed 1 src/base/hash.c '#include <hdf5.h>'
    seed 1 src/net/layers/relu.c '    printf("here\n");'
    seed 1 src/data/data.c '    (void)fputs("x", stderr);'
    seed 1 src/train/run.c '    exit(1);'
    seed 1 src/app/main.c '    MPI_Abort(MPI_COMM_WORLD, 1);'
fi
echo "$failures failed"
((failures == 0))
