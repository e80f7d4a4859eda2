/*
 * engines: every engine's dense products, in either precision, against a naive loop in double and
 * against `reference`, over many sizes; the same bits for 1, 2 and 3 threads. Scratch and prepared
 * weights held NaN before.
 *
 * Tolerance: a sum of K products in float, in any order, with or without fused multiply-adds, is
 * off by at most (K + 1) u sum |a_k b_k| to first order, u = 2^-24 (Higham 2002, section 3.1). The
 * value added to is one more term, and one more u covers the naive loop's own rounding to float.
 *
 * bf16 has 8 bits: rounding both operands to nearest puts each product off by at most
 * (1 + 2^-8)^2 - 1 < 2.01 * 2^-8 of itself, 0.8%; of a whole product, norm-wise, 0.21% were
 * measured. Of operands that bf16 holds exactly the first bound is kept as it is.
 */
#include "engines.h"
#include "values.h"

static const double UNIT = 1.0 / (1 << 24);
static const double ROUNDING = 2.01 / (1 << 8); /* of operands to bf16 */

enum { MARK = 12345 }; /* between a row's width and its leading dimension: nobody writes there */

typedef struct matrix {
    int rows, columns, ld;
    float *at; /* [rows, ld] row-major; owned */
} matrix;

static matrix matrix_new(int rows, int columns, int gap, uint32_t which)
{
    matrix m = {rows, columns, columns + gap, NULL};
    m.at = values_new((int64_t)rows * m.ld, sizeof(float));
    values_uniform(m.at, (int64_t)rows * m.ld, which);
    for (int r = 0; r < rows; r++)
        for (int c = columns; c < m.ld; c++)
            m.at[(int64_t)r * m.ld + c] = MARK;
    return m;
}

static matrix matrix_like(const matrix *m)
{
    matrix copy = *m;
    copy.at = values_new((int64_t)m->rows * m->ld, sizeof(float));
    memcpy(copy.at, m->at, (size_t)m->rows * (size_t)m->ld * sizeof(float));
    return copy;
}

static void matrix_poison(matrix *m)
{
    for (int r = 0; r < m->rows; r++)
        values_poison(m->at + (int64_t)r * m->ld, m->columns);
}

/* The operands of one set of sizes. */
typedef struct trial {
    cr_dense_sizes sizes;
    matrix x, w, y; /* [N, IN], [IN, OUT], [N, OUT]; y serves as dy */
} trial;

typedef struct dimensions {
    int n, in, out, gap;
} dimensions;

static trial trial_new(const dimensions *d)
{
    trial t = {.x = matrix_new(d->n, d->in, d->gap, 1),
               .w = matrix_new(d->in, d->out, 2 * d->gap, 2),
               .y = matrix_new(d->n, d->out, 3 * d->gap, 3)};
    t.sizes = (cr_dense_sizes){d->n, d->in, d->out, t.x.ld, t.w.ld, t.y.ld};
    return t;
}

static void trial_free(trial *t)
{
    CR_FREE(t->x.at);
    CR_FREE(t->w.at);
    CR_FREE(t->y.at);
}

/* ---- the products: how an engine runs them, and what they are ---------------------------
 */

/* A matrix as it stands in a product, transposed or not: element (i, j) is at i down + j across. */
typedef struct view {
    const float *at;
    int64_t down, across;
} view;

static view plain(const matrix *m)
{
    return (view){m->at, m->ld, 1};
}

static view transposed(const matrix *m)
{
    return (view){m->at, 1, m->ld};
}

/* result = a b, a sum of so many terms */
typedef struct definition {
    view a, b;
    int terms;
} definition;

static definition define_forward(const trial *t)
{
    return (definition){plain(&t->x), plain(&t->w), t->sizes.in};
}

static definition define_input_gradient(const trial *t)
{
    return (definition){plain(&t->y), transposed(&t->w), t->sizes.out};
}

static definition define_weight_gradient(const trial *t)
{
    return (definition){transposed(&t->x), plain(&t->y), t->sizes.n};
}

/* `count` floats, at least, that are no numbers in either precision; the caller frees. */
static void *poisoned(int64_t count)
{
    float *at = values_new(count + 1, sizeof *at);
    memset(at, 0xff, (size_t)(count + 1) * sizeof *at);
    return at;
}

