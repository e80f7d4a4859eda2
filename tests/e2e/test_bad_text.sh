#!/usr/bin/env bash
# Bad texts, and settings that do not fit a text, through the real program: one error line that says
# where, the right exit code, and nothing left behind. Usage: test_bad_text.sh PROGRAM
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=tests/support/text.sh
source "$(dirname "$0")/../support/text.sh"
cd "$WORK" || exit 1
LAUNCH=(timeout 60 "${LAUNCH[@]}") # a rank that waits for one that has gone is a failure

make_config lm.yaml text

# refused CODE TEXT OPTION...: training on ./text is refused, and does not even make the folder
refused() {
    local code=$1 text=$2
    shift 2
    expect "$code" "$text" "$COLROW" train lm.yaml -o out "$@"
    check "$text: the output folder was made" test ! -e out
}

fresh() {
    rm -rf text
    make_text text
}

refused 3 "text: expected train.txt or ptb.train.txt, plain or .gz, found neither"
refused 2 "data.path: expected the folder of the text files, found none" -s 'data.path=""'
fresh
rm text/ptb.valid.txt
refused 3 "text/ptb.valid.txt: expected this file, plain or .gz, found neither"
expect 3 "text/ptb.valid.txt: expected this file" ranks 2 train lm.yaml -o out
fresh
: >text/ptb.train.txt
refused 3 "text/ptb.train.txt: expected a text, found no word in it"
fresh
: >text/ptb.test.txt
refused 3 "text/ptb.test.txt: expected a text, found no word in it"
fresh
sed -i 's/<unk>/w1/' text/ptb.train.txt
refused 3 "text/ptb.test.txt:26: expected a word of the training text, which has no <unk>, found 'unheard-of'"
expect 3 "found 'unheard-of'" ranks 3 train lm.yaml -o out
fresh
gzip text/ptb.train.txt
truncate -s 900 text/ptb.train.txt.gz
refused 3 "text/ptb.train.txt.gz: expected sound data"

fresh
# 1652 words make 1651 with one after them: 206 for each of 8 streams, 330 windows of 5
refused 2 "batch: expected streams of at least 207 words, found 1652 words for 8 of them in text/ptb.train.txt, enough for 7" \
    -s network.unroll=207
refused 2 "evaluate.streams: expected streams of at least 1 words" -s evaluate.streams=1000
refused 2 "network: expected a vocabulary of at least the 32 words of text/ptb.train.txt, found 31" \
    -s network.vocabulary=31
refused 2 "data.validation: expected 0, as a text has a file for validation, found 5" \
    -s data.validation=5
refused 2 "data.augment: expected nothing for a text" -s data.augment.flip=true
refused 2 "batch_schedule: expected none with a text" -s 'batch_schedule={1: 16}'
refused 2 "data: expected a network that reads a text, so many words x 1 x 1 at a time, found 1 x 1 x 64" \
    -s 'network={model: mlp, sizes: [64, 10]}'
# streams that do not divide among the ranks
expect 2 "a batch of 8 in micro-batches of 4 makes 2 of them, too few for 3 ranks; micro_batch 2 would do" \
    ranks 3 train lm.yaml -o out -s micro_batch=4
expect 2 "expected at least one sample for each of 3 ranks, found 2" \
    ranks 3 train lm.yaml -o out -s batch=2
run 0 ranks 3 train lm.yaml -o few -s micro_batch=2 -s epochs=1 -s log.level=warn

# bytes that are no text in any encoding are words like others; a larger vocabulary does no harm
sed -i 's/w7/\xff\xfe/g; s/w8/\x80/g' text/ptb.*.txt
run 0 "$COLROW" train lm.yaml -o bytes -s network.vocabulary=40 -s epochs=1

# images for a language model
expect 2 "network: expected data of 6 values a sample, found 8 x 8 x 1" \
    "$COLROW" train lm.yaml -o images -s 'data={kind: digits, path: ""}'
expect 2 "data.kind: expected 6 labels a sample for network.model lstm, found 1 in synthetic" \
    "$COLROW" train lm.yaml -o images -s 'data={kind: synthetic}' -s network.vocabulary=9
finish
