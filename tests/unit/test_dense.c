/* dense: gathering, spreading and the products on compact tensors, against naive loops. */
#include "values.h"

#include "colrow/net.h"

enum { IN = 23, OUT = 19, ROWS = 11, KI = 7, KO = 5 };

static const double UNIT = 1.0 / (1 << 24);

typedef struct trial {
    cr_layer layer;
    const cr_contraction *type;
    cr_arena arena;
    cr_pick in, out;
    float w[IN * OUT];
} trial;

static void choose(cr_pick *pick, const int *index, int k, bool scaled)
{
    pick->k = k;
    pick->scaled = scaled;
    for (int j = 0; j < k; j++) {
        pick->index[j] = index[j];
        pick->scale[j] = scaled ? 0.75F + 0.5F * (float)j : 1;
    }
    cr_pick_seal(pick);
}

static void start(trial *t, bool scaled)
{
    static const int in[KI] = {0, 3, 4, 11, 12, 20, 22};
    static const int out[KO] = {1, 2, 9, 17, 18};
    *t = (trial){.layer = {.type = cr_layer_type_find("dense"),
                           .name = "fc",
                           .in = {1, 1, IN},
                           .out = {1, 1, OUT}}};
    t->type = t->layer.type->contraction;
    ASSERT_OK(t->layer.type->shape(&t->layer));
    ASSERT_OK(cr_arena_create(&t->arena, 4096));
    cr_pick_place(&t->in, IN, &t->arena);
    cr_pick_place(&t->out, OUT, &t->arena);
    choose(&t->in, in, KI, scaled);
    choose(&t->out, out, KO, false);
    values_uniform(t->w, IN * OUT, 1);
}

static void check_gather(bool scaled)
{
    trial t;
    float kept[KI * OUT], live[KI * KO];
    start(&t, scaled);
    t.type->gather(&t.layer, kept, t.w, &t.in);
    t.type->gather_live(&t.layer, live, kept, KI, &t.out);
    for (int j = 0; j < KI; j++) {
        for (int o = 0; o < OUT; o++)
            assert_true(kept[j * OUT + o] == t.in.scale[j] * t.w[t.in.index[j] * OUT + o]);
        for (int q = 0; q < KO; q++)
            assert_true(live[j * KO + q] == kept[j * OUT + t.out.index[q]]);
    }
    cr_arena_free(&t.arena);
}

static void gather_takes_scaled_rows_and_live_columns(void **state)
{
    (void)state;
    check_gather(false);
    check_gather(true);
}

/* Position of `value` among the pick's indices, -1: not kept. */
static int place_in(const cr_pick *pick, int value)
{
    for (int j = 0; j < pick->k; j++)
        if (pick->index[j] == value)
            return j;
    return -1;
}

/* Rows [first, first + rows) of the gradient; the block is never zero, the target is poisoned. */
static void check_spread(trial *t, int first, int rows)
{
    float dense[IN * OUT], block[IN * OUT];
    values_dyadic(block, IN * OUT, 2);
    values_poison(dense, IN * OUT);
    t->type->spread(&t->layer, dense, block, &t->in, &t->out, first, rows);
    for (int i = 0; i < rows; i++) {
        for (int o = 0; o < OUT; o++) {
            int j = place_in(&t->in, first + i);
            int q = place_in(&t->out, o);
            bool kept = j >= 0 && q >= 0;
            float expected = kept ? t->in.scale[j] * block[j * t->out.k + q] : 0;
            assert_true(dense[i * OUT + o] == expected);
        }
    }
    for (int i = rows * OUT; i < IN * OUT; i++)
        assert_true(isnan(dense[i]));
}

static void check_spread_pieces(trial *t)
{
    check_spread(t, 0, IN);
    for (int first = 0; first < IN; first++)
        for (int rows = 0; first + rows <= IN; rows += 4)
            check_spread(t, first, rows);
}

static void spread_writes_the_kept_and_zeros(void **state)
{
    (void)state;
    for (int scaled = 0; scaled < 2; scaled++) {
        trial t;
        start(&t, scaled == 1);
        check_spread_pieces(&t);
        cr_pick_all(&t.out);
        check_spread_pieces(&t);
        cr_pick_all(&t.in);
        check_spread_pieces(&t);
        cr_arena_free(&t.arena);
    }
}

