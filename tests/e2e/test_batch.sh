#!/usr/bin/env bash
# launch/slurm.sbatch and launch/pbs.sh: what they make of a job, how a training goes on after its
# limit; launch/mpirun.sh; the batch systems are made up (srun, scontrol, qsub, mpirun).
# Usage: test_batch.sh PROGRAM
# shellcheck disable=SC2016 # the stubs expand what stands in single quotes
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
SLURM=$ROOT/launch/slurm.sbatch
PBS=$ROOT/launch/pbs.sh
MPIRUN=$ROOT/launch/mpirun.sh
export COLROW
cd "$WORK" || exit 1
mkdir stubs
export PATH=$WORK/stubs:$PATH

stub() { # NAME LINE...
    printf '%s\n' '#!/bin/bash' "${@:2}" >"stubs/$1"
    chmod +x "stubs/$1"
}

says() { # TEXT: the last command, in one line on stderr
    same "lines on stderr" 1 "$(wc -l <"$STDERR")"
    check "expected '$1'" grep -qF -- "$1" "$STDERR"
}

until_line() { # FILE TEXT: wait for it, 30 s at most
    for _ in $(seq 600); do
        ! grep -qsF -- "$2" "$1" || return 0
        sleep 0.05
    done
    return 1
}

# ---- Slurm -----------------------------------------------------------------------------------------
job=(env SLURM_JOB_ID=12 SLURM_NTASKS=3 SLURM_CPUS_PER_TASK=2)
train=(train "$CONFIGS/mlp-digits.yaml" -o run)

slurm_usage() {
    run 0 "$SLURM" --help
    run 2 "${job[@]}" "$SLURM"
    says 'expected arguments for colrow'
    run 2 "$SLURM" train x
    says 'expected a job of Slurm'
    run 2 "${job[@]}" COLROW=/nowhere "$SLURM" train x
    says 'expected a program, found /nowhere'
}

slurm_commands() {
    stub srun 'echo "srun $*; OMP_NUM_THREADS=$OMP_NUM_THREADS"; exit 4'
    run 4 "${job[@]}" "$SLURM" train x -o y
    same "a training resumes" \
        "srun --mpi=pmix --cpus-per-task=2 --kill-on-bad-exit=1 $COLROW train x -o y --resume; OMP_NUM_THREADS=2" \
        "$(<"$STDOUT")"
    run 4 "${job[@]}" "$SLURM" study sweep x
    check "other commands do not" grep -q 'study sweep x; OMP' "$STDOUT"
    local left
    for left in 1-02:03:04=1561 4:00:00=238 5:01=3 2:00=1.00 0:50=0.42; do
        stub squeue "echo ${left%=*}"
        run 4 "${job[@]}" "$SLURM" train x
        check "${left%=*} left, found $(<"$STDOUT")" \
            grep -qF -- "--resume -s checkpoint.stop_minutes=${left#*=};" "$STDOUT"
    done
    stub squeue 'echo UNLIMITED'
    stub mpirun 'echo "mpirun $*"'
    run 0 "${job[@]}" COLROW_MPIRUN=1 "$SLURM" train x
    check "mpirun instead" grep -qE '^mpirun -n 3 --map-by slot:PE=2 .*colrow train x --resume$' "$STDOUT"
}

