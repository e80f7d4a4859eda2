#!/usr/bin/env bash
# Ways of agreeing on the channels kept: with deterministic: true, 1, 2 and 4 ranks train to the same
# bits, an MLP and WRN-10-1, whoever decides; runs whose picks are remembered go on from a checkpoint
# as if nothing had been, on another number of ranks; global wants one micro-batch a rank.
# (The root's and the weights' modes, with all draws: test_ranks.sh, test_ranks_wrn.sh.)
# Usage: test_modes.sh PROGRAM; with COLROW_BRIEF set: fewer of each (slow builds)
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

# 51 samples in batches of 16: the last has 3, one micro-batch of 4 at most
cat >"$WORK/mlp.yaml" <<'YAML'
network: {model: mlp, sizes: [64, 96, 80, 10], initializer: he}
data: {kind: synthetic, samples: 51, test_samples: 16}
batch: 16
micro_batch: 4
epochs: 4
optimizer: {rule: adam}
learning_rate: {base: 0.01}
sampling: {ratio: 0.4}
checkpoint: {every_steps: 3, keep: 0}
check_every: 2
deterministic: true
log: {level: warn}
YAML
cat >"$WORK/wrn.yaml" <<'YAML'
network: {model: wide_resnet, depth: 10, width: 1, classes: 10, leak: 0.1, initializer: he}
data: {kind: synthetic, samples: 40, test_samples: 8}
batch: 16
micro_batch: 4
steps: 4
optimizer: {rule: momentum}
learning_rate: {base: 0.05}
sampling: {ratio: 0.5, exact: [conv0, fc]}
checkpoint: {every_steps: 2, keep: 0}
deterministic: true
log: {level: warn}
YAML

# train FOLDER RANKS NET ARGUMENT...: leaves the hash in $hash
train() {
    local folder=$WORK/$1 n=$2 net=$3
    shift 3
    run 0 ranks "$n" train "$WORK/$net.yaml" -s threads=1 -o "$folder" "$@"
    hash=$(hash_of "$folder")
}

counts=(2 4)
if [[ -n ${COLROW_BRIEF:-} ]]; then counts=(2); fi

# agrees NAME NET ARGUMENT...: the same hash on every number of ranks, another than any before
declare -A seen=()
agrees() {
    local name=$1 net=$2 reference n
    shift 2
    train "$name-1" 1 "$net" "$@"
    reference=$hash
    check "$name: has the weights of another test" test -z "${seen[${reference:-none}]:-}"
    seen[${reference:-none}]=$name
    for n in "${counts[@]}"; do
        train "$name-$n" "$n" "$net" "$@"
        same "$name on $n ranks" "$reference" "$hash"
    done
}

# resumes NAME RANKS NET STEP ARGUMENT...: from the checkpoint of that step the same weights again
resumes() {
    local name=$1 n=$2 net=$3 step=$4 whole
    shift 4
    whole=$(hash_of "$WORK/$name-1")
    cp -r "$WORK/$name-1" "$WORK/$name-resumed"
    find "$WORK/$name-resumed" -name 'step-*' ! -name "step-0000000$step.h5" -delete
    rm "$WORK/$name-resumed/summary.json"
    train "$name-resumed" "$n" "$net" "$@" --resume
    same "$name resumed" "$whole" "$hash"
}

stale=(-s agreement=stale)
ahead=(-s agreement=stale -s sampling.lookahead=true)
agrees mlp-root mlp
agrees mlp-weights mlp -s agreement=weights -s sampling.scores=weight_norm
agrees mlp-stale mlp "${stale[@]}"
agrees mlp-lookahead mlp "${ahead[@]}"
resumes mlp-lookahead 2 mlp 6 "${ahead[@]}"
agrees wrn-lookahead wrn "${ahead[@]}"
resumes wrn-lookahead 2 wrn 2 "${ahead[@]}"
if [[ -z ${COLROW_BRIEF:-} ]]; then
    agrees mlp-scaled mlp "${ahead[@]}" -s sampling.draw=bernoulli -s sampling.scale=true
    agrees wrn-stale wrn "${stale[@]}"
    resumes mlp-stale 4 mlp 3 "${stale[@]}"
    resumes wrn-stale 1 wrn 2 "${stale[@]}"
fi

# one micro-batch a rank: the norms of the whole batch; the same again with a micro-batch of it all
global=(-s agreement=global)
train mlp-global-4 4 mlp "${global[@]}"
reference=$hash
train mlp-global-again 4 mlp "${global[@]}"
same "global, twice" "$reference" "$hash"
check "global: has the weights of another test" test -z "${seen[${reference:-none}]:-}"
train wrn-global 2 wrn "${global[@]}" -s micro_batch=8
expect 2 'expected one a rank (2), found 4' ranks 2 train "$WORK/mlp.yaml" "${global[@]}" -o "$WORK/none"

# another way of agreeing goes on from a checkpoint that remembers nothing, and from one that does
cp -r "$WORK/mlp-root-1" "$WORK/mlp-changed"
find "$WORK/mlp-changed" -name 'step-*' ! -name 'step-00000006.h5' -delete
train mlp-changed 2 mlp "${ahead[@]}" --resume
check "resumed in another mode" test -n "$hash"
find "$WORK/mlp-changed" -name 'step-*' ! -name 'step-00000012.h5' -delete
train mlp-changed 2 mlp --resume
check "resumed in the first mode" test -n "$hash"

expect 2 'sampling.lookahead: expected agreement: stale' \
    "$COLROW" train "$WORK/mlp.yaml" -s sampling.lookahead=true -o "$WORK/none"
finish
