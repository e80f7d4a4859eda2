#!/usr/bin/env bash
# scaling: short trainings over numbers of ranks and shares kept, for `colrow study scaling`.
#
# Strong scaling keeps the batch, weak scaling the batch of a rank. A run's folder is named by what
# makes it, so that a finished run is not run again, and a run may serve both.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'END'
Usage: scaling.sh [OPTION]... CONFIG [-s KEY=VALUE]...

Train CONFIG for a few steps on several numbers of ranks, exactly and with shares of the channels
kept, each in a folder of its own; then let `colrow study scaling` compare them. E.g.

  launch/scaling.sh -n 1,2 -r 1,0.5 -o runs/scaling configs/wrn-16-4-cifar100.yaml
  launch/scaling.sh -n 16,32,64 -k weak -l 'srun --mpi=pmix -n' -o runs/weak big.yaml

  -n LIST     numbers of ranks; default 1,2
  -r LIST     values of sampling.ratio; default 1,0.5
  -k KIND     strong (the batch of CONFIG), weak (that batch a rank) or both; default both
  -t THREADS  threads of a rank; default 1
  -c COUNT    rounds of all runs, one after another; medians are taken. Default 1
  -l COMMAND  what starts ranks, followed by their number, the program and its arguments;
              default: local.sh
  -o FOLDER   where everything is written; default runs/scaling
  -s K=V      a key of all runs; steps=10 and no evaluation unless set otherwise
  --dry-run   print the commands, do not run them
  --help      print this, and end

Started again it goes on with what is missing. Exit codes are those of colrow.
Environment: COLROW, the program; see local.sh.
END
}

fail() { # MESSAGE
    echo "scaling: $1" >&2
    exit 2
}

# Fill `list` from "1,2,4".
read_list() { # OPTION TEXT PATTERN WHAT
    local item
    IFS=, read -ra list <<<"$2"
    [[ ${#list[@]} -gt 0 ]] || fail "$1: expected $4, found none (--help)"
    for item in "${list[@]}"; do
        [[ $item =~ $3 ]] || fail "$1: expected $4, found '$item' (--help)"
    done
}

# Fill ranks, ratios, kind, threads, rounds, launch, folder, set, dry and config.
parse() {
    local list=() number='^[1-9][0-9]{0,6}$' share='^(1|0?\.[0-9]+)$'
    while [[ $# -gt 0 ]]; do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --dry-run) dry=1 ;;
        -[nrktclos])
            [[ $# -gt 1 ]] || fail "$1: expected a value, found none (--help)"
            ;;&
        -n) read_list -n "$2" "$number" 'numbers of ranks' && ranks=("${list[@]}") ;;
        -r) read_list -r "$2" "$share" 'shares above 0, at most 1' && ratios=("${list[@]}") ;;
        -k) read_list -k "$2" '^(strong|weak|both)$' 'strong, weak or both' && kind=$2 ;;
        -t) read_list -t "$2" "$number" 'a number of threads' && threads=$2 ;;
        -c) read_list -c "$2" "$number" 'a number of rounds' && rounds=$2 ;;
        -l) read -ra launch <<<"$2" ;;
        -o) folder=$2 ;;
        -s) set+=(-s "$2") ;;
        -*) fail "expected an option of --help, found $1" ;;
        *)
            [[ -z $config ]] || fail "expected one configuration, found $config and $1"
            config=$1
            ;;
        esac
        [[ $1 != -[nrktclos] ]] || shift
        shift
    done
    [[ -n $config ]] || fail "expected a configuration, found none (--help)"
}

find_program() {
    local candidate
    for candidate in ${COLROW:+"$COLROW"} "$here"/../build/colrow "$here"/../../../bin/colrow; do
        if [[ -f $candidate && -x $candidate ]]; then
            realpath -- "$candidate"
            return
        fi
        [[ -z ${COLROW:-} ]] || fail "COLROW: expected a program, found $COLROW"
    done
    command -v colrow || fail "expected colrow in ../build or on PATH (build it, or set COLROW)"
}

# The batch that CONFIG and -s come to.
find_batch() {
    local text
    text=$("$program" info "$config" "${set[@]}" --json) || exit $?
    sed -n 's/^ *"batch": *\([0-9]*\),*$/\1/p' <<<"$text"
}

# The batches that so many ranks are run with.
batches() { # RANKS
    local all=()
    [[ $kind == weak ]] || all+=("$batch")
    [[ $kind == strong ]] || all+=($((batch * $1)))
    printf '%s\n' "${all[@]}" | sort -nu
}

# One training, where there is none that has finished.
train() { # RANKS RATIO BATCH ROUND
    local name="ranks=$1,ratio=$2,batch=$3" command code=0
    [[ $4 == 1 ]] || name+=",round=$4"
    if [[ -s $folder/$name/summary.json ]]; then
        echo "scaling: $name is done" >&2
        return
    fi
    command=("$here/local.sh" -t "$threads" -n "$1")
    [[ ${#launch[@]} == 0 ]] || command=("${launch[@]}" "$1" "$program")
    command+=(train "$config" "${set[@]}" -s "threads=$threads" -s "sampling.ratio=$2"
        -s "batch=$3" -o "$folder/$name")
    if [[ $dry == 1 ]]; then
        printf '%q ' "${command[@]}" && echo
        return
    fi
    echo "scaling: $name" >&2
    "${command[@]}" </dev/null || code=$?
    if [[ $code != 0 ]]; then
        echo "scaling: $name ended with exit code $code; the same command goes on from here" >&2
        exit "$code"
    fi
}

run_all() {
    local round n r b
    for ((round = 1; round <= rounds; round++)); do
        for n in "${ranks[@]}"; do
            for b in $(batches "$n"); do
                for r in "${ratios[@]}"; do # in turn: what is compared is close in time
                    train "$n" "$r" "$b" "$round"
                done
            done
        done
    done
}

main() {
    local ranks=(1 2) ratios=(1 0.5) kind=both threads=1 rounds=1 launch=() folder=runs/scaling
    local set=(-s epochs=0 -s steps=10 -s evaluate.every_epochs=0 -s checkpoint.every_steps=0
        -s checkpoint.every_minutes=0)
    local dry=0 config='' program batch
    parse "$@"
    program=$(find_program)
    export COLROW=$program
    batch=$(find_batch)
    [[ -n $batch ]] || fail "$config: expected a batch, found none"
    run_all
    [[ $dry == 1 ]] || "$program" study scaling "$folder" -o "$folder"
}

main "$@"
