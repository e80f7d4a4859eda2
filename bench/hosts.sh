#!/usr/bin/env bash
# hosts: a command among several hosts on one machine, network namespaces with shaped links.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'END'
Usage: hosts.sh COUNT RATE COMMAND...

Make COUNT hosts on this machine, each with a link of RATE (as tc takes it: 1gbit), run COMMAND, and
take them away. `tests/cluster/across.sh RANKS PROGRAM...` starts ranks on them, as scaling.sh can:

  bench/hosts.sh 2 1gbit launch/scaling.sh -l tests/cluster/across.sh -k weak -o runs/two-hosts \\
      configs/wrn-16-4-cifar100.yaml

Needs root. Exit codes: those of COMMAND; 2: usage, 77: not allowed to make hosts.
END
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
if [[ $# -lt 3 || ! $1 =~ ^[1-9][0-9]?$ ]]; then
    echo "hosts: expected COUNT RATE COMMAND..., found '$*' (--help)" >&2
    exit 2
fi
# shellcheck source=tests/cluster/hosts.sh
source "$here/tests/cluster/hosts.sh"
hosts_allowed || exit 77
trap hosts_down EXIT
hosts_up "$1" "$2"
"${@:3}"
