#!/usr/bin/env bash
# What `cmake --install` makes: a program that runs where it was put, libraries and headers that
# other projects find through CMake and through pkg-config.
#
#     test_install.sh PROGRAM BUILD_FOLDER COMPILER [FLAGS]
#
# FLAGS: what consumers of the libraries must be compiled with (a sanitizer build needs its own).
BUILD=${2:?usage: $0 PROGRAM BUILD_FOLDER COMPILER [FLAGS]}
COMPILER=${3:?usage: $0 PROGRAM BUILD_FOLDER COMPILER [FLAGS]}
FLAGS=${4:-}
# shellcheck disable=SC2317 # functions that `run` calls
# shellcheck source=tests/support/e2e.sh
source "$(dirname "$0")/../support/e2e.sh"
PREFIX=$WORK/prefix
LIBDIR=$(cd "$BUILD" && sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' CMakeCache.txt)

# A program on the libraries: trains a step and prints the hash of the weights.
consumer() {
    mkdir -p "$WORK/consumer"
    cat >"$WORK/consumer/consumer.c" <<'C'
#include <colrow/train.h>
int main(int argc, char **argv)
{
    static cr_run_options options;
    const char *steps[] = {"epochs=0", "steps=1", "sampling.ratio=0.5"};
    cr_comm *comm = NULL;
    cr_run *run = NULL;
    if (cr_comm_create(&comm, &argc, &argv) != CR_OK || argc != 2 ||
        cr_options_load(&options, argv[1], steps, 3) != CR_OK ||
        cr_options_settle(&options, 1) != CR_OK || cr_run_create(&run, comm, &options) != CR_OK ||
        cr_run_train(run) != CR_OK)
        return 1;
    cr_print("hash %016llx\n", (unsigned long long)cr_run_weights_hash(run));
    cr_run_free(&run);
    cr_comm_free(&comm);
    return 0;
}
C
    cat >"$WORK/consumer/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(colrow 0.1 REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE colrow::train colrow::net)
C
}

# by_cmake, by_pkg_config: build it
by_cmake() {
    cmake -S "$WORK/consumer" -B "$WORK/by-cmake" -DCMAKE_PREFIX_PATH="$PREFIX" \
        -DCMAKE_C_COMPILER="$COMPILER" -DCMAKE_C_FLAGS="$FLAGS" &&
        cmake --build "$WORK/by-cmake" --parallel 2
}

by_pkg_config() {
    local words
    words=$(PKG_CONFIG_PATH=$PREFIX/$LIBDIR/pkgconfig pkg-config --cflags --libs colrow) || return
    # shellcheck disable=SC2086 # words and flags are lists
    "$COMPILER" $FLAGS -o "$WORK/by-pkg-config" "$WORK/consumer/consumer.c" $words
}

run 0 cmake --install "$BUILD" --prefix "$PREFIX"
consumer

# ---- the program, moved: it finds its data beside itself -------------------------------------------
mv "$PREFIX" "$WORK/elsewhere" && PREFIX=$WORK/elsewhere
COLROW=$PREFIX/bin/colrow
INSTALLED=$PREFIX/share/colrow
run 0 "$COLROW" train "$INSTALLED/configs/mlp-digits.yaml" -s epochs=0 -s steps=1 \
    -s sampling.ratio=0.5 -o "$WORK/run"
HASH=$(hash_of "$WORK/run")
: >"$WORK/empty"
for name in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte; do
    check "$name is installed" test -s "$INSTALLED/digits/$name.gz"
done
mv "$INSTALLED/digits" "$WORK/digits" && cp -r "$WORK/digits" "$INSTALLED/digits"
cp "$WORK/empty" "$INSTALLED/digits/train-images-idx3-ubyte.gz"
expect 3 "$INSTALLED/digits/train-images-idx3-ubyte.gz" "$COLROW" train \
    "$INSTALLED/configs/mlp-digits.yaml" -o "$WORK/damaged"
rm -r "$INSTALLED/digits" && mv "$WORK/digits" "$INSTALLED/digits"

# ---- what lies beside it ---------------------------------------------------------------------------
for header in "$ROOT"/include/colrow/*.h; do
    check "$header is installed" cmp "$header" "$PREFIX/include/colrow/$(basename "$header")"
done
for script in "$ROOT"/launch/{fetch-data,local}.sh; do
    check "$script is installed" test -x "$INSTALLED/launch/$(basename "$script")"
done
check "the notice that comes with the digits is installed" test -s "$INSTALLED/digits/README.md"

# ---- other projects --------------------------------------------------------------------------------
run 0 by_cmake
run 0 by_pkg_config
for program in "$WORK/by-cmake/consumer" "$WORK/by-pkg-config"; do
    run 0 "$program" "$INSTALLED/configs/mlp-digits.yaml"
    same "weights of $program" "$HASH" "$(sed -n 's/^hash //p' "$STDOUT")"
done
finish
