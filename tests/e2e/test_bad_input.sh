#!/usr/bin/env bash
# Bad input, through the real program: one error line that says where, the right exit code, and
# nothing left behind.
#
#     test_bad_input.sh PROGRAM
# shellcheck disable=SC2317,SC2016 # functions that `expect` calls; messages with backquotes
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
cd "$WORK" || exit 1
# also where the test is ended from outside, in the middle of something
trap '{ kill -KILL $(jobs -p); umount small; } 2>/dev/null; rm -rf -- "$WORK"' EXIT
LAUNCH=(timeout 200 "${LAUNCH[@]}") # a rank that waits for one that has gone is a failure
DIGITS=$CONFIGS/mlp-digits.yaml
SMALL=(-s epochs=0 -s steps=6 -s micro_batch=25 -s checkpoint.every_steps=2 -s checkpoint.keep=0)

# refused CODE TEXT ARGUMENT...: `train` into a new folder fails and does not even make the folder
refused() {
    local code=$1 text=$2
    shift 2
    expect "$code" "$text" "$COLROW" train "$@" -o "$WORK/none/run"
    check "nothing is left behind: $*" test ! -e "$WORK/none"
    rm -rf "$WORK/none"
}

# no_partial FOLDER: no temporary is left below it
no_partial() {
    check "no temporaries in $1" test -z "$(find "$1" -name '*.tmp-*')"
}

# says TEXT: the last command said it, on stderr
says() {
    check "expected to be told: $1" grep -qF -- "$1" "$STDERR"
}

# train FOLDER ARGUMENT...: a short good run, as a start for what follows
train() {
    local folder=$1
    shift
    run 0 "$COLROW" train "$DIGITS" "${SMALL[@]}" "$@" -o "$folder"
}

# ---- the command line ------------------------------------------------------------------------------
usage_errors() {
    expect 2 'expected a command' "$COLROW"
    expect 2 'found frobnicate' "$COLROW" frobnicate
    expect 2 'expected CONFIG' "$COLROW" train
    expect 2 'found one more: second.yaml' "$COLROW" train "$DIGITS" second.yaml
    expect 2 "unrecognized option '--bogus'" "$COLROW" train "$DIGITS" --bogus
    expect 2 'expected KEY=VALUE' "$COLROW" train "$DIGITS" -s epochs
    expect 2 "requires an argument -- 's'" "$COLROW" train "$DIGITS" -s
    expect 2 'expected a folder, found an empty name' "$COLROW" train "$DIGITS" -o ''
    expect 2 'found 5000 bytes' "$COLROW" train "$DIGITS" -o "$(printf 'x%.0s' {1..5000})"
    expect 2 'expected a checkpoint' "$COLROW" eval "$DIGITS"
    expect 3 'missing.h5: cannot open' "$COLROW" eval missing.h5
    expect 2 'missing.yaml: cannot open' "$COLROW" info missing.yaml
    expect 3 'missing.h5: cannot open' "$COLROW" info missing.h5
    # an argument that is wrong on one rank only must end both
    expect 2 "rank 1 failed: colrow train: unrecognized option '--bogus'" "${LAUNCH[@]}" 1 \
        "$COLROW" train "$DIGITS" -o none : -n 1 "$COLROW" train "$DIGITS" -o none --bogus
    expect 5 'configuration: expected the same on all ranks, rank 1 differs' "${LAUNCH[@]}" 1 \
        "$COLROW" train "$DIGITS" -o none : -n 1 "$COLROW" train "$DIGITS" -o none -s seed=2
    check "nothing was made" test ! -e none -a ! -e runs
}

help_is_a_result() {
    local words
    for words in --help 'train --help' 'train --keys' 'eval --help' 'info --help' 'study sweep --help' \
        'plot --help' --version; do
        # shellcheck disable=SC2086 # words
        run 0 "$COLROW" $words
        check "'colrow $words' prints to stdout" test -s "$STDOUT"
        check "'colrow $words' keeps stderr empty" test ! -s "$STDERR"
    done
}

