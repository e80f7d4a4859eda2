#!/usr/bin/env bash
# A training in a real Slurm, on two hosts made of network namespaces: near its limit it saves, is
# requeued, and ends with the weights of a run that nobody interrupted. Takes minutes, so it is run
# by hand. Skipped (exit code 77) where there is no Slurm (slurm-wlm, munge) or no namespaces.
# Usage: slurm.sh PROGRAM
# shellcheck disable=SC2016 # other shells expand what stands in single quotes
COLROW=$1
TMPDIR=/var/tmp
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=tests/cluster/hosts.sh
source "$(dirname "$0")/hosts.sh"
export COLROW SLURM_CONF=$WORK/slurm.conf
export OMPI_MCA_mpi_yield_when_idle=1 # the hosts share cores
DAEMONS=()

for tool in munged slurmctld slurmd sbatch; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here" && exit 77; }
done
hosts_allowed || exit 77

clean_up() {
    local process
    for process in "${DAEMONS[@]}"; do kill "$process" 2>/dev/null; done
    wait
    for process in $(ip netns pids "$HOSTS-1") $(ip netns pids "$HOSTS-2"); do kill -9 "$process"; done
    hosts_down
    rm -rf -- "$WORK"
}
trap clean_up EXIT

write_configuration() {
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=host1(10.77.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$WORK/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool.%n
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.%n.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=pmix
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
MinJobAge=600
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
NodeName=host1 NodeAddr=10.77.0.1 CPUs=1 RealMemory=1000
NodeName=host2 NodeAddr=10.77.0.2 CPUs=1 RealMemory=1000
PartitionName=main Nodes=host[1-2] Default=YES MaxTime=60 State=UP
END
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no ConstrainCores=no \
        ConstrainRAMSpace=no >"$WORK/cgroup.conf"
    echo PmixCliTmpDirBase=/mnt >"$WORK/mpi.conf"
}

# in_background COMMAND...: a daemon that is ended with the test
in_background() {
    "$@" >>"$WORK/daemons.log" 2>&1 </dev/null &
    DAEMONS+=($!)
}

start_munge() {
    chmod 755 "$WORK"
    install -d -o munge -g munge -m 755 "$WORK/munge"
    install -o munge -g munge -m 400 <(head -c 1024 /dev/urandom) "$WORK/munge/key"
    in_background setpriv --reuid=munge --regid=munge --clear-groups munged -F --force \
        --key-file="$WORK/munge/key" --socket="$WORK/munge/socket" --pid-file="$WORK/munge/pid" \
        --log-file="$WORK/munge/log" --seed-file="$WORK/munge/seed"
}

# /mnt is where PMIx keeps its files: each host has its own.
start_slurm() {
    local host
    mkdir -p "$WORK/state" "$WORK/spool.host1" "$WORK/spool.host2"
    in_background on_host 1 slurmctld -D -i
    for host in 1 2; do
        in_background on_host $host sh -c \
            'mount -t tmpfs tmpfs /mnt && exec slurmd -D -N "$0"' "host$host"
    done
}

# until_says TEXT SECONDS COMMAND...: until what COMMAND prints has TEXT in it
until_says() {
    local text=$1 seconds=$2
    shift 2
    for _ in $(seq $((2 * seconds))); do
        ! "$@" 2>/dev/null | grep -q -- "$text" || return 0
        sleep 0.5
    done
    return 1
}

# submit NAME: a training without end, for two minutes, with a warning 30 to 90 s before that is over
submit() {
    sed '/^epochs:/d' "$CONFIGS/mlp-digits.yaml" >"$WORK/$1.yaml"
    printf '%s\n' 'steps: 100000000' 'deterministic: true' >>"$WORK/$1.yaml"
    run 0 on_host 1 sbatch -N 2 -n 2 -t 2 --signal=B:USR1@30 --parsable -D "$WORK" \
        -o "$WORK/$1.log" "$ROOT/launch/slurm.sbatch" "${TRAIN[@]}" "$WORK/$1.yaml" -o "$WORK/$1"
    NUMBER=$(<"$STDOUT")
}

# shorten NAME: while it is in the queue again, let it end 300 steps after those that it has done
shorten() {
    local last
    last=$(find "$WORK/$1/checkpoints" -name '*.h5' | sort | tail -n 1 | sed 's/.*step-0*//; s/\.h5//')
    check "$1: has saved" test -n "$last"
    sed -i "s/^steps:.*/steps: $((last + 300))/" "$WORK/$1.yaml"
    run 0 on_host 1 scontrol update "jobid=$NUMBER" TimeLimit=30
}

interrupted() { # NAME
    submit "$1"
    check "$1: is requeued near its limit" until_says 'goes back into the queue' 150 cat "$WORK/$1.log"
    shorten "$1"
    check "$1: comes to its end" until_says 'JobState=COMPLETED' 240 \
        on_host 1 scontrol show job "$NUMBER"
    cp "$WORK/$1.log" "$STDERR"
    check "$1: went on" grep -q 'resuming ' "$WORK/$1.log"
    run 0 "$COLROW" "${TRAIN[@]}" "$WORK/$1.yaml" -o "$WORK/$1-alone"
    same "$1: weights" "$(hash_of "$WORK/$1-alone")" "$(hash_of "$WORK/$1")"
}

TRAIN=(train -s sampling.ratio=0.4 -s log.level=warn -s evaluate.every_epochs=0
    -s checkpoint.every_steps=0)

hosts_up 2
write_configuration
start_munge
start_slurm
check 'both nodes are idle' until_says idle 30 on_host 1 sinfo -h -n host2 -o %T
interrupted by-srun
export COLROW_MPIRUN=1
interrupted by-mpirun
finish
