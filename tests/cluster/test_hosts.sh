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

# until_empty: no process on either host, 10 s at most
until_empty() {
    for _ in $(seq 100); do
        [[ -n $(ip netns pids "$HOSTS-1")$(ip netns pids "$HOSTS-2") ]] || return 0
        sleep 0.1
    done
    return 1
}

# As launch/ sets it for jobs, only sooner: 5 s of silence, then 3 questions, one a second.
lost_host() {
    local process code=0 began=$SECONDS
    export OMPI_MCA_oob_tcp_keepalive_{time=5,intvl=1,probes=3}
    across 2 "${TRAIN[@]}" -s epochs=1000000 -o lost >"$STDOUT" 2>"$STDERR" &
    process=$!
    check 'the training is under way' until_line lost/metrics.jsonl
    hosts_cut 2
    began=$SECONDS
    wait "$process" || code=$?
    check 'ends with a failure' test "$code" != 0
    check "ends within 30 s, found $((SECONDS - began))" test $((SECONDS - began)) -le 30
    check 'names the host' grep -qE '10\.77\.0\.2|rank 1' "$STDERR" "$STDOUT"
    check 'no process is left on either host' until_empty
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

# The ranks notice before mpirun does, and end on both sides of the gap. An mpirun of its own would
# then go on for a quarter of an hour. What may be left on the silent host is Open MPI's.
parted() { # HOST
    local process code=0 pid
    export MPIRUN=$ROOT/launch/mpirun.sh COLROW_GRACE=3
    across 3 "${TRAIN[@]}" -s micro_batch=10 -s epochs=1000000 -s watchdog_seconds=2 \
        -o "parted-$1" >"$STDOUT" 2>"$STDERR" &
    process=$!
    check "$1: the training is under way" until_line "parted-$1/metrics.jsonl"
    hosts_part "$1"
    for _ in $(seq 600); do
        ! is_gone "$process" || break
        sleep 0.1
    done
    check "$1: mpirun has ended" is_gone "$process"
    check "$1: no rank is left on any host" until_no_ranks
    for pid in $(for host in 1 2 3; do ip netns pids "$HOSTS-$host"; done); do
        kill -KILL "$pid" 2>/dev/null
    done
    wait "$process" 2>/dev/null || code=$?
    check "$1: ends with a failure" test "$code" != 0
    check "$1: names ranks" grep -qE 'watchdog: .*ranks? [12].* without an answer' "$STDERR"
    hosts_join "$1"
}

hosts_up 4
equal_weights
bytes_on_the_link
parted 1
parted 2
lost_host
finish
