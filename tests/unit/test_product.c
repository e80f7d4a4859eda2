/*
 * product: what it says of a convolution or a matrix product, against plain loops in double: what
 * each channel gives, its squared norm by eq. (7) with the terms E and R as the paper writes them,
 * and the error of estimates.
 */
#include "values.h"

#include "colrow/study.h"

/* Images odd and even, strides, all zeros on one side, one tap; the last is a matrix product. */
static const cr_conv_sizes cases[] = {
    {3, 5, 6, 7, 4, 3, 1, 1, 1, 5, 6},   {2, 7, 7, 5, 3, 3, 2, 1, 1, 4, 4},
    {2, 6, 6, 4, 2, 3, 2, 0, 0, 3, 3},   {1, 8, 8, 3, 5, 5, 1, 0, 0, 4, 4},
    {600, 2, 2, 4, 3, 1, 1, 0, 0, 2, 2}, {9, 1, 1, 20, 6, 1, 1, 0, 0, 1, 1},
};
enum { CASES = sizeof cases / sizeof *cases, CHANNELS_MOST = 20 };

/* Float products of at most 2400 x 25 terms; 3e-7 of |X| |W| measured. */
static const double ROUNDING = 3e-6;

typedef struct setting {
    const cr_conv_sizes *sizes;
    float *x, *w; /* owned */
    double *y;    /* [n, outputs] what each channel gives; owned */
    int64_t outputs;
    cr_product *product; /* owned */
} setting;

/* The value of x that tap (kh, kw) of output position (oh, ow) meets: 0 outside the image. */
static double input_at(const setting *t, int b, int oh, int ow, int kh, int kw, int i)
{
    const cr_conv_sizes *s = t->sizes;
    int h = oh * s->stride + kh - s->pad_top;
    int w = ow * s->stride + kw - s->pad_left;
    bool inside = h >= 0 && h < s->h && w >= 0 && w < s->w;
    return inside ? t->x[((b * s->h + h) * s->w + w) * s->in + i] : 0;
}

static double kernel_at(const setting *t, int kh, int kw, int i, int o)
{
    return t->w[((kh * t->sizes->kernel + kw) * t->sizes->in + i) * t->sizes->out + o];
}

/* Call `add` for every output element: eq. (4). */
static void each_output(const setting *t, int i, double *sums,
                        void (*add)(const setting *t, double *sums, const int at[4], int i))
{
    const cr_conv_sizes *s = t->sizes;
    for (int b = 0; b < s->n; b++)
        for (int oh = 0; oh < s->oh; oh++)
            for (int ow = 0; ow < s->ow; ow++)
                for (int o = 0; o < s->out; o++)
                    add(t, sums, (int[4]){b, oh, ow, o}, i);
}

static void add_output(const setting *t, double *y, const int at[4], int i)
{
    const cr_conv_sizes *s = t->sizes;
    double sum = 0;
    for (int kh = 0; kh < s->kernel; kh++)
        for (int kw = 0; kw < s->kernel; kw++)
            sum += input_at(t, at[0], at[1], at[2], kh, kw, i) * kernel_at(t, kh, kw, i, at[3]);
    y[((at[0] * s->oh + at[1]) * s->ow + at[2]) * s->out + at[3]] = sum;
}

/* sums[0]: products of equal taps, sums[1]: of different ones (the paper's R) */
static void add_terms(const setting *t, double *sums, const int at[4], int i)
{
    int taps = t->sizes->kernel * t->sizes->kernel;
    int side = t->sizes->kernel;
    for (int p = 0; p < taps; p++)
        for (int q = 0; q < taps; q++)
            sums[p != q] += input_at(t, at[0], at[1], at[2], p / side, p % side, i) *
                            input_at(t, at[0], at[1], at[2], q / side, q % side, i) *
                            kernel_at(t, p / side, p % side, i, at[3]) *
                            kernel_at(t, q / side, q % side, i, at[3]);
}

