#!/usr/bin/env bash
# Sweeps and plots: every combination trains as it would alone, a sweep goes on where it was, a run
# that fails does not end it, and what is wrong is refused before anything is trained.
#
#     test_sweep.sh PROGRAM
# shellcheck disable=SC2016 # messages with backquotes
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
cd "$WORK" || exit 1

cat >base.yaml <<'END'
network: {model: mlp, sizes: [64, 64, 10], initializer: he}
data: {kind: digits, validation: 238}
batch: 50
micro_batch: 25
epochs: 2
optimizer: {rule: adam}
learning_rate: {base: 0.001}
deterministic: true
log: {level: warn, every_steps: 6}
END

# an exact baseline, and two estimators at two ratios; two seeds each: 10 runs
cat >sweep.yaml <<'END'
base: base.yaml
set: {checkpoint.every_steps: 8}
vary:
  - method: {exact: {}}
    seed: [1, 2]
  - method:
      top: {sampling.draw: top}
      uniform: {sampling.draw: no_replacement, sampling.scores: uniform, sampling.scale: true}
    sampling.ratio: [0.25, 0.5]
    seed: [1, 2]
END

says() { # TEXT: the last command said it, on stderr
    check "expected to be told: $1" grep -qF -- "$1" "$STDERR"
}

rows() { # FILE: its lines but the heading
    tail -n +2 "$1" | wc -l
}

# ---- whole sweeps ----------------------------------------------------------------------------------

whole() {
    run 0 ranks 2 study sweep sweep.yaml -o whole
    says '10 runs, 0 of them done'
    same "runs" 10 "$(rows whole/runs.csv)"
    same "settings" 5 "$(rows whole/table.csv)"
    same "all done" 10 "$(grep -c ',done,' whole/runs.csv)"
    check "a mean over seeds, with its error" grep -qE '^\| top \| 0.25 \| 2 \| [0-9.]+ ± [0-9.]+ ' \
        whole/table.md
    # what the mean is made from
    same "mean" "$(awk -F, '/^exact,/ { printf "%.6f", $5 }' whole/table.csv)" \
        "$(sed -n 's/.*"test_accuracy": *\([0-9.]*\).*/\1/p' whole/exact,seed=*/summary.json |
            awk '{ sum += $1 } END { printf "%.6f", sum / NR }')"
    # a run of the sweep is the run that `train` makes of the same settings
    run 0 "$COLROW" train base.yaml -o alone -s checkpoint.every_steps=8 -s sampling.ratio=0.25 \
        -s sampling.draw=no_replacement -s sampling.scores=uniform -s sampling.scale=true -s seed=2
    same "configuration" "$(cat alone/config.yaml)" "$(cat whole/uniform,ratio=0.25,seed=2/config.yaml)"
    same "weights" "$(hash_of alone)" "$(hash_of whole/uniform,ratio=0.25,seed=2)"
    check "points of the picture" grep -qE '^top,25,[0-9.]+,[0-9.]+$' whole/error-ratio.csv
    check "a level of the exact runs" grep -qE '^exact,,[0-9.]+,[0-9.]+$' whole/error-ratio.csv
    same "learning curves: two evaluations of five settings" 10 "$(rows whole/curves-epoch.csv)"
}

again_does_nothing() {
    local before
    before=$(find whole -name 'step-*' -printf '%p %T@\n' | sort)
    run 0 ranks 2 study sweep sweep.yaml -o whole
    says '10 runs, 10 of them done'
    same "no checkpoint was written again" "$before" \
        "$(find whole -name 'step-*' -printf '%p %T@\n' | sort)"
}

shorter() {
    run 0 "$COLROW" study sweep sweep.yaml -o short -s seed=3 -s 'method=[exact,top]' \
        -s sampling.ratio=0.5 -s epochs=1
    same "runs that are left" 'exact,seed=3 top,ratio=0.5,seed=3' \
        "$(find short -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | xargs)"
    check "set in all runs" grep -qx 'epochs: 1' 'short/exact,seed=3/config.yaml'
    check "not where no axis has it" grep -qx '  ratio: 1' 'short/exact,seed=3/config.yaml'
}

