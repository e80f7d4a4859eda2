/* kernel, dense: gathering and spreading kernels [taps, IN, OUT], and the products on compact
 * tensors, against naive loops. */
#include "values.h"

#include "../../src/net/chain.h"

enum { IN = 23, OUT = 19, ROWS = 11, KI = 7, KO = 5, MOST = 9 * IN * OUT };

static const double UNIT = 1.0 / (1 << 24);

/* A dense layer has one tap, a convolution K^2. */
static const struct {
    const char *type;
    int kernel, taps;
} kinds[] = {{"dense", 0, 1}, {"conv2d", 1, 1}, {"conv2d", 3, 9}};

enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct trial {
    cr_layer layer;
    const cr_contraction *type;
    cr_arena arena;
    cr_pick in, out;
    int rows; /* of the kernel */
    float w[MOST];
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

static void start(trial *t, int kind, bool scaled)
{
    static const int in[KI] = {0, 3, 4, 11, 12, 20, 22};
    static const int out[KO] = {1, 2, 9, 17, 18};
    bool dense = kinds[kind].kernel == 0;
    *t = (trial){.layer = {.type = cr_layer_type_find(kinds[kind].type),
                           .name = "it",
                           .in = {dense ? 1 : 6, dense ? 1 : 5, IN},
                           .plan = {.width = OUT, .kernel = kinds[kind].kernel, .stride = 1}}};
    t->type = t->layer.type->contraction;
    t->rows = kinds[kind].taps * IN;
    ASSERT_OK(t->layer.type->shape(&t->layer));
    ASSERT_OK(cr_arena_create(&t->arena, 4096));
    cr_pick_place(&t->in, IN, &t->arena);
    cr_pick_place(&t->out, OUT, &t->arena);
    choose(&t->in, in, KI, scaled);
    choose(&t->out, out, KO, false);
    values_uniform(t->w, MOST, 1);
}

static void kernels_have_their_taps(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        trial t;
        start(&t, kind, false);
        assert_int_equal(cr_kernel_taps(&t.layer), kinds[kind].taps);
        assert_int_equal(t.layer.parameters[0].count, t.rows * OUT);
        assert_int_equal(cr_parameter_row(&t.layer.parameters[0]), OUT);
        cr_arena_free(&t.arena);
    }
}

static void check_gather(int kind, bool scaled)
{
    static float kept[MOST], live[MOST];
    trial t;
    start(&t, kind, scaled);
    int taps = kinds[kind].taps;
    values_poison(kept, MOST);
    cr_kernel_gather(kept, t.w, &t.layer, &t.in);
    cr_kernel_gather_live(live, kept, (int64_t)taps * KI, OUT, &t.out);
    for (int row = 0; row < taps * KI; row++) {
        int j = row % KI;
        const float *from = t.w + (row / KI * IN + t.in.index[j]) * OUT;
        for (int o = 0; o < OUT; o++)
            assert_true(kept[row * OUT + o] == t.in.scale[j] * from[o]);
        for (int q = 0; q < KO; q++)
            assert_true(live[row * KO + q] == kept[row * OUT + t.out.index[q]]);
    }
    if (taps * KI * OUT < MOST)
        assert_true(isnan(kept[taps * KI * OUT]));
    cr_arena_free(&t.arena);
}

static void gather_takes_scaled_rows_and_live_columns(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        check_gather(kind, false);
        check_gather(kind, true);
    }
}

/* ---- spreading ------------------------------------------------------------------------------- */

/* Position of `value` among the pick's indices, -1: not kept. */
static int place_in(const cr_pick *pick, int value)
{
    for (int j = 0; j < pick->k; j++)
        if (pick->index[j] == value)
            return j;
    return -1;
}

/* Rows [first, first + rows) of the gradient; the block is never zero, the target is poisoned. */
static void check_spread(const trial *t, int first, int rows)
{
    static float dense[MOST], block[MOST];
    values_dyadic(block, MOST, 2);
    values_poison(dense, (int64_t)(rows + 1) * OUT < MOST ? (rows + 1) * OUT : MOST);
    cr_kernel_spread(dense, block, &t->layer, &t->in, &t->out, first, rows);
    for (int i = 0; i < rows; i++) {
        int tap = (first + i) / IN;
        int j = place_in(&t->in, (first + i) % IN);
        const float *from = block + (tap * t->in.k + j) * t->out.k; /* where j >= 0 */
        for (int o = 0; o < OUT; o++) {
            int q = place_in(&t->out, o);
            float expected = j >= 0 && q >= 0 ? t->in.scale[j] * from[q] : 0;
            assert_true(dense[i * OUT + o] == expected);
        }
    }
    if (rows < t->rows)
        assert_true(isnan(dense[rows * OUT]));
}

