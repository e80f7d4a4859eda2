/*
 * mappings: max_pool, average_pool and zero_pad against loops over their definitions, on even and
 * odd images, SAME and VALID. Backward is the derivative of forward: it is linear around a point,
 * so <g, forward(x + step v) - forward(x - step v)> = 2 step <backward(g), v> for any g and v; on
 * some channels it gives the bits it gives on all.
 */
#include "values.h"

#include "colrow/net.h"

enum { SAMPLES = 3, MOST = SAMPLES * 13 * 13 * 40, KEPT = 4, C = 9 };

static const int some[KEPT] = {0, 3, 4, 8};

typedef struct geometry {
    int h, w, kernel, stride;
    bool valid;
    int oh, ow, top, left; /* worked out by hand */
} geometry;

static const geometry windows[] = {
    {6, 8, 2, 2, false, 3, 4, 0, 0},  {7, 5, 2, 2, false, 4, 3, 0, 0},
    {7, 5, 2, 2, true, 3, 2, 0, 0},   {7, 6, 3, 2, false, 4, 3, 1, 0},
    {9, 8, 3, 2, true, 4, 3, 0, 0},   {5, 5, 3, 1, false, 5, 5, 1, 1},
    {13, 4, 4, 3, false, 5, 2, 1, 1}, {1, 1, 3, 1, false, 1, 1, 1, 1},
    {8, 8, 8, 8, true, 1, 1, 0, 0},   {5, 7, 1, 3, false, 2, 3, 0, 0},
};

enum { WINDOWS = sizeof windows / sizeof *windows };

static cr_layer layer_of(const char *type, const geometry *g)
{
    cr_layer layer = {.type = cr_layer_type_find(type),
                      .name = "it",
                      .in = {g->h, g->w, C},
                      .plan = {.kernel = g->kernel, .stride = g->stride, .valid = g->valid}};
    ASSERT_OK(layer.type->shape(&layer));
    return layer;
}

static int64_t in_floats(const cr_layer *layer)
{
    return (int64_t)layer->in.h * layer->in.w * layer->in.c;
}

