#!/usr/bin/env bash
# A draw, an optimizer rule and a layer are each one new file and no edit elsewhere: in a copy of the
# tree, the files `first.c`, `plain.c` and `rectify.c` become the configuration words `first`, `plain`
# and `rectify`.
#
#     test_variants.sh COMPILER
set -uo pipefail

COMPILER=${1:?usage: $0 COMPILER}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf -- "$WORK"' EXIT
export OMP_NUM_THREADS=1

# quietly COMMAND...: shows what it said only when it fails, and ends the test
quietly() {
    "$@" >"$WORK/log" 2>&1 && return
    tail -n 30 "$WORK/log"
    echo "FAIL: $*"
    exit 1
}

# the cheapest build there is: no tests, no optimization
configure() {
    cmake -S "$WORK/tree" -B "$WORK/build" -DCMAKE_C_COMPILER="$COMPILER" -DCOLROW_TESTS=OFF \
        -DCOLROW_ARCH= -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-Wno-unknown-pragmas
}

train() { # WORD of a draw, WORD of a rule
    "$WORK/build/colrow" train "$WORK/tree/configs/mlp-digits.yaml" -s epochs=0 -s steps=2 \
        -s sampling.ratio=0.25 -s sampling.draw="$1" -s optimizer.rule="$2" \
        -o "$WORK/run-$1-$2"
}

mkdir "$WORK/tree"
cp -r "$ROOT"/{CMakeLists.txt,src,include,configs,launch} "$WORK/tree/"
quietly configure
cat >"$WORK/tree/src/sample/draws/first.c" <<'C'
/* first: the first k channels, whatever their scores. */
#include "colrow/sample.h"

static void take(cr_pick *pick, const cr_draw_request *request)
{
    for (int j = 0; j < request->k; j++)
        pick->index[j] = j;
    cr_pick_scale(pick, request->k, 1);
}

const cr_draw cr_draw_first = {.name = "first", .draw = take};
C
sed 's/cr_optim_rule_sgd/cr_optim_rule_plain/; s/"sgd"/"plain"/' \
    "$ROOT/src/optim/rules/sgd.c" >"$WORK/tree/src/optim/rules/plain.c"
sed 's/cr_layer_type_relu/cr_layer_type_rectify/; s/"relu"/"rectify"/' \
    "$ROOT/src/net/layers/relu.c" >"$WORK/tree/src/net/layers/rectify.c"

# the build tree exists already: the build itself must notice the new files
quietly cmake --build "$WORK/build" --parallel 2 --target colrow
quietly train first plain
quietly train top sgd
"$WORK/build/colrow" train --keys | tr -s ' \n' ' ' >"$WORK/keys"
quietly grep -qF 'bernoulli, first, no_replacement' "$WORK/keys"

# a layer in a list, with its options
cat >"$WORK/list.yaml" <<'YAML'
network:
  model: layers
  layers: [dense: {features: 8}, rectify: {slope: 0.5}, dense: {features: 10}, softmax_cross_entropy]
data: {kind: digits}
steps: 1
learning_rate: {base: 0.1}
YAML
"$WORK/build/colrow" info "$WORK/list.yaml" >"$WORK/info"
quietly grep -q '^rectify_1 ' "$WORK/info"

# weights after two steps: the rule is the copy that it was, the draw another one than top
weights() {
    sed -n 's/.*"weights_hash": *"\([0-9a-f]*\)".*/\1/p' "$WORK/run-$1-$2/summary.json"
}
quietly train top plain
[[ -n $(weights top sgd) && $(weights top sgd) == "$(weights top plain)" ]] ||
    { echo "FAIL: 'plain' is not what 'sgd' is"; exit 1; }
[[ $(weights first plain) != "$(weights top plain)" ]] ||
    { echo "FAIL: 'first' drew what 'top' draws"; exit 1; }
echo "first, plain and rectify: built, accepted, used"
