#!/usr/bin/env bash
# A language model trains to the same bits and perplexities on 1, 2, 3 and 4 ranks, whatever is
# sampled; resumed in the middle of an epoch, on another number of ranks, it ends with the same.
# Usage: test_text.sh PROGRAM; with COLROW_BRIEF set: fewer ranks (slow builds)
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=tests/support/text.sh
source "$(dirname "$0")/../support/text.sh"

make_text "$WORK/text"
make_config "$WORK/lm.yaml" "$WORK/text"

# figure FOLDER NAME: a number of summary.json
figure() {
    sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" "$1/summary.json"
}

# train FOLDER RANKS OPTION...
train() {
    local folder=$WORK/$1 n=$2
    shift 2
    run 0 ranks "$n" train "$WORK/lm.yaml" -s log.level=warn -o "$folder" "$@"
}

# what_came_out FOLDER: all that must not depend on the ranks
what_came_out() {
    echo "$(hash_of "$WORK/$1") $(figure "$WORK/$1" train_perplexity)" \
        "$(figure "$WORK/$1" valid_perplexity) $(figure "$WORK/$1" test_perplexity)"
}

counts=(2 3 4)
if [[ -n ${COLROW_BRIEF:-} ]]; then counts=(4); fi

# agrees NAME OPTION...: the same on every number of ranks, other weights than any before
declare -A seen=()
agrees() {
    local name=$1 n reference
    shift
    train "$name-1" 1 "$@"
    reference=$(what_came_out "$name-1")
    check "$name: has the weights of another test" test -z "${seen[${reference%% *}]:-}"
    seen[${reference%% *}]=$name
    for n in "${counts[@]}"; do
        train "$name-$n" "$n" "$@"
        same "$name on $n ranks" "$reference" "$(what_came_out "$name-$n")"
    done
}

agrees exact
agrees projection -s sampling.ratio=0.5
agrees streams -s evaluate.streams=5 -s seed=2 # three micro-batches of them, on several ranks

# near FOLDER FOLDER NAME SHARE: a figure of both, apart by less than that share of it
near() {
    local a b
    a=$(figure "$WORK/$1" "$3") b=$(figure "$WORK/$2" "$3")
    check "$3 of $1 and $2: $a, $b" \
        awk "BEGIN { d = $a / $b - 1; exit !(d < $4 && d > -$4) }"
}

# bf16, where this build and this processor have it, learns what f32 does
if "$COLROW" info "$WORK/lm.yaml" -s precision=bf16 >/dev/null 2>&1; then
    agrees bf16 -s precision=bf16
    near bf16-1 exact-1 train_perplexity 0.02
    near bf16-1 exact-1 test_perplexity 0.02
    agrees bf16-sampled -s precision=bf16 -s sampling.ratio=0.5 -s sampling.exact=[]
fi

# learning: the best guess without a look at the words before has perplexity 32
check "perplexity $(figure "$WORK/exact-1" valid_perplexity) of a text with favourites" \
    awk "BEGIN { exit !($(figure "$WORK/exact-1" valid_perplexity) < 25) }"

# going on, from step 20 of the 34 of the first epoch, on other ranks
goes_on() { # NAME FROM-RANKS TO-RANKS
    local name=$1-resumed
    mkdir -p "$WORK/$name/checkpoints"
    cp "$WORK/$1-$2/checkpoints/step-00000020.h5" "$WORK/$name/checkpoints"
    train "$name" "$3" "${@:4}" --resume
    check "$name: did not go on" grep -q '"step":40' "$WORK/$name/metrics.jsonl"
    same "$name" "$(what_came_out "$1-1")" "$(what_came_out "$name")"
}
goes_on exact 4 1
goes_on projection "${counts[0]}" 4 -s sampling.ratio=0.5

# killed as soon as there is a checkpoint, of step 10 or soon after, and gone on with on four ranks
longer=(-s epochs=20 -s evaluate.every_epochs=20)
train whole 2 "${longer[@]}"
"$COLROW" train "$WORK/lm.yaml" -o "$WORK/killed" "${longer[@]}" 2>"$STDERR" &
victim=$!
for ((i = 0; i < 2000; i++)); do
    ! compgen -G "$WORK/killed/checkpoints/step-*.h5" >/dev/null || break
    sleep 0.01
done
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null
check "it had come to its end before it was killed" test ! -e "$WORK/killed/summary.json"
train killed 4 "${longer[@]}" --resume
same "after the kill" "$(what_came_out whole)" "$(what_came_out killed)"

# a checkpoint has the states of all streams in their order
file=$WORK/exact-1/checkpoints/step-00000020.h5
run 0 "$COLROW" info "$file"
check "no states in $file" test "$(grep -cE '^/state/lstm[12].recurrent/[ch] +N,C +8 12$' "$STDOUT")" = 4
check "no perplexity of $file" grep -q 'validation perplexity' "$STDOUT"

# what a configuration costs: multiply-accumulates of a window and of a word of it
run 0 "$COLROW" info "$WORK/lm.yaml"
check "labels: $(cat "$STDOUT")" grep -q '^labels a sample       6, of 0.01 million MAC each' "$STDOUT"
check "states" grep -q '^carried states .*of 8 streams' "$STDOUT"
run 0 "$COLROW" info "$WORK/lm.yaml" --json
check "no labels in JSON" grep -q '"labels_per_sample": 6,' "$STDOUT"

# what was measured when training is what eval measures, on any ranks
best=$WORK/exact-1/checkpoints/step-00000068.h5
run 0 ranks 2 eval "$best" --json
check "eval: $(cat "$STDOUT")" grep -q \
    "\"words\":329,.*\"perplexity\":$(figure "$WORK/exact-1" valid_perplexity)}" "$STDOUT"

# sweeps tell perplexities, and draw them, where other runs have accuracies
printf 'base: lm.yaml\nvary: {sampling.ratio: [0.5, 1]}\n' >"$WORK/sweep.yaml"
run 0 "$COLROW" study sweep "$WORK/sweep.yaml" -o "$WORK/sweep" -s log.level=warn -s epochs=1
check "table: $(cat "$WORK/sweep/table.md")" grep -q '| test perplexity | validation perplexity |' \
    "$WORK/sweep/table.md"
check "no accuracy is known" test -z "$(grep -l accuracy "$WORK/sweep"/*.md)"
for picture in perplexity-ratio perplexity-reduction curves-perplexity-epoch; do
    check "no points in $picture" test "$(wc -l <"$WORK/sweep/$picture.csv")" = 3
done
check "there are pictures of errors" test -z "$(find "$WORK/sweep" -name 'error-*')"
run 0 "$COLROW" plot "$WORK/exact-1" -o "$WORK/plots"
check "no curve of perplexity" test "$(wc -l <"$WORK/plots/perplexity-epoch.csv")" = 3

# and it is refused to go on with another text of as many words
words 1500 4 >"$WORK/text/ptb.train.txt"
echo "<unk>" >>"$WORK/text/ptb.train.txt"
expect 2 "expected the training text of" "$COLROW" train "$WORK/lm.yaml" -o "$WORK/other" \
    --resume="$file"
finish