static void *work_new(const cr_engine *e, const trial *t)
{
    return poisoned((int64_t)e->dense_work(&t->sizes, cr_engine_threads()) / 4);
}

/* The weights as the engine wants them, or NULL: as they are. */
static float *prepared_new(const cr_engine *e, const trial *t, bool backward)
{
    int64_t count = e->dense_prepared(&t->sizes, backward);
    float *prepared = count > 0 ? poisoned(count) : NULL;
    if (count > 0)
        e->dense_prepare(prepared, t->w.at, &t->sizes, backward);
    return prepared;
}

static void run_forward(const cr_engine *e, float *y, const trial *t, bool accumulate)
{
    (void)accumulate;
    void *work = work_new(e, t);
    float *prepared = prepared_new(e, t, false);
    e->dense_forward(y, t->x.at, prepared != NULL ? prepared : t->w.at, &t->sizes, work);
    CR_FREE(prepared);
    CR_FREE(work);
}

static void run_input_gradient(const cr_engine *e, float *dx, const trial *t, bool accumulate)
{
    (void)accumulate;
    void *work = work_new(e, t);
    float *prepared = prepared_new(e, t, true);
    e->dense_input_gradient(dx, t->y.at, prepared != NULL ? prepared : t->w.at, &t->sizes, work);
    CR_FREE(prepared);
    CR_FREE(work);
}

static void run_weight_gradient(const cr_engine *e, float *dw, const trial *t, bool accumulate)
{
    void *work = work_new(e, t);
    e->dense_weight_gradient(dw, t->x.at, t->y.at, &t->sizes, accumulate, work);
    CR_FREE(work);
}

static void run_repeated(const cr_engine *e, float *out, const trial *t, bool backward)
{
    float *prepared = poisoned(e->repeated_prepared(&t->sizes, backward));
    void *work = work_new(e, t);
    e->repeated_prepare(prepared, t->w.at, &t->sizes, backward);
    if (backward)
        e->repeated_input_gradient(out, t->y.at, prepared, &t->sizes, work);
    else
        e->repeated_forward(out, t->x.at, prepared, &t->sizes, work);
    CR_FREE(prepared);
    CR_FREE(work);
}

static void run_repeated_forward(const cr_engine *e, float *y, const trial *t, bool accumulate)
{
    (void)accumulate;
    run_repeated(e, y, t, false);
}

static void run_repeated_gradient(const cr_engine *e, float *dx, const trial *t, bool accumulate)
{
    (void)accumulate;
    run_repeated(e, dx, t, true);
}

typedef struct product {
    const char *name;
    void (*run)(const cr_engine *engine, float *out, const trial *t, bool accumulate);
    definition (*define)(const trial *t);
    size_t out; /* offset of the result's matrix in a trial */
} product;

static const product products[] = {
    {"forward", run_forward, define_forward, offsetof(trial, y)},
    {"input gradient", run_input_gradient, define_input_gradient, offsetof(trial, x)},
    {"weight gradient", run_weight_gradient, define_weight_gradient, offsetof(trial, w)},
    {"repeated forward", run_repeated_forward, define_forward, offsetof(trial, y)},
    {"repeated input gradient", run_repeated_gradient, define_input_gradient, offsetof(trial, x)},
};

enum { PRODUCTS = sizeof products / sizeof *products, WEIGHT_GRADIENT = 2 };

static const matrix *result_of(const trial *t, const product *p)
{
    return (const matrix *)(const void *)((const char *)t + p->out);
}

/* ---- against the naive loop ------------------------------------------------------------------ */

/* Element (r, c) of the product, added to `start`; *size: the same of absolute values. */
static double naive(double *size, const definition *d, int r, int c, double start)
{
    double sum = start;
    *size = fabs(start);
    for (int k = 0; k < d->terms; k++) {
        double a = d->a.at[r * d->a.down + k * d->a.across];
        double b = d->b.at[k * d->b.down + c * d->b.across];
        sum += a * b;
        *size += fabs(a * b);
    }
    return sum;
}

