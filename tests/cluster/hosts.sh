# hosts: several hosts on one machine, for the tests here. A host is a network namespace with an
# address of its own behind a bridge, which has a namespace too, so nothing is seen from outside;
# links may be shaped. Needs root, iproute2 and util-linux.
#
#     source hosts.sh
#     hosts_allowed || exit 77         # says why not
#     hosts_up 2 1gbit                 # 10.77.0.1 and 10.77.0.2
#     across 4 PROGRAM...              # on 4 ranks, 2 a host
#     hosts_down
# shellcheck shell=bash
# shellcheck disable=SC2016 # another shell expands what stands in single quotes

HOSTS=${HOSTS:-colrow-$$} # names of the namespaces: colrow-PID-0, the bridge, colrow-PID-1 ...
HOSTS_COUNT=${HOSTS_COUNT:-0}
HOSTS_AGENT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/agent.sh
export HOSTS HOSTS_COUNT HOSTS_AGENT

# Can this process make such hosts? Says why it cannot.
hosts_allowed() {
    local tool
    for tool in ip tc unshare mpirun; do
        command -v "$tool" >/dev/null || { echo "skipped: no $tool here" && return 1; }
    done
    if ! ip netns add "$HOSTS-try" 2>/dev/null; then
        echo "skipped: not allowed to make network namespaces" && return 1
    fi
    ip netns del "$HOSTS-try"
}

hosts_up() { # COUNT [RATE]
    local i
    HOSTS_COUNT=$1
    ip netns add "$HOSTS-0"
    ip -n "$HOSTS-0" link add bridge type bridge
    ip -n "$HOSTS-0" link set bridge up
    for ((i = 1; i <= $1; i++)); do
        ip netns add "$HOSTS-$i"
        ip -n "$HOSTS-$i" link set lo up
        ip -n "$HOSTS-0" link add "port$i" type veth peer name eth0 netns "$HOSTS-$i"
        ip -n "$HOSTS-0" link set "port$i" master bridge up
        ip -n "$HOSTS-$i" addr add "10.77.0.$i/24" dev eth0
        ip -n "$HOSTS-$i" link set eth0 up
        [[ -z ${2:-} ]] || hosts_shape "$i" "$2"
    done
}

hosts_shape() { # HOST RATE: both directions of its link
    tc -n "$HOSTS-$1" qdisc replace dev eth0 root tbf rate "$2" burst 256kb latency 20ms
    tc -n "$HOSTS-0" qdisc replace dev "port$1" root tbf rate "$2" burst 256kb latency 20ms
}

hosts_part() { # HOST: nothing comes through any more, and nobody is told
    ip -n "$HOSTS-0" link set "port$1" nomaster
}

hosts_join() { # HOST: what hosts_part has parted
    ip -n "$HOSTS-0" link set "port$1" master bridge
}

hosts_bytes() { # HOST: sent by it so far
    ip -s -j -n "$HOSTS-$1" link show eth0 | sed -n 's/.*"tx":{"bytes":\([0-9]*\).*/\1/p'
}

hosts_down() {
    local i
    for ((i = 0; i <= HOSTS_COUNT; i++)); do
        ip netns del "$HOSTS-$i" 2>/dev/null || true
    done
    HOSTS_COUNT=0
}

on_host() { # HOST COMMAND...: with its name, and shared memory of its own
    local host=$1
    shift
    ip netns exec "$HOSTS-$host" unshare --uts --mount sh -c \
        'hostname "$0" && mount -t tmpfs tmpfs /dev/shm && exec "$@"' "host$host" "$@"
}

# RANKS ranks, in blocks over as many hosts as there are. They talk through the links alone.
across() { # RANKS PROGRAM...
    local ranks=$1 list='' slots i
    shift
    slots=$(((ranks + HOSTS_COUNT - 1) / HOSTS_COUNT))
    for ((i = 1; i <= HOSTS_COUNT && (i - 1) * slots < ranks; i++)); do
        list+=${list:+,}10.77.0.$i:$slots
    done
    on_host 1 "${MPIRUN:-mpirun}" --allow-run-as-root --bind-to none --mca mpi_yield_when_idle 1 \
        --mca plm rsh --mca plm_rsh_agent "$HOSTS_AGENT" --mca plm_rsh_no_tree_spawn 1 \
        --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 --mca btl self,vader,tcp \
        --mca pml ob1 --host "$list" -n "$ranks" "$@"
}