static int64_t out_floats(const cr_layer *layer)
{
    return (int64_t)layer->out.h * layer->out.w * layer->out.c;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Largest value and mean of what output (oh, ow) sees of channel c. */
static void look(const geometry *g, const float *x, int oh, int ow, int c, float *most,
                 double *mean)
{
    int seen = 0;
    *most = -INFINITY;
    *mean = 0;
    for (int tap = 0; tap < g->kernel * g->kernel; tap++) {
        int h = oh * g->stride - g->top + tap / g->kernel;
        int w = ow * g->stride - g->left + tap % g->kernel;
        if (h < 0 || h >= g->h || w < 0 || w >= g->w)
            continue;
        float value = x[(h * g->w + w) * C + c];
        *most = value > *most ? value : *most;
        *mean += value;
        seen++;
    }
    *mean /= seen;
}

/* Dyadic values: sums are exact, a mean is rounded kernel^2 + 1 times, each 2^-24 of 2 at most. */
static void check_pooling(const geometry *g)
{
    static float x[MOST], y[MOST], mean_y[MOST];
    cr_layer layer = layer_of("max_pool", g), other = layer_of("average_pool", g);
    assert_int_equal(layer.out.h, g->oh);
    assert_int_equal(layer.out.w, g->ow);
    assert_int_equal(layer.out.c, C);
    values_dyadic(x, SAMPLES * in_floats(&layer), 1);
    values_poison(y, MOST);
    values_poison(mean_y, MOST);
    layer.type->mapping->forward(&layer, y, x, SAMPLES);
    other.type->mapping->forward(&other, mean_y, x, SAMPLES);
    for (int64_t at = 0; at < SAMPLES * out_floats(&layer); at++) {
        float most = 0;
        double mean = 0;
        int place = (int)(at / C) % (g->oh * g->ow);
        look(g, x + at / out_floats(&layer) * in_floats(&layer), place / g->ow, place % g->ow,
             (int)(at % C), &most, &mean);
        assert_true(y[at] == most);
        ASSERT_NEAR(mean_y[at], mean, (g->kernel * g->kernel + 1) * 2 * 6e-8);
    }
    assert_true(isnan(y[SAMPLES * out_floats(&layer)]));
}

static void pooling_is_what_it_says(void **state)
{
    (void)state;
    for (int i = 0; i < WINDOWS; i++)
        check_pooling(&windows[i]);
}

/* Kernel 0 is a window as large as the image. */
static void kernel_0_pools_the_whole_image(void **state)
{
    (void)state;
    static float x[MOST], y[SAMPLES * C], expected[SAMPLES * C];
    const geometry whole = {8, 8, 8, 8, true, 1, 1, 0, 0}, global = {8, 8, 0, 1, false, 1, 1, 0, 0};
    cr_layer named = layer_of("average_pool", &whole), layer = layer_of("average_pool", &global);
    assert_int_equal(layer.out.h, 1);
    assert_int_equal(layer.out.w, 1);
    values_uniform(x, SAMPLES * in_floats(&layer), 1);
    named.type->mapping->forward(&named, expected, x, SAMPLES);
    layer.type->mapping->forward(&layer, y, x, SAMPLES);
    assert_same_bits(y, expected, SAMPLES * C);
    cr_layer oblong = {.type = layer.type, .name = "it", .in = {4, 6, C}, .plan = {.stride = 1}};
    ASSERT_FAILS(oblong.type->shape(&oblong), CR_BAD_CONFIG, "layer it: expected a square image");
}

/* A NaN in a window is not hidden by comparisons. */
static void max_pool_keeps_a_nan(void **state)
{
    (void)state;
    const geometry g = {2, 2, 2, 2, false, 1, 1, 0, 0};
    cr_layer layer = layer_of("max_pool", &g);
    for (int place = 0; place < 4; place++) {
        float x[4 * C], y[C];
        values_dyadic(x, 4 * C, 3);
        x[place * C + 2] = NAN;
        layer.type->mapping->forward(&layer, y, x, 1);
        assert_true(isnan(y[2]) && !isnan(y[1]));
    }
}

/* More channels than max_pool treats at a time: each gets what it gets alone. */
static void max_pool_treats_many_channels_one_by_one(void **state)
{
    (void)state;
    enum { MANY = 150, SIDE = 5, PLACES = SIDE * SIDE };
    static float x[PLACES * MANY], dy[9 * MANY], all[PLACES * MANY];
    cr_layer layer = {.type = cr_layer_type_find("max_pool"),
                      .name = "it",
                      .in = {SIDE, SIDE, MANY},
                      .plan = {.kernel = 2, .stride = 2}};
    ASSERT_OK(layer.type->shape(&layer));
    values_uniform(x, PLACES * MANY, 1);
    values_uniform(dy, 9 * MANY, 2);
    layer.type->mapping->backward(&layer, all, dy, x, &(cr_tile){.k = MANY}, 1);
    for (int c = 0; c < MANY; c++) {
        float mine[9], dx[PLACES];
        for (int at = 0; at < 9; at++)
            mine[at] = dy[at * MANY + c];
        layer.type->mapping->backward(&layer, dx, mine, x, &(cr_tile){.k = 1, .index = &c}, 1);
        for (int at = 0; at < PLACES; at++)
            assert_true(dx[at] == all[at * MANY + c]);
    }
}

/* ---- zero_pad -------------------------------------------------------------------------------- */

static cr_layer zero_pad_of(int size, int width, int stride)
{
    cr_layer layer = {.type = cr_layer_type_find("zero_pad"),
                      .name = "it",
                      .in = {size, size, C},
                      .plan = {.width = width, .stride = stride}};
    ASSERT_OK(layer.type->shape(&layer));
    return layer;
}

static void without_a_width_it_is_the_identity(void **state)
{
    (void)state;
    static float x[MOST], y[MOST];
    cr_layer layer = zero_pad_of(5, 0, 1);
    int64_t count = SAMPLES * in_floats(&layer);
    assert_int_equal(out_floats(&layer), in_floats(&layer));
    values_uniform(x, count, 1);
    layer.type->mapping->forward(&layer, y, x, SAMPLES);
    assert_same_bits(y, x, count);
    values_poison(y, count);
    const cr_tile all = {.k = C};
    layer.type->mapping->backward(&layer, y, x, NULL, &all, SAMPLES);
    assert_same_bits(y, x, count);
}

/* Channels of zeros before (the lesser half) and behind the averages of 2 x 2 positions. */
static void check_zero_pad(int size, int width, int stride)
{
    static float x[MOST], y[MOST], mean[MOST];
    cr_layer layer = zero_pad_of(size, width, stride);
    const geometry g = {size, size, stride, stride, true, 0, 0, 0, 0};
    cr_layer pool = layer_of("average_pool", &g);
    int before = (width - C) / 2;
    assert_int_equal(layer.out.h, size / stride);
    assert_int_equal(layer.out.c, width);
    values_dyadic(x, SAMPLES * in_floats(&layer), 1);
    values_poison(y, MOST);
    layer.type->mapping->forward(&layer, y, x, SAMPLES);
    pool.type->mapping->forward(&pool, mean, x, SAMPLES);
    for (int64_t at = 0; at < SAMPLES * out_floats(&layer); at++) {
        int c = (int)(at % width) - before;
        bool inside = c >= 0 && c < C;
        assert_true(y[at] == (inside ? mean[at / width * C + c] : 0));
    }
    assert_true(isnan(y[SAMPLES * out_floats(&layer)]));
}

static void zeros_lie_on_both_sides(void **state)
{
    (void)state;
    check_zero_pad(6, 2 * C, 1);
    check_zero_pad(6, 2 * C, 2);
    check_zero_pad(8, 40, 2);
    check_zero_pad(7, C, 2);
    check_zero_pad(4, C + 1, 4);
    cr_layer narrow = {.type = cr_layer_type_find("zero_pad"), .name = "it", .in = {4, 4, C}};
    narrow.plan = (cr_layer_plan){.width = C - 1, .stride = 1};
    ASSERT_FAILS(narrow.type->shape(&narrow), CR_BAD_CONFIG,
                 "layer it: expected at least the 9 channels of the input, found 8");
}

/* ---- backward -------------------------------------------------------------------------------- */

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Values of x are at least 1/32 apart (a permutation of multiples, where a window's largest is
 * asked for), so a step of 1/128 changes no choice. Rounding of y: 2^-24 2 / (2 step) of |g|. */
static void check_backward(const cr_layer *layer, const float *x)
{
    static float moved[MOST], above[MOST], below[MOST], g[MOST], v[MOST], dx[MOST];
    const float step = 1.0F / 128;
    const cr_tile all = {.k = C};
    const cr_mapping *mapping = layer->type->mapping;
    int64_t in = SAMPLES * in_floats(layer), out = SAMPLES * out_floats(layer);
    values_dyadic(g, out, 5);
    values_poison(dx, in);
    mapping->backward(layer, dx, g, mapping->keeps_input ? x : NULL, &all, SAMPLES);
    for (uint32_t trial = 0; trial < 20; trial++) {
        values_uniform(v, in, 70 + trial);
        for (int64_t i = 0; i < in; i++)
            v[i] = v[i] < 0 ? -step : step;
        for (int64_t i = 0; i < in; i++)
            moved[i] = x[i] + v[i];
        mapping->forward(layer, above, moved, SAMPLES);
        for (int64_t i = 0; i < in; i++)
            moved[i] = x[i] - v[i];
        mapping->forward(layer, below, moved, SAMPLES);
        double slope = (dot(g, above, out) - dot(g, below, out)) / 2;
        ASSERT_NEAR(dot(dx, v, in), slope, 1e-6 * (double)out);
    }
}

/* Multiples of 1/32, all different in each channel. */
static void fill_apart(float *x, int64_t count)
{
    cr_random random = values_random(9);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i / C) / 32;
    for (int64_t i = count / C - 1; i > 0; i--) {
        int64_t other = cr_random_below(&random, (uint32_t)i + 1);
        for (int c = 0; c < C; c++) {
            float held = x[i * C + c];
            int64_t with = (other + c) % (i + 1);
            x[i * C + c] = x[with * C + c];
            x[with * C + c] = held;
        }
    }
    for (int64_t i = 0; i < count; i++)
        x[i] -= (float)(count / C) / 64;
}

