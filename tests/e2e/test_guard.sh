#!/usr/bin/env bash
# Nothing hangs: a rank that stops where only MPI waits for it, in MPI's start and end and where
# shared memory is made, and calls of MPI that do not come back, or slowly, end the job with exit code 5.
# Usage: test_guard.sh PROGRAM LIBRARY, of tests/support/hang.c
COLROW=$1
LIBRARY=$(realpath "$2")
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
export COLROW_WATCHDOG_SECONDS=3
export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0

# start NAME VARIABLE=FUNCTION...: a training on two ranks with calls that hang, in the background
declare -A started=()
start() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # the ranks expand it
    timeout -s KILL 30 "${LAUNCH[@]}" 2 env "$@" LD_PRELOAD="$LIBRARY" \
        bash -c 'echo $$ >"$0.$OMPI_COMM_WORLD_RANK"; exec "$@"' "$WORK/$name" \
        "$COLROW" train "$CONFIGS/mlp-digits.yaml" -s micro_batch=10 -s epochs=0 -s steps=1 \
        -s evaluate.every_epochs=0 -s checkpoint.every_steps=0 -s watchdog_seconds=3 \
        -o "$WORK/run-$name" </dev/null >/dev/null 2>"$WORK/$name.err" &
    started[$name]=$!
}

# ends NAME TEXT: with 5, with TEXT in an error line, and nothing stays behind
ends() {
    local name=$1 text=$2 code=0 rank pid
    wait "${started[$name]}" || code=$?
    cp "$WORK/$name.err" "$STDERR"
    same "$name: exit code" 5 "$code"
    check "$name: expected '$text'" grep -qE -- "^colrow: .*error: .*$text" "$STDERR"
    for rank in 0 1; do
        pid=$(<"$WORK/$name.$rank")
        check "$name: process $pid is left" until_gone "$pid"
        kill -KILL "$pid" 2>/dev/null # where the test fails
    done
}

calls=(MPI_Init_thread MPI_Comm_dup MPI_Comm_split_type MPI_Win_allocate_shared MPI_Win_free
    MPI_Finalize)
for call in "${calls[@]}"; do start "$call" STOP_AT="$call"; done
start every_test HANG_AT=MPI_Testall
start abort STOP_AT=MPI_Ibcast HANG_AT=MPI_Abort
start slow_tests STOP_AT=MPI_Ibcast SLOW_AT=MPI_Testall

for call in "${calls[@]}"; do ends "$call" "watchdog: $call has lasted [35] s"; done
ends every_test 'watchdog: MPI_Testall has lasted [35] s'
ends abort 'watchdog: .* rank 1 without an answer'
ends slow_tests 'watchdog: .* rank 1 without an answer'

run 2 env COLROW_WATCHDOG_SECONDS=soon "$COLROW" --version
check 'a limit that is none' grep -qF "COLROW_WATCHDOG_SECONDS: expected seconds, found 'soon'" "$STDERR"
finish
