/*
 * openblas: the contractions as products of any CBLAS. Convolutions become products in one of
 * several ways, the first row of a table that fits.
 */
#include "convolution.h"
#include "dense.h"
#include "repeated.h"

/* ---- convolutions ----------------------------------------------------------------------------
 */

static const cr_convolution *const ways[] = {&cr_convolution_winograd4, &cr_convolution_direct,
                                             &cr_convolution_im2col};

enum { WAYS = sizeof ways / sizeof *ways };

/* The last way fits all. */
static const cr_convolution *way(const cr_conv_sizes *sizes)
{
    int i = 0;
    while (i < WAYS - 1 && !ways[i]->fits(sizes))
        i++;
    return ways[i];
}

static int64_t conv_prepared(const cr_conv_sizes *sizes, bool backward)
{
    return way(sizes)->prepared(sizes, backward);
}

static void conv_prepare(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    if (sizes->in > 0 && sizes->out > 0)
        way(sizes)->prepare(prepared, w, sizes, backward);
}

/* Fewer channels may go another way: the most that any wants. */
static size_t conv_work(const cr_conv_sizes *sizes, int threads)
{
    size_t most = 0;
    for (int i = 0; i < WAYS && sizes->in > 0 && sizes->out > 0; i++) {
        size_t bytes = ways[i]->fits(sizes) ? ways[i]->work(sizes, threads) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void conv_forward(float *y, const float *x, const float *prepared,
                         const cr_conv_sizes *sizes, void *work)
{
    int64_t count = (int64_t)sizes->n * sizes->oh * sizes->ow * sizes->out;
    if (!cr_convolution_empty(sizes, y, count, false))
        way(sizes)->forward(y, x, prepared, sizes, work);
}

static bool conv_add(float *y, const float *x, const float *prepared, const cr_conv_sizes *sizes,
                     void *work)
{
    if (cr_convolution_empty(sizes, y, 0, true))
        return true;
    const cr_convolution *w = way(sizes);
    if (w->add != NULL)
        w->add(y, x, prepared, sizes, work);
    return w->add != NULL;
}

static void conv_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_conv_sizes *sizes, void *work)
{
    int64_t count = (int64_t)sizes->n * sizes->h * sizes->w * sizes->in;
    if (!cr_convolution_empty(sizes, dx, count, false))
        way(sizes)->input_gradient(dx, dy, prepared, sizes, work);
}

static void conv_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    int64_t count = (int64_t)sizes->kernel * sizes->kernel * sizes->in * sizes->out;
    if (!cr_convolution_empty(sizes, dw, count, accumulate))
        way(sizes)->weight_gradient(dw, x, dy, sizes, accumulate, work);
}

const cr_engine cr_engine_openblas = {
    .name = "openblas",
    .precision = "f32",
    .dense_prepared = cr_dense_prepared,
    .dense_work = cr_dense_work,
    .dense_forward = cr_dense_forward,
    .dense_input_gradient = cr_dense_input_gradient,
    .dense_weight_gradient = cr_dense_weight_gradient,
    .repeated_prepared = cr_repeated_prepared,
    .repeated_prepare = cr_repeated_prepare,
    .repeated_forward = cr_repeated_forward,
    .repeated_input_gradient = cr_repeated_input_gradient,
    .conv_prepared = conv_prepared,
    .conv_prepare = conv_prepare,
    .conv_work = conv_work,
    .conv_forward = conv_forward,
    .conv_add = conv_add,
    .conv_input_gradient = conv_input_gradient,
    .conv_weight_gradient = conv_weight_gradient,
};