static void backward_is_the_derivative(void **state)
{
    (void)state;
    static float x[MOST];
    static const char *const types[] = {"max_pool", "average_pool"};
    for (int i = 0; i < WINDOWS; i++) {
        for (int t = 0; t < 2; t++) {
            cr_layer layer = layer_of(types[t], &windows[i]);
            fill_apart(x, SAMPLES * in_floats(&layer));
            check_backward(&layer, x);
        }
    }
    const cr_layer pads[] = {zero_pad_of(6, 2 * C, 2), zero_pad_of(7, 20, 2),
                             zero_pad_of(5, C + 1, 1)};
    for (int i = 0; i < 3; i++) {
        fill_apart(x, SAMPLES * in_floats(&pads[i]));
        check_backward(&pads[i], x);
    }
}

/* The gradient goes to the first of equal values, and to it alone. */
static void equal_values_send_to_the_first(void **state)
{
    (void)state;
    const geometry g = {4, 4, 2, 2, false, 2, 2, 0, 0};
    cr_layer layer = layer_of("max_pool", &g);
    float x[16 * C] = {0}, dy[4 * C], dx[16 * C];
    const cr_tile all = {.k = C};
    values_dyadic(dy, 4 * C, 1);
    layer.type->mapping->backward(&layer, dx, dy, x, &all, 1);
    for (int at = 0; at < 16 * C; at++) {
        int h = at / C / 4, w = at / C % 4;
        bool first = h % 2 == 0 && w % 2 == 0;
        assert_true(dx[at] == (first ? dy[(h / 2 * 2 + w / 2) * C + at % C] : 0));
    }
}

