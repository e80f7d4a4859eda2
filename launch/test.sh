#!/usr/bin/env bash
# test: install what is missing, build, run all tests.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=launch/packages.sh
source launch/packages.sh

usage() {
    cat <<'END'
Usage: test.sh [--no-install] [CMAKE-OPTION]...

Install the Debian/Ubuntu packages that are missing (as root, or with sudo; it says which), build
colrow and its tests in build/, and run all tests. --no-install: use what is there.
Exit codes: 0 all tests passed, 1 some failed, 2 packages missing or build failed.
END
}

main() {
    local install=1
    case ${1:-} in
    -h | --help) usage && exit 0 ;;
    --no-install) install=0 && shift ;;
    esac
    [[ -z ${1:-} || $1 == -D* ]] || fail 2 "expected -DKEY=VALUE for CMake, found '$1' (--help)"
    [[ $install == 0 ]] || install_missing "${run_packages[@]}" "${test_packages[@]}"
    build release build -DCOLROW_TESTS=ON "$@"
    say "running all tests"
    ctest --test-dir build --output-on-failure -j"$(nproc)" || exit 1
}

main "$@"
