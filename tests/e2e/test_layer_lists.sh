#!/usr/bin/env bash
# Networks as lists of layers, through the real program: cnn-mnist-layers.yaml trains to the weights of
# cnn-mnist.yaml, and WRN-10-1 as a list to those of wide_resnet, exact and sampled; such a run goes on
# from its checkpoint, by its own config.yaml, on other ranks.
#
#     test_layer_lists.sh PROGRAM
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
cd "$WORK" || exit 1
SYNTHETIC=(-s data.kind=synthetic -s data.path= -s data.validation=0 -s data.samples=64
    -s data.test_samples=16 -s batch=8 -s log.level=warn)

# block NAME FILTERS STRIDE: a residual block of the WRN
block() {
    echo "    - residual:"
    echo "        name: $1"
    if [[ $3 != 1 ]]; then echo "        shortcut: [zero_pad: {channels: $2, stride: $3}]"; fi
    printf '          - %s\n' "batch_norm" "relu: {slope: 0.1}" \
        "conv2d: {name: conv1, filters: $2, kernel: 3, stride: $3}" "batch_norm" \
        "relu: {slope: 0.1}" "dropout: {rate: 0.3}" "conv2d: {name: conv2, filters: $2, kernel: 3}" |
        sed '1i\        layers:'
}

rest() {
    cat <<'YAML'
data: {kind: synthetic, samples: 56, test_samples: 16}
batch: 16
micro_batch: 3
steps: 4
optimizer: {rule: momentum, weight_decay: 0.0005}
learning_rate: {base: 0.05}
sampling: {exact: [conv0, fc], layers: {"group3.*": 0.4}, ratio: 0.5}
checkpoint: {every_steps: 2, keep: 9}
deterministic: true
log: {level: warn}
YAML
}

{
    echo "network: {model: wide_resnet, depth: 10, width: 1, classes: 10, dropout: 0.3, leak: 0.1}"
    rest
} >wrn.yaml
{
    printf '%s\n' "network:" "  model: layers" "  input: [32, 32, 3]" "  classes: 10" "  layers:" \
        "    - conv2d: {name: conv0, filters: 16, kernel: 3}"
    block group1.block1 16 1
    block group2.block1 32 2
    block group3.block1 64 2
    printf '    - %s\n' batch_norm "relu: {slope: 0.1}" average_pool \
        "dense: {name: fc, features: 10}" bias softmax_cross_entropy
    rest
} >wrn-layers.yaml

# alike NAME CONFIG LIST ARGUMENT...: both end with the same weights; leaves their hash in $hash
alike() {
    local name=$1 config=$2 list=$3
    shift 3
    run 0 "$COLROW" train "$config" "$@" -o "$name"
    run 0 "$COLROW" train "$list" "$@" -o "$name-layers"
    hash=$(hash_of "$name")
    same "weights of $name" "$hash" "$(hash_of "$name-layers")"
}

alike cnn "$CONFIGS/cnn-mnist.yaml" "$CONFIGS/cnn-mnist-layers.yaml" "${SYNTHETIC[@]}" -s steps=3
exact=$hash
alike cnn-sampled "$CONFIGS/cnn-mnist.yaml" "$CONFIGS/cnn-mnist-layers.yaml" "${SYNTHETIC[@]}" \
    -s steps=3 -s sampling.ratio=0.3 -s 'sampling.exact=[fc2]'
check "a sampled run has other weights" test "$hash" != "$exact"
alike wrn-exact wrn.yaml wrn-layers.yaml -s sampling.ratio=1 -s sampling.layers=
alike wrn wrn.yaml wrn-layers.yaml

# the second half again, by the resolved configuration, on two ranks
mv wrn-layers resumed
rm resumed/checkpoints/step-00000004.h5 resumed/summary.json
cp resumed/config.yaml resolved.yaml
run 0 ranks 2 train resolved.yaml -o resumed --resume
same "resumed" "$hash" "$(hash_of resumed)"
check "config.yaml stays" cmp resolved.yaml resumed/config.yaml
run 0 "$COLROW" eval resumed/checkpoints/step-00000004.h5
run 0 "$COLROW" info resolved.yaml
check "info shows the blocks" grep -q '^group3.block1.conv2  *conv2d  *8x8x64' "$STDOUT"
finish
