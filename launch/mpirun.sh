#!/usr/bin/env bash
# mpirun: Open MPI's mpirun for ranks on several hosts, such that the job ends when a host falls
# silent.
#
# mpirun notices a dead link after 25 s instead of 8 minutes. Where the ranks are sooner, because
# watchdog_seconds is short, they have ended by then, but the order to do so is on its way to the
# silent host, and while TCP tries to deliver it, a quarter of an hour, mpirun goes on. So it is
# ended from here when its own ranks have been gone for half a minute.
set -euo pipefail

usage() {
    cat <<'END'
Usage: mpirun.sh ARGUMENT...

Run `mpirun ARGUMENT...` (Open MPI) and end it when a host falls silent, e.g.

  launch/mpirun.sh --hostfile hosts -n 64 build/colrow train big.yaml -o runs/big --resume

Environment: COLROW_GRACE, seconds that mpirun may go on when the ranks of its own host have ended;
default 30. Exit codes: those of mpirun; 137 where it had to be ended.
END
}

# Are there ranks among the children of PID?
has_ranks() { # PID
    local children child
    children=$(cat "/proc/$1/task"/*/children 2>/dev/null) || true
    for child in $children; do
        if grep -qsz '^OMPI_COMM_WORLD_RANK=' "/proc/$child/environ"; then return 0; fi
    done
    return 1
}

# Beside mpirun, until it has ended.
watch() { # PID
    local seen=0 alone=0 # s without ranks, once there were some
    trap '' INT TERM HUP USR1
    while sleep 1 && [[ -e /proc/$1/exe ]]; do
        if has_ranks "$1"; then seen=1 alone=0; else alone=$((alone + seen)); fi
        if [[ $alone -ge $grace ]]; then
            echo "mpirun.sh: the ranks of this host ended $grace s ago, mpirun did not: ending it" >&2
            kill -KILL "$1"
        fi
    done
}

case ${1:-} in '' | -h | --help) usage && exit 0 ;; esac
grace=${COLROW_GRACE:-30}
if [[ ! $grace =~ ^[1-9][0-9]{0,5}$ ]]; then
    echo "mpirun.sh: COLROW_GRACE: expected seconds, found '$grace' (--help)" >&2
    exit 2
fi
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-10}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}
watch $$ >/dev/null </dev/null &
exec mpirun "$@"
