/*
 * convolutions: every engine's three products against `reference` on random sizes; what `reference`
 * computes against shifted images and the adjoint identities; nothing read that was not given; the
 * same bits for 1, 2 and 3 threads.
 *
 * Tolerance: 1e-5 of the Frobenius norm. Sums of at most 7 x 7 x 70 products, or of 2304 positions,
 * in float; Winograd's transforms multiply by up to 8 x 8 and cost two or three bits more.
 * Measured: at most 3.7e-6.
 *
 * An engine in bf16 keeps this tolerance on operands that bf16 holds exactly, because its sums are
 * in float (measured: 3e-7). On others it rounds each by at most 2^-8 of itself, so each product by
 * 2^-7 and a little, and the result by 0.8% of the sum of the products' absolute values; a norm of
 * the result itself says nothing, since its products may cancel. Measured: at most 0.26%.
 */
#include "convolutions.h"
#include "engines.h"

static const double tolerance = 1e-5;
static const double rounding = 8e-3; /* of operands to bf16 */

/* ---- against reference -------------------------------------------------------------------------
 */

static void check_gap(const cr_engine *engine, const trial *t, const product *p, double gap,
                      double most)
{
    const cr_conv_sizes *s = &t->sizes;
    if (!(gap <= most))
        fail_msg(
            "%s, %s: %s of [%d, %d, %d, %d] to [%d, %d, %d], kernel %d, stride %d: off by %.3g",
            engine->name, engine->precision, p->name, s->n, s->h, s->w, s->in, s->oh, s->ow, s->out,
            s->kernel, s->stride, gap);
}

/* result + before, where `before` is what was there. */
static void check_accumulate(const cr_engine *engine, const trial *t, const product *p,
                             const float *result)
{
    int64_t count = p->count(&t->sizes);
    float *sum = uniform(count, 4);
    float *expected = uniform(count, 4);
    for (int64_t i = 0; i < count; i++)
        expected[i] += result[i];
    run(engine, p, sum, t, true);
    check_gap(engine, t, p, values_gap_float(sum, expected, count), tolerance);
    CR_FREE(sum);
    CR_FREE(expected);
}

/* On operands that the engine takes as they are. */
static void check_sums(const cr_engine *engine, const trial *t, const product *p,
                       const float *expected)
{
    float *found = result_of(engine, p, t);
    check_gap(engine, t, p, values_gap_float(found, expected, p->count(&t->sizes)), tolerance);
    if (p != &products[INPUT_GRADIENT])
        check_accumulate(engine, t, p, expected);
    CR_FREE(found);
}

/* On operands that the engine rounds: |found - expected| / |sums of absolute products| */
static void check_rounding(const cr_engine *engine, const trial *t, const product *p,
                           const float *expected)
{
    trial absolute = trial_map(t, magnitude);
    float *found = result_of(engine, p, t);
    float *sums = result_of(cr_engine_find("reference"), p, &absolute);
    double apart = 0, size = 0;
    for (int64_t i = 0; i < p->count(&t->sizes); i++) {
        apart += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
        size += (double)sums[i] * sums[i];
    }
    check_gap(engine, t, p, size > 0 ? sqrt(apart / size) : apart, rounding);
    CR_FREE(found);
    CR_FREE(sums);
    trial_free(&absolute);
}

static void check_product(const trial *t, const trial *exact, const product *p)
{
    const cr_engine *reference = cr_engine_find("reference");
    float *expected = result_of(reference, p, t);
    float *expected_exact = result_of(reference, p, exact);
    for (int e = 0; engines_at(e) != NULL; e++) {
        const cr_engine *engine = engines_at(e);
        bool rounds = engines_in_bf16(engine);
        check_sums(engine, rounds ? exact : t, p, rounds ? expected_exact : expected);
        if (rounds)
            check_rounding(engine, t, p, expected);
    }
    CR_FREE(expected);
    CR_FREE(expected_exact);
}

