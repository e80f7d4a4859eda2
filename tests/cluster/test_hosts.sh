#!/usr/bin/env bash
# Several hosts train as one does, and send as few bytes as they say; a host that is cut off ends
# the job soon, and is named. Skipped (exit code 77) where network namespaces are not allowed.
# Usage: test_hosts.sh PROGRAM
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=tests/cluster/hosts.sh
source "$(dirname "$0")/hosts.sh"
hosts_allowed || exit 77
trap 'hosts_down; rm -rf -- "$WORK"' EXIT
cd "$WORK" || exit 1

TRAIN=("$COLROW" train "$CONFIGS/mlp-digits.yaml" -s epochs=2 -s log.level=warn)

# The fixed tree gives the same bits over links as over shared memory, and as on one rank.
equal_weights() {
    local same_bits=(-s deterministic=true -s sampling.ratio=0.4 -s micro_batch=10)
    run 0 "${TRAIN[@]}" "${same_bits[@]}" -o one
    run 0 across 2 "${TRAIN[@]}" "${same_bits[@]}" -o two
    run 0 across 4 "${TRAIN[@]}" "${same_bits[@]}" -o four
    same 'two hosts' "$(hash_of one)" "$(hash_of two)"
    same 'four hosts' "$(hash_of one)" "$(hash_of four)"
    check 'four ranks' grep -q '"ranks": 4' four/summary.json
}

# sent RANKS RATIO: bytes of the first host's link while so many train 48 steps, and as counted
sent() {
    local before
    before=$(hosts_bytes 1)
    run 0 across "$1" "${TRAIN[@]}" -s micro_batch=10 -s "sampling.ratio=$2" -o "sent-$1-$2"
    SENT=$((($(hosts_bytes 1) - before) / 48))
    COUNTED=$(sed -n 's/.*"wire_bytes_per_step": *\([0-9]*\).*/\1/p' "sent-$1-$2/summary.json")
}

# A sum over p ranks that scatters and gathers sends 2 (p - 1) / p of the gradient from each, a tree
# sends twice of it from the first of four. TCP, the start and the evaluations add to that, 3% here.
bytes_on_the_link() {
    local exact
    sent 2 1
    exact=$SENT
    check "two ranks: counted $COUNTED a step, on the link $SENT" \
        test "$SENT" -ge "$COUNTED" -a "$SENT" -le $((COUNTED * 11 / 10))
    sent 4 1
    check "four ranks: counted $COUNTED a step, on the link $SENT" \
        test "$SENT" -ge $((COUNTED * 3 / 2)) -a "$SENT" -le $((COUNTED * 17 / 10))
    sent 2 0.4
    check "40%: counted $COUNTED a step, on the link $SENT" test "$SENT" -le $((COUNTED * 3 / 2))
    check "40%: $SENT bytes instead of $exact" test $((2 * SENT)) -lt "$exact"
}

# until_line FILE: 30 s at most
until_line() {
    for _ in $(seq 600); do
        [[ ! -s $1 ]] || return 0
        sleep 0.05
    done
    return 1
}

# until_empty: no process on any host, 10 s at most
until_empty() {
    local host left
    for _ in $(seq 100); do
        left=$(for host in 1 2 3; do ip netns pids "$HOSTS-$host"; done)
        [[ -n $left ]] || return 0
        sleep 0.1
    done
    return 1
}

# until_no_ranks: the program runs on no host, 20 s at most
until_no_ranks() {
    local host pid left
    for _ in $(seq 200); do
        left=0
        for host in 1 2 3; do
            for pid in $(ip netns pids "$HOSTS-$host"); do
                is_gone "$pid" || [[ $(cat "/proc/$pid/comm" 2>/dev/null) != "${COLROW##*/}" ]] || left=1
            done
        done
        [[ $left == 1 ]] || return 0
        sleep 0.1
    done
    return 1
}

# parted HOST OPTION...: nothing comes through to HOST any more while three hosts train, and the job
# ends. What is left on the hosts is left to look at, until `rejoined`.
parted() {
    local process code=0 host=$1 folder=parted-$CHECKS
    shift
    across 3 "${TRAIN[@]}" -s micro_batch=10 -s epochs=1000000 "$@" -o "$folder" >"$STDOUT" 2>"$STDERR" &
    process=$!
    check "$host: the training is under way" until_line "$folder/metrics.jsonl"
    hosts_part "$host"
    for _ in $(seq 600); do
        ! is_gone "$process" || break
        sleep 0.1
    done
    check "$host: the job has ended after 60 s" is_gone "$process"
    is_gone "$process" || ip netns exec "$HOSTS-1" ss -tnoip # what did TCP wait for?
    is_gone "$process" || kill -KILL "$process"
    wait "$process" 2>/dev/null || code=$?
    check "$host: ends with a failure" test "$code" != 0
}

# rejoined HOST
rejoined() {
    local host pid
    for pid in $(for host in 1 2 3; do ip netns pids "$HOSTS-$host"; done); do
        kill -KILL "$pid" 2>/dev/null
    done
    hosts_join "$1"
}

# The ranks notice before mpirun does, and end on both sides of the gap. An mpirun of its own would
# then go on for a quarter of an hour. What may be left on the silent host is Open MPI's.
ranks_notice() { # HOST
    parted "$1" -s watchdog_seconds=2
    check "$1: names ranks" grep -qE 'watchdog: .*ranks? [12].* without an answer' "$STDERR"
    check "$1: no rank is left on any host" until_no_ranks
    rejoined "$1"
}

# mpirun notices before the ranks do: after 5 s of silence and 3 questions, one a second. TCP puts
# no questions while anything of mpirun's is still under way; that is rare, and the ranks' affair
# then.
mpirun_notices() { # HOST
    local noticed=0
    export OMPI_MCA_oob_tcp_keepalive_{time=5,intvl=1,probes=3}
    for _ in 1 2 3; do
        parted "$1" -s watchdog_seconds=30
        check "$1: is named" grep -qE "10\.77\.0\.$1|rank $(($1 - 1))" "$STDERR" "$STDOUT"
        if grep -q 'lost communication' "$STDERR" "$STDOUT"; then
            noticed=1
            check "$1: no process is left on any host" until_empty
        fi
        rejoined "$1"
        [[ $noticed == 0 ]] || break
    done
    check "$1: mpirun notices, once of three times at least" test "$noticed" = 1
}

export MPIRUN=$ROOT/launch/mpirun.sh COLROW_GRACE=3
hosts_up 4
equal_weights
bytes_on_the_link
ranks_notice 1
ranks_notice 2
mpirun_notices 2
finish