# More runs than blocks of shared memory that a job can hold at a time.
many() {
    run 0 ranks 2 study sweep sweep.yaml -o many -s method=exact -s "seed=[$(seq -s, 1 40)]" \
        -s epochs=0 -s steps=1 -s evaluate.every_epochs=0 -s checkpoint.every_steps=0
    same "forty runs" 40 "$(grep -c ',done,' many/runs.csv)"
}

# ---- stopping and going on -------------------------------------------------------------------------

# One long setting of three seeds, and what it comes to without interruption.
LONG=(study sweep sweep.yaml -s method=top -s sampling.ratio=0.5 -s 'seed=[1, 2, 3]' -s epochs=60
    -s log.level=info)

# wait_for FOLDER: until there is a checkpoint in it, at most 60 s
wait_for() {
    for _ in $(seq 3000); do
        if compgen -G "$1/step-*.h5" >/dev/null; then return 0; fi
        sleep 0.02
    done
    bad "$1: no checkpoint in 60 s"
}

# interrupted FOLDER SIGNAL CODE: the sweep is hit in the second run (or the third, where this shell
# is slow to see it), and goes on
interrupted() {
    local folder=$1 started code=0 first finished
    "$COLROW" "${LONG[@]}" -o "$folder" >"$STDOUT" 2>"$STDERR" &
    started=$!
    wait_for "$folder/top,ratio=0.5,seed=2/checkpoints"
    kill -"$2" "$started"
    wait "$started" 2>/dev/null || code=$?
    same "$folder: exit code" "$3" "$code"
    finished=$(find "$folder" -name summary.json | wc -l)
    check "$folder: all runs are done" test "$finished" -lt 3
    first=$(stat -c %Y "$folder/top,ratio=0.5,seed=1/summary.json")
    run 0 ranks 2 "${LONG[@]}" -o "$folder"
    says "3 runs, $finished of them done"
    says "resuming from $folder/"
    same "$folder: the first run is left alone" "$first" \
        "$(stat -c %Y "$folder/top,ratio=0.5,seed=1/summary.json")"
    for seed in 1 2 3; do
        same "$folder: weights, seed $seed" "$(hash_of "long/top,ratio=0.5,seed=$seed")" \
            "$(hash_of "$folder/top,ratio=0.5,seed=$seed")"
    done
}

stop_and_go_on() {
    run 0 "$COLROW" "${LONG[@]}" -o long
    interrupted asked USR1 7
    interrupted killed KILL 137
}

changed_base() {
    cp base.yaml kept.yaml
    sed -i 's/base: 0.001/base: 0.002/' base.yaml
    rm 'whole/top,ratio=0.5,seed=2/summary.json' # one is not done yet
    expect 2 'holds a run of another configuration: expected learning_rate.base: 0.002, found 0.001' \
        "$COLROW" study sweep sweep.yaml -o whole
    check "nothing was trained" test ! -e 'whole/top,ratio=0.5,seed=2/summary.json'
    mv kept.yaml base.yaml
    run 0 "$COLROW" study sweep sweep.yaml -o whole
    says '10 runs, 9 of them done'
}

# A build that did not know a key left it out: the run is that of the key's default.
earlier_build() {
    local config='whole/top,ratio=0.5,seed=2/config.yaml' finished='whole/exact,seed=1/config.yaml'
    cp "$config" resolved.yaml
    sed -i '/label_smoothing/d' "$config" "$finished"
    rm 'whole/top,ratio=0.5,seed=2/summary.json'
    run 0 "$COLROW" study sweep sweep.yaml -o whole
    run 0 "$COLROW" study sweep sweep.yaml -o whole
    says '10 runs, 10 of them done'
    check "what was gone on with is there as resolved" cmp resolved.yaml "$config"
    sed -i 's/^network:/network:\n  label_smoothing: 0.1/' "$finished"
    expect 2 'expected network.label_smoothing: 0, found 0.1' "$COLROW" study sweep sweep.yaml -o whole
    sed -i '/label_smoothing/d' "$finished"
}

