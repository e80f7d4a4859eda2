# packages: what quickstart.sh, test.sh and .ci/run share: installing what is missing, and building.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are for those who source this

name=$(basename -- "$0" .sh)
run_packages=(gcc make cmake pkg-config libopenmpi-dev openmpi-bin openssh-client
    libopenblas-openmp-dev libdnnl-dev libhdf5-dev libyaml-dev libjansson-dev librandom123-dev
    libxxhash-dev zlib1g-dev curl ca-certificates)
test_packages=(libcmocka-dev python3)
check_packages=(clang-format clang-tidy libomp-dev shellcheck) # clang-tidy wants an omp.h

say() { # MESSAGE
    echo "$name: $1"
}

fail() { # CODE MESSAGE
    echo "$name: $2" >&2
    exit "$1"
}

is_installed() { # PACKAGE
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Without apt-get nothing is installed; we say what is needed and see whether it is enough.
expect_libraries() {
    local tool
    say "no apt-get here; needed are a C17 compiler, CMake 3.21, pkg-config, Open MPI, OpenBLAS, \
HDF5, libyaml, jansson, Random123, xxHash and zlib, and for bf16 oneDNN; for the tests cmocka and python3"
    for tool in cc cmake pkg-config mpirun; do
        command -v "$tool" >/dev/null || fail 2 "expected $tool to be installed, found none"
    done
}

# Say which of the packages are missing, and install those.
install_missing() { # PACKAGE...
    local package missing=() as_root=(env DEBIAN_FRONTEND=noninteractive)
    if ! command -v apt-get >/dev/null; then
        expect_libraries
        return
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $EUID != 0 ]]; then
        command -v sudo >/dev/null ||
            fail 2 "neither root nor sudo; let the administrator install: ${missing[*]}"
        as_root=(sudo "${as_root[@]}")
    fi
    say "installing with apt-get: ${missing[*]}"
    { "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" \
            </dev/null >/dev/null; } || fail 2 "apt-get cannot install: ${missing[*]}"
}

# Configure and build a preset of the project, in the current folder.
build() { # PRESET FOLDER [CMAKE-OPTION]...
    local preset=$1 folder=$2 log=$2/build.log
    shift 2
    # a folder that is configured keeps its generator
    if [[ ! -f $folder/CMakeCache.txt ]] && command -v ninja >/dev/null; then
        set -- -G Ninja "$@"
    fi
    say "building ($preset, in $folder/)"
    mkdir -p -- "$folder"
    if ! { cmake --preset "$preset" "$@" && cmake --build "$folder" -j"$(nproc)"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        fail 2 "the build failed; $log has the whole output"
    fi
}
