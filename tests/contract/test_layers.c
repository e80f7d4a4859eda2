/*
 * layers: what every channelwise layer must do, whatever it computes. On some channels it gives
 * the bits it gives on all; on tiles those it gives on the whole; its backward pass is the
 * derivative of its forward pass. And what each layer is in particular.
 *
 * Tolerance of derivatives: values are odd multiples of 1/64 below 2 and the step is 1/128, so no
 * ReLU crosses its kink and only dropout's scale rounds: u max|y| 2 / step = 2^-24 4 256 = 6e-5.
 */
#include "values.h"

#include "colrow/net.h"

enum { H = 2, W = 3, C = 37, SAMPLES = 5, ROWS = SAMPLES * H * W, COUNT = ROWS * C, KEPT = 13 };

static const double STEP = 1.0 / 128;
static const double DERIVATIVE = 1e-4;

static const int some[KEPT] = {0, 1, 4, 5, 6, 9, 15, 16, 20, 27, 31, 35, 36};

static cr_layer layer_of(const cr_layer_type *type)
{
    cr_layer layer = {
        .type = type, .name = "it", .index = 3, .in = {H, W, C}, .out = {1, 1, 9}, .rate = 0.3};
    ASSERT_OK(type->shape(&layer));
    return layer;
}

/* One parameter array for all layers here. */
static float parameters[COUNT];

static cr_pass training_pass(void)
{
    values_dyadic(parameters, COUNT, 8);
    return (cr_pass){
        .parameters = parameters, .seed = 5, .step = 2, .first_sample = 40, .training = true};
}

static const cr_tile everything = {.rows = ROWS, .k = C};
static const cr_tile picked = {.rows = ROWS, .k = KEPT, .index = some};

/* out [ROWS, KEPT] = the picked channels of x [ROWS, C] */
static void take(float *out, const float *x)
{
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < KEPT; j++)
            out[r * KEPT + j] = x[r * C + some[j]];
}

/* dy in place; y the layer's output. */
static void go_back(const cr_layer *layer, const cr_pass *pass, float *dy, const float *y,
                    const cr_tile *tile)
{
    const cr_channelwise *type = layer->type->channelwise;
    if (type->backward != NULL)
        type->backward(layer, pass, dy, type->keeps_output ? y : NULL, tile);
}

static void for_each_channelwise(void (*check)(const cr_layer *layer, const cr_pass *pass))
{
    for (int i = 0; cr_layer_types[i] != NULL; i++) {
        if (cr_layer_types[i]->channelwise == NULL)
            continue;
        cr_layer layer = layer_of(cr_layer_types[i]);
        cr_pass pass = training_pass();
        check(&layer, &pass);
    }
}

/* ---- every channelwise layer ----------------------------------------------------------------- */

static void check_compact(const cr_layer *layer, const cr_pass *pass)
{
    static float y[COUNT], dy[COUNT], kept[COUNT], expected[COUNT], dkept[COUNT];
    values_dyadic(y, COUNT, 1);
    values_dyadic(dy, COUNT, 2);
    take(kept, y);
    take(dkept, dy);
    layer->type->channelwise->forward(layer, pass, y, &everything);
    layer->type->channelwise->forward(layer, pass, kept, &picked);
    take(expected, y);
    assert_same_bits(kept, expected, ROWS * KEPT);
    go_back(layer, pass, dy, y, &everything);
    go_back(layer, pass, dkept, kept, &picked);
    take(expected, dy);
    assert_same_bits(dkept, expected, ROWS * KEPT);
}

static void compact_is_full_then_gathered(void **state)
{
    (void)state;
    for_each_channelwise(check_compact);
}

static void check_tiles_of(const cr_layer *layer, const cr_pass *pass, const cr_tile *whole,
                           int size)
{
    static float y[COUNT], tiled[COUNT], dy[COUNT], dtiled[COUNT];
    int count = whole->rows * whole->k;
    values_dyadic(y, count, 1);
    values_dyadic(tiled, count, 1);
    values_dyadic(dy, count, 2);
    values_dyadic(dtiled, count, 2);
    layer->type->channelwise->forward(layer, pass, y, whole);
    go_back(layer, pass, dy, y, whole);
    for (int first = 0; first < whole->rows; first += size) {
        int left = whole->rows - first;
        cr_tile tile = {first, left < size ? left : size, whole->k, whole->index};
        float *at = tiled + first * whole->k;
        layer->type->channelwise->forward(layer, pass, at, &tile);
        go_back(layer, pass, dtiled + first * whole->k, at, &tile);
    }
    assert_same_bits(tiled, y, count);
    assert_same_bits(dtiled, dy, count);
}

