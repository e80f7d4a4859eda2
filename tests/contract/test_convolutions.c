/*
 * convolutions: every engine's three products against `reference` on random sizes; what `reference`
 * computes against shifted images and the adjoint identities; nothing read that was not given; the
 * same bits for 1, 2 and 3 threads.
 *
 * Tolerance: 1e-5 of the Frobenius norm. Sums of at most 7 x 7 x 70 products, or of 700 positions,
 * in float; Winograd's transforms multiply by up to 8 x 8 and cost two or three bits more.
 * Measured: at most 3.7e-6. With operands in bf16 each product is off by up to 2^-8 of itself;
 * measured: at most 2.5e-2, where a result is a single number whose products cancel.
 */
#include "engines.h"
#include "values.h"

static double tolerance(const cr_engine *engine)
{
    return engines_in_bf16(engine) ? 3e-2 : 1e-5;
}

enum { GUARD = 64, MARK = 12345 }; /* floats behind an array, which nobody writes */

/* ---- one convolution ---------------------------------------------------------------------------
 */

typedef struct trial {
    cr_conv_sizes sizes;
    float *x, *w, *y; /* [N, H, W, IN], [K, K, IN, OUT], [N, OH, OW, OUT]; y serves as dy */
} trial;

static int64_t inputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->h * s->w * s->in;
}

static int64_t outputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->oh * s->ow * s->out;
}

static int64_t weights(const cr_conv_sizes *s)
{
    return (int64_t)s->kernel * s->kernel * s->in * s->out;
}

/* Output side and padding before the image, as layers have them. */
static int output_side(int side, int kernel, int stride, bool same, int *pad)
{
    int out = same ? (side + stride - 1) / stride : (side - kernel + stride) / stride;
    int total = (out - 1) * stride + kernel - side;
    *pad = same && total > 0 ? total / 2 : 0;
    return out;
}

typedef struct dimensions {
    int n, h, w, in, out, kernel, stride;
    bool same;
} dimensions;

static cr_conv_sizes sizes_of(const dimensions *d)
{
    cr_conv_sizes s = {.n = d->n,
                       .h = d->h,
                       .w = d->w,
                       .in = d->in,
                       .out = d->out,
                       .kernel = d->kernel,
                       .stride = d->stride};
    s.oh = output_side(d->h, d->kernel, d->stride, d->same, &s.pad_top);
    s.ow = output_side(d->w, d->kernel, d->stride, d->same, &s.pad_left);
    return s;
}

static float *uniform(int64_t count, uint32_t which)
{
    float *at = values_new(count, sizeof(float));
    values_uniform(at, count, which);
    return at;
}

static trial trial_new(const cr_conv_sizes *s)
{
    return (trial){.sizes = *s,
                   .x = uniform(inputs(s), 1),
                   .w = uniform(weights(s), 2),
                   .y = uniform(outputs(s), 3)};
}

static void trial_free(trial *t)
{
    CR_FREE(t->x);
    CR_FREE(t->w);
    CR_FREE(t->y);
}

/* ---- the products ------------------------------------------------------------------------------
 */

/* NaN, with marks behind. */
static float *poisoned(int64_t count)
{
    float *at = values_new(count + GUARD, sizeof(float));
    values_poison(at, count);
    for (int i = 0; i < GUARD; i++)
        at[count + i] = MARK;
    return at;
}

static void check_guard(const float *at, int64_t count)
{
    for (int i = 0; i < GUARD; i++)
        assert_true(at[count + i] == MARK);
}

typedef struct product {
    const char *name;
    int64_t (*count)(const cr_conv_sizes *sizes);
    bool backward; /* which way weights are prepared */
    void (*run)(const cr_engine *engine, float *out, const trial *t, const float *prepared,
                void *work, bool accumulate);
} product;

static void run_forward(const cr_engine *e, float *y, const trial *t, const float *prepared,
                        void *work, bool accumulate)
{
    (void)accumulate;
    e->conv_forward(y, t->x, prepared, &t->sizes, work);
}

static void run_input_gradient(const cr_engine *e, float *dx, const trial *t, const float *prepared,
                               void *work, bool accumulate)
{
    (void)accumulate;
    e->conv_input_gradient(dx, t->y, prepared, &t->sizes, work);
}

static void run_weight_gradient(const cr_engine *e, float *dw, const trial *t,
                                const float *prepared, void *work, bool accumulate)
{
    (void)prepared;
    e->conv_weight_gradient(dw, t->x, t->y, &t->sizes, accumulate, work);
}