# ---- the configuration -----------------------------------------------------------------------------
config_errors() {
    refused 2 'missing.yaml: cannot open' missing.yaml
    refused 2 'did you mean `sampling.ratio`' "$DIGITS" -s sampling.ratoi=0.4
    sed 's/^batch:/bacth:/' "$DIGITS" >misspelt.yaml
    refused 2 "misspelt.yaml:$(grep -n '^bacth' misspelt.yaml | cut -d: -f1):" misspelt.yaml
    says 'did you mean `batch`'
    sed 's/^epochs:.*/epochs: [1, 2]/' "$DIGITS" >type.yaml
    refused 2 "type.yaml:$(grep -n '^epochs' type.yaml | cut -d: -f1):" type.yaml
    echo 'network: {model: mlp' >syntax.yaml
    refused 2 'syntax.yaml:' syntax.yaml
    refused 2 'batch=many: expected an integer' "$DIGITS" -s batch=many
    refused 2 'found `0`' "$DIGITS" -s sampling.ratio=0
    refused 2 'found `1.5`' "$DIGITS" -s sampling.ratio=1.5
    refused 2 'found `-0.4`' "$DIGITS" -s sampling.ratio=-0.4
    refused 2 'did you mean `top`' "$DIGITS" -s sampling.draw=tpo
    refused 2 "draw 'top'" "$DIGITS" -s sampling.scale=true
    refused 2 "draw 'adaptive'" "$DIGITS" -s sampling.draw=adaptive -s sampling.scale=true
    refused 2 "draw 'no_replacement' with scores 'norm'" "$DIGITS" \
        -s sampling.draw=no_replacement -s sampling.scale=true
    refused 2 'did you mean `crs`' "$DIGITS" -s sampling.backward.method=crz
    refused 2 'did you mean `top`' "$DIGITS" -s sampling.backward.draw=topp
    refused 2 'found `0`' "$DIGITS" -s sampling.backward.ratio=0
    refused 2 'did you mean `sampling.backward.ratio`' "$DIGITS" -s 'sampling.backward={ratoi: 0.1}'
    refused 2 'sampling.schedule: expected a number of epochs or `N steps`' "$DIGITS" \
        -s 'sampling.schedule={soon: 0.5}'
    refused 2 'found `2` after `12`' "$DIGITS" -s 'sampling.schedule={12: 1, 2: 0.5}'
    refused 2 'found `1` and `9 steps`' "$DIGITS" \
        -s 'sampling.backward.schedule={1: 1, 9 steps: 0.5}'
    refused 2 'found `1.5`' "$DIGITS" -s 'sampling.schedule={2: 1.5}'
    refused 2 'deterministic' "$DIGITS" -s deterministic=true -s micro_batch=0
    refused 2 'agreement: weights' "$DIGITS" -s agreement=weights -s sampling.scores=norm
    refused 2 'agreement: weights' "$DIGITS" -s agreement=weights -s sampling.scores=uniform \
        -s 'sampling.layers={fc2: {scores: norm}}'
    refused 2 'sampling.layers.fc2.draw: expected one of adaptive,' "$DIGITS" \
        -s 'sampling.layers={fc2: {draw: tpo}}'
    refused 2 '-s sampling.layers.fc2=2: expected a number above 0 and at most 1, found `2`' \
        "$DIGITS" -s sampling.layers.fc2=2
    refused 2 'mlp-digits.yaml: sampling.layers.fc2.scale: expected false' "$DIGITS" \
        -s 'sampling.layers={fc2: {scale: true}}'
    refused 2 'found both (20 and 5)' "$DIGITS" -s steps=5
    refused 2 'found neither' "$DIGITS" -s epochs=0
    refused 2 'expected fewer than the 1438 training samples, found 1438' "$DIGITS" \
        -s data.validation=1438
    refused 2 'data of 784 values a sample, found 8 x 8 x 1 = 64' "$DIGITS" \
        -s 'network.sizes=[784, 10]'
    refused 2 'data of 5 classes, found 10' "$DIGITS" -s 'network.sizes=[64, 5]'
    refused 2 'expected at most the batch, 50, found 51' "$DIGITS" -s micro_batch=51
    refused 2 'data.path' "$DIGITS" -s data.kind=mnist
}