/* Pieces that begin and end anywhere, inside a tap and across taps. */
static void check_spread_pieces(const trial *t)
{
    check_spread(t, 0, t->rows);
    for (int first = 0; first<t->rows; first += t->rows> IN ? 5 : 1)
        for (int rows = 0; first + rows <= t->rows; rows += t->rows > IN ? 13 : 4)
            check_spread(t, first, rows);
}

static void spread_writes_the_kept_and_zeros(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (int scaled = 0; scaled < 2; scaled++) {
            trial t;
            start(&t, kind, scaled == 1);
            check_spread_pieces(&t);
            cr_pick_all(&t.out);
            check_spread_pieces(&t);
            cr_pick_all(&t.in);
            check_spread_pieces(&t);
            cr_arena_free(&t.arena);
        }
    }
}

/* The first kept row of a piece, and the kept ones behind it in the same tap, one by one. */
static void check_kept(const trial *t, int first, int rows)
{
    int64_t found_rows = rows;
    int found = (int)cr_kernel_kept(&t->in, first, &found_rows);
    int end = first + rows;
    int expected = first;
    while (expected < end && place_in(&t->in, expected % IN) < 0)
        expected++;
    int last = expected;
    while (last < end && place_in(&t->in, last % IN) >= 0 && last / IN == expected / IN)
        last++;
    assert_int_equal(found_rows, last - expected);
    if (found_rows > 0)
        assert_int_equal(found, expected);
}

static void kept_rows_are_found_from_anywhere(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        trial t;
        start(&t, kind, false);
        for (int first = 0; first < t.rows; first++)
            for (int rows = 1; first + rows <= t.rows; rows++)
                check_kept(&t, first, rows);
        cr_arena_free(&t.arena);
    }
}

/* ---- products and norms ---------------------------------------------------------------------- */

/* The three products in the dimensions of a sampled layer whose consumer samples too; bound: K + 1
 * roundings of sums of at most K terms below 1 (see contract/test_engines.c). */
static void dense_products_have_compact_shapes(void **state)
{
    (void)state;
    trial t;
    float x[ROWS * KI], w[KI * OUT], live[KI * KO], dy[ROWS * KO];
    float y[ROWS * OUT], dx[ROWS * KI], dw[KI * KO];
    start(&t, 0, false);
    const cr_contract c = {.layer = &t.layer,
                           .engine = cr_engine_find("reference"),
                           .samples = ROWS,
                           .k = KI,
                           .out = OUT,
                           .live = KO};
    values_uniform(x, ROWS * KI, 3);
    values_uniform(w, KI * OUT, 4);
    values_uniform(live, KI * KO, 5);
    values_uniform(dy, ROWS * KO, 6);
    t.type->forward(&c, y, x, w);
    t.type->input_gradient(&c, dx, dy, live);
    t.type->weight_gradient(&c, dw, x, dy, false);
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
    cr_arena_free(&t.arena);
}

/* |W_i|^2 over all taps and outputs. In double, summed in another order than here: 2^-53 times a
 * few terms. */
static void check_norms(int kind)
{
    trial t;
    double rows[9 * IN], piece[4], channels[IN];
    start(&t, kind, false);
    cr_kernel_row_norms(rows, t.w, t.rows, OUT);
    cr_kernel_row_norms(piece, t.w + 9 * OUT, 4, OUT);
    t.type->channel_norms(&t.layer, channels, rows);
    for (int i = 0; i < IN; i++) {
        double sum = 0;
        for (int tap = 0; tap < kinds[kind].taps; tap++)
            for (int o = 0; o < OUT; o++)
                sum += (double)t.w[(tap * IN + i) * OUT + o] * t.w[(tap * IN + i) * OUT + o];
        ASSERT_NEAR(channels[i], sum, 1e-14 * sum);
    }
    for (int i = 0; i < 4; i++) /* the optimizer measures pieces: the same bits */
        assert_true(piece[i] == rows[9 + i]);
    cr_arena_free(&t.arena);
}

