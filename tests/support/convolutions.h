/*
 * convolutions: operands of one convolution, and an engine's three products of them, in memory that
 * held NaN.
 */
#ifndef TEST_CONVOLUTIONS_H
#define TEST_CONVOLUTIONS_H

#include "values.h"

#include "colrow/engine.h"

enum { GUARD = 64, MARK = 12345 }; /* floats behind an array, which nobody writes */

/* ---- one convolution ---------------------------------------------------------------------------
 */

typedef struct trial {
    cr_conv_sizes sizes;
    float *x, *w, *y; /* [N, H, W, IN], [K, K, IN, OUT], [N, OH, OW, OUT]; y serves as dy */
} trial;

static inline int64_t inputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->h * s->w * s->in;
}

static inline int64_t outputs(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->oh * s->ow * s->out;
}

static inline int64_t weights(const cr_conv_sizes *s)
{
    return (int64_t)s->kernel * s->kernel * s->in * s->out;
}

/* Output side and padding before the image, as layers have them. */
static inline int output_side(int side, int kernel, int stride, bool same, int *pad)
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

static inline cr_conv_sizes sizes_of(const dimensions *d)
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

static inline float *uniform(int64_t count, uint32_t which)
{
    float *at = values_new(count, sizeof(float));
    values_uniform(at, count, which);
    return at;
}

static inline trial trial_new(const cr_conv_sizes *s)
{
    return (trial){.sizes = *s,
                   .x = uniform(inputs(s), 1),
                   .w = uniform(weights(s), 2),
                   .y = uniform(outputs(s), 3)};
}

static inline void trial_free(trial *t)
{
    CR_FREE(t->x);
    CR_FREE(t->w);
    CR_FREE(t->y);
}

/* The nearest number that bf16 holds, one of 8 bits. */
static inline float nearest(float value)
{
    int exponent;
    float bits = frexpf(value, &exponent);
    return ldexpf(roundf(ldexpf(bits, 8)), exponent - 8);
}

static inline float magnitude(float value)
{
    return fabsf(value);
}

static inline float *mapped(const float *values, int64_t count, float (*map)(float))
{
    float *at = values_new(count, sizeof(float));
    for (int64_t i = 0; i < count; i++)
        at[i] = map(values[i]);
    return at;
}

/* The same with other operands. */
static inline trial trial_map(const trial *t, float (*map)(float))
{
    return (trial){.sizes = t->sizes,
                   .x = mapped(t->x, inputs(&t->sizes), map),
                   .w = mapped(t->w, weights(&t->sizes), map),
                   .y = mapped(t->y, outputs(&t->sizes), map)};
}

/* With operands that any engine takes as they are. */
static inline trial trial_exact(const cr_conv_sizes *s)
{
    trial rough = trial_new(s);
    trial exact = trial_map(&rough, nearest);
    trial_free(&rough);
    return exact;
}

/* ---- the products ------------------------------------------------------------------------------
 */

/* NaN, with marks behind. */
static inline float *poisoned(int64_t count)
{
    float *at = values_new(count + GUARD, sizeof(float));
    values_poison(at, count);
    for (int i = 0; i < GUARD; i++)
        at[count + i] = MARK;
    return at;
}

static inline void check_guard(const float *at, int64_t count)
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

/* Added to y by the engine or, where it leaves that to its caller, here. */
static inline void run_forward(const cr_engine *e, float *y, const trial *t, const float *prepared,
                               void *work, bool accumulate)
{
    if (!accumulate) {
        cr_conv_forward(e, y, t->x, prepared, &t->sizes, work);
        return;
    }
    if (cr_conv_add(e, y, t->x, prepared, &t->sizes, work))
        return;
    int64_t count = outputs(&t->sizes);
    float *sum = values_new(count + 1, sizeof(float));
    cr_conv_forward(e, sum, t->x, prepared, &t->sizes, work);
    for (int64_t i = 0; i < count; i++)
        y[i] += sum[i];
    CR_FREE(sum);
}

static inline void run_input_gradient(const cr_engine *e, float *dx, const trial *t,
                                      const float *prepared, void *work, bool accumulate)
{
    (void)accumulate;
    cr_conv_input_gradient(e, dx, t->y, prepared, &t->sizes, work);
}

static inline void run_weight_gradient(const cr_engine *e, float *dw, const trial *t,
                                       const float *prepared, void *work, bool accumulate)
{
    (void)prepared;
    cr_conv_weight_gradient(e, dw, t->x, t->y, &t->sizes, accumulate, work);
}

static const product products[] = {
    {"forward", outputs, false, run_forward},
    {"input gradient", inputs, true, run_input_gradient},
    {"weight gradient", weights, false, run_weight_gradient},
};

enum { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, PRODUCTS };

/* Run a product on `out` with prepared weights and work that held NaN, and marks behind them. */
static inline void run(const cr_engine *engine, const product *p, float *out, const trial *t,
                       bool accumulate)
{
    int64_t prepared_count = cr_conv_prepared(engine, &t->sizes, p->backward);
    size_t bytes = cr_conv_work(engine, &t->sizes, cr_engine_threads());
    assert_true(bytes % sizeof(float) == 0);
    float *prepared = poisoned(prepared_count);
    float *work = poisoned((int64_t)(bytes / sizeof(float)));
    cr_conv_prepare(engine, prepared, t->w, &t->sizes, p->backward);
    p->run(engine, out, t, prepared, work, accumulate);
    check_guard(prepared, prepared_count);
    check_guard(work, (int64_t)(bytes / sizeof(float)));
    CR_FREE(prepared);
    CR_FREE(work);
}

/* The product, into new memory that held NaN; the caller frees it. */
static inline float *result_of(const cr_engine *engine, const product *p, const trial *t)
{
    int64_t count = p->count(&t->sizes);
    float *out = poisoned(count);
    run(engine, p, out, t, false);
    check_guard(out, count);
    return out;
}

#endif
