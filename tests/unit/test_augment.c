/* augment: images against a slow twin that pads, cuts, flips and whitens one after another; the
 * distribution and the keys of what is chosen at random; what evaluation leaves alone. */
#include "check.h"
#include "values.h"

#include "colrow/data.h"

enum {
    H_MAX = 9,
    W_MAX = 17,
    C_MAX = 5,
    PAD_MAX = 8,
    IMAGE_MAX = H_MAX * W_MAX * C_MAX,
    COUNT = 64
};

/* ---- the twin -------------------------------------------------------------------------------- */

typedef struct choice {
    int top, left; /* of the cut in the padded image */
    bool flip;
} choice;

/* y [h, w, c] in double. Returns 1 / max(deviation, 1 / sqrt(n)), or 1 without whitening. */
static double twin(double *y, const uint8_t *image, const cr_data_part *p,
                   const cr_augment_options *options, choice how)
{
    static double padded[H_MAX + 2 * PAD_MAX][W_MAX + 2 * PAD_MAX][C_MAX];
    int n = p->h * p->w * p->c;
    double mean = 0, variance = 0;
    memset(padded, 0, sizeof padded);
    for (int i = 0; i < n; i++)
        padded[options->pad + i / p->c / p->w][options->pad + i / p->c % p->w][i % p->c] =
            image[i] / 255.0;
    for (int i = 0; i < n; i++) {
        int column = i / p->c % p->w;
        int from = how.flip ? p->w - 1 - column : column;
        y[i] = padded[how.top + i / p->c / p->w][how.left + from][i % p->c];
    }
    if (!options->whiten)
        return 1;
    for (int i = 0; i < n; i++)
        mean += y[i] / n;
    for (int i = 0; i < n; i++)
        variance += (y[i] - mean) * (y[i] - mean) / n;
    double scale = 1 / fmax(sqrt(variance), 1 / sqrt(n));
    for (int i = 0; i < n; i++)
        y[i] = (y[i] - mean) * scale;
    return scale;
}

/* Value / 255, mean, and their difference are each rounded by at most 2^-25, and |y| is at most
 * `scale`, itself and the product rounded by 2^-24 of it: together below 7 * 2^-25 * scale. */
static bool is_near(const float *x, const double *y, int n, double scale)
{
    for (int i = 0; i < n; i++)
        if (!(fabs(x[i] - y[i]) <= 7 * 0x1p-25 * scale))
            return false;
    return true;
}

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct samples {
    uint8_t values[COUNT * IMAGE_MAX];
    uint8_t labels[COUNT];
    float x[COUNT * IMAGE_MAX + 1];
    int y[COUNT];
    cr_data_part part;
} samples;

static samples *make_samples(int h, int w, int c)
{
    static samples s;
    cr_random random = values_random(5);
    for (int i = 0; i < COUNT * h * w * c; i++)
        s.values[i] = (uint8_t)cr_random_bits(&random);
    for (int i = 0; i < COUNT; i++)
        s.labels[i] = (uint8_t)i;
    s.part = (cr_data_part){.count = COUNT,
                            .h = h,
                            .w = w,
                            .c = c,
                            .classes = COUNT,
                            .values = s.values,
                            .labels = s.labels};
    return &s;
}

/* Which choice of all made this image? Exactly one must have. */
static choice find_choice(const float *x, const samples *s, int sample,
                          const cr_augment_options *options)
{
    static double y[IMAGE_MAX];
    int n = s->part.h * s->part.w * s->part.c;
    int places = 2 * options->pad + 1;
    int found = 0;
    choice right = {0};
    for (int i = 0; i < places * places * (options->flip ? 2 : 1); i++) {
        choice how = {i / 2 / places, i / 2 % places, i % 2 == 1};
        if (!options->flip)
            how = (choice){i / places, i % places, false};
        double scale = twin(y, s->values + sample * n, &s->part, options, how);
        if (!is_near(x, y, n, scale))
            continue;
        right = how;
        found++;
    }
    assert_int_equal(found, 1);
    return right;
}

static const cr_augment_options variants[] = {
    {.pad = 2},
    {.flip = true},
    {.whiten = true},
    {.pad = 1, .flip = true},
    {.pad = 3, .whiten = true},
    {.flip = true, .whiten = true},
    {.pad = 4, .flip = true, .whiten = true},
};

