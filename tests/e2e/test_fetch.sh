#!/usr/bin/env bash
# fetch-data.sh against a web server of our own with made-up files: what it fetches, what it leaves
# alone, what it resumes, and that a failure is one line, the right exit code and nothing half done.
# Usage: test_fetch.sh PATH-OF-fetch-data.sh; exit code 77: skipped.
set -euo pipefail

script=$1
for tool in python3 curl sha256sum; do
    command -v "$tool" >/dev/null || exit 77
done

work=$(mktemp -d /tmp/colrow-fetch-XXXXXX)
server=
clean_up() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean_up EXIT

bad() {
    echo "FAILED: $1" >&2
    exit 1
}

mnist="train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz
       t10k-labels-idx1-ubyte.gz"

# ---- the made-up public home
home=$work/home
mkdir -p "$home/cifar-100-binary" "$home/cifar-10-batches-bin"
for name in $mnist ptb.train.txt ptb.valid.txt ptb.test.txt; do
    printf 'these are the made-up bytes of %s\n' "$name" >"$home/$name"
done
printf 'train' >"$home/cifar-100-binary/train.bin"
printf 'test' >"$home/cifar-100-binary/test.bin"
printf 'names' >"$home/cifar-100-binary/fine_label_names.txt"
tar -czf "$home/cifar-100-binary.tar.gz" -C "$home" cifar-100-binary
cifar10="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin
         test_batch.bin"
for name in $cifar10; do
    printf 'these are the made-up bytes of %s\n' "$name" >"$home/cifar-10-batches-bin/$name"
