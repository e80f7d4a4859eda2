# text: a small text and a small language model for end-to-end tests; sourced after e2e.sh.
# shellcheck shell=bash

# words COUNT SEED: so many words of a small vocabulary, ten a line, in which each word has a
# favourite to come after it
words() {
    awk -v count="$1" -v seed="$2" 'BEGIN {
        state = seed
        for (i = 0; i < count; i++) {
            state = (state * 25173 + 13849) % 65536
            word = state < 40960 ? (word * 7 + 3) % 30 : int(state / 16) % 30
            printf "%s%s", "w" word, i % 10 == 9 ? "\n" : " "
        }
    }'
}

# make_text FOLDER: three files that data.path can name
make_text() {
    mkdir -p "$1"
    { words 1500 1; echo "<unk>"; } >"$1/ptb.train.txt"
    words 300 2 >"$1/ptb.valid.txt"
    { words 250 3; echo "unheard-of"; } >"$1/ptb.test.txt"
}

# make_config FILE FOLDER: a model of the text in FOLDER; 8 streams, 34 steps of 6 words an epoch
make_config() {
    cat >"$1" <<END
network: {model: lstm, hidden: 12, layers: 2, unroll: 6, dropout: 0.2, initializer: uniform, initializer_scale: 0.3}
data: {kind: text, path: $2}
batch: 8
micro_batch: 2
epochs: 2
optimizer: {rule: adam, clip_norm: 5}
learning_rate: {base: 0.03}
deterministic: true
sampling: {draw: top, exact: ["lstm*"], minimum: 2}
checkpoint: {every_steps: 10, keep: 0}
log: {every_steps: 20}
END
}