static void check_tiles(const cr_layer *layer, const cr_pass *pass)
{
    static const int sizes[] = {1, 7, 16, ROWS};
    for (int i = 0; i < 4; i++) {
        check_tiles_of(layer, pass, &everything, sizes[i]);
        check_tiles_of(layer, pass, &picked, sizes[i]);
    }
}

static void tiles_equal_the_whole(void **state)
{
    (void)state;
    for_each_channelwise(check_tiles);
}

/* sum of g y(x), for the derivative of everything at once */
static double weighted(const cr_layer *layer, const cr_pass *pass, const float *x, const float *g)
{
    static float y[COUNT];
    double sum = 0;
    memcpy(y, x, sizeof y);
    layer->type->channelwise->forward(layer, pass, y, &everything);
    for (int i = 0; i < COUNT; i++)
        sum += (double)g[i] * y[i];
    return sum;
}

/* Central difference of `weighted` in *value, which lies in x or in the parameters. */
static double slope(const cr_layer *layer, const cr_pass *pass, const float *x, const float *g,
                    float *value)
{
    float before = *value;
    *value = before + (float)STEP;
    double above = weighted(layer, pass, x, g);
    *value = before - (float)STEP;
    double below = weighted(layer, pass, x, g);
    *value = before;
    return (above - below) / (2 * STEP);
}

static void check_derivatives(const cr_layer *layer, const cr_pass *pass)
{
    static float x[COUNT], y[COUNT], g[COUNT], dx[COUNT];
    values_dyadic(x, COUNT, 1);
    values_uniform(g, COUNT, 2);
    memcpy(y, x, sizeof y);
    memcpy(dx, g, sizeof dx);
    layer->type->channelwise->forward(layer, pass, y, &everything);
    go_back(layer, pass, dx, y, &everything);
    for (int i = 0; i < COUNT; i += 3) /* coprime to C and H W: all channels and positions */
        ASSERT_NEAR(dx[i], slope(layer, pass, x, g, &x[i]), DERIVATIVE);
    if (layer->type->channelwise->parameter_gradient == NULL)
        return;
    float dp[C];
    values_poison(dp, C);
    layer->type->channelwise->parameter_gradient(dp, g, &everything, false);
    for (int c = 0; c < C; c++)
        ASSERT_NEAR(dp[c], slope(layer, pass, x, g, &parameters[layer->parameters[0].offset + c]),
                    DERIVATIVE);
}

static void backward_is_the_derivative(void **state)
{
    (void)state;
    for_each_channelwise(check_derivatives);
}

/* On picked channels, and added to what was there: the sum is rounded once, u |sum| <= 60 u. */
static void check_parameters(const cr_layer *layer, const cr_pass *pass)
{
    static float dy[COUNT], kept[COUNT];
    float all[C], some_of[KEPT];
    (void)pass;
    if (layer->type->channelwise->parameter_gradient == NULL)
        return;
    values_uniform(dy, COUNT, 4);
    take(kept, dy);
    layer->type->channelwise->parameter_gradient(all, dy, &everything, false);
    layer->type->channelwise->parameter_gradient(some_of, kept, &picked, false);
    for (int j = 0; j < KEPT; j++)
        assert_true(some_of[j] == all[some[j]]);
    layer->type->channelwise->parameter_gradient(some_of, kept, &picked, true);
    for (int j = 0; j < KEPT; j++)
        ASSERT_NEAR(some_of[j], 2 * (double)all[some[j]], 4e-6);
    cr_tile none = {.rows = 0, .k = C};
    layer->type->channelwise->parameter_gradient(all, dy, &none, false);
    for (int c = 0; c < C; c++)
        assert_true(all[c] == 0);
}

static void parameter_gradients_are_compact_and_add_up(void **state)
{
    (void)state;
    for_each_channelwise(check_parameters);
}

/* ---- dropout --------------------------------------------------------------------------------- */

enum { MANY = 256 * 200 };

/* The mask of a pass over ones. */
static void dropout_mask(float *y, cr_pass pass, int index, int first_row, int rows)
{
    cr_layer layer = {.type = cr_layer_type_find("dropout"),
                      .name = "it",
                      .index = index,
                      .in = {1, 1, 200},
                      .rate = 0.3};
    cr_tile tile = {first_row, rows, 200, NULL};
    for (int i = 0; i < rows * 200; i++)
        y[i] = 1;
    layer.type->channelwise->forward(&layer, &pass, y, &tile);
}