/* The three products in the dimensions of a sampled layer whose consumer samples too; bound: K + 1
 * roundings of sums of at most K terms below 1 (see contract/test_engines.c). */
static void products_have_compact_shapes(void **state)
{
    (void)state;
    trial t;
    float x[ROWS * KI], w[KI * OUT], live[KI * KO], dy[ROWS * KO];
    float y[ROWS * OUT], dx[ROWS * KI], dw[KI * KO];
    const cr_engine *engine = cr_engine_find("reference");
    start(&t, false);
    values_uniform(x, ROWS * KI, 3);
    values_uniform(w, KI * OUT, 4);
    values_uniform(live, KI * KO, 5);
    values_uniform(dy, ROWS * KO, 6);
    t.type->forward(&t.layer, engine, y, x, w, ROWS, KI);
    t.type->input_gradient(&t.layer, engine, dx, dy, live, ROWS, KI, KO);
    t.type->weight_gradient(&t.layer, engine, dw, x, dy, ROWS, KI, KO, false);
    for (int b = 0; b < ROWS; b++) {
        for (int o = 0; o < OUT; o++) {
            double sum = 0;
            for (int j = 0; j < KI; j++)
                sum += (double)x[b * KI + j] * w[j * OUT + o];
            ASSERT_NEAR(y[b * OUT + o], sum, (KI + 1) * KI * UNIT);
        }
        for (int j = 0; j < KI; j++) {
            double sum = 0;
            for (int q = 0; q < KO; q++)
                sum += (double)dy[b * KO + q] * live[j * KO + q];
            ASSERT_NEAR(dx[b * KI + j], sum, (KO + 1) * KO * UNIT);
        }
    }
    for (int at = 0; at < KI * KO; at++) {
        double sum = 0;
        for (int b = 0; b < ROWS; b++)
            sum += (double)x[b * KI + at / KO] * dy[b * KO + at % KO];
        ASSERT_NEAR(dw[at], sum, (ROWS + 1) * ROWS * UNIT);
    }
    assert_int_equal(t.type->macs(&t.layer, KI, KO), KI * KO);
    cr_arena_free(&t.arena);
}

/* In double, summed in another order than here: 2^-53 times a few terms. */
static void norms_are_square_sums_of_rows(void **state)
{
    (void)state;
    trial t;
    double norms[IN], piece[4], channels[IN];
    start(&t, false);
    t.type->row_norms(&t.layer, norms, t.w, IN);
    t.type->row_norms(&t.layer, piece, t.w + 9 * OUT, 4);
    t.type->channel_norms(&t.layer, channels, norms);
    for (int i = 0; i < IN; i++) {
        double sum = 0;
        for (int o = 0; o < OUT; o++)
            sum += (double)t.w[i * OUT + o] * t.w[i * OUT + o];
        ASSERT_NEAR(channels[i], sum, 1e-14 * sum);
    }
    for (int i = 0; i < 4; i++) /* the optimizer measures pieces: the same bits */
        assert_true(piece[i] == norms[9 + i]);
    cr_arena_free(&t.arena);
}

static void shape_flattens_and_wants_a_width(void **state)
{
    (void)state;
    const cr_layer_type *type = cr_layer_type_find("dense");
    cr_layer layer = {.type = type, .name = "fc", .in = {2, 3, 5}, .out = {1, 1, 4}};
    ASSERT_OK(type->shape(&layer));
    assert_int_equal(layer.in.c, 30);
    assert_int_equal(layer.parameters[0].count, 120);
    assert_true(layer.parameters[0].decay);
    layer.out.c = 0;
    ASSERT_FAILS(type->shape(&layer), CR_BAD_CONFIG, "layer fc: expected a width");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_takes_scaled_rows_and_live_columns),
        cmocka_unit_test(spread_writes_the_kept_and_zeros),
        cmocka_unit_test(products_have_compact_shapes),
        cmocka_unit_test(norms_are_square_sums_of_rows),
        cmocka_unit_test(shape_flattens_and_wants_a_width),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