# A build that knows more has left a key that cannot be passed over.
later_build() {
    local finished='whole/exact,seed=1/config.yaml'
    sed -i 's/^network:/network:\n  focus: 1/' "$finished"
    expect 2 "expected a run that this build of colrow can read: $finished:2: network.focus: unknown key" \
        "$COLROW" study sweep sweep.yaml -o whole
    sed -i '/focus/d' "$finished"
}

# ---- failures --------------------------------------------------------------------------------------

failing_run() {
    cat >wild.yaml <<'END'
base: base.yaml
vary:
  rate:
    good: {learning_rate.base: 0.001}
    wild: {learning_rate.base: 1e6, optimizer.rule: sgd, optimizer.weight_decay: 1}
    best: {learning_rate.base: 0.002}
END
    expect 4 '1 of 3 runs failed; wild/table.md tells which' ranks 2 study sweep wild.yaml -o wild
    says 'wild failed, the sweep goes on'
    check "the reason is in the table" grep -qE '^- wild: .*the loss is' wild/table.md
    check "a row without figures" grep -qE '^\| wild \| 0 of 1 \|( \|)+$' wild/table.md
    check "the others are done" test -s wild/good/summary.json -a -s wild/best/summary.json
    expect 4 '1 of 3 runs failed' "$COLROW" study sweep wild.yaml -o wild
    says 'wild failed before'
}

# ---- what is refused -------------------------------------------------------------------------------

# refused TEXT OPTION...: bad.yaml, from stdin, is refused before anything is made
refused() {
    local text=$1
    shift
    cat >bad.yaml
    expect 2 "$text" "$COLROW" study sweep bad.yaml -o none "$@"
    check "nothing is left behind" test ! -e none
}

bad_sweeps() {
    expect 2 'missing.yaml: cannot open' "$COLROW" study sweep missing.yaml
    expect 2 'expected SWEEP.yaml' "$COLROW" study sweep
    expect 2 'found swep' "$COLROW" study swep
    refused 'bad.yaml:2: vray: unknown key; did you mean `vary`?' <<<$'base: base.yaml\nvray: {seed: [1]}'
    refused 'bad.yaml: vary: required' <<<'base: base.yaml'
    refused 'bad.yaml: base: required' <<<'vary: {seed: [1]}'
    refused 'bad.yaml:1: base: nowhere.yaml: cannot open' <<<$'base: nowhere.yaml\nvary: {seed: [1]}'
    refused 'bad.yaml:3: seed: expected at least one value, found a list' \
        <<<$'base: base.yaml\nvary:\n  seed: []'
    refused 'bad.yaml:2: method: expected at least one set of overrides' \
        <<<$'base: base.yaml\nvary: {method: {}}'
    refused 'bad.yaml:2: seed: expected a list of values, or sets of overrides by name, found `1`' \
        <<<$'base: base.yaml\nvary: {seed: 1}'
    refused 'bad.yaml:2: top: expected overrides such as {sampling.ratio: 0.4}, found `0.4`' \
        <<<$'base: base.yaml\nvary: {method: {top: 0.4}}'
    refused 'bad.yaml:3: sampling.ratoi: unknown key; did you mean `sampling.ratio`?' \
        <<<$'base: base.yaml\nvary:\n  sampling.ratoi: [0.4]'
    refused 'bad.yaml:4: sampling.ratio: expected a number above 0 and at most 1, found `0`' \
        <<<$'base: base.yaml\nvary:\n  method:\n    none: {sampling.ratio: 0}'
    refused 'bad.yaml:2: epoch: unknown key; did you mean `epochs`?' \
        <<<$'base: base.yaml\nset: {epoch: 3}\nvary: {seed: [1]}'
    refused 'bad.yaml: top: sampling.scale' \
        <<<$'base: base.yaml\nvary: {method: {top: {sampling.scale: true, sampling.ratio: 0.4}}}'
    refused 'bad.yaml: vary: two runs would have the name seed=1' \
        <<<$'base: base.yaml\nvary: {seed: [1, 1]}'
    refused 'bad.yaml:2: expected a name for a folder' \
        <<<$'base: base.yaml\nvary: {data.path: [a/b]}'
    refused '-s method=[top,tpo]: expected sets of the axis method, found `tpo`' -s 'method=[top,tpo]' \
        <<<$'base: base.yaml\nvary: {method: {top: {}}}'
    refused 'expected a run, found none' -s method=tpo <<<$'base: base.yaml\nvary: {method: {top: {}}}'
    refused '-s epoch=3: unknown key' -s epoch=3 <<<$'base: base.yaml\nvary: {seed: [1]}'
    expect 6 '/dev/null/out: cannot make the folder' "$COLROW" study sweep sweep.yaml -o /dev/null/out
}

