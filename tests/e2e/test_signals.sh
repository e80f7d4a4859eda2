#!/usr/bin/env bash
# A run that is asked to stop in the middle of an epoch, by a signal or by its time limit, saves,
# ends with exit code 7, and when resumed ends with the weights of the uninterrupted run.
# Usage: test_signals.sh PROGRAM; with COLROW_BRIEF set: fewer of each (slow builds)
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

# 1200 samples: 24 steps an epoch; none of the checkpoints is due before the signal
settings=(-s deterministic=true -s micro_batch=10 -s sampling.ratio=0.4 -s epochs=24
    -s "network.sizes=[64, 256, 256, 10]" -s checkpoint.every_steps=100000 -s log.every_steps=10)
arguments=(train "$CONFIGS/mlp-digits.yaml" "${settings[@]}" -o)

run 0 "$COLROW" "${arguments[@]}" "$WORK/whole"
reference=$(hash_of "$WORK/whole")

# Wait until the run in $1 has done some steps, at most 30 s.
wait_for_steps() {
    for _ in $(seq 1500); do
        if [[ -s $1/metrics.jsonl ]] && (($(wc -l <"$1/metrics.jsonl") > 4)); then return 0; fi
        sleep 0.02
    done
    bad "$1: no steps in 30 s"
}

# Start "$@" in the background, as $started; in a process group of its own, as from a shell
start() {
    set -m
    "$@" >"$STDOUT" 2>"$STDERR" &
    started=$!
    set +m
}

# stopped NAME WANTED-CODE: $started, sent its signal, saves once and ends with WANTED-CODE
stopped() {
    local name=$1 folder=$WORK/$1 code=0
    wait "$started" || code=$?
    same "$name: exit code" "$2" "$code"
    same "$name: error lines" none "none$(error_lines)"
    check "$name: has a summary, as if it had ended" test ! -e "$folder/summary.json"
    same "$name: checkpoints" 1 "$(find "$folder/checkpoints" -name '*.h5' | wc -l)"
}

# says_so NAME: that it has stopped
says_so() {
    check "$1: does not say that it stopped" grep -q 'stopped as asked at step' "$STDERR"
}

# resumes NAME RANKS HASH OPTION...: the run goes on from its checkpoint and ends with HASH
resumes() {
    local name=$1 n=$2 wanted=$3
    shift 3
    run 0 ranks "$n" "${arguments[@]}" "$WORK/$name" --resume "$@"
    CHECKS=$((CHECKS + 1))
    grep -q 'resuming from .*step-' "$STDERR" || bad "$name: began anew"
    same "$name: weights after resuming on $n ranks" "$wanted" "$(hash_of "$WORK/$name")"
}

for signal in ${COLROW_BRIEF:-TERM USR1 INT}; do
    start "$COLROW" "${arguments[@]}" "$WORK/alone-$signal"
    wait_for_steps "$WORK/alone-$signal"
    kill -"$signal" "$started"
    stopped "alone-$signal" 7
    says_so "alone-$signal"
    resumes "alone-$signal" 2 "$reference"
done

# one of three ranks gets it, as from a batch system that signals a node
start "${LAUNCH[@]}" 3 "$COLROW" "${arguments[@]}" "$WORK/one-of-three"
wait_for_steps "$WORK/one-of-three"
kill -TERM "$(pgrep -P "$started" | tail -n 1)"
stopped one-of-three 7
says_so one-of-three
resumes one-of-three 1 "$reference"

# mpirun hands USR1 on
if [[ -z ${COLROW_BRIEF:-} ]]; then
    start "${LAUNCH[@]}" 2 "$COLROW" "${arguments[@]}" "$WORK/all-USR1"
    wait_for_steps "$WORK/all-USR1"
    kill -USR1 "$started"
    stopped all-USR1 7
    says_so all-USR1
    resumes all-USR1 3 "$reference"
fi

# TERM too, but about a second later, another second before it kills; meanwhile it reads no output,
# of which there is more than a pipe holds, and its own exit code is 1 whatever ours are. A run
# without end, compared with one of as many steps as it came to, and some more
start "${LAUNCH[@]}" 2 "$COLROW" "${arguments[@]}" "$WORK/all-TERM" -s epochs=100000 \
    -s evaluate.every_epochs=0 -s log.every_steps=1
wait_for_steps "$WORK/all-TERM"
kill -TERM "$started"
stopped all-TERM 1
last=$(find "$WORK/all-TERM/checkpoints" -name '*.h5' | sed 's/.*step-0*//; s/\.h5//')
more=(-s epochs=0 -s "steps=$((last + 30))" -s evaluate.every_epochs=0)
run 0 "$COLROW" "${arguments[@]}" "$WORK/as-many" "${more[@]}"
resumes all-TERM 3 "$(hash_of "$WORK/as-many")" "${more[@]}"

# a time limit that is over after the first step, twice
for times in first second; do
    run 7 ranks 2 "${arguments[@]}" "$WORK/limit" -s checkpoint.stop_minutes=0.000001 --resume
    same "time limit, $times time: error lines" none "none$(error_lines)"
done
check "time limit: no checkpoint of step 2" test -s "$WORK/limit/checkpoints/step-00000002.h5"
resumes limit 3 "$reference"
finish