static void norms_are_square_sums_of_channels(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        check_norms(kind);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static void dense_flattens_and_wants_a_width(void **state)
{
    (void)state;
    const cr_layer_type *type = cr_layer_type_find("dense");
    cr_layer layer = {.type = type, .name = "fc", .in = {2, 3, 5}, .plan = {.width = 4}};
    ASSERT_OK(type->shape(&layer));
    assert_int_equal(layer.in.c, 30);
    assert_int_equal(layer.out.c, 4);
    assert_int_equal(layer.parameters[0].count, 120);
    assert_true(layer.parameters[0].decay);
    layer.plan.width = 0;
    ASSERT_FAILS(type->shape(&layer), CR_BAD_CONFIG, "layer fc: expected a width");
}

/* SAME: ceil(H / stride), what is missing half before, the odd one behind; VALID: what fits. */
static void convolutions_have_these_shapes(void **state)
{
    (void)state;
    static const struct {
        int h, w, kernel, stride, valid, oh, ow, top, left;
    } cases[] = {
        {32, 32, 3, 1, 0, 32, 32, 1, 1}, {32, 31, 3, 2, 0, 16, 16, 0, 1},
        {7, 8, 5, 3, 0, 3, 3, 2, 1},     {1, 1, 3, 1, 0, 1, 1, 1, 1},
        {8, 8, 1, 2, 0, 4, 4, 0, 0},     {9, 8, 3, 2, 1, 4, 3, 0, 0},
        {5, 5, 5, 1, 1, 1, 1, 0, 0},     {4, 9, 1, 4, 0, 1, 3, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_layer layer = {.type = cr_layer_type_find("conv2d"),
                          .name = "it",
                          .in = {cases[i].h, cases[i].w, 3},
                          .plan = {.width = 6,
                                   .kernel = cases[i].kernel,
                                   .stride = cases[i].stride,
                                   .valid = cases[i].valid == 1}};
        ASSERT_OK(layer.type->shape(&layer));
        assert_int_equal(layer.out.h, cases[i].oh);
        assert_int_equal(layer.out.w, cases[i].ow);
        assert_int_equal(layer.out.c, 6);
        assert_int_equal(layer.pad_top, cases[i].top);
        assert_int_equal(layer.pad_left, cases[i].left);
        assert_int_equal(layer.parameters[0].fan_in, cases[i].kernel * cases[i].kernel * 3);
        assert_true(layer.parameters[0].decay);
    }
}

static void impossible_convolutions_are_refused(void **state)
{
    (void)state;
    static const struct {
        cr_layer_plan plan;
        const char *words;
    } cases[] = {
        {{.width = 4, .kernel = 2, .stride = 1}, "layer it: expected an odd kernel, found 2"},
        {{.width = 0, .kernel = 3, .stride = 1}, "layer it: expected a width of at least 1"},
        {{.width = 4, .kernel = 3, .stride = -1}, "layer it: expected a kernel and a stride"},
        {{.width = 1 << 24, .kernel = 13, .stride = 1}, "layer it: expected a smaller kernel"},
        {{.width = 4, .kernel = 7, .stride = 1, .valid = true},
         "layer it: expected a kernel of at most the image, 6 x 9, found 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_layer layer = {.type = cr_layer_type_find("conv2d"), .name = "it", .in = {6, 9, 3}};
        layer.plan = cases[i].plan;
        ASSERT_FAILS(layer.type->shape(&layer), CR_BAD_CONFIG, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_have_their_taps),
        cmocka_unit_test(gather_takes_scaled_rows_and_live_columns),
        cmocka_unit_test(spread_writes_the_kept_and_zeros),
        cmocka_unit_test(kept_rows_are_found_from_anywhere),
        cmocka_unit_test(dense_products_have_compact_shapes),
        cmocka_unit_test(norms_are_square_sums_of_channels),
        cmocka_unit_test(dense_flattens_and_wants_a_width),
        cmocka_unit_test(convolutions_have_these_shapes),
        cmocka_unit_test(impossible_convolutions_are_refused),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