large_batches() {
    refused 2 'reference_batch: expected the batch' "$DIGITS" -s learning_rate.scaling=linear
    refused 2 'expected either warmup_steps or warmup_epochs' "$DIGITS" \
        -s learning_rate.warmup_steps=5 -s learning_rate.warmup_epochs=1
    refused 2 'multiples of micro_batch, 25, found 60' "$DIGITS" -s 'batch_schedule={2: 60}'
    refused 2 'expected whole epochs from 1 on before each batch, found `0.5`' "$DIGITS" \
        -s 'batch_schedule={0.5: 100}'
    refused 2 'optimizer.no_decay: expected a pattern that matches' "$DIGITS" \
        -s 'optimizer.no_decay=[fc9]'
    refused 2 'optimizer.rows: expected all for lamb' "$DIGITS" \
        -s 'optimizer={rule: lamb, rows: kept}'
    refused 2 'batch_norm.sync: expected one micro-batch a rank (1)' "$DIGITS" \
        -s network.batch_norm.sync=true -s micro_batch=25
    refused 2 'found local' "$DIGITS" -s network.batch_norm.sync=true -s agreement=local
    refused 2 'found `1`' "$DIGITS" -s network.label_smoothing=1
}

# list ELEMENTS: a configuration whose network is a list; its first line is line 4 of list.yaml
list() {
    printf '%s\n' 'data: {kind: synthetic}' 'steps: 1' 'learning_rate: {base: 0.1}' \
        "network: {model: layers, input: [8, 8, 3], classes: 10, layers: [$1]}" >list.yaml
}

# unlisted TEXT ELEMENTS: such a network is refused with TEXT
unlisted() {
    list "$2"
    refused 2 "$1" list.yaml
}

layer_lists() {
    local conv='conv2d: {filters: 4, kernel: 3}' end='dense: {features: 10}, softmax_cross_entropy'
    list "$conv, average_pool, $end"
    run 0 "$COLROW" info list.yaml
    unlisted 'list.yaml:5: network.layers: expected one of residual, average_pool,' "
        conv2: {filters: 4}, $end"
    says 'found `conv2`; did you mean `conv2d`?'
    unlisted 'list.yaml:5: network.layers.conv2d.filtres: unknown key; did you mean' "
        conv2d: {filtres: 4, kernel: 3}, $end"
    unlisted 'list.yaml:5: network.layers.conv2d.kernel: required, and not given' "
        conv2d: {filters: 4}, $end"
    unlisted 'list.yaml:5: network.layers.dropout.rate: expected a number of at least 0' "
        dropout: {rate: 1.5}, $end"
    unlisted 'list.yaml:5: network.layers.residual.layers.relu.slope: expected a number' "$conv,
        residual: {layers: [relu: {slope: -1}]}, $end"
    unlisted 'list.yaml:5: network.layers.residual.layers.conv2d: layer residual_1.conv2d_2: expected 8 x 8 x 4 as' "$conv,
        residual: {layers: [conv2d: {filters: 5, kernel: 3}]}, $end"
    says 'the shortcut of the residual has (conv2d_1), found 8 x 8 x 5'
    unlisted 'list.yaml:5: network.layers.dense: layer dense_1: expected one position a sample, found 8 x 8' "$conv, relu,
        $end"
    unlisted 'list.yaml:5: network.layers.conv2d: layer big: expected a kernel of at most the image, 8 x 8, found 9' "
        conv2d: {name: big, filters: 4, kernel: 9, padding: valid}, $end"
    unlisted 'expected a loss as its last layer, found dense_1' 'dense: {features: 10}'
    unlisted 'expected 1 x 1 x 10, a value for each class, found 1 x 1 x 9' \
        'dense: {features: 9}, softmax_cross_entropy'
    unlisted 'network.layers: expected at least one element, found none' ''
    sed 's/ layers: \[.*/}/' list.yaml >without.yaml
    refused 2 'without.yaml: network.layers: required, and not given' without.yaml
    refused 2 '-s network.layers=[relo]: expected one of residual,' list.yaml \
        -s 'network.layers=[relo]'
    refused 2 '-s network.layers=[conv2d: {filters: 4, kernel: 2}]: network.layers.conv2d: layer conv2d_1' \
        list.yaml -s 'network.layers=[conv2d: {filters: 4, kernel: 2}]'
}