/* before: what the result held, NULL when it is to be overwritten; rounding: that of each term. */
static void check_naive(const matrix *found, const matrix *before, const definition *d,
                        double rounding, const char *what)
{
    for (int r = 0; r < found->rows; r++) {
        const float *row = found->at + (int64_t)r * found->ld;
        for (int c = 0; c < found->columns; c++) {
            double size = 0;
            double start = before != NULL ? before->at[(int64_t)r * found->ld + c] : 0;
            double sum = naive(&size, d, r, c, start);
            if (!(fabs(row[c] - sum) <= ((d->terms + 3) * UNIT + rounding) * size))
                fail_msg("%s [%d, %d] of %d terms at (%d, %d): %.9g, expected %.9g", what,
                         found->rows, found->columns, d->terms, r, c, (double)row[c], sum);
        }
        for (int c = found->columns; c < found->ld; c++)
            assert_true(row[c] == MARK);
    }
}

/* Both are within the bound of the same sums, so they are within twice the bound of each other;
 * entries are below 1 in size, so sum |a b| <= K. */
static void check_reference(const matrix *found, const matrix *twin, int terms, double rounding)
{
    double bound = (2 * (terms + 3) * UNIT + rounding) * (terms + 1);
    for (int r = 0; r < found->rows; r++)
        for (int c = 0; c < found->columns; c++)
            ASSERT_NEAR(found->at[(int64_t)r * found->ld + c], twin->at[(int64_t)r * twin->ld + c],
                        bound);
}

static void check_product(const cr_engine *engine, const trial *t, const product *p,
                          bool accumulate, double rounding)
{
    definition d = p->define(t);
    matrix before = matrix_like(result_of(t, p));
    matrix found = matrix_like(&before);
    matrix twin = matrix_like(&before);
    if (!accumulate) { /* what was there must not matter */
        matrix_poison(&found);
        matrix_poison(&twin);
    }
    p->run(engine, found.at, t, accumulate);
    p->run(cr_engine_find("reference"), twin.at, t, accumulate);
    check_naive(&found, accumulate ? &before : NULL, &d, rounding, p->name);
    check_reference(&found, &twin, d.terms, rounding);
    CR_FREE(before.at);
    CR_FREE(found.at);
    CR_FREE(twin.at);
}

static void check_products(const cr_engine *engine, const trial *t, double rounding)
{
    for (int p = 0; p < PRODUCTS; p++)
        check_product(engine, t, &products[p], false, rounding);
    check_product(engine, t, &products[WEIGHT_GRADIENT], true, rounding);
}

/* The upper half of each number, which is a bf16. */
static void cut_off(matrix *m)
{
    for (int r = 0; r < m->rows; r++)
        for (int c = 0; c < m->columns; c++) {
            uint32_t bits;
            float *at = m->at + (int64_t)r * m->ld + c;
            memcpy(&bits, at, sizeof bits);
            bits &= 0xffff0000;
            memcpy(at, &bits, sizeof bits);
        }
}

static void check_sizes(const dimensions *d)
{
    trial t = trial_new(d);
    for (int e = 0; engines_at(e) != NULL; e++)
        check_products(engines_at(e), &t, engines_in_bf16(engines_at(e)) ? ROUNDING : 0);
    cut_off(&t.x);
    cut_off(&t.w);
    cut_off(&t.y);
    for (int e = 0; engines_at(e) != NULL; e++)
        if (engines_in_bf16(engines_at(e)))
            check_products(engines_at(e), &t, 0);
    trial_free(&t);
}

static void small_sizes(void **state)
{
    (void)state;
    static const int sides[] = {1, 2, 15, 16, 17, 33};
    enum { COUNT = sizeof sides / sizeof *sides };
    for (int n = 0; n < COUNT; n++)
        for (int in = 0; in < COUNT; in++)
            for (int out = 0; out < COUNT; out++)
                check_sizes(&(dimensions){sides[n], sides[in], sides[out], (n + in + out) % 3});
}

/* No rows (a rank without a share), no kept or no live channels: sums of nothing are zero. */
static void empty_sizes(void **state)
{
    (void)state;
    check_sizes(&(dimensions){0, 7, 5, 0});
    check_sizes(&(dimensions){0, 7, 5, 4});
    check_sizes(&(dimensions){3, 0, 5, 4});
    check_sizes(&(dimensions){3, 7, 0, 4});
}

/* Sizes that engines cut along rows, columns and terms, one or several of them. */
static const dimensions large[] = {{500, 150, 70, 0}, {40, 313, 400, 5}, {200, 230, 210, 3},
                                   {8, 784, 800, 0},  {450, 790, 20, 3}, {900, 35, 20, 1}};

