#!/usr/bin/env bash
# simulate: the performance model of `colrow study scaling` against a simulator of clusters.
#
# SimGrid runs simulate.c, which sends the messages of a step between so many simulated hosts, each
# with a link of its own to one switch. Of many hosts, bytes and bandwidth are both divided by the
# same number, which leaves all times as they are and saves memory and copying.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'END'
Usage: simulate.sh [-n LIST] [-b GBIT] [-l US] [-a ALGORITHM] FOLDER

Simulate a step of weak scaling for each pattern-RATIO.txt in FOLDER, and compare with its model.csv:

  build/colrow study scaling runs/scaling --bandwidth=25 --latency=10 -o runs/on-25-gbe
  bench/simulate.sh -b 25 -l 10 runs/on-25-gbe

  -n LIST   numbers of hosts; default 64,256,1024
  -b GBIT   bandwidth of a link, -l US  latency between two hosts: as for the model. Default 25, 10
  -a NAME   how sums are made (SimGrid's smpi/allreduce); default rab, scattering and gathering
  --help    print this, and end

Needs SimGrid (libsimgrid-dev). Exit codes: 0 done, 2 usage, 3 FOLDER cannot be read or the
simulation failed, 77 there is no SimGrid.
END
}

fail() { # CODE MESSAGE
    echo "simulate: $2" >&2
    exit "$1"
}

# The hosts, and a switch that is never the bottleneck.
write_platform() { # HOSTS SHRINK
    local bytes
    bytes=$(awk -v g="$bandwidth" -v s="$2" 'BEGIN { printf "%.0f", g * 1e9 / 8 / s }')
    cat >"$scratch/platform.xml" <<END
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="h" suffix="" radical="0-$(($1 - 1))" speed="1Gf" bw="${bytes}Bps"
           lat="$(awk -v l="$latency" 'BEGIN { print l / 2 }')us"/>
</platform>
END
    seq -f 'h%g' 0 $(($1 - 1)) >"$scratch/hosts"
}

# Prints seconds of a step, and of waiting for sums.
simulate() { # PATTERN HOSTS
    local shrink=$(($2 < 32 ? 1 : $2 / 16))
    awk -v s=$shrink '$3 > 0 && !/^#/ { $3 = $3 < 4 * s ? 4 : int($3 / s) } { print }' "$1" \
        >"$scratch/pattern"
    write_platform "$2" "$shrink"
    smpirun -np "$2" -platform "$scratch/platform.xml" -hostfile "$scratch/hosts" \
        --cfg=smpi/simulate-computation:no --cfg=network/model:CM02 \
        --cfg="smpi/allreduce:$algorithm" --log=root.thresh:error \
        "$scratch/simulate" "$scratch/pattern" 2>"$scratch/errors" ||
        fail 3 "$1, $2 hosts: the simulation failed: $(tail -n 1 "$scratch/errors")"
}

# A column of the model for weak scaling.
model() { # COLUMN RATIO HOSTS
    awk -F, -v name="$1" -v ratio="$2" -v ranks="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        $1 == "weak" && $2 == ratio && $3 == ranks { print $column[name] }' "$folder/model.csv"
}

compare() { # RATIO HOSTS
    local pattern=$folder/pattern-$1.txt found
    found=$(simulate "$pattern" "$2")
    awk -v found="$found" -v ratio="$1" -v hosts="$2" -v model="$(model efficiency "$1" "$2")" \
        '!/^#/ { computing += $1 }
         END {
             split(found, s, " ")
             printf "| %s | %d | %.1f | %.1f | %.1f | ", ratio, hosts, 1e3 * computing, 1e3 * s[1], 1e3 * s[2]
             efficiency = computing / s[1]
             if (model == "") printf "%.2f | | |\n", 100 * efficiency
             else printf "%.2f | %.2f | %+.2f |\n", 100 * efficiency, 100 * model, 100 * (model / efficiency - 1)
         }' "$pattern"
}

parse() {
    while [[ $# -gt 0 ]]; do
        case $1 in
        -h | --help) usage && exit 0 ;;
        -[nbla])
            [[ $# -gt 1 ]] || fail 2 "$1: expected a value, found none (--help)"
            ;;&
        -n) IFS=, read -ra hosts <<<"$2" ;;
        -b) bandwidth=$2 ;;
        -l) latency=$2 ;;
        -a) algorithm=$2 ;;
        -*) fail 2 "expected an option of --help, found $1" ;;
        *)
            [[ -z $folder ]] || fail 2 "expected one folder, found $folder and $1"
            folder=$1
            ;;
        esac
        [[ $1 != -[nbla] ]] || shift
        shift
    done
    [[ -n $folder ]] || fail 2 "expected a folder, found none (--help)"
    [[ ${hosts[*]} =~ ^[0-9\ ]+$ ]] || fail 2 "-n: expected numbers of hosts, found '${hosts[*]}'"
    [[ "$bandwidth $latency" =~ ^[0-9.]+\ [0-9.]+$ ]] ||
        fail 2 "-b, -l: expected numbers, found '$bandwidth' and '$latency'"
}

main() {
    local hosts=(64 256 1024) bandwidth=25 latency=10 algorithm=rab folder='' pattern ratio n
    parse "$@"
    command -v smpicc >/dev/null || fail 77 "expected SimGrid (libsimgrid-dev), found no smpicc"
    if [[ ! -r $folder/model.csv ]] || ! compgen -G "$folder/pattern-*.txt" >/dev/null; then
        fail 3 "$folder: expected model.csv and pattern-RATIO.txt of study scaling, found none"
    fi
    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    smpicc -O2 -o "$scratch/simulate" "$here/simulate.c" || fail 3 "smpicc failed"
    echo "| kept | hosts | computing, ms | step, ms | wait, ms | efficiency, % | model, % | model off, % |"
    echo "|---|---|---|---|---|---|---|---|"
    for n in "${hosts[@]}"; do
        for pattern in "$folder"/pattern-*.txt; do
            ratio=${pattern##*/pattern-}
            compare "${ratio%.txt}" "$n"
        done
    done
}

main "$@"