static setting setting_new(const cr_conv_sizes *s)
{
    setting t = {.sizes = s, .outputs = (int64_t)s->n * s->oh * s->ow * s->out};
    int64_t values = (int64_t)s->n * s->h * s->w * s->in;
    int64_t weights = (int64_t)s->kernel * s->kernel * s->in * s->out;
    t.x = values_new(values, sizeof *t.x);
    t.w = values_new(weights, sizeof *t.w);
    t.y = values_new(s->in * t.outputs, sizeof *t.y);
    values_uniform(t.x, values, 1);
    values_uniform(t.w, weights, 2);
    ASSERT_OK(cr_product_create(&t.product, s, cr_engine_find("openblas")));
    cr_product_fill(t.product, t.x, t.w); /* the second time it finds these things left behind */
    for (int64_t v = 0; v < values; v++)  /* channels that differ, none of mean 0 */
        t.x[v] = (t.x[v] + 0.3F) * (float)(1 + v % s->in);
    for (int i = 0; i < s->in; i++)
        each_output(&t, i, t.y + i * t.outputs, add_output);
    cr_product_fill(t.product, t.x, t.w);
    return t;
}

static void setting_free(setting *t)
{
    cr_product_free(&t->product);
    CR_FREE(t->x);
    CR_FREE(t->w);
    CR_FREE(t->y);
}

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void gram_is_that_of_channels(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        setting t = setting_new(&cases[c]);
        const cr_product *p = t.product;
        double square = p->size * p->size;
        for (int i = 0; i < p->n; i++)
            for (int j = 0; j < p->n; j++)
                ASSERT_NEAR(p->gram[i * p->n + j],
                            dot(t.y + i * t.outputs, t.y + j * t.outputs, t.outputs),
                            ROUNDING * square);
        setting_free(&t);
    }
}

static void norms_and_terms_are_those_of_the_paper(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        setting t = setting_new(&cases[c]);
        const cr_product *p = t.product;
        double norms = 0, edge = 0, cross = 0, inputs = 0, weights = 0;
        for (int i = 0; i < p->n; i++) {
            double terms[2] = {0};
            each_output(&t, i, terms, add_terms);
            double norm = p->inputs[i] * p->weights[i];
            edge += norm - terms[0]; /* E_i: entries that some tap never meets */
            cross += terms[1];
            norms += norm;
            inputs += p->inputs[i];
            weights += p->weights[i];
        }
        ASSERT_NEAR(p->edge, edge / norms, ROUNDING);
        ASSERT_NEAR(p->cross, cross / norms, ROUNDING);
        ASSERT_NEAR(p->size, sqrt(inputs * weights), ROUNDING * p->size);
        if (p->taps == 1) { /* nothing is left out of eq. (8) then */
            ASSERT_NEAR(edge, 0, ROUNDING * norms);
            ASSERT_NEAR(cross, 0, 0);
        }
        setting_free(&t);
    }
}

/* Scores squared: |X_i|^2 |W_i|^2, of the product's own tensors; and with E and R, |Y_i|^2. */
static void scores_follow_the_equations(void **state)
{
    (void)state;
    double scores[CHANNELS_MOST], optimal[CHANNELS_MOST];
    for (int c = 0; c < CASES; c++) {
        setting t = setting_new(&cases[c]);
        const cr_conv_sizes *s = t.sizes;
        ASSERT_OK(cr_product_scores(scores, t.product, "norm"));
        ASSERT_OK(cr_product_scores(optimal, t.product, "optimal"));
        for (int i = 0; i < s->in; i++) {
            double input = 0, weight = 0;
            for (int64_t v = i; v < (int64_t)s->n * s->h * s->w * s->in; v += s->in)
                input += (double)t.x[v] * t.x[v];
            for (int tap = 0; tap < s->kernel * s->kernel; tap++)
                for (int o = 0; o < s->out; o++)
                    weight += pow(kernel_at(&t, tap / s->kernel, tap % s->kernel, i, o), 2);
            const double *y = t.y + i * t.outputs;
            ASSERT_NEAR(scores[i], sqrt(input * weight), ROUNDING * scores[i]);
            ASSERT_NEAR(optimal[i], sqrt(dot(y, y, t.outputs)), ROUNDING * t.product->size);
            if (s->kernel == 1)
                ASSERT_NEAR(optimal[i], scores[i], 1e-4 * scores[i]);
        }
        ASSERT_FAILS(cr_product_scores(scores, t.product, "best"), CR_BAD_CONFIG, "called best");
        setting_free(&t);
    }
}

