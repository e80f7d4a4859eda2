/*
 * layers: what every channelwise layer must do, whatever it computes. On some channels it gives
 * the bits it gives on all; on tiles those it gives on the whole; its backward pass is the
 * derivative of its forward pass, statistics over the rows included. And what each layer is in
 * particular (unit/test_dropout.c, unit/test_batch_norm.c).
 *
 * Tolerance of derivatives: values are odd multiples of 1/64 below 2 and the step is 1/128, so no
 * ReLU crosses its kink and only scales round: dropout's u max|y| 2 / step = 2^-24 4 256 = 6e-5,
 * batch norm's in all rows of a channel, u max|y| sqrt(30) / step = 2e-4.
 */
#include "values.h"

#include "colrow/net.h"

enum { H = 2, W = 3, C = 37, SAMPLES = 5, ROWS = SAMPLES * H * W, COUNT = ROWS * C, KEPT = 13 };

static const double STEP = 1.0 / 128;
static const double DERIVATIVE = 2e-4;

static const int some[KEPT] = {0, 1, 4, 5, 6, 9, 15, 16, 20, 27, 31, 35, 36};

/* A layer with the memory that a net gives it. */
static cr_layer layer_of(const cr_layer_type *type)
{
    static float factors[2 * C], lines[3 * C];
    static double moments[3 * C];
    cr_layer layer = {.type = type,
                      .name = "it",
                      .index = 3,
                      .in = {H, W, C},
                      .plan = {.rate = 0.3, .slope = 0.25, .epsilon = 0.125, .momentum = 0.9},
                      .factors = factors,
                      .moments = moments,
                      .lines = lines};
    ASSERT_OK(type->shape(&layer));
    for (int i = 0; i < layer.parameter_count; i++)
        layer.parameters[i].offset = (int64_t)i * C;
    return layer;
}

/* One parameter array for all layers here. */
static float parameters[CR_LAYER_PARAMETERS * C];

static cr_pass training_pass(void)
{
    values_dyadic(parameters, CR_LAYER_PARAMETERS * C, 8);
    return (cr_pass){.parameters = parameters,
                     .seed = 5,
                     .step = 2,
                     .first_sample = 40,
                     .training = true,
                     .observes = true};
}

static const cr_tile everything = {.rows = ROWS, .k = C, .of_rows = ROWS};
static const cr_tile picked = {.rows = ROWS, .k = KEPT, .index = some, .of_rows = ROWS};

/* out [ROWS, KEPT] = the picked channels of x [ROWS, C] */
static void take(float *out, const float *x)
{
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < KEPT; j++)
            out[r * KEPT + j] = x[r * C + some[j]];
}

/* ---- passes as a net makes them -------------------------------------------------------------- */

/* What comes before the first tile: statistics of x [ROWS, C], factors. */
static void prepare(cr_layer *layer, const cr_pass *pass, const float *x)
{
    double mean[C] = {0}, variance[C] = {0};
    for (int i = 0; i < COUNT; i++)
        mean[i % C] += (double)x[i] / ROWS;
    for (int i = 0; i < COUNT; i++)
        variance[i % C] += (x[i] - mean[i % C]) * (x[i] - mean[i % C]) / ROWS;
    if (layer->type->channelwise->observe != NULL)
        layer->type->channelwise->observe(layer, mean, variance, ROWS);
    if (layer->type->channelwise->prepare != NULL)
        layer->type->channelwise->prepare(layer, pass);
}

/* Tile number `number` of `whole` in tiles of `size` rows. */
static cr_tile tile_of(const cr_tile *whole, int number, int size)
{
    int left = whole->rows - number * size;
    return (cr_tile){number * size, left < size ? left : size, whole->k, whole->index,
                     whole->of_rows};
}

/* y in place, tile by tile */
static void go_forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *whole,
                       int size)
{
    for (int t = 0; t * size < whole->rows; t++) {
        cr_tile tile = tile_of(whole, t, size);
        layer->type->channelwise->forward(layer, pass, y + tile.first_row * whole->k, &tile);
    }
}

/* Parameter gradients, from sums over tiles of `size` rows; dp [2, C]. */
static void go_sideways(cr_layer *layer, const cr_pass *pass, float *dp, const float *dy,
                        const float *x, const cr_tile *whole, int size, bool accumulate)
{
    const cr_channelwise *type = layer->type->channelwise;
    float *const targets[CR_LAYER_PARAMETERS] = {dp, dp + C};
    double sums[2 * C] = {0};
    for (int t = 0; type->sum != NULL && t * size < whole->rows; t++) {
        cr_tile tile = tile_of(whole, t, size);
        int64_t start = tile.first_row * whole->k;
        cr_kept kept = {.x = type->keeps_input ? x + start : NULL};
        type->sum(sums, dy + start, &kept, &tile);
    }
    if (type->sum != NULL)
        type->parameter_gradient(layer, pass, targets, sums, whole, accumulate);
    if (type->prepare_backward != NULL)
        type->prepare_backward(layer, pass, sums, whole);
}