# an engine or a precision that is not in this build, or not in this processor
engines() {
    refused 2 'did you mean `onednn`' "$DIGITS" -s engine=onednnn
    refused 2 'did you mean `bf16`' "$DIGITS" -s precision=bf61
    refused 2 'engine openblas has no bf16; engine: auto would do' "$DIGITS" \
        -s engine=openblas -s precision=bf16
    if "$COLROW" info "$DIGITS" -s engine=onednn >/dev/null 2>&1; then
        DNNL_MAX_CPU_ISA=AVX2 refused 2 'wants a processor with AVX512-BF16 or AMX; precision: f32' \
            "$DIGITS" -s precision=bf16
    else
        refused 2 'onednn is not in this build' "$DIGITS" -s engine=onednn
        refused 2 'onednn is not in this build' "$DIGITS" -s precision=bf16
    fi
}

batches_and_ranks() {
    local threads=$(($(getconf _NPROCESSORS_ONLN) + 1))
    expect 2 'at least one sample for each of 3 ranks, found 2' ranks 3 train "$DIGITS" \
        -s batch=2 -s micro_batch=0 -o none
    expect 2 'a batch of 50 in micro-batches of 25 makes 2 of them, too few for 3 ranks;' \
        ranks 3 train "$DIGITS" -s batch=50 -s micro_batch=25 -o none
    says 'micro_batch 16 would do'
    check "nothing is left behind" test ! -e none
    run 0 ranks 3 train "$DIGITS" "${SMALL[@]}" -s batch=50 -s micro_batch=16 -o advised
    # batch / ranks rounded up would leave the third rank of a batch of 4 without a sample
    run 0 ranks 3 train "$DIGITS" "${SMALL[@]}" -s batch=4 -s micro_batch=0 -o chosen
    check "the size chosen" grep -qx 'micro_batch: 1' chosen/config.yaml
    run 0 "$COLROW" train "$DIGITS" "${SMALL[@]}" -s threads="$threads" -o oversubscribed
    says "oversubscribed: $threads threads"
}

# ---- data ------------------------------------------------------------------------------------------
IMAGES=data/train-images-idx3-ubyte
LABELS=data/train-labels-idx1-ubyte