static const product products[] = {
    {"forward", outputs, false, run_forward},
    {"input gradient", inputs, true, run_input_gradient},
    {"weight gradient", weights, false, run_weight_gradient},
};

enum { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, PRODUCTS };

/* Run a product on `out` with prepared weights and work that held NaN, and marks behind them. */
static void run(const cr_engine *engine, const product *p, float *out, const trial *t,
                bool accumulate)
{
    int64_t prepared_count = engine->conv_prepared(&t->sizes, p->backward);
    size_t bytes = engine->conv_work(&t->sizes, cr_engine_threads());
    assert_true(bytes % sizeof(float) == 0);
    float *prepared = poisoned(prepared_count);
    float *work = poisoned((int64_t)(bytes / sizeof(float)));
    engine->conv_prepare(prepared, t->w, &t->sizes, p->backward);
    p->run(engine, out, t, prepared, work, accumulate);
    check_guard(prepared, prepared_count);
    check_guard(work, (int64_t)(bytes / sizeof(float)));
    CR_FREE(prepared);
    CR_FREE(work);
}

/* The product, into new memory that held NaN; the caller frees it. */
static float *result_of(const cr_engine *engine, const product *p, const trial *t)
{
    int64_t count = p->count(&t->sizes);
    float *out = poisoned(count);
    run(engine, p, out, t, false);
    check_guard(out, count);
    return out;
}

/* ---- against reference -------------------------------------------------------------------------
 */

static void check_close(const cr_engine *engine, const float *found, const float *expected,
                        const trial *t, const product *p)
{
    const cr_conv_sizes *s = &t->sizes;
    double gap = values_gap_float(found, expected, p->count(s));
    if (!(gap <= tolerance(engine)))
        fail_msg(
            "%s, %s: %s of [%d, %d, %d, %d] to [%d, %d, %d], kernel %d, stride %d: off by %.3g",
            engine->name, engine->precision, p->name, s->n, s->h, s->w, s->in, s->oh, s->ow, s->out,
            s->kernel, s->stride, gap);
}

/* dw + before, where `before` is what dw held. */
static void check_accumulate(const cr_engine *engine, const trial *t, const float *gradient)
{
    const product *p = &products[WEIGHT_GRADIENT];
    int64_t count = weights(&t->sizes);
    float *sum = uniform(count, 4);
    float *expected = uniform(count, 4);
    for (int64_t i = 0; i < count; i++)
        expected[i] += gradient[i];
    run(engine, p, sum, t, true);
    check_close(engine, sum, expected, t, p);
    CR_FREE(sum);
    CR_FREE(expected);
}

static void check_sizes(const dimensions *d)
{
    cr_conv_sizes sizes = sizes_of(d);
    trial t = trial_new(&sizes);
    for (int p = 0; p < PRODUCTS; p++) {
        float *expected = result_of(cr_engine_find("reference"), &products[p], &t);
        for (int e = 0; engines_at(e) != NULL; e++) {
            float *found = result_of(engines_at(e), &products[p], &t);
            check_close(engines_at(e), found, expected, &t, &products[p]);
            if (p == WEIGHT_GRADIENT)
                check_accumulate(engines_at(e), &t, expected);
            CR_FREE(found);
        }
        CR_FREE(expected);
    }
    trial_free(&t);
}

static int one_of(cr_random *random, const int *values, int count)
{
    return values[cr_random_below(random, (uint32_t)count)];
}

static dimensions random_dimensions(cr_random *random)
{
    static const int kernels[] = {1, 3, 3, 3, 5, 7};
    static const int strides[] = {1, 1, 1, 2, 3};
    static const int channels[] = {1, 3, 8, 15, 16, 17};
    dimensions d = {.n = (int)cr_random_below(random, 4),
                    .h = 1 + (int)cr_random_below(random, 13),
                    .w = 1 + (int)cr_random_below(random, 13),
                    .in = one_of(random, channels, 6),
                    .out = one_of(random, channels, 6),
                    .kernel = one_of(random, kernels, 6),
                    .stride = one_of(random, strides, 5)};
    bool valid = cr_random_below(random, 3) == 0 && d.h >= d.kernel && d.w >= d.kernel;
    d.same = !valid;
    return d;
}

static void random_sizes(void **state)
{
    (void)state;
    enum { TRIALS = 300 };
    cr_random random = values_random(5);
    for (int i = 0; i < TRIALS; i++) {
        dimensions d = random_dimensions(&random);
        check_sizes(&d);
    }
}

