/*
 * batch_norm (Ioffe & Szegedy 2015), over the rows of a micro-batch, channel by channel:
 *
 *     x^ = (x - mean) / sqrt(variance + epsilon)      y = gamma x^ + beta
 *     dgamma = sum dy x^      dbeta = sum dy
 *     dx = gamma / sqrt(variance + epsilon) (dy - dbeta / rows - x^ dgamma / rows)
 *
 * Evaluation takes running statistics instead: an exponential mean of those of the training steps.
 */
#include "colrow/net.h"

#include <math.h>

enum { BLOCK = 64 }; /* channels summed together, in registers */

static cr_status shape(cr_layer *layer)
{
    layer->out = layer->in;
    layer->parameter_count = 2;
    cr_parameter one = {.rank = 1, .dims = {layer->in.c}, .dimensions = "C", .count = layer->in.c};
    layer->parameters[0] = one;
    layer->parameters[0].name = "gamma";
    layer->parameters[0].initial = 1;
    layer->parameters[1] = one;
    layer->parameters[1].name = "beta";
    layer->statistics = 2 * (int64_t)layer->in.c;
    return CR_OK;
}

static void observe(cr_layer *layer, const double *mean, const double *variance)
{
    int channels = layer->in.c;
    for (int c = 0; c < channels; c++) {
        layer->moments[c] = mean[c];
        layer->moments[channels + c] = 1 / sqrt(variance[c] + layer->plan.epsilon);
        layer->moments[2 * channels + c] = variance[c];
    }
}

/* y = factors[0] x + factors[1] */
static void prepare(cr_layer *layer, const cr_pass *pass)
{
    int channels = layer->in.c;
    const float *gamma = pass->parameters + layer->parameters[0].offset;
    const float *beta = pass->parameters + layer->parameters[1].offset;
    const float *running = pass->statistics + layer->statistics_offset; /* mean, variance */
    for (int c = 0; c < channels; c++) {
        double mean = pass->observes ? layer->moments[c] : running[c];
        double scale = pass->observes ? layer->moments[channels + c]
                                      : 1 / sqrt(running[channels + c] + layer->plan.epsilon);
        layer->factors[c] = (float)(gamma[c] * scale);
        layer->factors[channels + c] = (float)(beta[c] - gamma[c] * scale * mean);
    }
}

static void forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    const float *restrict scale = layer->factors;
    const float *restrict shift = layer->factors + layer->in.c;
    const int *index = tile->index;
    int k = tile->k;
    (void)pass;
    for (int row = 0; row < tile->rows; row++) {
        float *restrict to = y + (int64_t)row * k;
        if (index == NULL)
            for (int j = 0; j < k; j++)
                to[j] = scale[j] * to[j] + shift[j];
        else
            for (int j = 0; j < k; j++)
                to[j] = scale[index[j]] * to[j] + shift[index[j]];
    }
}

/* Sums of dy and of dy x^ over the rows, for channels [first, first + count). */
static void sum_columns(cr_layer *layer, const float *dy, const float *x, const cr_tile *whole,
                        int first, int count)
{
    double plain[BLOCK] = {0};
    double product[BLOCK] = {0};
    for (int row = 0; row < whole->rows; row++) {
        const float *d = dy + (int64_t)row * whole->k + first;
        const float *v = x + (int64_t)row * whole->k + first;
        for (int j = 0; j < count; j++) {
            plain[j] += d[j];
            product[j] += (double)d[j] * v[j];
        }
    }
    for (int j = 0; j < count; j++) {
        int c = whole->index != NULL ? whole->index[first + j] : first + j;
        double mean = layer->moments[c];
        double inverse = layer->moments[layer->in.c + c];
        layer->sums[first + j] = plain[j];
        layer->sums[layer->in.c + first + j] = (product[j] - mean * plain[j]) * inverse;
    }
}

static void parameter_gradient(cr_layer *layer, float *const dp[CR_LAYER_PARAMETERS],
                               const float *dy, const cr_kept *kept, const cr_tile *whole,
                               bool accumulate)
{
    int k = whole->k;
#pragma omp parallel for schedule(static) if ((int64_t)whole->rows * k >= 1 << 18)
    for (int first = 0; first < k; first += BLOCK)
        sum_columns(layer, dy, kept->x, whole, first, k - first < BLOCK ? k - first : BLOCK);
    for (int j = 0; j < k; j++) {
        double dbeta = layer->sums[j];
        double dgamma = layer->sums[layer->in.c + j];
        dp[0][j] = (float)(accumulate ? dp[0][j] + dgamma : dgamma);
        dp[1][j] = (float)(accumulate ? dp[1][j] + dbeta : dbeta);
    }
}

/* dx = a dy + b x + c, worked out once a channel. */
typedef struct line {
    float a[BLOCK], b[BLOCK], c[BLOCK];
} line;

static line line_of(const cr_layer *layer, const cr_pass *pass, const cr_tile *tile, int first,
                    int count, int64_t rows)
{
    line of = {0};
    const float *gamma = pass->parameters + layer->parameters[0].offset;
    for (int j = 0; j < count; j++) {
        int c = tile->index != NULL ? tile->index[first + j] : first + j;
        double mean = layer->moments[c];
        double inverse = layer->moments[layer->in.c + c];
        double dbeta = layer->sums[first + j] / (double)rows;
        double dgamma = layer->sums[layer->in.c + first + j] / (double)rows;
        double a = gamma[c] * inverse;
        of.a[j] = (float)a;
        of.b[j] = (float)(-a * inverse * dgamma);
        of.c[j] = (float)(a * (inverse * dgamma * mean - dbeta));
    }
    return of;
}

static void backward(const cr_layer *layer, const cr_pass *pass, float *dy, const cr_kept *kept,
                     const cr_tile *tile)
{
    int k = tile->k;
    for (int first = 0; first < k; first += BLOCK) {
        int count = k - first < BLOCK ? k - first : BLOCK;
        line of = line_of(layer, pass, tile, first, count, tile->of_rows);
        for (int row = 0; row < tile->rows; row++) {
            float *restrict d = dy + (int64_t)row * k + first;
            const float *restrict x = kept->x + (int64_t)row * k + first;
            for (int j = 0; j < count; j++)
                d[j] = of.a[j] * d[j] + of.b[j] * x[j] + of.c[j];
        }
    }
}

static const cr_channelwise channelwise = {
    .keeps_input = true,
    .observe = observe,
    .prepare = prepare,
    .forward = forward,
    .parameter_gradient = parameter_gradient,
    .backward = backward,
};

const cr_layer_type cr_layer_type_batch_norm = {
    .name = "batch_norm",
    .shape = shape,
    .channelwise = &channelwise,
};
