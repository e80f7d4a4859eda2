#!/usr/bin/env bash
# The performance model against SimGrid, on a slow network where sums are not hidden: efficiencies
# within 10% of each other. Skipped (exit code 77) where there is no SimGrid.
# Usage: test_simulate.sh PROGRAM
# shellcheck disable=SC2016 # awk expands what stands in single quotes
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
SIMULATE=$ROOT/bench/simulate.sh
export COLROW
cd "$WORK" || exit 1
if ! command -v smpicc >/dev/null; then
    echo "skipped: no SimGrid here"
    exit 77
fi

refused() { # CODE TEXT ARGUMENT...
    local code=$1 text=$2
    shift 2
    run "$code" "$SIMULATE" "$@"
    same "lines on stderr" 1 "$(wc -l <"$STDERR")"
    check "expected '$text'" grep -qF -- "$text" "$STDERR"
}

run 0 "$SIMULATE" --help
refused 2 'expected a folder, found none'
refused 2 "-n: expected numbers of hosts, found 'two'" -n two model
refused 2 "found 'fast' and '10'" -b fast model
refused 3 'model: expected model.csv' model

# steps of a made-up length, so that the machine's load does not matter: 5 ms of computing
run 0 "$ROOT/launch/scaling.sh" -n 1 -k weak -o runs "$CONFIGS/mlp-digits.yaml" -s micro_batch= \
    -s log.level=warn -s bucket_bytes=65536
sed -i -E 's/"(median|forward|contract_forward|contract_backward|update)": *[0-9.e-]+/"\1": 5/' \
    runs/*/summary.json
run 0 "$COLROW" study scaling runs --bandwidth=0.1 --latency=50 --ranks=16 -o model
run 0 "$SIMULATE" -n 4,16 -b 0.1 -l 50 model
same 'a line a ratio and number' 4 "$(grep -cE '^\| [0-9.]+ \| [0-9]+ \|' "$STDOUT")"
check "sums are not hidden: $(<"$STDOUT")" awk -F'|' '$3 ~ /^ [0-9]+ $/ && $7 > 80 { exit 1 }' "$STDOUT"
check "model and simulation: $(<"$STDOUT")" \
    awk -F'|' '$3 ~ /^ [0-9]+ $/ && ($9 == "" || $9 > 10 || $9 < -10) { exit 1 }' "$STDOUT"
# the same simulation with another network than the model's must be told apart
run 0 "$SIMULATE" -n 4 -b 1 -l 50 model
check "another network: $(<"$STDOUT")" awk -F'|' '$3 ~ /^ 4 $/ && $9 > -10 { exit 1 }' "$STDOUT"
finish