enum { LARGE = sizeof large / sizeof *large };

static void large_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < LARGE; i++)
        check_sizes(&large[i]);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void check_threads(const cr_engine *engine, const trial *t, const product *p)
{
    matrix one = matrix_like(result_of(t, p));
    matrix more = matrix_like(&one);
    cr_engine_set_threads(1);
    p->run(engine, one.at, t, false);
    for (int threads = 2; threads <= 3; threads++) {
        matrix_poison(&more);
        cr_engine_set_threads(threads);
        assert_int_equal(cr_engine_threads(), threads);
        p->run(engine, more.at, t, false);
        assert_same_bits(more.at, one.at, (int64_t)one.rows * one.ld);
    }
    cr_engine_set_threads(1);
    CR_FREE(one.at);
    CR_FREE(more.at);
}

static void threads_do_not_change_the_bits(void **state)
{
    (void)state;
    for (int i = 0; i < LARGE; i++) {
        trial t = trial_new(&large[i]);
        for (int e = 0; engines_at(e) != NULL; e++)
            for (int p = 0; p < PRODUCTS; p++)
                check_threads(engines_at(e), &t, &products[p]);
        trial_free(&t);
    }
}

static bool is_a_word(const char *name)
{
    for (const char *const *word = cr_engine_names(); *word != NULL; word++)
        if (strcmp(*word, name) == 0)
            return true;
    return false;
}

static void engines_are_found_by_name(void **state)
{
    (void)state;
    for (int e = 0; cr_engines[e] != NULL; e++) {
        assert_ptr_equal(cr_engine_find(cr_engines[e]->name), cr_engines[e]);
        assert_true(is_a_word(cr_engines[e]->name));
        assert_string_equal(cr_engines[e]->precision, "f32");
    }
    assert_null(cr_engine_find("abacus"));
    assert_true(is_a_word("auto"));
}

static void engines_are_chosen_by_name_and_precision(void **state)
{
    (void)state;
    const cr_engine *found = NULL;
    for (int e = 0; engines_at(e) != NULL; e++) {
        ASSERT_OK(cr_engine_choose(&found, engines_at(e)->name, engines_at(e)->precision));
        assert_ptr_equal(found, engines_at(e));
    }
    ASSERT_OK(cr_engine_choose(&found, NULL, NULL));
    assert_ptr_equal(found, cr_engine_find("openblas"));
    ASSERT_OK(cr_engine_choose(&found, "auto", "f32"));
    assert_ptr_equal(found, cr_engine_find("openblas"));
    const cr_engine *onednn = cr_engine_find("onednn");
    if (onednn != NULL && engines_usable(onednn->bf16)) {
        const cr_engine *instead = engines_instead(onednn->bf16);
        ASSERT_OK(cr_engine_choose(&found, "auto", "bf16"));
        assert_ptr_equal(found, instead != NULL ? instead : onednn->bf16);
    }
}

/* What is not there is refused; the reason says what would do. */
static void check_refused(const char *name, const char *precision, const char *reason)
{
    const cr_engine *found = NULL;
    assert_int_equal(cr_engine_choose(&found, name, precision), CR_BAD_CONFIG);
    if (strstr(cr_error_message(), reason) == NULL)
        fail_msg("expected '%s' in: %s", reason, cr_error_message());
    assert_null(found);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    check_refused("abacus", "f32", "no engine is called abacus");
    check_refused("openblas", "f16", "expected f32 or bf16, found f16");
    check_refused("reference", "bf16", "engine reference has no bf16");
    check_refused("openblas", "bf16", "engine openblas has no bf16; engine: auto would do");
    const cr_engine *onednn = cr_engine_find("onednn");
    if (onednn == NULL)
        check_refused("auto", "bf16", "onednn is not in this build");
    else if (!engines_usable(onednn->bf16))
        check_refused("auto", "bf16", "wants a processor with AVX512-BF16 or AMX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sizes),
        cmocka_unit_test(empty_sizes),
        cmocka_unit_test(large_sizes),
        cmocka_unit_test(threads_do_not_change_the_bits),
        cmocka_unit_test(engines_are_found_by_name),
        cmocka_unit_test(engines_are_chosen_by_name_and_precision),
        cmocka_unit_test(what_is_not_there_is_refused),
    };
    cr_engine_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