# A fresh copy of the digits, unpacked, in ./data
fresh_data() {
    rm -rf data
    mkdir data
    cp "$ROOT"/src/data/digits/*.gz data
    gunzip data/*.gz
}

# put FILE OFFSET BYTES: overwrite bytes (as printf escapes) of a file
put() {
    # shellcheck disable=SC2059 # the bytes are escapes
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# damaged TEXT: training on ./data is refused with TEXT
damaged() {
    refused 3 "$1" "$DIGITS" -s data.path=data
}

# damaged_for_all TEXT: the same on two ranks, of which only the first reads
damaged_for_all() {
    damaged "$1"
    expect 3 "$1" ranks 2 train "$DIGITS" -s data.path=data -o none
    check "nothing is left behind" test ! -e none
}

data_errors() {
    refused 3 '/nowhere/train-images-idx3-ubyte' "$DIGITS" -s data.path=/nowhere
    fresh_data && rm data/t10k-labels-idx1-ubyte
    damaged 'data/t10k-labels-idx1-ubyte: expected this file'
    fresh_data && truncate -s -1 "$IMAGES"
    damaged_for_all "$IMAGES: expected 92048 bytes, found 92047"
    fresh_data && gzip "$LABELS" && truncate -s -9 "$LABELS.gz"
    damaged "$LABELS.gz: expected"
    fresh_data && put "$IMAGES" 2 '\x0d'
    damaged "$IMAGES: expected an IDX file of bytes"
    fresh_data && put "$LABELS" 108 '\x0a'
    damaged_for_all "$LABELS: sample 100: expected a label below 10, found 10"
    fresh_data && put "$LABELS" 4 '\x00\x00\x05\x9d' && truncate -s -1 "$LABELS"
    damaged "$LABELS: expected a label for each of 1438 images, found 1437"
    fresh_data && train on-data -s data.path=data # the copy itself is good
}

# records COUNT: as many of CIFAR-100, of 3074 bytes each: classes 0, pixels 0
records() {
    head -c $((3074 * $1)) /dev/zero
}

cifar_errors() {
    local wrn=$CONFIGS/wrn-16-2-cifar100.yaml
    rm -rf data && mkdir data
    records 4 >data/train.bin
    refused 3 'data/test.bin: expected this file' "$wrn" -s data.path=data
    records 2 >data/test.bin && truncate -s -4 data/train.bin
    refused 3 'data/train.bin: record 3: expected 3074 bytes, found only 3070' "$wrn" \
        -s data.path=data
    records 4 >data/train.bin && put data/train.bin $((2 * 3074 + 1)) '\x64'
    refused 3 'data/train.bin: record 2: expected a label below 100, found 100' "$wrn" \
        -s data.path=data
    expect 3 'data/train.bin: record 2' ranks 2 train "$wrn" -s data.path=data -o none
    check "nothing is left behind" test ! -e none
    : >data/test.bin
    refused 3 'data/test.bin: expected records of 3074 bytes, found an empty file' "$wrn" \
        -s data.path=data
}

# ---- checkpoints -----------------------------------------------------------------------------------

# flip FILE OFFSET: flip the lowest bit of a byte
flip() {
    local value
    value=$(od -An -tu1 -j "$2" -N 1 "$1")
    put "$1" "$2" "\\x$(printf '%02x' $((value ^ 1)))"
}

# resume ARGUMENT...: go on with the run in ./resumed
resume() {
    "$COLROW" train "$DIGITS" "${SMALL[@]}" -o resumed "$@"
}

# unreadable TEXT FILE: FILE cannot be continued
unreadable() {
    refused 3 "$1" "$DIGITS" "${SMALL[@]}" --resume="$2"
}

checkpoint_files() {
    local good=trained/checkpoints/step-00000004.h5 size
    train trained
    size=$(stat -c %s "$good")
    head -c $((size - 1)) "$good" >truncated.h5
    unreadable "truncated.h5: expected $size bytes, found $((size - 1)): truncated" truncated.h5
    : >empty.h5
    unreadable 'empty.h5: expected a colrow checkpoint' empty.h5
    cp "$DIGITS" other.h5
    unreadable 'other.h5: expected a colrow checkpoint' other.h5
    cp "$good" flipped.h5 && flip flipped.h5 $((size / 2))
    unreadable 'flipped.h5: damaged: expected xxh64' flipped.h5
    expect 3 'flipped.h5: damaged' "$COLROW" eval flipped.h5
    cp "$good" newer.h5 && put newer.h5 26 '2'
    unreadable 'newer.h5: format version 2, this program reads 1' newer.h5
    expect 3 'newer.h5: format version 2' "$COLROW" info newer.h5
    refused 3 '/parameters/fc1/kernel: expected 64 x 99, found 64 x 256' "$DIGITS" "${SMALL[@]}" \
        -s 'network.sizes=[64, 99, 10]' --resume="$good"
    refused 3 'expected nothing, found' "$DIGITS" "${SMALL[@]}" -s optimizer.rule=sgd \
        --resume="$good"
    refused 2 'batch: expected 50' "$DIGITS" "${SMALL[@]}" -s batch=100 --resume="$good"
    refused 2 'seed: expected 1' "$DIGITS" "${SMALL[@]}" -s seed=2 --resume="$good"
    refused 2 'training samples' "$DIGITS" "${SMALL[@]}" -s data.validation=38 --resume="$good"
}

# The newest good checkpoint of the folder: damaged ones are told of and passed over.
checkpoint_folder() {
    local before
    cp -r trained resumed
    before=$(hash_of trained)
    flip resumed/checkpoints/step-00000006.h5 3000
    truncate -s 700 resumed/checkpoints/step-00000004.h5
    rm resumed/summary.json
    run 0 resume --resume
    says 'step-00000006.h5: damaged'
    says 'step-00000004.h5: expected'
    says 'resuming from resumed/checkpoints/step-00000002.h5'
    same "weights after falling back" "$before" "$(hash_of resumed)"
    truncate -s 700 resumed/checkpoints/*.h5
    expect 3 'none of 3 checkpoints verifies' resume --resume
    rm -r resumed && cp -r trained resumed
    expect 2 'is newer (step 6) than the file to resume from (step 2)' resume \
        --resume=resumed/checkpoints/step-00000002.h5
    expect 2 'seed: expected 1' resume --resume -s seed=2
    check "a refused run leaves config.yaml" cmp trained/config.yaml resumed/config.yaml
    check "a refused run leaves metrics.jsonl" cmp trained/metrics.jsonl resumed/metrics.jsonl
    expect 6 'continue it with --resume' resume
    check "a refused run leaves config.yaml" cmp trained/config.yaml resumed/config.yaml
    no_partial resumed
}

# ---- writing ---------------------------------------------------------------------------------------

two_runs_into_one_folder() {
    local first
    "$COLROW" train "$DIGITS" -s epochs=100000 -s log.level=error -s evaluate.every_epochs=0 \
        -o shared &
    first=$!
    while [[ ! -e shared/config.yaml ]] && kill -0 $first; do sleep 0.05; done
    # that they end, while the first goes on, says that they do not wait for it
    expect 6 'another run is writing to this folder' "$COLROW" train "$DIGITS" -s seed=2 -o shared
    expect 6 'another run is writing' "$COLROW" train "$DIGITS" -s seed=2 -o shared --resume
    check "the first run goes on" kill -0 $first
    check "with its own configuration" grep -qx 'seed: 1' shared/config.yaml
    kill -KILL $first
    wait $first 2>/dev/null
    run 0 "$COLROW" train "$DIGITS" "${SMALL[@]}" -s steps=1 -o "$WORK/after" # no lock outlives it
}

# with_tmpfs OPTIONS COMMAND...: COMMAND with a fresh file system in ./small; skipped where the
# system refuses one
with_tmpfs() {
    local options=$1
    shift
    mkdir -p small
    if ! mount -t tmpfs -o "$options" tmpfs small 2>/dev/null; then
        echo "skipped, no tmpfs may be mounted here: $*"
        return
    fi
    "$@"
    umount small
}

read_only() {
    expect 6 'small/run' "$COLROW" train "$DIGITS" "${SMALL[@]}" -o small/run
    says 'Read-only'
}

# No room for anything of a run: not even its configuration.
full() {
    head -c 1000000 /dev/zero >small/filler 2>/dev/null
    expect 6 'small/run' "$COLROW" train "$DIGITS" "${SMALL[@]}" -o small/run
    says 'No space left'
    no_partial small
}

# Room for one checkpoint (of 1.1 MB) and not for two: the second fails, the first stays good.
full_on_the_way() {
    local file
    expect 6 'small/run/checkpoints/step-00000004.h5' "$COLROW" train "$DIGITS" "${SMALL[@]}" \
        -o small/run
    says 'No space left'
    no_partial small
    run 0 "$COLROW" info small/run/checkpoints/step-00000002.h5
    file=$(ls small/run/checkpoints)
    same "what is left" step-00000002.h5 "$file"
    check "no summary of a run that failed" test ! -e small/run/summary.json
    expect 6 'step-00000004.h5' ranks 2 train "$DIGITS" "${SMALL[@]}" -o small/run --resume
    no_partial small
}

cannot_write() {
    expect 6 '/dev/null/run: cannot make the folder' "$COLROW" train "$DIGITS" -o /dev/null/run
    expect 6 '/dev/null/run: cannot make the folder' ranks 2 train "$DIGITS" -o /dev/null/run
    : >file
    expect 6 'file: expected a folder' "$COLROW" train "$DIGITS" -o file
    two_runs_into_one_folder
    with_tmpfs ro,size=1m read_only
    with_tmpfs size=64k full
    with_tmpfs size=1800k full_on_the_way
}

# ---- numbers ---------------------------------------------------------------------------------------
divergence() {
    local wild=(-s optimizer.rule=sgd -s learning_rate.base=1e6 -o diverged)
    expect 4 'the loss is' "$COLROW" train "$DIGITS" "${wild[@]}"
    says 'step '
    expect 4 'the loss is' ranks 2 train "$DIGITS" "${wild[@]}"
    check "no checkpoint of it" test -z "$(ls diverged/checkpoints)"
    check "no summary of it" test ! -e diverged/summary.json
    no_partial diverged
}

usage_errors
help_is_a_result
config_errors
large_batches
layer_lists
engines
batches_and_ranks
data_errors
cifar_errors
checkpoint_files
checkpoint_folder
cannot_write
divergence
finish
