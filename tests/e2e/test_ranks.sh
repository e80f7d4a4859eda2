#!/usr/bin/env bash
# With deterministic: true, 1, 2, 3 and 4 ranks, with one thread or two, train to the same bits,
# whatever is sampled and whoever decides on it; a last batch too small for all ranks included.
# Usage: test_ranks.sh PROGRAM; with COLROW_BRIEF set: fewer of each (slow builds)
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"

common=(-s deterministic=true -s micro_batch=10 -s epochs=2 -s log.level=warn)

# train FOLDER RANKS THREADS OVERRIDE...: leaves the hash in $hash
train() {
    local folder=$WORK/$1 n=$2 threads=$3 settings=()
    shift 3
    for override in "$@"; do settings+=(-s "$override"); done
    local program=(ranks "$n")
    if [[ $n == 1 ]]; then program=("$COLROW"); fi # without mpirun
    run 0 "${program[@]}" train "$CONFIGS/mlp-digits.yaml" "${common[@]}" -s "threads=$threads" \
        -o "$folder" "${settings[@]}"
    hash=$(hash_of "$folder")
}

kinds=("2 2" "3 1" "4 1") # ranks, threads
if [[ -n ${COLROW_BRIEF:-} ]]; then kinds=("2 2" "4 1"); fi

# agrees NAME OVERRIDE...: the same hash on every number of ranks, another than any before
declare -A seen=()
agrees() {
    local name=$1 reference kind
    shift
    train "$name-1" 1 1 "$@"
    reference=$hash
    check "$name: has the weights of another test" test -z "${seen[${reference:-none}]:-}"
    seen[${reference:-none}]=$name
    for kind in "${kinds[@]}"; do
        # shellcheck disable=SC2086
        train "$name-${kind/ /-}" $kind "$@"
        same "$name on ${kind% *} ranks, ${kind#* } thread(s)" "$reference" "$hash"
    done
}

sampled=(sampling.ratio=0.4)
agrees top "${sampled[@]}"
agrees scaled "${sampled[@]}" sampling.draw=replacement sampling.scale=true
agrees bernoulli "${sampled[@]}" sampling.draw=bernoulli sampling.scale=true # k differs by the step
agrees ways "${sampled[@]}" sampling.draw=systematic sampling.scale=true \
    'sampling.layers={fc2: {draw: top, scale: false, scores: weight_norm}, fc3: {draw: bernoulli, minimum: 9}}'
agrees backward "${sampled[@]}" 'sampling.backward={ratio: 0.3, minimum: 2, draw: replacement}'
# 1206 samples in batches of 50: the last has 6, one micro-batch for all ranks
agrees tiny "${sampled[@]}" data.validation=232 network.dropout=0.2 optimizer.clip_norm=1
if [[ -z ${COLROW_BRIEF:-} ]]; then
    agrees exact
    # where this build and this processor have it
    if "$COLROW" info "$CONFIGS/mlp-digits.yaml" -s precision=bf16 >/dev/null 2>&1; then
        agrees bf16 precision=bf16
        agrees bf16-top "${sampled[@]}" precision=bf16
        loss() { sed -n 's/.*"train_loss": *\([0-9.e-]*\).*/\1/p' "$WORK/$1/summary.json"; }
        check "training loss $(loss exact-1), in bf16 $(loss bf16-1)" awk \
            "BEGIN { d = $(loss bf16-1) / $(loss exact-1) - 1; exit !(d < 0.02 && d > -0.02) }"
    fi
    agrees meprop 'sampling.backward={method: meprop, ratio: 0.1}'
    agrees backward-tiny "${sampled[@]}" data.validation=232 'sampling.backward={ratio: 0.3}'
    agrees no-replacement "${sampled[@]}" sampling.draw=no_replacement
    agrees adaptive "${sampled[@]}" sampling.draw=adaptive
    agrees systematic "${sampled[@]}" sampling.draw=systematic sampling.scale=true
    agrees winner-take-all "${sampled[@]}" sampling.draw=winner_take_all sampling.scale=true
    agrees bernoulli-weights "${sampled[@]}" sampling.draw=bernoulli sampling.scale=true \
        agreement=weights sampling.scores=weight_norm
    agrees weights "${sampled[@]}" sampling.draw=replacement sampling.scale=true \
        agreement=weights sampling.scores=weight_norm
    agrees lars "${sampled[@]}" 'optimizer={rule: lars, trust: 0.02}' learning_rate.base=0.5
    agrees lamb "${sampled[@]}" optimizer.rule=lamb optimizer.clip_norm=1 \
        'batch_schedule={1: 120}' network.label_smoothing=0.1
    agrees kept-rows "${sampled[@]}" 'optimizer={rule: adam, rows: kept}' # others rest
    # 1200 samples in batches of 64: the last has 48, 5 micro-batches, one of them of 8
    agrees partial "${sampled[@]}" batch=64
    agrees tiny-weights "${sampled[@]}" data.validation=232 agreement=weights \
        sampling.scores=uniform sampling.draw=no_replacement sampling.scale=true
fi

if [[ -z ${COLROW_BRIEF:-} ]]; then # of an exact run all rows are kept
    train kept-exact 1 1 'optimizer={rule: adam, rows: kept}'
    same "exact, rows: kept" exact "${seen[${hash:-none}]:-}"
fi

# threads alone
train threads 1 2 "${sampled[@]}"
same "two threads" top "${seen[${hash:-none}]:-}"

# and the bits do depend on what they should
train seed 1 1 "${sampled[@]}" seed=2
check "another seed gives the same weights" test -z "${seen[${hash:-none}]:-}"
finish
