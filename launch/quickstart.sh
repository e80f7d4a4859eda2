#!/usr/bin/env bash
# quickstart: from a fresh Debian or Ubuntu to a first training on two ranks.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/packages.sh
source launch/packages.sh

usage() {
    cat <<'END'
Usage: quickstart.sh [--no-install]

Install the Debian/Ubuntu packages that are missing (as root, or with sudo; it says which), build
colrow in build/, and train configs/mlp-digits.yaml with 40% of the channels on two ranks. Each call
trains into a new folder runs/quickstart-N. --no-install: use what is there.
Exit codes: 0 done, 2 packages missing or build failed; else those of colrow.
END
}

next_folder() {
    local n=1
    while [[ -e runs/quickstart-$n ]]; do
        n=$((n + 1))
    done
    echo "runs/quickstart-$n"
}

figure() { # FOLDER KEY: a number out of summary.json, as a percentage
    sed -n "s/^ *\"$2\": *\([0-9.e-]*\),*$/\1/p" "$1/summary.json" |
        LC_ALL=C awk 'NR == 1 { printf "%.2f%%", 100 * $1 }'
}

report() { # FOLDER
    cat <<END

test accuracy       $(figure "$1" test_accuracy)
compute reduction   $(figure "$1" paper) as the paper counts, $(figure "$1" executed) executed
everything is in    $1

What to try next:
  launch/local.sh -n 2 train configs/mlp-digits.yaml -s sampling.ratio=0.4 -s epochs=40 \\
      -o $1 --resume                                    # go on for another 20 epochs
  build/colrow info configs/mlp-mnist.yaml -s sampling.ratio=0.4      # what a run will cost
  launch/fetch-data.sh mnist &&                         # 11 MB, then the network of the paper
      launch/local.sh train configs/mlp-mnist.yaml -s sampling.ratio=0.4 -o runs/mnist-40
  mpirun -n 8 build/colrow train ...                    # the same on a cluster; srun does as well
END
}

main() {
    local folder
    case ${1:-} in
    -h | --help) usage && exit 0 ;;
    --no-install) shift ;;
    '') install_missing "${run_packages[@]}" ;;
    esac
    [[ $# == 0 ]] || fail 2 "expected --no-install, --help or nothing, found '$*'"
    build release build -DCOLROW_TESTS=OFF
    folder=$(next_folder)
    say "training the digits on 2 ranks, keeping 40% of the channels, into $folder"
    COLROW=build/colrow launch/local.sh -n 2 train configs/mlp-digits.yaml -s sampling.ratio=0.4 \
        -o "$folder"
    report "$folder"
}

main "$@"
