#!/bin/sh
# agent: what Open MPI starts instead of ssh, as `agent.sh [OPTION]... 10.77.0.N COMMAND...`: the
# command on host N of hosts.sh, whose namespaces are called $HOSTS-N.
# shellcheck disable=SC2016 # another shell expands what stands in single quotes
while [ $# -gt 0 ]; do
    case $1 in
    -l | -p | -o) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
number=${1##*.}
shift
exec ip netns exec "$HOSTS-$number" unshare --uts --mount sh -c \
    'hostname "$0" && mount -t tmpfs tmpfs /dev/shm && exec sh -c "$1"' "host$number" "$*"