/* E|Y - estimate|^2 of `replacement`, k = 1: sum |Y_i|^2 / p_i - |Y|^2 (eq. (14)). */
static double variance(const setting *t, const char *name)
{
    double scores[CHANNELS_MOST], total = 0, sum = 0;
    ASSERT_OK(cr_product_scores(scores, t->product, name));
    for (int i = 0; i < t->sizes->in; i++)
        total += scores[i];
    for (int i = 0; i < t->sizes->in; i++)
        sum += dot(t->y + i * t->outputs, t->y + i * t->outputs, t->outputs) * total / scores[i];
    return sum;
}

static void optimal_scores_are_no_worse(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        setting t = setting_new(&cases[c]);
        assert_true(variance(&t, "optimal") <= variance(&t, "norm") * (1 + ROUNDING));
        assert_true(variance(&t, "norm") < variance(&t, "uniform")); /* channels differ 1 : n */
        setting_free(&t);
    }
}

/* The error of an estimate, element by element. */
static double plain_error(const setting *t, const cr_pick *pick)
{
    double square = 0;
    for (int64_t v = 0; v < t->outputs; v++) {
        double lacking = 0;
        for (int i = 0; i < pick->n; i++)
            lacking += t->y[i * t->outputs + v];
        for (int j = 0; j < pick->k; j++)
            lacking -= pick->scale[j] * t->y[pick->index[j] * t->outputs + v];
        square += lacking * lacking;
    }
    return sqrt(square) / t->product->size;
}

static void errors_are_those_of_the_elements(void **state)
{
    (void)state;
    double scratch[CHANNELS_MOST];
    int index[CHANNELS_MOST];
    float scale[CHANNELS_MOST];
    for (int c = 0; c < CASES; c++) {
        setting t = setting_new(&cases[c]);
        int n = t.sizes->in;
        for (int k = 1; k <= n; k++) {
            cr_pick pick = {.n = n, .k = k, .index = index, .scale = scale};
            for (int j = 0; j < k; j++) {
                index[j] = j + (j >= k / 2 ? n - k : 0);
                scale[j] = k == n ? 1.0F : (float)n / (float)k;
            }
            double error = plain_error(&t, &pick); /* what is squared is off by ROUNDING */
            ASSERT_NEAR(pow(cr_product_error(t.product, &pick, scratch), 2), error * error,
                        10 * ROUNDING);
            if (k == n)
                assert_true(cr_product_error(t.product, &pick, scratch) == 0);
        }
        setting_free(&t);
    }
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    cr_product *product = NULL;
    const cr_conv_sizes large = {1, 9, 9, 4000, 1, 3, 1, 1, 1, 9, 9};
    ASSERT_FAILS(cr_product_create(&product, &large, cr_engine_find("openblas")), CR_BAD_CONFIG,
                 "found 3 x 3 x 4000");
    assert_null(product);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_is_that_of_channels),
        cmocka_unit_test(norms_and_terms_are_those_of_the_paper),
        cmocka_unit_test(scores_follow_the_equations),
        cmocka_unit_test(optimal_scores_are_no_worse),
        cmocka_unit_test(errors_are_those_of_the_elements),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
