#!/usr/bin/env bash
# launch/local.sh: what it makes of a machine (made up: nproc, lscpu, control group, mpirun), which
# program it takes, how it passes signals on; and a real training on two ranks.
# launch/packages.sh: what it would install.
# Usage: test_launch.sh PROGRAM
# shellcheck disable=SC2016 # the stubs expand what stands in single quotes
COLROW=$1
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
LOCAL=$ROOT/launch/local.sh
export COLROW COLROW_CGROUP=$WORK/cgroup

# stub NAME LINE...: a program of that name, before all others on PATH of made_up
mkdir "$WORK/stubs" "$WORK/cgroup"
stub() {
    printf '%s\n' '#!/bin/bash' "${@:2}" >"$WORK/stubs/$1"
    chmod +x "$WORK/stubs/$1"
}

# made_up COMMAND...: on the made-up machine, with the user's own settings out of the way
made_up() {
    env -u OMP_NUM_THREADS PATH="$WORK/stubs:$PATH" "$@"
}

# gives TEXT WORDS ARGUMENT...: --dry-run of local.sh ARGUMENT prints WORDS
gives() {
    local text=$1 words=$2
    shift 2
    run 0 made_up "$LOCAL" --dry-run "$@"
    check "$text: expected '$words', found: $(<"$STDOUT")" grep -qF -- "$words" "$STDOUT"
}

# refused TEXT COMMAND...: exit code 2 after one line with TEXT
refused() {
    local text=$1
    shift
    run 2 "$@"
    same "lines on stderr: $*" 1 "$(wc -l <"$STDERR")"
    check "expected '$text': $*" grep -qF -- "$text" "$STDERR"
}

# ---- usage
run 0 "$LOCAL" --help
check "--help tells of -n" grep -q -e '-n RANKS' "$STDOUT"
refused 'found none' "$LOCAL"
refused "-n: expected a whole number above 0, found '0'" "$LOCAL" -n 0 train x
refused "-t: expected a whole number above 0, found 'two'" "$LOCAL" -t two train x
refused 'found --ranks' "$LOCAL" --ranks 2 train x
refused 'expected a program, found /nowhere' env COLROW=/nowhere "$LOCAL" train x
for script in quickstart test; do
    run 0 "$ROOT/launch/$script.sh" --help
    refused "found 'fast'" "$ROOT/launch/$script.sh" fast
done

# ---- a machine of 8 cores with 16 hardware threads and 2 last-level caches
stub nproc 'echo 16'
stub lscpu 'echo "# comment"; case $1 in' \
    '*CORE) for c in 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7; do echo $c; done ;;' \
    '*CACHE) for c in 0 1 2 3 4 5 6 7; do echo $c:$c:$c:$((c / 4)); done ;; esac'
stub mpirun 'echo "mpirun (Open MPI) 4.1.4"'
bound='--map-by slot:PE=4 --bind-to core -n 2 '
gives 'a rank for each cache' "$bound" train x
gives 'threads' 'OMP_NUM_THREADS=4 mpirun' train x
gives 'the arguments as they are' "$COLROW train x -s a\\ b=c" train x -s 'a b=c'
gives 'ranks asked for' '--map-by slot:PE=2 --bind-to core -n 4 ' -n 4 train x
gives 'threads asked for' '--map-by slot:PE=1 --bind-to core -n 8 ' -t 1 train x
gives 'more ranks than cores' \
    '--oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n 9 ' -n 9 train x
gives 'more ranks than cores: threads' 'OMP_NUM_THREADS=1 ' -n 9 train x
gives 'more threads than cores' '--oversubscribe --bind-to none' -n 2 -t 5 train x
gives 'more threads than cores: as asked' 'OMP_NUM_THREADS=5 ' -n 2 -t 5 train x
sed -i 's/(/[/; s/Open MPI/MPICH/' "$WORK/stubs/mpirun"
gives 'another MPI' "mpirun -n 2 $COLROW train" train x
stub mpirun 'echo "mpirun (Open MPI) 4.1.4"'

# ---- not all of it ours
echo 'max 100000' >"$WORK/cgroup/cpu.max"
gives 'no quota' "$bound" train x
echo '350000 100000' >"$WORK/cgroup/cpu.max"
gives 'a quota of 3.5 processors' '--bind-to none -n 2 ' train x
gives 'a quota: threads' 'OMP_NUM_THREADS=3 ' -n 1 train x
echo '50000 100000' >"$WORK/cgroup/cpu.max"
gives 'half a processor' 'OMP_NUM_THREADS=1 ' train x
gives 'half a processor: ranks' '--bind-to none -n 1 ' train x
rm "$WORK/cgroup/cpu.max"
stub nproc 'echo 6'
gives 'an affinity of 6 processors' '--bind-to none -n 2 ' train x
gives 'an affinity: threads' 'OMP_NUM_THREADS=3 ' train x