/* to [rows, KEPT] of from [rows, C] */
static void take(float *to, const float *from, int64_t rows)
{
    for (int64_t at = 0; at < rows * KEPT; at++)
        to[at] = from[at / KEPT * C + some[at % KEPT]];
}

static void check_compact(const cr_layer *layer)
{
    static float x[MOST], dy[MOST], dx[MOST], kept_dy[MOST], kept_dx[MOST], expected[MOST];
    int64_t in = SAMPLES * in_floats(layer), out = SAMPLES * out_floats(layer);
    const cr_tile all = {.k = C}, picked = {.k = KEPT, .index = some};
    values_uniform(x, in, 1);
    values_uniform(dy, out, 2);
    values_poison(kept_dx, in);
    take(kept_dy, dy, out / C);
    layer->type->mapping->backward(layer, dx, dy, x, &all, SAMPLES);
    layer->type->mapping->backward(layer, kept_dx, kept_dy, x, &picked, SAMPLES);
    take(expected, dx, in / C);
    assert_same_bits(kept_dx, expected, in / C * KEPT);
    assert_true(isnan(kept_dx[in / C * KEPT]));
}

static void compact_is_full_then_gathered(void **state)
{
    (void)state;
    for (int l = 0; cr_layer_types[l] != NULL; l++) {
        const cr_mapping *mapping = cr_layer_types[l]->mapping;
        for (int i = 0; mapping != NULL && mapping->channelwise && i < WINDOWS; i++) {
            cr_layer layer = layer_of(cr_layer_types[l]->name, &windows[i]);
            check_compact(&layer);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooling_is_what_it_says),
        cmocka_unit_test(kernel_0_pools_the_whole_image),
        cmocka_unit_test(max_pool_keeps_a_nan),
        cmocka_unit_test(max_pool_treats_many_channels_one_by_one),
        cmocka_unit_test(without_a_width_it_is_the_identity),
        cmocka_unit_test(zeros_lie_on_both_sides),
        cmocka_unit_test(backward_is_the_derivative),
        cmocka_unit_test(equal_values_send_to_the_first),
        cmocka_unit_test(compact_is_full_then_gathered),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