static void check_sizes(const dimensions *d)
{
    cr_conv_sizes sizes = sizes_of(d);
    trial t = trial_new(&sizes);
    trial exact = trial_map(&t, nearest);
    for (int p = 0; p < PRODUCTS; p++)
        check_product(&t, &exact, &products[p]);
    trial_free(&t);
    trial_free(&exact);
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

/* At stride 2 tiles that reach over the edges by 0 to 3, sides whose padding is all behind the
 * image (even) or as much before it (odd), none at all. */
static void small_images_of_stride_2(void **state)
{
    (void)state;
    static const int sides[] = {7, 8, 21, 22, 25, 26, 27, 28};
    enum { SIDES = sizeof sides / sizeof *sides };
    for (int i = 0; i < SIDES; i++)
        for (int j = 0; j < SIDES; j++)
            check_sizes(&(dimensions){2, sides[i], sides[j], 17, 19, 3, 2, true});
    check_sizes(&(dimensions){2, 33, 31, 17, 19, 3, 2, false});
    check_sizes(&(dimensions){2, 31, 34, 19, 17, 3, 2, false});
}

/* More channels than a register tile has columns, more tiles and positions than a block has; odd
 * numbers of channels, at which oneDNN's bf16 products end in half a pair. */
static void larger_sizes(void **state)
{
    (void)state;
    check_sizes(&(dimensions){2, 20, 21, 33, 70, 3, 1, true});
    check_sizes(&(dimensions){3, 16, 17, 70, 33, 3, 1, true});
    check_sizes(&(dimensions){1, 28, 28, 48, 32, 3, 1, false});
    check_sizes(&(dimensions){2, 32, 32, 33, 17, 3, 1, true}); /* 128 and 127 Winograd tiles */
    check_sizes(&(dimensions){127, 4, 4, 17, 33, 3, 1, true});
    check_sizes(&(dimensions){2, 20, 21, 33, 75, 5, 1, true});
    check_sizes(&(dimensions){3, 15, 17, 70, 33, 5, 1, false});
    check_sizes(&(dimensions){2, 24, 25, 20, 18, 5, 2, true});
    check_sizes(&(dimensions){3, 32, 31, 33, 70, 3, 2, true});
    check_sizes(&(dimensions){9, 31, 32, 70, 33, 3, 2, true});
    check_sizes(&(dimensions){3, 18, 19, 40, 35, 1, 1, true});
    check_sizes(&(dimensions){3, 18, 19, 40, 35, 1, 2, true});
    check_sizes(&(dimensions){2, 40, 40, 1, 5, 5, 1, true});
    check_sizes(&(dimensions){1, 7, 7, 67, 63, 7, 1, true});
    check_sizes(&(dimensions){1, 6, 5, 12, 37, 1, 1, true});
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
                        tolerance);
    CR_FREE(y);
}

static void one_tap_shifts_the_image(void **state)
{
    (void)state;
    static const dimensions all[] = {{2, 6, 9, 8, 8, 3, 1, true},
                                     {2, 6, 9, 8, 8, 3, 1, false},
                                     {2, 6, 9, 3, 2, 3, 2, true},
                                     {2, 8, 15, 16, 16, 3, 2, true},
                                     {1, 5, 8, 2, 3, 5, 1, true}};
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++) {
        cr_conv_sizes sizes = sizes_of(&all[i]);
        trial t = trial_exact(&sizes);
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
    if (!(fabs(found - expected) <= tolerance * size))
        fail_msg("%s, %s: %s of [%d, %d, %d, %d] to [%d, %d, %d], kernel %d, stride %d: %.9g, "
                 "expected %.9g",
                 engine->name, engine->precision, what, s->n, s->h, s->w, s->in, s->oh, s->ow,
                 s->out, s->kernel, s->stride, found, expected);
}

/* <conv(x, w), y> = <x, input gradient> = <w, weight gradient> */
static void check_adjoint(const cr_engine *engine, const dimensions *d)
{
    cr_conv_sizes s = sizes_of(d);
    trial t = trial_exact(&s);
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

/* A layer places its work and prepared weights once, for all images and channels, and then
 * convolves fewer of them. */
static void memory_serves_fewer_images_and_channels(void **state)
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
                assert_true(cr_conv_work(engines_at(e), &some, threads) <=
                            cr_conv_work(engines_at(e), &all, threads));
        for (int e = 0; engines_at(e) != NULL; e++)
            for (int backward = 0; backward < 2; backward++)
                assert_true(cr_conv_prepared(engines_at(e), &some, backward == 1) <=
                            cr_conv_prepared(engines_at(e), &all, backward == 1));
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
        {1, 16, 15, 20, 24, 3, 2, true},  {9, 32, 31, 16, 20, 3, 2, true},
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
        cmocka_unit_test(small_images_of_stride_2),
        cmocka_unit_test(larger_sizes),
        cmocka_unit_test(empty_sizes),
        cmocka_unit_test(one_tap_shifts_the_image),
        cmocka_unit_test(gradients_are_adjoint),
        cmocka_unit_test(memory_serves_fewer_images_and_channels),
        cmocka_unit_test(threads_do_not_change_the_bits),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