/* Standard errors over 51200 values: 0.0020 of the share, sqrt(0.3 / 0.7 / 51200) of the mean. */
static void dropout_drops_its_share_and_keeps_the_mean(void **state)
{
    (void)state;
    static float y[MANY];
    double mean = 0, dropped = 0;
    dropout_mask(y, training_pass(), 3, 0, 256);
    for (int i = 0; i < MANY; i++) {
        assert_true(y[i] == 0 || fabs(y[i] - 1 / 0.7) < 1e-6);
        mean += y[i] / (double)MANY;
        dropped += (y[i] == 0) / (double)MANY;
    }
    ASSERT_NEAR(dropped, 0.3, 4 * 0.0020);
    ASSERT_NEAR(mean, 1.0, 4 * 0.0029);
}

/* Two independent masks agree on 0.3^2 + 0.7^2 = 0.58 of the values. */
static void assert_unlike(const float *a, const float *b)
{
    double same = 0;
    for (int i = 0; i < MANY; i++)
        same += (a[i] == b[i]) / (double)MANY;
    ASSERT_NEAR(same, 0.58, 4 * 0.0022);
}

static void dropout_is_keyed_by_seed_step_layer_and_sample(void **state)
{
    (void)state;
    static float y[MANY], other[MANY];
    cr_pass pass = training_pass();
    dropout_mask(y, pass, 3, 0, 256);
    dropout_mask(other, pass, 4, 0, 256);
    assert_unlike(y, other);
    cr_pass changed = pass;
    changed.seed++;
    dropout_mask(other, changed, 3, 0, 256);
    assert_unlike(y, other);
    changed = pass;
    changed.step++;
    dropout_mask(other, changed, 3, 0, 256);
    assert_unlike(y, other);
    changed = pass;
    changed.first_sample++; /* the same samples, one row further on */
    dropout_mask(other, changed, 3, 0, 255);
    assert_same_bits(other, y + 200, 255 * 200);
    dropout_mask(other, pass, 3, 100, 50); /* a tile of them */
    assert_same_bits(other, y + 100 * 200, 50 * 200);
}

static void dropout_does_nothing_when_evaluating(void **state)
{
    (void)state;
    static float y[MANY];
    cr_pass pass = training_pass();
    pass.training = false;
    dropout_mask(y, pass, 3, 0, 256);
    for (int i = 0; i < MANY; i++)
        assert_true(y[i] == 1);
}

static void dropout_of_everything_is_refused(void **state)
{
    (void)state;
    cr_layer layer = {.type = cr_layer_type_find("dropout"), .name = "it", .in = {1, 1, 4}};
    layer.rate = 1;
    ASSERT_FAILS(layer.type->shape(&layer), CR_BAD_CONFIG, "layer it: expected a dropout rate");
}

/* A NaN is not hidden by ReLU's comparison. */
static void relu_keeps_a_nan(void **state)
{
    (void)state;
    float y[4] = {-1, NAN, 0, 2};
    cr_layer layer = layer_of(cr_layer_type_find("relu"));
    cr_pass pass = training_pass();
    layer.type->channelwise->forward(&layer, &pass, y, &(cr_tile){.rows = 2, .k = 2});
    assert_true(y[0] == 0 && isnan(y[1]) && y[2] == 0 && y[3] == 2);
}

static void layer_types_are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; cr_layer_types[i] != NULL; i++) {
        const cr_layer_type *type = cr_layer_types[i];
        assert_ptr_equal(cr_layer_type_find(type->name), type);
        assert_string_equal(cr_layer_type_names()[i], type->name);
        assert_int_equal(
            (type->channelwise != NULL) + (type->contraction != NULL) + (type->loss != NULL), 1);
    }
    assert_null(cr_layer_type_find("tense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact_is_full_then_gathered),
        cmocka_unit_test(tiles_equal_the_whole),
        cmocka_unit_test(backward_is_the_derivative),
        cmocka_unit_test(parameter_gradients_are_compact_and_add_up),
        cmocka_unit_test(dropout_drops_its_share_and_keeps_the_mean),
        cmocka_unit_test(dropout_is_keyed_by_seed_step_layer_and_sample),
        cmocka_unit_test(dropout_does_nothing_when_evaluating),
        cmocka_unit_test(dropout_of_everything_is_refused),
        cmocka_unit_test(relu_keeps_a_nan),
        cmocka_unit_test(layer_types_are_found_by_name),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