/* Then dy in place, tile by tile; x the layer's input, y its output. */
static void go_back(cr_layer *layer, const cr_pass *pass, float *dy, const float *x, const float *y,
                    const cr_tile *whole, int size)
{
    float dp[2 * C];
    const cr_channelwise *type = layer->type->channelwise;
    go_sideways(layer, pass, dp, dy, x, whole, size, false);
    for (int t = 0; type->backward != NULL && t * size < whole->rows; t++) {
        cr_tile tile = tile_of(whole, t, size);
        int64_t start = tile.first_row * whole->k;
        cr_kept kept = {.x = type->keeps_input ? x + start : NULL,
                        .y = type->keeps_output ? y + start : NULL};
        type->backward(layer, pass, dy + start, &kept, &tile);
    }
}

static void for_each_channelwise(void (*check)(cr_layer *layer, const cr_pass *pass))
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

static void check_compact(cr_layer *layer, const cr_pass *pass)
{
    static float x[COUNT], y[COUNT], dy[COUNT], expected[COUNT];
    static float kept_x[COUNT], kept_y[COUNT], kept_dy[COUNT];
    values_dyadic(x, COUNT, 1);
    values_dyadic(dy, COUNT, 2);
    memcpy(y, x, sizeof y);
    take(kept_x, x);
    take(kept_y, x);
    take(kept_dy, dy);
    prepare(layer, pass, x);
    go_forward(layer, pass, y, &everything, ROWS);
    go_forward(layer, pass, kept_y, &picked, ROWS);
    take(expected, y);
    assert_same_bits(kept_y, expected, ROWS * KEPT);
    go_back(layer, pass, dy, x, y, &everything, ROWS);
    go_back(layer, pass, kept_dy, kept_x, kept_y, &picked, ROWS);
    take(expected, dy);
    assert_same_bits(kept_dy, expected, ROWS * KEPT);
}

static void compact_is_full_then_gathered(void **state)
{
    (void)state;
    for_each_channelwise(check_compact);
}

static void check_tiles_of(cr_layer *layer, const cr_pass *pass, const cr_tile *whole, int size)
{
    static float x[COUNT], y[COUNT], tiled[COUNT], dy[COUNT], dtiled[COUNT];
    int count = whole->rows * whole->k;
    values_dyadic(x, COUNT, 1);
    values_dyadic(dy, count, 2);
    values_dyadic(dtiled, count, 2);
    prepare(layer, pass, x);
    memcpy(y, x, sizeof y);
    memcpy(tiled, x, sizeof tiled);
    go_forward(layer, pass, y, whole, ROWS);
    go_back(layer, pass, dy, x, y, whole, ROWS);
    go_forward(layer, pass, tiled, whole, size);
    go_back(layer, pass, dtiled, x, tiled, whole, size);
    assert_same_bits(tiled, y, count);
    assert_same_bits(dtiled, dy, count);
}