# The sweeps that are there: every configuration is good, so that what is missed are the data.
ready_made() {
    local file
    for file in "$CONFIGS"/{paper,studies}/*.yaml; do
        expect 3 'expected this file' "$COLROW" study sweep "$file" -o ready -s data.path=/nowhere
    done
}

# Where there is no gnuplot, everything else is made. (mpirun is there: it finds MPI's own programs.)
without_gnuplot() {
    mkdir empty
    run 0 "${LAUNCH[@]}" 1 "$(command -v env)" PATH="$WORK/empty" "$COLROW" study sweep sweep.yaml -o bare -s seed=1 -s method=exact
    same "one hint" 1 "$(grep -c 'there is no gnuplot here' "$STDERR")"
    check "the data are there" test -s bare/table.md -a -s bare/curves-epoch.csv \
        -a -s bare/curves-epoch.gp -a ! -e bare/curves-epoch.svg
}

# ---- plots -----------------------------------------------------------------------------------------

plots() {
    cp -r 'whole/top,ratio=0.5,seed=1' half
    rm half/summary.json
    printf '{"step":99,"lo' >>half/metrics.jsonl # its writer is in the middle of a line
    run 0 ranks 2 plot 'whole/exact,seed=1' half -o plots
    says 'half is not finished: it has no phases yet'
    same "two evaluations a run" 4 "$(rows plots/error-seconds.csv)"
    same "intervals of 6 of 48 steps" 16 "$(rows plots/loss-step.csv)"
    same "phases of the one that is finished" 1 "$(rows plots/phases.csv)"
    if command -v gnuplot >/dev/null; then
        same "pictures" 7 "$(find plots -name '*.svg' -size +1k | wc -l)"
    fi
}

bad_plots() {
    expect 2 'expected RUN...' "$COLROW" plot
    expect 3 'nowhere/metrics.jsonl: cannot open' "$COLROW" plot 'whole/exact,seed=1' nowhere -o none
    mkdir lost
    expect 3 'lost/metrics.jsonl: cannot open' ranks 2 plot lost -o none
    printf '{"step":1}\n{"step":2\n' >lost/metrics.jsonl
    expect 3 'lost/metrics.jsonl:2: expected a JSON object' "$COLROW" plot lost -o none
    printf '{"step":1}\n' >lost/metrics.jsonl
    printf '{\n"steps": }\n' >lost/summary.json
    expect 3 'lost/summary.json:2: expected a JSON object' "$COLROW" plot lost -o none
    check "nothing is left behind" test ! -e none
    expect 6 '/dev/null/out: cannot make the folder' "$COLROW" plot 'whole/exact,seed=1' -o /dev/null/out
}

whole
again_does_nothing
shorter
many
stop_and_go_on
changed_base
earlier_build
later_build
failing_run
bad_sweeps
ready_made
without_gnuplot
plots
bad_plots
finish
