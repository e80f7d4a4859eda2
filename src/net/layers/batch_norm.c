/*
 * batch_norm (Ioffe & Szegedy 2015), over the rows of a micro-batch, or of all micro-batches that
 * share their statistics (cr_sharing), channel by channel:
 *
 *     x^ = (x - mean) / sqrt(variance + epsilon)      y = gamma x^ + beta
 *     dgamma = sum dy x^      dbeta = sum dy
 *     dx = gamma / sqrt(variance + epsilon) (dy - dbeta / rows - x^ dgamma / rows)
 *
 * Evaluation takes running statistics instead: an exponential mean of those of the training steps.
 */
#include "../columns.h"

#include "colrow/net.h"

#include <math.h>

enum { BLOCK = 64 }; /* channels whose factors are brought together */

static const cr_option options[] = {
    {.name = "epsilon",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, epsilon),
     .fallback = "1e-3",
     .low = 1e-12,
     .high = 1,
     .help = "added to the variance"},
    {.name = "momentum",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, momentum),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of the running statistics kept from step to step"},
    {.name = NULL},
};

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

static void observe(cr_layer *layer, const double *mean, const double *variance, int64_t rows)
{
    layer->observed = rows;
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

/* Channel that column j of a tile holds. */
static int channel(const cr_tile *tile, int j)
{
    return tile->index != NULL ? tile->index[j] : j;
}

static void forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    int k = tile->k;
    (void)pass;
    for (int first = 0; first < k; first += BLOCK) {
        float scale[BLOCK], shift[BLOCK];
        int count = k - first < BLOCK ? k - first : BLOCK;
        for (int j = 0; j < count; j++) {
            scale[j] = layer->factors[channel(tile, first + j)];
            shift[j] = layer->factors[layer->in.c + channel(tile, first + j)];
        }
        cr_columns_scale(y + first, scale, shift, tile->rows, count, k);
    }
}

/* Sums of dy and of dy x. */
static void sum(double *sums, const float *dy, const cr_kept *kept, const cr_tile *tile)
{
    cr_columns_add(sums, sums + tile->k, dy, kept->x, tile->rows, tile->k);
}

/* dgamma of the kept channel j, from the sums. */
static double slope_of_gamma(const cr_layer *layer, const double *sums, const cr_tile *whole, int j)
{
    int c = channel(whole, j);
    double mean = layer->moments[c];
    double inverse = layer->moments[layer->in.c + c];
    return (sums[whole->k + j] - mean * sums[j]) * inverse;
}

static void parameter_gradient(cr_layer *layer, const cr_pass *pass,
                               float *const dp[CR_LAYER_PARAMETERS], const double *sums,
                               const cr_tile *whole, bool accumulate)
{
    (void)pass;
    for (int j = 0; j < whole->k; j++) {
        double dgamma = slope_of_gamma(layer, sums, whole, j);
        double dbeta = sums[j];
        dp[0][j] = (float)(accumulate ? dp[0][j] + dgamma : dgamma);
        dp[1][j] = (float)(accumulate ? dp[1][j] + dbeta : dbeta);
    }
}

/* The lines of `backward`, from the means of dy and of dy x^. */
static void prepare_backward(cr_layer *layer, const cr_pass *pass, const double *sums,
                             const cr_tile *whole)
{
    const float *gamma = pass->parameters + layer->parameters[0].offset;
    double rows = (double)whole->of_rows;
    int channels = layer->in.c;
    for (int j = 0; j < whole->k; j++) {
        int c = channel(whole, j);
        double inverse = layer->moments[channels + c];
        double a = gamma[c] * inverse;
        double b = -a * inverse * slope_of_gamma(layer, sums, whole, j) / rows;
        layer->lines[j] = (float)a;
        layer->lines[channels + j] = (float)b;
        layer->lines[2 * channels + j] = (float)(-b * layer->moments[c] - a * sums[j] / rows);
    }
}

static void backward(const cr_layer *layer, const cr_pass *pass, float *dy, const cr_kept *kept,
                     const cr_tile *tile)
{
    const float *lines = layer->lines;
    int channels = layer->in.c;
    (void)pass;
    cr_columns_combine(dy, kept->x, lines, lines + channels, lines + 2 * (int64_t)channels,
                       tile->rows, tile->k);
}

static const cr_channelwise channelwise = {
    .keeps_input = true,
    .observe = observe,
    .prepare = prepare,
    .forward = forward,
    .sum = sum,
    .parameter_gradient = parameter_gradient,
    .prepare_backward = prepare_backward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_batch_norm = {
    .name = "batch_norm",
    .options = options,
    .shape = shape,
    .channelwise = &channelwise,
};
