#!/usr/bin/env bash
# across: `across.sh RANKS PROGRAM...` on the hosts of hosts.sh that bench/hosts.sh has made.
# shellcheck source=tests/cluster/hosts.sh
source "$(dirname "${BASH_SOURCE[0]}")/hosts.sh"
across "$@"
