#!/usr/bin/env bash
# paper: run the sweeps of configs/paper that fit a small machine, shortened, and write a report with
# our figures, the paper's, and the difference.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'END'
Usage: paper.sh [-o FOLDER] [-d FOLDER] [-s KEY=VALUE]... [--full] [--report] [STUDY...]

Run studies of configs/paper and write FOLDER/report.md. STUDY is one of

  figure-1c  figure-2b  table-2-mlp  table-2-cnn      all of them, where none is named
  figure-2a  table-1-mlp  table-1-cnn                 as many runs again
  figure-2c  table-1-wrn  table-1-ptb                 for a cluster, or for days: not shortened

  -o FOLDER   where everything is written; default: runs/paper
  -d FOLDER   of the data sets mnist, cifar100 and ptb; default: data
  -s KEY=VALUE  shortens further: an axis of the sweeps, or a key of all runs
  --full      all runs, at full length: hours
  --report    run nothing, write the report of what there is
  --help      print this, and end

A study that was stopped goes on when started again. Exit codes are those of colrow.
Environment: COLROW, the program; see launch/local.sh.
END
}

fail() { # MESSAGE
    echo "paper: $1" >&2
    exit 2
}

# The sweep, its data, what is always set, and what makes it shorter, of each study.
study() { # NAME: fills sweep, data, always and shorter
    always=() shorter=() data=mnist
    sweep=$(sed -E 's/^(table-[0-9])-.*/\1/' <<<"$1")
    case $1 in
    figure-1c) shorter=(-s epochs=3 -s seed=1 -s 'sampling.ratio=[0.1, 0.2, 0.4, 0.7]') ;;
    figure-2a) shorter=(-s steps=2000 -s 'sampling.ratio=[0.1, 0.3, 0.6]') ;;
    figure-2b) shorter=(-s steps=3600 -s seed=1) ;;
    table-?-mlp) always=(-s model=mlp) shorter=(-s epochs=3 -s seed=1) ;;
    table-?-cnn) always=(-s model=cnn) shorter=(-s steps=2000 -s seed=1) ;;
    table-1-wrn) always=(-s model=wrn) data=cifar100 ;;
    table-1-ptb) always=(-s model=ptb) data=ptb ;;
    figure-2c) data=cifar100 ;;
    *) fail "expected a study (--help lists them), found $1" ;;
    esac
}

# What the paper says: study, choices on the axes before `runs`, accuracy in % (the perplexity of ptb) and
# reduction in %.
# "-": it does not say.
paper() {
    cat <<'END'
figure-1c exact, 98.16 0
figure-1c top,0.4 98.16 60
figure-2a exact, 99.29 0
figure-2a top,0.3 99.21 68
figure-2b exact 99.29 0
figure-2b top-30 99.21 68
figure-2b top-20 99.21 -
figure-2c exact 78.0 0
figure-2c half 77.1 50
figure-2c half-of-wide 77.5 33
table-1-mlp mlp,exact 98.16 0
table-1-mlp mlp,crs 98.1 79
table-1-cnn cnn,exact 99.29 0
table-1-cnn cnn,crs 99.25 77
table-1-wrn wrn,exact 78.0 0
table-1-wrn wrn,crs 77.1 50
table-1-ptb ptb,exact 83.5 0
table-1-ptb ptb,crs 83.6 24
table-2-mlp mlp,exact 98.01 0
table-2-mlp mlp,meprop-6 98.08 55
table-2-mlp mlp,crs-40-5 98.1 80
table-2-cnn cnn,exact 99.29 0
table-2-cnn cnn,crs-40-20 99.25 78
END
}

run() { # NAME
    local code=0 length=()
    study "$1"
    [[ $full == 1 ]] || length=("${shorter[@]}")
    "$here/launch/local.sh" study sweep "$here/configs/paper/$sweep.yaml" -o "$out/$1" \
        -s data.path="$sets/$data" "${always[@]}" "${length[@]}" "${more[@]}" || code=$?
    [[ $code == 0 || $code == 4 ]] || exit "$code" # 4: a run diverged; the table says so
}

# The accuracy in %, or perplexity, and reduction in % of a row of table.csv, whose first fields are CHOICES.
ours() { # FILE CHOICES
    awk -F, -v choices="$2," '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR > 1 && index($0, choices) == 1 {
            test = $column["test_accuracy"] != "" ? 100 * $column["test_accuracy"] : $column["test_perplexity"]
            if (test != "") printf "%.2f %.1f\n", test, 100 * $column["reduction_paper"]
        }' "$1"
}

difference() { # OURS PAPER
    [[ $2 == - ]] || awk -v a="$1" -v b="$2" 'BEGIN { printf "%+.2f", a - b }'
}

# A row for everything of the study that the paper has a figure of.
compare() { # NAME
    local name choices accuracy reduction found
    echo "| | test, % or perplexity | the paper's | difference | reduction, % | the paper's | difference |"
    echo "|---|---|---|---|---|---|---|"
    while read -r name choices accuracy reduction; do
        [[ $name == "$1" ]] || continue
        found=$(ours "$out/$1/table.csv" "$choices")
        [[ -n $found ]] || continue
        echo "| ${choices//,/ } | ${found% *} | $accuracy | $(difference "${found% *}" "$accuracy") |" \
            "${found#* } | $reduction | $(difference "${found#* }" "$reduction") |"
    done < <(paper)
}

report() { # NAME...
    local name
    echo "# The paper's figures and tables"
    echo
    echo "Differences are ours minus the paper's, in points. Shorter runs than the paper's have larger" \
        "errors: compare settings with each other first."
    for name in "$@"; do
        [[ -s $out/$name/table.csv ]] || continue
        study "$name"
        printf '\n## %s\n\n' "$name"
        [[ $full == 0 ]] || shorter=()
        shorter+=("${more[@]}")
        printf 'At full length%s\n\n' "${shorter[*]:+, but for: ${shorter[*]}}"
        compare "$name"
        sed 1d "$out/$name/table.md"
        if [[ -s $out/$name/error-ratio.svg ]]; then
            printf '\n![error](%s/error-ratio.svg) ![curves](%s/curves-epoch.svg)\n' "$name" "$name"
        fi
    done
}

main() {
    local out=runs/paper sets=data full=0 only_report=0 more=() studies=() name
    local sweep data always shorter
    while [[ $# -gt 0 ]]; do
        case $1 in
        -o) out=${2:?-o: expected a folder} && shift ;;
        -s) more+=(-s "${2:?-s: expected KEY=VALUE}") && shift ;;
        -d) sets=${2:?-d: expected a folder} && shift ;;
        --full) full=1 ;;
        --report) only_report=1 ;;
        -h | --help) usage && exit 0 ;;
        -*) fail "expected -o, -d, -s, --full, --report or --help, found $1" ;;
        *) studies+=("$1") ;;
        esac
        shift
    done
    [[ ${#studies[@]} -gt 0 ]] || studies=(figure-1c figure-2b table-2-mlp table-2-cnn)
    for name in "${studies[@]}"; do study "$name"; done # before anything is run
    if [[ $only_report == 0 ]]; then
        for name in "${studies[@]}"; do run "$name"; done
    fi
    report "${studies[@]}" >"$out/report.md"
    echo "paper: wrote $out/report.md"
}

main "$@"
