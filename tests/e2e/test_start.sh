#!/usr/bin/env bash
# What is looked at before a run: ranks with another configuration or another program do not start,
# and are told by rank and hash; threads and cores that do not go together are said, once.
# Usage: test_start.sh PROGRAM
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

arguments=(train "$CONFIGS/mlp-digits.yaml" -s micro_batch=10 -s steps=1 -s epochs=0
    -s checkpoint.every_steps=0 -s evaluate.every_epochs=0 -o "$WORK/run")
hash='[0-9a-f]{16}'

# says COUNT PATTERN: so many lines of the last command
says() {
    same "lines '$2'" "$1" "$(grep -cE -- "$2" "$STDERR")"
}

expect 5 'configuration: expected the same on all ranks, rank 1 differs from rank 0' \
    "${LAUNCH[@]}" 1 "$COLROW" "${arguments[@]}" : -n 2 "$COLROW" "${arguments[@]}" -s seed=3
says 1 "differs from rank 0: hash $hash and not $hash\$"
check 'another configuration: something was written' test ! -e "$WORK/run"

# the same program but for a byte behind its end
cp "$COLROW" "$WORK/another"
echo >>"$WORK/another"
expect 5 'expected the same on all ranks, rank 2 differs from rank 0' \
    "${LAUNCH[@]}" 2 "$COLROW" "${arguments[@]}" : -n 1 "$WORK/another" "${arguments[@]}"
says 1 "program \(colrow [0-9.]+ on rank 0\): .* hash $hash and not $hash\$"
cp "$COLROW" "$WORK/copy"
run 0 "${LAUNCH[@]}" 1 "$COLROW" "${arguments[@]}" : -n 1 "$WORK/copy" "${arguments[@]}"

cores=$(getconf _NPROCESSORS_ONLN)
run 0 "${LAUNCH[@]}" 1 "$COLROW" "${arguments[@]}" : -n 1 env OMP_NUM_THREADS="$cores" "$COLROW" \
    "${arguments[@]}"
says 1 "warning: oversubscribed: $((cores + 1)) threads on a node of $cores cores"
((cores == 1)) || says 1 "warning: ranks have 1 to $cores threads"

core=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')
if ((cores > 1)); then
    run 0 taskset -c "$core" "$COLROW" "${arguments[@]}" -s threads=2
    says 1 'warning: ranks have more threads than cores'
    run 0 "${LAUNCH[@]}" 2 taskset -c "$core" "$COLROW" "${arguments[@]}"
    says 1 'warning: ranks share cores: 2 threads on a node, which may use 1 cores'
    run 0 "$COLROW" "${arguments[@]}"
    says 0 warning
fi
finish
