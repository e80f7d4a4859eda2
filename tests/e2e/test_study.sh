#!/usr/bin/env bash
# colrow study error: what it writes, that ranks change nothing, that closed forms come out, and bad
# input.
#
#     test_study.sh PROGRAM
# shellcheck disable=SC2317,SC2016 # functions that are called by name; what awk is to expand
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
cd "$WORK" || exit 1
DIGITS=$CONFIGS/mlp-digits.yaml
SMALL=(--sizes='[20, 30, 20]' --repeats=40 --percents='[10, 50, 100]')

# study FOLDER ARGUMENT...: a study that succeeds
study() {
    local folder=$1
    shift
    run 0 "$COLROW" study error "$@" -o "$folder"
}

# refused TEXT ARGUMENT...: a study that fails with TEXT and makes no folder
refused() {
    local text=$1
    shift
    expect 2 "$text" "$COLROW" study error "$@" -o "$WORK/none"
    check "nothing is left behind: $*" test ! -e "$WORK/none"
}

# column FOLDER CASE DRAW SCORES SCALE PERCENT: its error
column() {
    awk -F, -v key="$2,$3,$4,$5,$6" '$1 "," $2 "," $3 "," $4 "," $5 == key { print $6 }' \
        "$1/error.csv" | grep .
}

# holds TEXT EXPRESSION: of numbers, as awk has it
holds() {
    check "$1: $2" awk "BEGIN { exit !($2) }"
}

# ---- what is written -------------------------------------------------------------------------------
study small "${SMALL[@]}"
same "the heading" case,draw,scores,scale,percent,error,standard_error "$(head -n 1 small/error.csv)"
same "rows: 2 cases of 10 lines of 3" 61 "$(wc -l <small/error.csv)"
check "every row has 7 columns" awk -F, 'NF != 7 { exit 1 }' small/error.csv
check "JSON that is valid" python3 -c 'import json; assert len(json.load(open("small/error.json"))["rows"]) == 60'
check "a table is printed" grep -q '^top, norm  *0\.' "$STDOUT"
check "no temporaries" test -z "$(find small -name '*.tmp-*')"
if command -v gnuplot >/dev/null; then
    check "a picture of both cases" test "$(grep -c '<text>case [ab]</text>' small/error.svg)" = 2
fi

# no error at all of what is kept whole; 1/sqrt(k); uniform without replacement, whose mean square
# is (n/k)(n-k)/n of 1/n here; and the order that the paper has
for case in a b; do
    same "all channels, case $case" 0 "$(column small $case top norm false 100)"
    holds "the bound, case $case" "$(column small $case bound norm true 10) == 0.57735"
    error=$(column small $case no_replacement uniform true 50)
    holds "n/k scaled, case $case" "($error * sqrt(30) - 1) ^ 2 < 0.05 ^ 2"
    holds "top, case $case" \
        "$(column small $case top norm false 50) < $(column small $case no_replacement norm false 50)"
    holds "scaled errors are larger, case $case" \
        "2 * $(column small $case top norm false 10) < $(column small $case replacement norm true 10)"
done

# ranks share the repeats; sums in another order are the same to 6 digits, or one off the last
run 0 ranks 3 study error "${SMALL[@]}" -o shared
check "3 ranks give the same errors" awk -F, '
    NR == FNR { first[FNR] = $6; next }
    FNR > 1 && ($6 - first[FNR]) ^ 2 > (2e-5 * first[FNR]) ^ 2 { exit 1 }' small/error.csv shared/error.csv
study seed "${SMALL[@]}" --seed=2
check "another seed, other products" test "$(column seed a top norm false 10)" != \
    "$(column small a top norm false 10)"

# every word for an engine is one, or is refused by name
study chosen-engine "${SMALL[@]}" --engine=openblas
check "auto is openblas" cmp small/error.csv chosen-engine/error.csv
study slow --engine=reference --sizes='[9, 9, 9]' --repeats=2
refused 'expected one of auto' --engine=abacus

# ---- convolutions, and products of a net ------------------------------------------------------------
study conv --kernel=3 --image=4 --sizes='[2, 12, 6]' --means='{c: 1}' --repeats=100 --percents='[50]'
same "rows: 12 lines of one case" 13 "$(wc -l <conv/error.csv)"
check "optimal scores" test -n "$(column conv c replacement optimal true 50)"
check "what eq. (8) leaves out is printed" grep -q 'E of eq. (7)' "$STDOUT"
study chosen --estimates='[adaptive/norm, bernoulli/weight_norm/scale]' --sizes='[9, 9, 9]' --repeats=2 \
    --means='{one: 0.5}' --percents='[40]'