static void images_are_the_twins(void **state)
{
    (void)state;
    const int shapes[][3] = {{9, 17, 3}, {5, 5, 1}, {8, 6, 5}};
    for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++) {
        samples *s = make_samples(shapes[shape][0], shapes[shape][1], shapes[shape][2]);
        int n = s->part.h * s->part.w * s->part.c;
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
            const cr_data_view view = {
                .part = &s->part, .augment = &variants[v], .training = true, .seed = 3};
            s->x[7 * n] = -99;
            cr_data_fetch(s->x, s->y, &view, 5, 7);
            assert_true(s->x[7 * n] == -99); /* nothing more was written */
            for (int i = 0; i < 7; i++) {
                assert_int_equal(s->y[i], 5 + i);
                (void)find_choice(s->x + i * n, s, 5 + i, &variants[v]);
            }
        }
    }
}

/* ---- what is chosen -------------------------------------------------------------------------- */

/* 64 samples x 100 epochs on the 9 x 2 choices of pad 1 with flip: chi-square of 17 degrees of
 * freedom is below 46.2 with probability 1 - 1.6e-4. One table, so cut and flip are independent. */
static void choices_are_uniform(void **state)
{
    (void)state;
    enum { EPOCHS = 100, CELLS = 18 };
    const cr_augment_options options = {.pad = 1, .flip = true};
    samples *s = make_samples(4, 4, 1);
    double expected = (double)COUNT * EPOCHS / CELLS, chi_square = 0;
    int times[3][3][2] = {{{0}}}, flips = 0;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        const cr_data_view view = {
            .part = &s->part, .augment = &options, .training = true, .seed = 8, .epoch = epoch};
        cr_data_fetch(s->x, s->y, &view, 0, COUNT);
        for (int i = 0; i < COUNT; i++) {
            choice how = find_choice(s->x + i * 16, s, i, &options);
            times[how.top][how.left][how.flip]++;
            flips += how.flip;
        }
    }
    for (int i = 0; i < CELLS; i++)
        chi_square += pow(times[i / 6][i / 2 % 3][i % 2] - expected, 2) / expected;
    assert_true(chi_square < 46.2);
    ASSERT_NEAR(flips, COUNT * EPOCHS / 2, 4 * sqrt(COUNT * EPOCHS / 4.0));
}

/* The paper's pad of 2 reaches all 25 places, equally often: chi-square of 24 degrees of freedom is
 * below 58 with probability 1 - 1.2e-4. */
static void places_are_uniform(void **state)
{
    (void)state;
    enum { EPOCHS = 50, CELLS = 25 };
    const cr_augment_options options = {.pad = 2};
    samples *s = make_samples(5, 5, 1);
    double expected = (double)COUNT * EPOCHS / CELLS, chi_square = 0;
    int times[5][5] = {{0}};
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        const cr_data_view view = {
            .part = &s->part, .augment = &options, .training = true, .epoch = epoch};
        cr_data_fetch(s->x, s->y, &view, 0, COUNT);
        for (int i = 0; i < COUNT; i++) {
            choice how = find_choice(s->x + i * 25, s, i, &options);
            times[how.top][how.left]++;
        }
    }
    for (int i = 0; i < CELLS; i++)
        chi_square += pow(times[i / 5][i % 5] - expected, 2) / expected;
    assert_true(chi_square < 58);
}

static void fetch_all(float *x, samples *s, cr_data_view view)
{
    view.part = &s->part;
    view.training = true;
    cr_data_fetch(x, s->y, &view, 0, COUNT);
}

/* The same (seed, epoch, sample) gives the same bits whatever the batch, its order and what else is
 * switched on; another epoch or seed gives other images. */
static void choices_are_keyed(void **state)
{
    (void)state;
    enum { N = 8 * 8 * 3 };
    static float all[COUNT * N], other[COUNT * N];
    const cr_augment_options options = {.pad = 3, .flip = true, .whiten = true};
    samples *s = make_samples(8, 8, 3);
    uint32_t order[COUNT];
    cr_data_view view = {.augment = &options, .seed = 5, .epoch = 2};
    fetch_all(all, s, view);
    cr_data_order(order, COUNT, true, 1, 1);
    view.part = &s->part;
    view.training = true;
    view.order = order;
    for (int first = 0; first < COUNT; first += 4)
        cr_data_fetch(other + first * N, s->y, &view, first, 4);
    for (int i = 0; i < COUNT; i++)
        assert_same_bits(other + i * N, all + order[i] * N, N);
    fetch_all(other, s, (cr_data_view){.augment = &options, .seed = 5, .epoch = 3});
    assert_memory_not_equal(all, other, sizeof all);
    fetch_all(other, s, (cr_data_view){.augment = &options, .seed = 6, .epoch = 2});
    assert_memory_not_equal(all, other, sizeof all);

    const cr_augment_options cut = {.pad = 3}, both = {.pad = 3, .flip = true};
    fetch_all(all, s, (cr_data_view){.augment = &cut});
    fetch_all(other, s, (cr_data_view){.augment = &both});
    for (int i = 0; i < COUNT; i++) {
        choice a = find_choice(all + i * N, s, i, &cut);
        choice b = find_choice(other + i * N, s, i, &both);
        assert_true(a.top == b.top && a.left == b.left);
    }
}

