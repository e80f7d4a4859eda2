#!/usr/bin/env bash
# With deterministic: true, 1, 2 and 4 ranks train WRN-10-1 to the same bits, batch norm, dropout and
# augmentation included, exact and sampled; its running statistics, by which the test loss is made, are equal as
# well, and a resumed run has both from the checkpoint.
# Usage: test_ranks_wrn.sh PROGRAM; with COLROW_BRIEF set: fewer of each (slow builds)
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

# 56 samples in batches of 16: the last has 8, 3 micro-batches, one of them of 2
cat >"$WORK/wrn.yaml" <<'YAML'
network: {model: wide_resnet, depth: 10, width: 1, classes: 10, dropout: 0.3, leak: 0.1,
          initializer: he}
data: {kind: synthetic, samples: 56, test_samples: 16,
       augment: {pad: 2, flip: true, whiten: true}}
batch: 16
micro_batch: 3
steps: 4
optimizer: {rule: momentum, weight_decay: 0.0005}
learning_rate: {base: 0.05}
sampling: {exact: [conv0, fc]}
checkpoint: {every_steps: 2, keep: 9}
deterministic: true
log: {level: warn}
YAML

# test_loss_of FOLDER
test_loss_of() {
    sed -n 's/.*"test_loss": *\([0-9.e+-]*\).*/\1/p' "$1/summary.json" | grep .
}

# train FOLDER RANKS THREADS ARGUMENT...: leaves the hash in $hash, the test loss in $loss
train() {
    local folder=$WORK/$1 n=$2 threads=$3
    shift 3
    run 0 ranks "$n" train "$WORK/wrn.yaml" -s "threads=$threads" -o "$folder" "$@"
    hash=$(hash_of "$folder")
    loss=$(test_loss_of "$folder")
}

kinds=("2 2" "4 1") # ranks, threads
if [[ -n ${COLROW_BRIEF:-} ]]; then kinds=("2 1"); fi

# agrees NAME ARGUMENT...: the same hash and loss on every number of ranks, another than any before
declare -A seen=()
agrees() {
    local name=$1 reference reference_loss kind
    shift
    train "$name-1" 1 1 "$@"
    reference=$hash reference_loss=$loss
    check "$name: has the weights of another test" test -z "${seen[${reference:-none}]:-}"
    seen[${reference:-none}]=$name
    for kind in "${kinds[@]}"; do
        # shellcheck disable=SC2086
        train "$name-${kind/ /-}" $kind "$@"
        same "$name on ${kind% *} ranks, ${kind#* } thread(s)" "$reference" "$hash"
        same "$name: test loss on ${kind% *} ranks" "$reference_loss" "$loss"
    done
}

agrees top -s sampling.ratio=0.5
agrees exact
for key in pad=0 flip=false whiten=false; do # each of them was on
    train "without-$key" 1 1 -s sampling.ratio=0.5 -s "data.augment.$key"
    check "data.augment.$key makes other weights" test -z "${seen[${hash:-none}]:-}"
done
if [[ -z ${COLROW_BRIEF:-} ]]; then
    agrees scaled -s sampling.ratio=0.5 -s sampling.draw=replacement -s sampling.scale=true
    agrees projection -s sampling.ratio=0.5 -s network.shortcut=projection
fi

# bf16, where this build and this processor have it, and the second half of its run in f32 and back
if [[ -z ${COLROW_BRIEF:-} ]] && "$COLROW" info "$WORK/wrn.yaml" -s precision=bf16 >/dev/null 2>&1; then
    agrees bf16 -s sampling.ratio=0.5 -s precision=bf16
    agrees onednn -s sampling.ratio=0.5 -s engine=onednn
    cp -r "$WORK/bf16-1" "$WORK/other"
    rm "$WORK/other/checkpoints/step-00000004.h5" "$WORK/other/summary.json"
    train other 1 1 -s sampling.ratio=0.5 --resume
    check "resumed in f32" test -n "$hash"
    run 0 "$COLROW" eval "$WORK/bf16-1/checkpoints/step-00000004.h5"
    run 0 "$COLROW" eval "$WORK/bf16-1/checkpoints/step-00000004.h5" -s precision=f32
fi

# the second half again, from the checkpoint of step 2
cp -r "$WORK/top-1" "$WORK/resumed"
rm "$WORK/resumed/checkpoints/step-00000004.h5" "$WORK/resumed/summary.json"
train resumed 2 1 -s sampling.ratio=0.5 --resume
same "resumed" top "${seen[${hash:-none}]:-}"
same "resumed: test loss" "$(test_loss_of "$WORK/top-1")" "$loss"
finish
