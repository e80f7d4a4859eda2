#!/usr/bin/env bash
# launch/scaling.sh and colrow study scaling: short runs over ranks and ratios, made once, compared
# as their summaries say; what is missing or mixed is refused by name; the model's files.
# Usage: test_scaling.sh PROGRAM
# shellcheck disable=SC2016 # awk expands what stands in single quotes
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
SCALING=$ROOT/launch/scaling.sh
export COLROW
cd "$WORK" || exit 1
OPTIONS=(-n '1,2' -s "micro_batch=" -s steps=12 -s log.level=warn)

refused() { # TEXT ARGUMENT...: of scaling.sh, in one line
    local text=$1
    shift
    run 2 "$SCALING" "$@"
    same "lines on stderr" 1 "$(wc -l <"$STDERR")"
    check "expected '$text'" grep -qF -- "$text" "$STDERR"
}

bad_usage() {
    run 0 "$SCALING" --help
    refused "-n: expected numbers of ranks, found 'x'" -n 1,x a.yaml
    refused "-r: expected shares above 0, at most 1, found '2'" -r 1,2 a.yaml
    refused '-n: expected a value' -n
    refused "-k: expected strong, weak or both, found 'sideways'" -k sideways a.yaml
    refused 'expected a configuration, found none'
    refused 'found --fast' --fast a.yaml
    run 2 "$SCALING" a.yaml
    check 'colrow tells what is wrong' grep -q 'a.yaml: cannot open' "$STDERR"
}

commands() {
    run 0 "$SCALING" --dry-run -k weak -n 4,8 -r 1 -t 3 -l 'srun -n' "$CONFIGS/mlp-digits.yaml"
    same 'a command a run' 2 "$(wc -l <"$STDOUT")"
    check 'the batch grows with the ranks' grep -qE \
        "^srun -n 8 $COLROW train .* threads=3 .* batch=400 " "$STDOUT"
}

# median FOLDER: of its step, ms
median() {
    sed -n 's/.*"median": *\([0-9.e-]*\),*/\1/p' "$1/summary.json"
}

# field NAME KIND RATIO RANKS: of scaling.csv
field() {
    awk -F, -v name="$1" -v kind="$2" -v ratio="$3" -v ranks="$4" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        $1 == kind && $2 == ratio && $3 == ranks { print $column[name] }' runs/scaling.csv
}

close_to() { # TEXT EXPECTED FOUND: to a part in a million
    check "$1: expected $2, found $3" \
        awk -v a="$2" -v b="$3" 'BEGIN { exit !(b != "" && (a - b)^2 <= 1e-12 * a^2) }'
}

whole() {
    run 0 "$SCALING" "${OPTIONS[@]}" -o runs "$CONFIGS/mlp-digits.yaml"
    same 'runs: one rank serves both kinds' 6 "$(find runs -name summary.json | wc -l)"
    same 'lines: two ratios, two kinds, two numbers of ranks' 9 "$(wc -l <runs/scaling.csv)"
    local one two exact
    one=$(median runs/ranks=1,ratio=0.5,batch=50)
    two=$(median runs/ranks=2,ratio=0.5,batch=50)
    exact=$(median runs/ranks=2,ratio=1,batch=50)
    close_to 'strong efficiency' "$(awk "BEGIN { printf \"%.9f\", $one / (2 * $two) }")" \
        "$(field efficiency strong 0.5 2)"
    close_to 'speed-up' "$(awk "BEGIN { printf \"%.9f\", $exact / $two }")" \
        "$(field speedup strong 0.5 2)"
    two=$(median runs/ranks=2,ratio=0.5,batch=100)
    close_to 'weak efficiency' "$(awk "BEGIN { printf \"%.9f\", $one / $two }")" \
        "$(field efficiency weak 0.5 2)"
    check 'communication that is hidden, a share' awk \
        "BEGIN { h = \"$(field hidden weak 1 2)\"; exit !(h != \"\" && h >= 0 && h <= 1) }"
    check 'bytes shrink' awk "BEGIN { exit !($(field wire_share weak 0.5 2) < 0.5) }"
    check 'tables' grep -q '^| 0.5 | 2 | 100 | 1 |' runs/scaling.md
}

goes_on() {
    local before
    rm -r runs/ranks=2,ratio=0.5,batch=100
    before=$(stat -c '%n %Y' runs/*/summary.json)
    run 0 "$SCALING" "${OPTIONS[@]}" -o runs "$CONFIGS/mlp-digits.yaml"
    same 'five were done' 5 "$(grep -c 'is done$' "$STDERR")"
    same 'and are left alone' "$before" \
        "$(stat -c '%n %Y' runs/*/summary.json | grep -v 'ranks=2,ratio=0.5,batch=100')"
    run 0 "$SCALING" "${OPTIONS[@]}" -o runs -c 2 -r 1 -k weak \
        "$CONFIGS/mlp-digits.yaml"
    same 'medians of two rounds' 2 "$(field runs weak 1 2)"
}