static void check_tiles(cr_layer *layer, const cr_pass *pass)
{
    static const int sizes[] = {1, 7, 16};
    for (int i = 0; i < 3; i++) {
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
static double weighted(cr_layer *layer, const cr_pass *pass, const float *x, const float *g)
{
    static float y[COUNT];
    double sum = 0;
    memcpy(y, x, sizeof y);
    prepare(layer, pass, x);
    go_forward(layer, pass, y, &everything, ROWS);
    for (int i = 0; i < COUNT; i++)
        sum += (double)g[i] * y[i];
    return sum;
}

/* Central difference of `weighted` in *value, which lies in x or in the parameters. */
static double slope(cr_layer *layer, const cr_pass *pass, const float *x, const float *g,
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

static void check_derivatives(cr_layer *layer, const cr_pass *pass)
{
    static float x[COUNT], y[COUNT], g[COUNT], dx[COUNT];
    float dp[2 * C];
    values_dyadic(x, COUNT, 1);
    values_uniform(g, COUNT, 2);
    values_poison(dp, 2 * C);
    memcpy(y, x, sizeof y);
    memcpy(dx, g, sizeof dx);
    prepare(layer, pass, x);
    go_forward(layer, pass, y, &everything, ROWS);
    go_sideways(layer, pass, dp, g, x, &everything, ROWS, false);
    go_back(layer, pass, dx, x, y, &everything, ROWS);
    for (int i = 0; i < COUNT; i += 3) /* coprime to C and H W: all channels and positions */
        ASSERT_NEAR(dx[i], slope(layer, pass, x, g, &x[i]), DERIVATIVE);
    for (int i = 0; i < layer->parameter_count; i++)
        for (int c = 0; c < C; c++)
            ASSERT_NEAR(dp[i * C + c], slope(layer, pass, x, g, &parameters[i * C + c]),
                        DERIVATIVE);
}

static void backward_is_the_derivative(void **state)
{
    (void)state;
    for_each_channelwise(check_derivatives);
}

/* On picked channels, and added to what was there: the sum is rounded once, u |sum| <= 60 u. */
static void check_parameters(cr_layer *layer, const cr_pass *pass)
{
    static float x[COUNT], dy[COUNT], kept_x[COUNT], kept_dy[COUNT];
    float all[2 * C], some_of[2 * C];
    if (layer->parameter_count == 0)
        return;
    values_dyadic(x, COUNT, 1);
    values_uniform(dy, COUNT, 4);
    take(kept_x, x);
    take(kept_dy, dy);
    prepare(layer, pass, x);
    go_sideways(layer, pass, all, dy, x, &everything, ROWS, false);
    go_sideways(layer, pass, some_of, kept_dy, kept_x, &picked, ROWS, false);
    for (int i = 0; i < layer->parameter_count; i++)
        for (int j = 0; j < KEPT; j++)
            assert_true(some_of[i * C + j] == all[i * C + some[j]]);
    go_sideways(layer, pass, some_of, kept_dy, kept_x, &picked, ROWS, true);
    for (int i = 0; i < layer->parameter_count; i++)
        for (int j = 0; j < KEPT; j++)
            ASSERT_NEAR(some_of[i * C + j], 2 * (double)all[i * C + some[j]], 4e-6);
    cr_tile none = {.rows = 0, .k = C};
    go_sideways(layer, pass, all, dy, x, &none, ROWS, false);
    for (int i = 0; i < layer->parameter_count * C; i++)
        assert_true(all[i] == 0);
}

static void parameter_gradients_are_compact_and_add_up(void **state)
{
    (void)state;
    for_each_channelwise(check_parameters);
}

/* ---- relu ------------------------------------------------------------------------------------ */

/* A NaN is not hidden by ReLU's comparison. */
static void relu_keeps_a_nan(void **state)
{
    (void)state;
    cr_layer layer = layer_of(cr_layer_type_find("relu"));
    cr_pass pass = training_pass();
    for (int leaks = 0; leaks < 2; leaks++) {
        float y[4] = {-1, NAN, 0, 2};
        layer.plan.slope = leaks == 1 ? 0.25 : 0;
        layer.type->channelwise->forward(&layer, &pass, y, &(cr_tile){.rows = 2, .k = 2});
        assert_true(y[0] == (leaks == 1 ? -0.25F : 0) && isnan(y[1]) && y[2] == 0 && y[3] == 2);
    }
}

/* By the output alone, which has the input's sign; at 0 the slope of the left. */
static void relu_sends_back_one_or_its_slope(void **state)
{
    (void)state;
    cr_layer layer = layer_of(cr_layer_type_find("relu"));
    cr_pass pass = training_pass();
    const float y[4] = {-0.5F, 3, 0, 1e-30F};
    const cr_kept kept = {.y = y};
    for (int leaks = 0; leaks < 2; leaks++) {
        float slope_of = leaks == 1 ? 0.25F : 0;
        float dy[4] = {8, 8, 8, 8};
        layer.plan.slope = slope_of;
        layer.type->channelwise->backward(&layer, &pass, dy, &kept, &(cr_tile){.rows = 1, .k = 4});
        assert_true(dy[0] == 8 * slope_of && dy[1] == 8 && dy[2] == 8 * slope_of && dy[3] == 8);
    }
}

static void layer_types_are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; cr_layer_types[i] != NULL; i++) {
        const cr_layer_type *type = cr_layer_types[i];
        assert_ptr_equal(cr_layer_type_find(type->name), type);
        assert_string_equal(cr_layer_type_names()[i], type->name);
        bool works = type->contraction != NULL || type->operation != NULL;
        assert_int_equal(works + (type->channelwise != NULL) + (type->mapping != NULL) +
                             (type->loss != NULL) + (type->expand != NULL),
                         1);
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
        cmocka_unit_test(relu_keeps_a_nan),
        cmocka_unit_test(relu_sends_back_one_or_its_slope),
        cmocka_unit_test(layer_types_are_found_by_name),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