/* Every side of small images by Winograd's way: tiles that reach over the edges by 0 to 3. */
static void check_small_images(int kernel)
{
    for (int h = 1; h <= 13; h++)
        for (int w = 1; w <= 13; w += 3) {
            check_sizes(&(dimensions){2, h, w, 9, 11, kernel, 1, true});
            if (h >= kernel && w >= kernel)
                check_sizes(&(dimensions){2, h, w, 9, 11, kernel, 1, false});
        }
}

static void small_images(void **state)
{
    (void)state;
    check_small_images(3);
    check_small_images(5);
}

/* More channels than a register tile has columns, more tiles and positions than a block has. */
static void larger_sizes(void **state)
{
    (void)state;
    check_sizes(&(dimensions){2, 20, 21, 33, 70, 3, 1, true});
    check_sizes(&(dimensions){3, 16, 17, 70, 33, 3, 1, true});
    check_sizes(&(dimensions){1, 28, 28, 48, 32, 3, 1, false});
    check_sizes(&(dimensions){2, 20, 21, 33, 75, 5, 1, true});
    check_sizes(&(dimensions){3, 15, 17, 70, 33, 5, 1, false});
    check_sizes(&(dimensions){2, 24, 25, 20, 18, 5, 2, true});
    check_sizes(&(dimensions){3, 18, 19, 40, 35, 1, 1, true});
    check_sizes(&(dimensions){3, 18, 19, 40, 35, 1, 2, true});
    check_sizes(&(dimensions){2, 40, 40, 1, 5, 5, 1, true});
}

/* No images, no kept and no live channels: sums of nothing. */
static void empty_sizes(void **state)
{
    (void)state;
    for (int kernel = 1; kernel <= 5; kernel += 2) {
        check_sizes(&(dimensions){0, 6, 7, 9, 10, kernel, 1, true});
        check_sizes(&(dimensions){2, 6, 7, 0, 10, kernel, 1, true});
        check_sizes(&(dimensions){2, 6, 7, 9, 0, kernel, 1, true});
    }
}

/* ---- what a convolution is ---------------------------------------------------------------------
 */

/* x shifted: the forward product with a kernel that is 1 at one tap, for one channel. */
static float shifted(const trial *t, int64_t position, int tap)
{
    const cr_conv_sizes *s = &t->sizes;
    int b = (int)(position / ((int64_t)s->oh * s->ow));
    int row = (int)(position / s->ow % s->oh) * s->stride + tap / s->kernel - s->pad_top;
    int column = (int)(position % s->ow) * s->stride + tap % s->kernel - s->pad_left;
    if (row < 0 || row >= s->h || column < 0 || column >= s->w)
        return 0;
    return t->x[(((int64_t)b * s->h + row) * s->w + column) * s->in];
}

static void check_tap(const cr_engine *engine, trial *t, int tap)
{
    const cr_conv_sizes *s = &t->sizes;
    memset(t->w, 0, (size_t)weights(s) * sizeof(float));
    t->w[(int64_t)tap * s->in * s->out + s->out - 1] = 1; /* input channel 0 to the last output */
    float *y = result_of(engine, &products[FORWARD], t);
    for (int64_t position = 0; position < outputs(s) / s->out; position++)
        for (int o = 0; o < s->out; o++)
            ASSERT_NEAR(y[position * s->out + o], o == s->out - 1 ? shifted(t, position, tap) : 0,
                        tolerance(engine));
    CR_FREE(y);
}

static void one_tap_shifts_the_image(void **state)
{
    (void)state;
    static const dimensions all[] = {{2, 6, 9, 8, 8, 3, 1, true},
                                     {2, 6, 9, 8, 8, 3, 1, false},
                                     {2, 6, 9, 3, 2, 3, 2, true},
                                     {1, 5, 8, 2, 3, 5, 1, true}};
    for (int i = 0; i < 4; i++) {
        cr_conv_sizes sizes = sizes_of(&all[i]);
        trial t = trial_new(&sizes);
        for (int e = 0; engines_at(e) != NULL; e++)
            for (int tap = 0; tap < sizes.kernel * sizes.kernel; tap++)
                check_tap(engines_at(e), &t, tap);
        trial_free(&t);
    }
}

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void check_dot(const cr_engine *engine, const trial *t, const char *what, double found,
                      double expected, double size)
{
    const cr_conv_sizes *s = &t->sizes;
    if (!(fabs(found - expected) <= tolerance(engine) * size))
        fail_msg("%s, %s: %s of [%d, %d, %d, %d] to [%d, %d, %d], kernel %d, stride %d: %.9g, "
                 "expected %.9g",
                 engine->name, engine->precision, what, s->n, s->h, s->w, s->in, s->oh, s->ow,
                 s->out, s->kernel, s->stride, found, expected);
}