done
tar -czf "$home/cifar-10-binary.tar.gz" -C "$home" cifar-10-batches-bin
(
    cd "$home"
    sha256sum -- *-ubyte.gz *.txt cifar-10-binary.tar.gz cifar-100-binary/*.bin
    md5sum -- cifar-10-batches-bin/*.bin
) >"$work/sums"
export COLROW_DATA_SUMS=$work/sums

python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$home" >"$work/server" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server")
    [[ -z $port ]] || break
    sleep 0.05
done
[[ -n $port ]] || bad "the web server does not start"
export COLROW_DATA_URL=http://127.0.0.1:$port/
export no_proxy=127.0.0.1

# ---- helpers
succeeds() { # ARGUMENT...
    "$script" "$@" >"$work/out" 2>"$work/err" || bad "$*: $(cat "$work/err")"
    [[ ! -s $work/err ]] || bad "$*: success, but stderr says $(cat "$work/err")"
}

fails() { # CODE PART-OF-MESSAGE ARGUMENT...
    local code=0 want=$1 part=$2
    shift 2
    "$script" "$@" >"$work/out" 2>"$work/err" || code=$?
    [[ $code == "$want" ]] || bad "$*: expected exit code $want, found $code: $(cat "$work/err")"
    [[ $(wc -l <"$work/err") == 1 ]] || bad "$*: expected one line, found $(cat "$work/err")"
    grep -qF -- "$part" "$work/err" || bad "$*: expected '$part', found $(cat "$work/err")"
}

holds() { # FOLDER NAME...: these files and no others, hidden ones included
    local folder=$1 found
    shift
    found=$(find "$folder" -mindepth 1 -printf '%P\n' | sort | xargs)
    [[ $found == "$(printf '%s\n' "$@" | sort | xargs)" ]] ||
        bad "$folder: expected $*, found $found"
}

requests() {
    grep -c '"GET ' "$work/server" || true
}

# ---- usage
fails 2 "found ''"
fails 2 "found 'imagenet'" imagenet
fails 2 "at most one folder" mnist a b
succeeds --help
grep -q '^Usage' "$work/out" || bad "--help: no usage"
COLROW_DATA_SUMS=/nowhere/sums fails 2 "cannot read /nowhere/sums" ptb "$work/none"
grep -v valid "$work/sums" >"$work/few"
COLROW_DATA_SUMS=$work/few fails 2 "no line for ptb.valid.txt" ptb "$work/none"
[[ ! -e $work/none ]] || bad "a usage error left a folder"
fails 6 "cannot make the folder" ptb /dev/null/x

# ---- fetching, and not fetching again
(cd "$work" && succeeds mnist)
# shellcheck disable=SC2086
holds "$work/data/mnist" $mnist
cmp -s "$home/t10k-labels-idx1-ubyte.gz" "$work/data/mnist/t10k-labels-idx1-ubyte.gz" ||
    bad "other bytes came than were sent"
before=$(requests)
succeeds mnist "$work/data/mnist"
[[ $(requests) == "$before" ]] || bad "files that were right are fetched again"
echo "damaged" >"$work/data/mnist/t10k-labels-idx1-ubyte.gz"
succeeds mnist "$work/data/mnist"
[[ $(requests) == $((before + 1)) ]] || bad "expected one damaged file to be fetched, no more"

succeeds cifar100 "$work/cifar 100"
holds "$work/cifar 100" train.bin test.bin
before=$(requests)
succeeds cifar100 "$work/cifar 100"
[[ $(requests) == "$before" ]] || bad "an archive whose files are there is fetched again"

# shellcheck disable=SC2086
{
    succeeds cifar10 "$work/cifar10"
    holds "$work/cifar10" $cifar10
    echo "damaged" >"$work/cifar10/data_batch_3.bin"
    succeeds cifar10 "$work/cifar10"
    holds "$work/cifar10" $cifar10
    cmp -s "$home/cifar-10-batches-bin/data_batch_3.bin" "$work/cifar10/data_batch_3.bin" ||
        bad "a damaged file is left"
}

# ---- a transfer that broke off
good="these are the made-up bytes of ptb.train.txt"
mkdir "$work/resume"
printf '%s' "${good:0:9}" >"$work/resume/ptb.train.txt.part"
succeeds ptb "$work/resume" # this server cannot resume: it starts anew
holds "$work/resume" ptb.train.txt ptb.valid.txt ptb.test.txt
rm "$work/resume/ptb.train.txt"
printf '%s' "${good:0:9}" >"$work/resume/ptb.train.txt.part"
COLROW_DATA_URL=file://$home succeeds ptb "$work/resume"
holds "$work/resume" ptb.train.txt ptb.valid.txt ptb.test.txt
rm "$work/resume/ptb.train.txt" # only what is really resumed can be wrong in its first bytes:
printf '%s' "THESE ARE" >"$work/resume/ptb.train.txt.part"
COLROW_DATA_URL=file://$home fails 3 "ptb.train.txt: expected sha256" ptb "$work/resume"
holds "$work/resume" ptb.valid.txt ptb.test.txt

# ---- failures
sed 's/^....\(.*ptb.valid\)/0000\1/' "$work/sums" >"$work/wrong"
COLROW_DATA_SUMS=$work/wrong fails 3 "ptb.valid.txt: expected sha256 0000" ptb "$work/wrong-sum"
holds "$work/wrong-sum" ptb.train.txt
mv "$home/ptb.valid.txt" "$work/kept"
fails 3 "ptb.valid.txt: cannot fetch: The requested URL returned error: 404" ptb "$work/absent"
holds "$work/absent" ptb.train.txt
sed 's/^....\(.*test.bin\)/0000\1/' "$work/sums" >"$work/wrong"
COLROW_DATA_SUMS=$work/wrong fails 3 "test.bin: expected sha256 0000" cifar100 "$work/wrong-bin"
holds "$work/wrong-bin" train.bin
sed 's/^....\(.*batch_2.bin\)/0000\1/' "$work/sums" >"$work/wrong"
COLROW_DATA_SUMS=$work/wrong fails 3 "data_batch_2.bin: expected md5 0000" cifar10 "$work/wrong-md5"
holds "$work/wrong-md5" data_batch_1.bin
sed 's/^....\(.*10-binary\)/0000\1/' "$work/sums" >"$work/wrong"
COLROW_DATA_SUMS=$work/wrong fails 3 "cifar-10-binary.tar.gz: expected sha256 0000" cifar10 \
    "$work/wrong-archive"
holds "$work/wrong-archive"
tar -czf "$home/cifar-100-binary.tar.gz" -C "$home" cifar-100-binary/test.bin
fails 3 "cifar-100-binary.tar.gz: expected a tar.gz with train.bin" cifar100 "$work/half"
holds "$work/half"
echo "no archive" >"$home/cifar-100-binary.tar.gz"
fails 3 "cifar-100-binary.tar.gz: expected a tar.gz" cifar100 "$work/damaged"
holds "$work/damaged"

kill "$server"
wait "$server" 2>/dev/null || true
server=
fails 3 "cannot fetch" ptb "$work/gone"
holds "$work/gone"
echo "all passed"
