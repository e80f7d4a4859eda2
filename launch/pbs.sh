#!/usr/bin/env bash
# pbs: a training as a job of PBS (OpenPBS, PBS Pro, Torque) that goes on by itself.
#
# PBS has no warning before its limit, so colrow is told when to stop: two minutes before. It saves
# and ends with exit code 7, and the job submits itself again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
margin=120 # s that saving may take

usage() {
    cat <<'END'
Usage: pbs.sh -l walltime=[[H:]M:]S [QSUB-OPTION]... -- ARGUMENT...

Submit `colrow ARGUMENT...` as a job of PBS; a training resumes from its newest checkpoint, e.g.

  launch/pbs.sh -l select=4:ncpus=16:mpiprocs=16 -l walltime=4:00:00 -- \
      train configs/wrn-28-10-cifar100.yaml -o runs/big

One rank for each line of the job's node file. Two minutes before the walltime the training saves,
and the job submits itself again. The options before -- are handed to qsub.

Environment: COLROW, the program, instead of build/colrow or colrow on PATH; OMP_NUM_THREADS,
threads of a rank (default 1). Exit codes: 2 usage, 5 qsub failed; a job's are those of colrow.
END
}

fail() { # CODE MESSAGE
    echo "pbs: $2" >&2
    exit "$1"
}

# Fill options (for qsub) and arguments (for colrow).
split() {
    options=() arguments=()
    while [[ $# -gt 0 && $1 != -- ]]; do
        options+=("$1")
        shift
    done
    [[ $# -gt 1 ]] || fail 2 "expected -- and arguments for colrow, found none (--help)"
    shift
    arguments=("$@")
}

# Seconds of the walltime among options.
walltime() {
    local text
    text=$(sed -nE 's/.*(^|[ ,=])walltime=([0-9:]+).*/\2/p' <<<"${options[*]}")
    [[ $text =~ ^([0-9]+:){0,2}[0-9]+$ ]] ||
        fail 2 "expected -l walltime=[[H:]M:]S, found '${text:-none}' (--help)"
    awk -F: '{ s = 0; for (i = 1; i <= NF; i++) s = 60 * s + $i; print s }' <<<"$text"
}

find_program() {
    if [[ -n ${COLROW:-} ]]; then
        [[ -f $COLROW && -x $COLROW ]] || fail 2 "COLROW: expected a program, found $COLROW"
        realpath -- "$COLROW"
    elif [[ -x build/colrow ]]; then
        realpath -- build/colrow
    else
        command -v colrow || fail 2 "expected build/colrow here ($PWD) or colrow on PATH (set COLROW)"
    fi
}

# The job is a few lines, which know all that the next one needs.
submit() {
    local program seconds
    seconds=$(walltime)
    [[ $seconds -gt $((2 * margin)) ]] ||
        fail 2 "walltime: expected more than $((2 * margin)) s, found $seconds s"
    program=$(find_program)
    command -v qsub >/dev/null || fail 5 "expected qsub to be installed, found none"
    {
        printf 'cd %q || exit 6\n' "$PWD"
        printf 'export COLROW=%q OMP_NUM_THREADS=%q\n' "$program" "${OMP_NUM_THREADS:-1}"
        printf 'exec %q --run' "$here/pbs.sh"
        printf ' %q' "${options[@]}" -- "${arguments[@]}"
        echo
    } | qsub -S /bin/bash "${options[@]}" || fail 5 "qsub failed"
}

run() {
    local seconds code=0 command
    [[ -r ${PBS_NODEFILE:-} ]] || fail 2 "expected a job of PBS (PBS_NODEFILE), found none"
    seconds=$(walltime)
    command=("$here/mpirun.sh" -n "$(wc -l <"$PBS_NODEFILE")" --hostfile "$PBS_NODEFILE"
        -x OMP_NUM_THREADS)
    [[ $EUID != 0 ]] || command+=(--allow-run-as-root)
    command+=("$COLROW" "${arguments[@]}")
    if [[ ${arguments[0]} == train ]]; then
        command+=(--resume -s "checkpoint.stop_minutes=$(((seconds - margin) / 60))")
    fi
    "${command[@]}" </dev/null || code=$?
    if [[ $code == 7 ]]; then
        echo "pbs: saved; the job submits itself again" >&2
        submit
    fi
    exit "$code"
}

main() {
    local options arguments action=submit
    case ${1:-} in
    -h | --help) usage && exit 0 ;;
    --run) action=run && shift ;;
    esac
    split "$@"
    "$action"
}

main "$@"