# Slurm's warning: the training saves, the job is requeued once; the next life goes on to the end.
slurm_limit() {
    local process
    stub srun 'while [[ $1 == --* ]]; do shift; done' 'exec "$@"'
    stub scontrol 'echo "$*" >>requests' 'kill $PPID'
    "${job[@]}" "$SLURM" "${train[@]}" -s epochs=100000 >"$STDOUT" 2>"$STDERR" &
    process=$!
    check 'the training is under way' until_line run/metrics.jsonl step
    kill -USR1 "$process"
    run 143 wait "$process" # ended by scontrol
    same 'what Slurm was asked' 'requeue 12' "$(<requests)"
    check 'a checkpoint was saved' compgen -G 'run/checkpoints/*.h5'
    run 0 "${job[@]}" SLURM_RESTART_COUNT=1 "$SLURM" "${train[@]}" -s epochs=1
    check 'resumed' grep -q 'resuming from' "$STDERR"
    stub srun 'exit 7'
    run 7 "${job[@]}" SLURM_RESTART_COUNT=3 COLROW_REQUEUES=3 "$SLURM" "${train[@]}"
    says 'has gone on 3 times'
    same 'not asked again' 1 "$(wc -l <requests)"
    stub scontrol 'exit 1'
    run 7 "${job[@]}" "$SLURM" "${train[@]}"
    check 'says that it cannot' grep -q 'cannot requeue' "$STDERR"
}

# ---- PBS -------------------------------------------------------------------------------------------
pbs_usage() {
    stub qsub 'exit 1'
    run 0 "$PBS" -h
    run 2 "$PBS" -l walltime=1:00:00 train x
    says 'expected -- and arguments'
    run 2 "$PBS" -l select=1 -- train x
    says "expected -l walltime=[[H:]M:]S, found 'none'"
    run 2 "$PBS" -l walltime=4:00 -- train x
    says 'walltime: expected more than 240 s, found 240 s'
    run 5 "$PBS" -l walltime=1:00:00 -- train x
    says 'qsub failed'
    run 2 env -u PBS_NODEFILE "$PBS" --run -l walltime=1:00:00 -- train x
    says 'expected a job of PBS'
}

pbs_limit() {
    local options=(-N 'my job' -l 'select=2:ncpus=2,walltime=4:00:00')
    stub qsub 'echo "$*" >>options; n=$(ls | grep -c "^job\.")' 'cat >"job.$n"'
    stub mpirun 'printf "%s " mpirun "$@"; exit ${MPIRUN_CODE:-0}'
    run 0 "$PBS" "${options[@]}" -- train 'a b.yaml' -o run
    same 'options of qsub' "-S /bin/bash ${options[*]}" "$(<options)"
    printf '%s\n' one one two >nodes
    run 7 env PBS_NODEFILE="$PWD/nodes" MPIRUN_CODE=7 bash job.0
    check "ranks and time limit, found: $(<"$STDOUT")" grep -qE \
        "^mpirun -n 3 --hostfile .*/nodes .*colrow train a b.yaml -o run --resume -s checkpoint.stop_minutes=238 " \
        "$STDOUT"
    check 'the same job again' cmp job.0 job.1
    run 0 env PBS_NODEFILE="$PWD/nodes" bash job.1
    run 4 env PBS_NODEFILE="$PWD/nodes" MPIRUN_CODE=4 bash job.1
    check 'no third one' test ! -e job.2
}

# mpirun goes on when its ranks have ended, as where a host has fallen silent; or ends by itself
mpirun_alone() {
    run 0 "$MPIRUN" --help
    run 2 env COLROW_GRACE=0 "$MPIRUN" -n 2 true
    says "COLROW_GRACE: expected seconds, found '0'"
    stub mpirun 'echo "$* $OMPI_MCA_oob_tcp_keepalive_time"; exit 7'
    run 7 "$MPIRUN" -n 2 x
    same 'arguments and setting' '-n 2 x 10' "$(<"$STDOUT")"
    stub mpirun 'env OMPI_COMM_WORLD_RANK=0 sleep 2' 'exec sleep 300'
    run 137 env COLROW_GRACE=1 "$MPIRUN" -n 2 x
    says 'the ranks of this host ended 1 s ago, mpirun did not: ending it'
    stub mpirun 'sleep 3' # no rank of this host
    run 0 env COLROW_GRACE=1 "$MPIRUN" -n 2 x
}

slurm_usage
slurm_commands
slurm_limit
pbs_usage
pbs_limit
mpirun_alone
finish
