#!/usr/bin/env bash
# Ratios by schedule, forward and backward: the same bits on any number of ranks and after a resume
# in the middle of a phase, and what is said to be exact is exact.
# Usage: test_schedule.sh PROGRAM
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

# 24 steps an epoch: exact for one, sampled for one and a half, exact to the end
common=(-s deterministic=true -s micro_batch=10 -s epochs=3 -s log.level=warn -s 'sampling.exact=[]'
    -s checkpoint.every_steps=12 -s checkpoint.keep=0)
scheduled=(-s sampling.ratio=0.3 -s 'sampling.schedule={0: 1, 1: 0.4, 2.5: 1}'
    -s 'sampling.layers={fc2: {draw: systematic, scale: true, minimum: 30}}'
    -s 'sampling.backward={ratio: 0.5, draw: replacement, schedule: {30 steps: 0.2, 66 steps: 1}}')

# train FOLDER RANKS ARGUMENT...: leaves the hash in $hash
train() {
    local folder=$WORK/$1 n=$2
    shift 2
    run 0 ranks "$n" train "$CONFIGS/mlp-digits.yaml" "${common[@]}" -o "$folder" "$@"
    hash=$(hash_of "$folder")
}

# reduction FOLDER: as the paper counts it
reduction() {
    sed -n 's/.*"paper": *\([0-9.e-]*\).*/\1/p' "$1/summary.json" | grep .
}

train whole 1 "${scheduled[@]}"
reference=$hash
paper=$(reduction "$WORK/whole")
for n in 2 4; do
    train "ranks-$n" "$n" "${scheduled[@]}"
    same "$n ranks" "$reference" "$hash"
    same "reduction on $n ranks" "$paper" "$(reduction "$WORK/ranks-$n")"
done

# again from step 36 of 72, in the middle of the sampled epochs
cp -r "$WORK/whole" "$WORK/resumed"
rm "$WORK"/resumed/checkpoints/step-000000{48,60,72}.h5 "$WORK/resumed/summary.json"
train resumed 2 "${scheduled[@]}" --resume
same "resumed" "$reference" "$hash"
same "reduction after a resume" "$paper" "$(reduction "$WORK/resumed")"

# the schedule in steps is the same one
train steps 1 "${scheduled[@]}" -s 'sampling.schedule={0 steps: 1, 24 steps: 0.4, 60 steps: 1}'
same "epochs and steps" "$reference" "$hash"

# a schedule of ones is exact, whatever layers have
train exact 1
exact=$hash
train ones 1 -s sampling.ratio=0.4 -s 'sampling.schedule={0: 1}' -s 'sampling.layers={fc2: 0.5}' \
    -s 'sampling.backward={ratio: 0.1, schedule: {0: 1}}'
same "a schedule of ones" "$exact" "$hash"
check "a schedule changes nothing" test "$exact" != "$reference"
train constant 1 -s sampling.ratio=0.4 -s 'sampling.backward={ratio: 0.2, minimum: 5}'
check "a ratio without a schedule is another run" test "$hash" != "$reference"
finish