/* <conv(x, w), y> = <x, input gradient> = <w, weight gradient> */
static void check_adjoint(const cr_engine *engine, const dimensions *d)
{
    cr_conv_sizes s = sizes_of(d);
    trial t = trial_new(&s);
    float *y = result_of(engine, &products[FORWARD], &t);
    float *dx = result_of(engine, &products[INPUT_GRADIENT], &t);
    float *dw = result_of(engine, &products[WEIGHT_GRADIENT], &t);
    double size = sqrt(dot(y, y, outputs(&s)) * dot(t.y, t.y, outputs(&s)));
    double expected = dot(y, t.y, outputs(&s));
    check_dot(engine, &t, "input gradient", dot(t.x, dx, inputs(&s)), expected, size);
    check_dot(engine, &t, "weight gradient", dot(t.w, dw, weights(&s)), expected, size);
    CR_FREE(y);
    CR_FREE(dx);
    CR_FREE(dw);
    trial_free(&t);
}

static void gradients_are_adjoint(void **state)
{
    (void)state;
    cr_random random = values_random(6);
    for (int i = 0; i < 100; i++) {
        dimensions d = random_dimensions(&random);
        for (int e = 0; engines_at(e) != NULL; e++)
            check_adjoint(engines_at(e), &d);
    }
}

/* ---- work and threads --------------------------------------------------------------------------
 */

/* A layer places its work once, for all images and channels, and then convolves fewer of them. */
static void work_serves_fewer_images_and_channels(void **state)
{
    (void)state;
    cr_random random = values_random(7);
    for (int i = 0; i < 300; i++) {
        dimensions d = random_dimensions(&random);
        cr_conv_sizes all = sizes_of(&d);
        cr_conv_sizes some = all;
        some.n = (int)cr_random_below(&random, (uint32_t)all.n + 1);
        some.in = (int)cr_random_below(&random, (uint32_t)all.in + 1);
        some.out = (int)cr_random_below(&random, (uint32_t)all.out + 1);
        for (int e = 0; engines_at(e) != NULL; e++)
            for (int threads = 1; threads <= 3; threads++)
                assert_true(engines_at(e)->conv_work(&some, threads) <=
                            engines_at(e)->conv_work(&all, threads));
    }
}

static void check_threads(const cr_engine *engine, const trial *t, const product *p)
{
    cr_engine_set_threads(1);
    float *one = result_of(engine, p, t);
    for (int threads = 2; threads <= 3; threads++) {
        cr_engine_set_threads(threads);
        float *more = result_of(engine, p, t);
        assert_same_bits(more, one, p->count(&t->sizes));
        CR_FREE(more);
    }
    cr_engine_set_threads(1);
    CR_FREE(one);
}

/* Few blocks of tiles, whose parts are shared out, and many, which are shared out whole; patches in
 * many blocks and in one. */
static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    static const dimensions all[] = {
        {1, 16, 17, 20, 24, 3, 1, true},  {3, 43, 44, 16, 17, 3, 1, true},
        {4, 30, 31, 12, 20, 3, 2, true},  {2, 28, 28, 8, 20, 5, 1, false},
        {3, 40, 40, 3, 5, 5, 1, true},    {3, 43, 44, 16, 17, 5, 1, true},
        {4, 16, 16, 140, 130, 1, 1, true}};
    const cr_engine *reference = cr_engine_find("reference");
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++) {
        cr_conv_sizes sizes = sizes_of(&all[i]);
        trial t = trial_new(&sizes);
        for (int e = 0; engines_at(e) != NULL; e++)
            for (int p = 0; p < PRODUCTS && engines_at(e) != reference; p++)
                check_threads(engines_at(e), &t, &products[p]);
        trial_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sizes),
        cmocka_unit_test(small_images),
        cmocka_unit_test(larger_sizes),
        cmocka_unit_test(empty_sizes),
        cmocka_unit_test(one_tap_shifts_the_image),
        cmocka_unit_test(gradients_are_adjoint),
        cmocka_unit_test(work_serves_fewer_images_and_channels),
        cmocka_unit_test(threads_do_not_change_the_bits),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
