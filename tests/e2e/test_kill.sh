#!/usr/bin/env bash
# Runs killed with -9 at random instants and resumed, on another number of ranks each time, end with
# the weights and the metrics of the uninterrupted run.
# Usage: test_kill.sh PROGRAM; COLROW_KILLS: how many kills (6), COLROW_KILL_SEED: of the instants
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

kills=${COLROW_KILLS:-6}
seed=${COLROW_KILL_SEED:-$((SECONDS + $$))}
RANDOM=$seed
echo "$kills kills, COLROW_KILL_SEED=$seed"

settings=(-s deterministic=true -s micro_batch=10 -s sampling.ratio=0.4 -s epochs=24
    -s "network.sizes=[64, 256, 256, 10]" -s checkpoint.every_steps=20 -s log.every_steps=10)

# shellcheck disable=SC2317 # `run` calls it
train() { # RANKS FOLDER OPTION...
    local n=$1 folder=$2
    shift 2
    ranks "$n" train "$CONFIGS/mlp-digits.yaml" "${settings[@]}" -o "$folder" "$@"
}

started=$(milliseconds)
run 0 train 2 "$WORK/whole"
took=$(($(milliseconds) - started))
reference=$(hash_of "$WORK/whole")

# The lines of metrics.jsonl but for times, and for who was slowest, which one rank does not say.
metrics() {
    sed -E 's/"(samples_per_s|seconds|slowest_[a-z]+|median_ms)":[^,}]*,?//g' "$1/metrics.jsonl"
}

# A run that came to its end, in however many pieces.
check_end() {
    same "weights of $1" "$reference" "$(hash_of "$1")"
    check "metrics of $1 differ from the uninterrupted run's" \
        diff <(metrics "$WORK/whole") <(metrics "$1")
    check "$1: something unfinished is left" \
        test -z "$(find "$1" -name '*.tmp-*')"
}

# Start on $1 ranks, kill all its processes after $2 ms; $ended says whether it had ended before.
killed_run() {
    local n=$1 after=$2 launcher victims code=0
    "${LAUNCH[@]}" "$n" "$COLROW" train "$CONFIGS/mlp-digits.yaml" "${settings[@]}" -o "$folder" \
        --resume >"$STDOUT" 2>"$STDERR" &
    launcher=$!
    sleep "$(printf '%d.%03d' $((after / 1000)) $((after % 1000)))"
    kill -STOP "$launcher" 2>/dev/null # it starts no more ranks while we look
    victims=$(pgrep -P "$launcher")
    # shellcheck disable=SC2086
    kill -9 $victims "$launcher" 2>/dev/null
    wait "$launcher" 2>/dev/null || code=$?
    ended=$([[ $code == 0 ]] && echo yes || echo no)
    check "exit code $code of a killed run" test "$code" = 137 -o "$code" = 0
    check "a checkpoint was damaged" test -z "$(grep 'falling back' "$STDERR")"
    resumed=$((resumed + $(grep -c 'resuming from' "$STDERR")))
}

runs=1 resumed=0
folder=$WORK/run-1
for ((kill = 0; kill < kills; kill++)); do
    killed_run $((kill % 4 + 1)) $((RANDOM % (took + 100)))
    if [[ $ended == yes ]]; then # too late: this one is done, the next begins
        check_end "$folder"
        folder=$WORK/run-$((++runs))
        kill=$((kill - 1))
        took=$((took * 3 / 4)) # a machine that became faster
    fi
done
if [[ ! -e $folder/summary.json ]]; then
    run 0 train $((kills % 4 + 1)) "$folder" --resume
    check_end "$folder"
fi
echo "$runs run(s); $resumed of the killed ones had gone on from a checkpoint"
finish