# ---- which program
mkdir -p "$WORK"/{tree/launch,tree/build,prefix/bin,prefix/share/colrow/launch,alone}
for place in tree/launch prefix/share/colrow/launch alone; do
    cp "$LOCAL" "$WORK/$place"
done
for place in tree/build prefix/bin stubs; do
    cp /bin/true "$WORK/$place/colrow"
done
unset COLROW
LOCAL=$WORK/tree/launch/local.sh gives 'beside the build' "$WORK/tree/build/colrow" train x
LOCAL=$WORK/prefix/share/colrow/launch/local.sh \
    gives 'in the installation' "$WORK/prefix/bin/colrow" train x
LOCAL=$WORK/alone/local.sh gives 'on PATH' "$WORK/stubs/colrow" train x
rm "$WORK/stubs/colrow"
refused 'expected colrow in' made_up "$WORK/alone/local.sh" train x
export COLROW=$1

# ---- signals: the first as SIGUSR1, the second as SIGTERM
stub mpirun '[[ $1 != --version ]] || exit 0' "trap 'echo USR1 >>$WORK/signals' USR1" \
    "trap 'echo TERM >>$WORK/signals; exit 1' TERM" 'echo ready >>'"$WORK/signals" \
    'for _ in {1..1200}; do sleep 0.05; done'
until_line() { # FILE TEXT: wait for it, 30 s at most
    for _ in $(seq 600); do
        ! grep -qF -- "$2" "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    return 1
}
env PATH="$WORK/stubs:$PATH" "$LOCAL" train x 2>"$STDERR" &
process=$!
check 'mpirun is started' until_line "$WORK/signals" ready
kill -TERM "$process"
check 'the first signal arrives' until_line "$WORK/signals" USR1
kill -TERM "$process"
run 1 wait "$process"
same 'signals' 'ready USR1 TERM' "$(xargs <"$WORK/signals")"

# ---- for real: two ranks
train=("$LOCAL" -n 2 train "$CONFIGS/mlp-digits.yaml" -s sampling.ratio=0.4)
run 0 "${train[@]}" -o "$WORK/run"
check 'two ranks' grep -q '"ranks": 2' "$WORK/run/summary.json"
check 'the digits are learnt' grep -qE '"test_accuracy": 0\.9' "$WORK/run/summary.json"
run 2 "$LOCAL" -n 2 train "$WORK/missing.yaml"
same 'one line for a missing file' 1 "$(wc -l <"$STDERR")"
"${train[@]}" -s epochs=100000 -o "$WORK/stopped" >"$STDOUT" 2>"$STDERR" &
process=$!
check 'the training is under way' until_line "$WORK/stopped/metrics.jsonl" step
kill -TERM "$process"
run 7 wait "$process"
check 'a checkpoint was saved' grep -qr . "$WORK/stopped/checkpoints"

# ---- packages: some missing, with and without the right to install
cp "$ROOT/launch/packages.sh" "$WORK"
stub dpkg-query '[[ ${*: -1} == there* ]] && echo installed'
stub apt-get 'echo "apt-get $*" >&2'
stub sudo '"$@"'
wanted="source $WORK/packages.sh; install_missing"
run 0 made_up bash -c "$wanted there-1 there-2"
check 'nothing missing, nothing done' test ! -s "$STDOUT" -a ! -s "$STDERR"
run 0 made_up bash -c "$wanted there-1 new-1 there-2 new-2"
check 'says what' grep -qF 'installing with apt-get: new-1 new-2' "$STDOUT"
check 'installs that' grep -qE '^apt-get install .*--no-install-recommends new-1 new-2$' "$STDERR"
stub apt-get 'exit 100'
refused 'apt-get cannot install: new-1' made_up bash -c "$wanted new-1"

# with nothing on PATH but these
rm "$WORK/stubs/sudo"
mkdir "$WORK/few"
for tool in bash basename env; do
    ln -s "$(command -v "$tool")" "$WORK/few/$tool"
done
refused 'expected cc to be installed' env PATH="$WORK/few" bash -c "$wanted new-1"
check 'the libraries' grep -qF 'HDF5, libyaml' "$STDOUT"
cp "$WORK/stubs/dpkg-query" "$WORK/stubs/apt-get" "$WORK/few"
user=()
[[ $EUID != 0 ]] || user=("$(command -v setpriv)" --reuid=65534 --clear-groups)
chmod -R a+rX "$WORK"
refused 'let the administrator install: new-1' \
    "${user[@]}" env PATH="$WORK/few" bash -c "$wanted there-1 new-1"
finish
