#!/usr/bin/env bash
# A rank that stops ends the job: within the limit and a few seconds, exit code 5, one line that names
# it and tells where the others are, no process left. Also where rank 0, which speaks for all, is one
# of two such ranks. A rank that is only slow does no harm, nor does it that a job is suspended.
# Usage: test_watchdog.sh PROGRAM
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

arguments=(train "$CONFIGS/mlp-digits.yaml" -s epochs=1000000 -s evaluate.every_epochs=0
    -s checkpoint.every_steps=0 -s sampling.ratio=0.4 -s micro_batch=10 -o)

# start NAME RANKS LIMIT: in the background; waits until it trains. Leaves $mpirun and $pids, by rank.
# shellcheck disable=SC2016 # for the shells of the ranks
start() {
    local name=$1 n=$2 limit=$3 rank
    "${LAUNCH[@]}" "$n" bash -c 'echo $$ >"$0.$OMPI_COMM_WORLD_RANK"; exec "$@"' "$WORK/$name" \
        "$COLROW" "${arguments[@]}" "$WORK/$name" -s watchdog_seconds="$limit" </dev/null >"$STDOUT" 2>"$STDERR" &
    mpirun=$!
    for _ in {1..2400}; do
        if [[ -s $WORK/$name/metrics.jsonl ]] || ! kill -0 "$mpirun" 2>/dev/null; then break; fi
        sleep 0.05
    done
    check "$name: did not begin to train" test -s "$WORK/$name/metrics.jsonl"
    pids=()
    for ((rank = 0; rank < n; rank++)); do pids+=("$(<"$WORK/$name.$rank")"); done
}

# ends NAME TEXT: with 5, with TEXT in its one error line, and nothing stays behind
ends() {
    local name=$1 text=$2 code=0 pid lines
    for _ in {1..2400}; do
        if ! kill -0 "$mpirun" 2>/dev/null; then break; fi
        sleep 0.05
    done
    check "$name: still running after 120 s" is_gone "$mpirun"
    for pid in "${pids[@]}"; do check "$name: process $pid is left" until_gone "$pid"; done
    kill -KILL "${pids[@]}" 2>/dev/null # where the test fails
    wait "$mpirun" || code=$?
    same "$name: exit code" 5 "$code"
    lines=$(error_lines)
    same "$name: error lines" 1 "$(grep -c . <<<"$lines")"
    check "$name: expected '$text' in: $lines" grep -qE -- "$text" <<<"$lines"
}

place='step [0-9]+, (layer [a-z0-9_]+, )?(agree|wait|other)'

start last 3 2
kill -STOP "${pids[2]}"
ends last "^colrow: rank 0: error: watchdog: .* 2 s .*: rank 2 without an answer; ranks? [01].* waiting at $place"

start first 4 2
kill -STOP "${pids[0]}" "${pids[1]}"
ends first "^colrow: rank 3: error: watchdog: .* ranks 0-1 without an answer; ranks? [23].* at $place"

# one is stopped for a moment only; then all of them for longer than the limit, as a suspended job is
start slow 3 4
kill -STOP "${pids[1]}"
sleep 1.5
kill -CONT "${pids[1]}"
sleep 3
kill -STOP "${pids[@]}"
sleep 6
kill -CONT "${pids[@]}"
sleep 2
check 'slow: ended' kill -0 "$mpirun"
kill -USR1 "$mpirun"
code=0
wait "$mpirun" || code=$?
same 'slow: exit code' 7 "$code"
finish