/* ---- whitening and evaluation ---------------------------------------------------------------- */

static void whitened_images_have_mean_0_and_deviation_1(void **state)
{
    (void)state;
    enum { N = 9 * 9 * 3 };
    const cr_augment_options options = {.pad = 2, .flip = true, .whiten = true};
    samples *s = make_samples(9, 9, 3);
    fetch_all(s->x, s, (cr_data_view){.augment = &options});
    for (int i = 0; i < COUNT; i++) {
        double sum = 0, squares = 0;
        for (int j = 0; j < N; j++) {
            sum += s->x[i * N + j];
            squares += (double)s->x[i * N + j] * s->x[i * N + j];
        }
        ASSERT_NEAR(sum / N, 0, 1e-6); /* roundings of 2^-24 a value, and of the mean */
        ASSERT_NEAR(squares / N, 1, 1e-6);
    }
}

/* A constant image is 0 everywhere; one value that differs by 1/255 is not blown up: the deviation
 * counts as 1 / sqrt(n), so it comes out as (1 - 1/n) sqrt(n) / 255. */
static void flat_images_are_not_blown_up(void **state)
{
    (void)state;
    enum { N = 4 * 4 * 3 };
    const cr_augment_options options = {.whiten = true};
    samples *s = make_samples(4, 4, 3);
    const cr_data_view view = {.part = &s->part, .augment = &options};
    for (int i = 0; i < COUNT * N; i++)
        s->values[i] = (uint8_t)(i / N * 4);
    s->values[3 * N + 7]++;
    cr_data_fetch(s->x, s->y, &view, 0, COUNT);
    for (int i = 0; i < COUNT * N; i++)
        assert_true(i / N == 3 || s->x[i] == 0);
    ASSERT_NEAR(s->x[3 * N + 7], (1 - 1.0 / N) * sqrt(N) / 255, 1e-6);
}

/* Nothing is cut or flipped, and without whitening the values are the plain ones, bit for bit. */
static void evaluation_whitens_only(void **state)
{
    (void)state;
    enum { N = 9 * 8 * 3 };
    static float plain[COUNT * N];
    static double y[N];
    const cr_augment_options moving = {.pad = 4, .flip = true};
    const cr_augment_options options = {.pad = 4, .flip = true, .whiten = true};
    const cr_augment_options off = {0};
    samples *s = make_samples(9, 8, 3);
    cr_data_view view = {.part = &s->part};
    cr_data_fetch(plain, s->y, &view, 0, COUNT);
    view.augment = &moving;
    cr_data_fetch(s->x, s->y, &view, 0, COUNT);
    assert_same_bits(s->x, plain, COUNT * N);
    view.augment = &off;
    view.training = true;
    cr_data_fetch(s->x, s->y, &view, 0, COUNT);
    assert_same_bits(s->x, plain, COUNT * N);
    view.augment = &options;
    view.training = false;
    view.epoch = 4;
    cr_data_fetch(s->x, s->y, &view, 0, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const choice middle = {4, 4, false};
        double scale = twin(y, s->values + i * N, &s->part, &options, middle);
        assert_true(is_near(s->x + i * N, y, N, scale));
    }
}

/* A cut must keep a part of the image. */
static void padding_is_less_than_a_side(void **state)
{
    (void)state;
    const cr_data_wanted wanted = {.h = 4, .w = 6, .c = 1, .classes = 2};
    cr_data_options options = {.kind = "synthetic", .augment = {.pad = 3}};
    cr_data data;
    memcpy(options.parameters, (int64_t[]){2, 2}, 2 * sizeof(int64_t)); /* samples */
    ASSERT_OK(cr_data_open(&data, &options, &wanted, NULL));
    cr_data_free(&data);
    options.augment.pad = 4;
    ASSERT_FAILS(cr_data_open(&data, &options, &wanted, NULL), CR_BAD_CONFIG,
                 "data.augment.pad: expected less than the sides of the images, 4 x 6, found 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_the_twins),
        cmocka_unit_test(choices_are_uniform),
        cmocka_unit_test(places_are_uniform),
        cmocka_unit_test(choices_are_keyed),
        cmocka_unit_test(whitened_images_have_mean_0_and_deviation_1),
        cmocka_unit_test(flat_images_are_not_blown_up),
        cmocka_unit_test(evaluation_whitens_only),
        cmocka_unit_test(padding_is_less_than_a_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