model() {
    check 'what is fitted' grep -q 'settings left out of the fit' "$STDERR"
    check 'the model beside what was measured' grep -q '^| 0.5 | 2 | 100 |' runs/model.md
    check 'up to 4096 ranks' grep -q '^weak,0.5,4096,204800,' runs/model.csv
    check 'strong scaling ends with the samples' grep -q '^strong,1,32,50,' runs/model.csv
    check 'and not later' awk -F, '$1 == "strong" && $3 > 50 { exit 1 }' runs/model.csv
    same 'messages of a sampled step: two picks and the gradients' 'agree agree sum wait end' \
        "$(awk '!/^#/ { print $2 }' runs/pattern-0.5.txt | xargs)"
    same 'bytes of the gradients, as a rank sends them but for padding and the tail' \
        "$(awk -v found="$(awk '$2 == "sum" { print $3 }' runs/pattern-0.5.txt)" -v \
            sent="$(field wire_bytes weak 0.5 2)" 'BEGIN { print (found / sent > 0.97 && found < sent) }')" 1
    same 'buckets of an exact step: the large layers, the rest' 2 "$(grep -c ' sum ' runs/pattern-1.txt)"
    rm -rf some && cp -r runs some
    sed -i 's/^overlap: true/overlap: false/; s/^wire: f32/wire: bf16/' some/*/config.yaml
    run 0 "$COLROW" study scaling some -o some
    same 'without overlap: all at the end' 1 "$(grep -c ' sum ' some/pattern-1.txt)"
    check 'bf16 halves the bytes' awk '$2 == "sum" { sum[FILENAME] += $3 }
        END { half = sum[ARGV[2]] / sum[ARGV[1]]; exit !(half > 0.5 && half < 0.51) }' \
        runs/pattern-1.txt some/pattern-1.txt
    run 0 ranks 2 study scaling runs --bandwidth=25 --latency=5 --ranks=64 -o other
    same 'as many ranks as asked for' 64 "$(awk -F, '$3 + 0 > m { m = $3 } END { print m }' other/model.csv)"
    if command -v gnuplot >/dev/null; then
        same 'pictures' 8 "$(find other -name '*.svg' -size +1k | wc -l)"
    fi
}

# broken NAME SED-SCRIPT FILE: a copy of the runs in which one run differs
broken() {
    rm -rf "$1" && cp -r runs "$1" && rm -rf "$1"/*round=2
    sed -i "$2" "$1/$3"
}

bad_runs() {
    local one='ranks=2,ratio=0.5,batch=50'
    expect 2 'expected RUN|FOLDER...' "$COLROW" study scaling
    expect 3 'nowhere: cannot open' "$COLROW" study scaling nowhere
    mkdir empty
    expect 3 'empty: expected a run, or runs below it' ranks 2 study scaling runs empty -o none
    broken some '' $one/summary.json
    rm some/$one/summary.json
    expect 3 "some/$one: expected a finished run: " "$COLROW" study scaling some -o none
    broken some 's/"version": "/&9/' $one/summary.json
    expect 3 "some/$one: version: expected 0.1.0, as in some/ranks=1,ratio=0.5,batch=50, found 90.1.0" \
        "$COLROW" study scaling some -o none
    broken some 's/"engine": ".*"/"engine": "other"/' $one/summary.json
    expect 3 "some/$one: engine: expected openblas" "$COLROW" study scaling some -o none
    broken some 's/"threads": 1/"threads": 2/' $one/summary.json
    expect 3 "some/$one: threads: expected 1" "$COLROW" study scaling some -o none
    broken some 's/256, 256/256, 128/' $one/config.yaml
    expect 3 "some/$one: config.yaml: is of another run" "$COLROW" study scaling some -o none
    broken some 's/"median"/"middle"/' $one/summary.json
    expect 3 "some/$one/summary.json: median: expected a number" "$COLROW" study scaling some -o none
    broken some 's/^batch: 50/batch: 60/' $one/config.yaml
    sed -i 's/^batch: 50/batch: 60/' some/ranks=2,ratio=1,batch=50/config.yaml
    expect 3 'found 60 on 2 ranks' "$COLROW" study scaling some -o none
    expect 3 "expected an exact run of 2 ranks and batch 50 beside this one of ratio 0.5" \
        "$COLROW" study scaling runs/ranks=1* runs/$one -o none
    check 'nothing was written' test ! -e none
    expect 6 'cannot make the folder' "$COLROW" study scaling runs -o /dev/null/out
}

bad_usage
commands
whole
goes_on
model
bad_runs
finish