same "estimates that were chosen" "one,adaptive,norm,false,40 one,bernoulli,weight_norm,true,40 one,bound,norm,true,40" \
    "$(tail -n +2 chosen/error.csv | cut -d, -f1-5 | tr '\n' ' ' | sed 's/ $//')"
run 0 "$COLROW" train "$DIGITS" -s epochs=0 -s steps=4 -o trained
study begun "$DIGITS" --layer=fc2 --repeats=20 --percents='[30]' -s sampling.ratio=0.4
study later trained/checkpoints/step-00000004.h5 --layer=fc2 --repeats=20 --percents='[30]'
study scheduled "$DIGITS" --layer=fc2 --repeats=20 --percents='[30]' -s 'sampling.schedule={0: 0.4}'
same "what the training samples is no matter" "$(column begun fc2 top norm false 30)" \
    "$(column scheduled fc2 top norm false 30)"
check "a layer at its beginning" test -n "$(column begun fc2 top norm false 30)"
check "a checkpoint has other weights" test "$(column later fc2 top norm false 30)" != \
    "$(column begun fc2 top norm false 30)"
run 0 ranks 2 study error "$DIGITS" -s micro_batch=25 --layer=fc1 --repeats=10 --percents='[30]' -o both
study one "$DIGITS" -s micro_batch=25 --layer=fc1 --repeats=10 --percents='[30]'
same "2 ranks, a layer" "$(column one fc1 top norm false 30)" "$(column both fc1 top norm false 30)"

# ---- without gnuplot --------------------------------------------------------------------------------
mkdir no-gnuplot
run 0 "${LAUNCH[@]}" 1 env PATH="$WORK/no-gnuplot" "$COLROW" study error "${SMALL[@]}" -o bare
check "a hint" grep -q 'there is no gnuplot here' "$STDERR"
check "data, but no picture" test -s bare/error.csv -a -s bare/error.gp -a ! -e bare/error.svg
printf '#!/bin/sh\nexit 1\n' >no-gnuplot/gnuplot
chmod +x no-gnuplot/gnuplot
run 0 "${LAUNCH[@]}" 1 env PATH="$WORK/no-gnuplot" "$COLROW" study error "${SMALL[@]}" -o broken
check "a gnuplot that fails" grep -q 'gnuplot failed' "$STDERR"

# ---- bad input ---------------------------------------------------------------------------------------
expect 2 'expected a study (error, sweep, scaling), found none' "$COLROW" study
expect 2 'expected a study (error, sweep, scaling), found errors' "$COLROW" study errors
refused "unrecognized option '--repeat-s=4'" --repeat-s=4
refused 'repeats: expected an integer' --repeats=many
refused 'repeats: expected' --repeats=1
refused 'percents: element 1: expected integers' --percents='[0]'
refused 'percents: expected at least one' --percents='[]'
refused 'means: expected at least one case' --means='{}'
refused 'means: expected plain names' --means="{\"a'b\": 1}"
refused 'sizes: expected three numbers' --sizes='[10, 10]'
refused 'kernel: expected an odd number, at most image (1), found 3' --kernel=3
refused 'kernel: expected an odd number, at most image (8), found 4' --kernel=4 --image=8
refused 'expected at most 16384 taps x channels' --kernel=5 --image=8 --sizes='[1, 1000, 1]'
refused "no draw is called 'tpo'" --estimates='[tpo/norm]'
refused "found 'norms' in 'top/norms'" --estimates='[top/norms]'
refused "found 'top/norm/scaled'" --estimates='[top/norm/scaled]'
refused 'no unbiased weights in closed form' --estimates='[top/norm/scale]'
refused 'no unbiased weights in closed form' --estimates='[no_replacement/optimal/scale]'
refused 'expected CONFIG (or CHECKPOINT) and --layer together' "$DIGITS"
refused 'expected CONFIG (or CHECKPOINT) and --layer together' --layer=fc1
refused '-s sets keys of CONFIG' -s sampling.ratio=0.4
refused "layer: expected one of fc1, fc2, fc3, found 'fc9'" "$DIGITS" --layer=fc9
refused 'missing.yaml: cannot open' missing.yaml --layer=fc1
: >file
expect 6 'file' "$COLROW" study error "${SMALL[@]}" -o file/below
for words in 'study --help' 'study error --help'; do
    # shellcheck disable=SC2086 # words
    run 0 "$COLROW" $words
    check "'colrow $words' prints to stdout" test -s "$STDOUT"
done
finish
