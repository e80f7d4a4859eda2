#!/usr/bin/env bash
# local: run colrow on this machine, with ranks, threads and binding that suit it.
#
# Without -n and -t there is one rank for each group of cores that shares a last-level cache, with
# one thread a core. Only cores that this process may use count: its affinity, the container's
# processors and the control group's quota. Ranks are bound to cores if all cores are ours.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'END'
Usage: local.sh [-n RANKS] [-t THREADS] [--dry-run] ARGUMENT...

Run `colrow ARGUMENT...` on this machine, e.g.

  launch/local.sh train configs/mlp-digits.yaml
  launch/local.sh -n 2 train configs/mlp-mnist.yaml -s sampling.ratio=0.4 -o runs/mnist-40

  -n RANKS    ranks; default: one for each last-level cache, or cores / THREADS
  -t THREADS  threads of a rank; default: cores / RANKS
  --dry-run   print the command, do not run it
  --help      print this, and end

More threads than cores are started only when -n or -t ask for it; they then give way to each other.
The first SIGINT, SIGTERM or SIGHUP lets a training save and end with exit code 7; a second one
ends it at once. Exit codes are those of colrow; 128 + N: a rank was ended by signal N.

Environment: COLROW, the program, instead of the one in ../build, in the installation or on PATH.
END
}

fail() { # MESSAGE
    echo "local: $1" >&2
    exit 2
}

find_program() {
    local candidate
    for candidate in ${COLROW:+"$COLROW"} "$here"/../build/colrow "$here"/colrow \
        "$here"{/..,/../..,/../../..}/bin/colrow; do
        if [[ -f $candidate && -x $candidate ]]; then
            realpath -- "$candidate"
            return
        fi
        [[ -z ${COLROW:-} ]] || fail "COLROW: expected a program, found $COLROW"
    done
    command -v colrow || fail "expected colrow in ../build, in an installation or on PATH (build it)"
}

# Whole processors that the control group's quota leaves us; nothing where there is no quota.
quota() {
    local root=${COLROW_CGROUP:-/sys/fs/cgroup} group limit period file
    group=$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null) || true
    for file in "$root$group/cpu.max" "$root/cpu.max"; do
        if read -r limit period 2>/dev/null <"$file" && [[ $limit != max ]]; then
            echo $((limit / period))
            return
        fi
    done
    { limit=$(<"$root/cpu/cpu.cfs_quota_us") && period=$(<"$root/cpu/cpu.cfs_period_us"); } \
        2>/dev/null || return 0
    [[ $limit -le 0 ]] || echo $((limit / period))
}

# Fill cores (those we may use), caches (last-level ones) and whole (1: no core is kept from us).
look_at_machine() {
    local usable limit
    usable=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
    cores=$(lscpu -p=CORE 2>/dev/null | grep -v '^#' | sort -u | wc -l) || true
    caches=$(lscpu -p=CACHE 2>/dev/null | sed '/^#/d; s/.*[:,]//' | sort -u | wc -l) || true
    [[ $cores -ge 1 ]] || cores=$usable
    [[ $caches -ge 1 ]] || caches=1
    whole=1
    for limit in "$usable" $(quota); do
        if [[ $limit -lt $cores ]]; then
            whole=0
            cores=$((limit > 1 ? limit : 1))
        fi
    done
}

# Fill ranks and threads where they were not asked for.
choose() {
    local fitting
    if [[ -z $ranks ]]; then
        fitting=$((cores / ${threads:-1}))
        [[ -n $threads || $caches -ge $fitting ]] || fitting=$caches
        ranks=$((fitting > 1 ? fitting : 1))
    fi
    fitting=$((cores / ranks))
    threads=${threads:-$((fitting > 1 ? fitting : 1))}
}

# Fill command. Only Open MPI is asked for more than the number of ranks.
compose() {
    command=(mpirun -n "$ranks" "$program" "$@")
    case $(mpirun --version 2>/dev/null) in *"Open MPI"*) ;; *) return ;; esac
    # isolated: this machine only, no ssh and no batch system
    local options=(-q --mca plm isolated)
    [[ $EUID != 0 ]] || options+=(--allow-run-as-root)
    if [[ $((ranks * threads)) -gt $cores ]]; then
        options+=(--oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
    elif [[ $whole == 1 ]]; then
        options+=(--map-by "slot:PE=$threads" --bind-to core)
    else
        options+=(--bind-to none)
    fi
    command=(mpirun "${options[@]}" -n "$ranks" "$program" "$@")
}

# mpirun turns SIGTERM into exit code 1; SIGUSR1 it passes on, and the ranks' own code back.
pass_signal() {
    kill -s "$signal" "$child" 2>/dev/null || true
    signal=TERM interrupted=1
}

run() {
    local child code signal=USR1 interrupted=1
    export OMP_NUM_THREADS=$threads
    set -m # a process group of its own: the terminal's Ctrl-C comes to us alone
    "${command[@]}" </dev/null &
    child=$!
    trap pass_signal INT TERM HUP USR1
    while [[ $interrupted == 1 ]]; do # a signal ends the wait, not the program
        interrupted=0 code=0
        wait "$child" || code=$?
    done
    [[ $code -le 128 ]] || echo "local: a rank was ended by signal $((code - 128))" >&2
    exit "$code"
}

count() { # OPTION VALUE
    [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || fail "$1: expected a whole number above 0, found '$2' (--help)"
}

main() {
    local ranks='' threads='' dry=0 program cores caches whole command
    while [[ $# -gt 0 ]]; do
        case $1 in
        -n) count -n "${2:-}" && ranks=$2 && shift ;;
        -t) count -t "${2:-}" && threads=$2 && shift ;;
        --dry-run) dry=1 ;;
        -h | --help) usage && exit 0 ;;
        -*) fail "expected -n, -t, --dry-run or --help, found $1" ;;
        *) break ;;
        esac
        shift
    done
    [[ $# -gt 0 ]] || fail "expected arguments for colrow, found none (--help)"
    command -v mpirun >/dev/null || fail "expected mpirun to be installed, found none"
    program=$(find_program)
    look_at_machine
    choose
    compose "$@"
    if [[ $dry == 1 ]]; then
        printf 'OMP_NUM_THREADS=%s' "$threads"
        printf ' %q' "${command[@]}"
        echo
    else
        run
    fi
}

main "$@"
