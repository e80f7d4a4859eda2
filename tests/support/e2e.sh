# e2e: what the end-to-end tests share. A test is a bash script called with the path of the program:
#
#     COLROW=$1
#     source "$(dirname "$0")/../support/e2e.sh"
#     expect 2 'nearest is' "$COLROW" train bad.yaml
#     finish
#
# Work in $WORK, a fresh folder that is removed at the end. A check that fails says so and the test
# goes on; `finish` tells how many failed and ends the test with 1 when any did.
# shellcheck shell=bash
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) # of the source tree
# shellcheck disable=SC2034 # for the tests
CONFIGS=$ROOT/configs
COLROW=$(realpath "${COLROW:-${1:?usage: $0 PROGRAM}}")
WORK=$(mktemp -d "${TMPDIR:-/tmp}/colrow-e2e-XXXXXX")
STDOUT=$WORK/stdout # of the last `expect` or `run`
STDERR=$WORK/stderr
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export OMP_WAIT_POLICY=passive # threads and ranks share cores here: none may spin
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # MPI itself leaks
CHECKS=0
FAILURES=0
trap 'rm -rf -- "$WORK"' EXIT

# The command that starts N ranks, as words. Every rank may share a core with others.
LAUNCH=(mpirun --allow-run-as-root --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n)

# ranks N ARGUMENT...: the program on N ranks
ranks() {
    local n=$1
    shift
    "${LAUNCH[@]}" "$n" "$COLROW" "$@"
}

# bad TEXT...: a check failed; tell what it was, and what the last command said
bad() {
    FAILURES=$((FAILURES + 1))
    echo "FAIL: $*"
    if [[ -s $STDERR ]]; then sed 's/^/    /' "$STDERR" | tail -n 20; fi
}

# check TEXT COMMAND...: COMMAND must succeed
check() {
    local text=$1
    shift
    CHECKS=$((CHECKS + 1))
    "$@" || bad "$text"
}

# run CODE COMMAND...: COMMAND ends with CODE; what it says goes to $STDOUT and $STDERR
run() {
    local want=$1 code=0
    shift
    CHECKS=$((CHECKS + 1))
    "$@" >"$STDOUT" 2>"$STDERR" || code=$?
    [[ $code == "$want" ]] || bad "expected exit code $want, found $code: $*"
}

# error_lines: the program's error lines of the last command (mpirun's own words are not counted)
error_lines() {
    grep -E '^colrow: (rank [0-9]+: )?error: ' "$STDERR"
}

# expect CODE TEXT COMMAND...: COMMAND ends with CODE after exactly one error line, with TEXT in it
expect() {
    local want=$1 text=$2 lines
    shift 2
    run "$want" "$@"
    CHECKS=$((CHECKS + 1))
    lines=$(error_lines)
    if [[ $(grep -c . <<<"$lines") != 1 ]]; then
        bad "expected one error line, found: ${lines:-none}: $*"
    elif ! grep -qF -- "$text" <<<"$lines"; then
        bad "expected '$text' in: $lines: $*"
    fi
}

# hash_of FOLDER: the weights_hash of a run's summary.json; fails when there is none
hash_of() {
    sed -n 's/.*"weights_hash": *"\([0-9a-f]*\)".*/\1/p' "$1/summary.json" | grep .
}

# same TEXT A B: A and B are equal and not empty
same() {
    CHECKS=$((CHECKS + 1))
    [[ -n $2 && $2 == "$3" ]] || bad "$1: expected '$2', found '$3'"
}

# is_gone PID: no such process; or one that has ended, which nobody has asked about yet
is_gone() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [[ -z $state || $state == Z* ]]
}

# until_gone PID: what mpirun has killed may take a moment longer than mpirun, 20 s at most
until_gone() {
    for _ in {1..400}; do
        ! is_gone "$1" || return 0
        sleep 0.05
    done
    return 1
}

# milliseconds: of the clock, to measure with
milliseconds() {
    local now=${EPOCHREALTIME/[.,]/}
    echo $((now / 1000))
}

# finish: the last line of every test
finish() {
    echo "$CHECKS checks, $FAILURES failed"
    ((FAILURES == 0)) || exit 1
    exit 0
}
