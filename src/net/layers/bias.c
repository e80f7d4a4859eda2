/* bias: y_c = x_c + b_c;  db_c = sum over rows of dy_c. */
#include "colrow/net.h"

enum { BLOCK = 64 }; /* channels summed together, in registers */

static cr_status shape(cr_layer *layer)
{
    layer->out = layer->in;
    layer->parameter_count = 1;
    layer->parameters[0] = (cr_parameter){.name = "bias",
                                          .rank = 1,
                                          .dims = {layer->in.c},
                                          .dimensions = "OUT",
                                          .count = layer->in.c};
    return CR_OK;
}

static void forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    const float *b = pass->parameters + layer->parameters[0].offset; /* [C] */
    const int *index = tile->index;
    int k = tile->k;
    for (int row = 0; row < tile->rows; row++) {
        float *restrict to = y + (int64_t)row * k;
        if (index == NULL)
            for (int j = 0; j < k; j++)
                to[j] += b[j];
        else
            for (int j = 0; j < k; j++)
                to[j] += b[index[j]];
    }
}

/* dp [first .. first + count) (+)= column sums of dy [rows, k] */
static void sum_columns(float *dp, const float *dy, int first, int count, const cr_tile *whole,
                        bool accumulate)
{
    double sums[BLOCK] = {0};
    for (int row = 0; row < whole->rows; row++) {
        const float *from = dy + (int64_t)row * whole->k + first;
        for (int j = 0; j < count; j++)
            sums[j] += from[j];
    }
    for (int j = 0; j < count; j++)
        dp[first + j] = (float)(accumulate ? dp[first + j] + sums[j] : sums[j]);
}

static void parameter_gradient(cr_layer *layer, float *const dp[CR_LAYER_PARAMETERS],
                               const float *dy, const cr_kept *kept, const cr_tile *whole,
                               bool accumulate)
{
    int k = whole->k;
    (void)layer;
    (void)kept;
#pragma omp parallel for schedule(static) if ((int64_t)whole->rows * k >= 1 << 18)
    for (int first = 0; first < k; first += BLOCK)
        sum_columns(dp[0], dy, first, k - first < BLOCK ? k - first : BLOCK, whole, accumulate);
}

static const cr_channelwise channelwise = {
    .forward = forward,
    .parameter_gradient = parameter_gradient,
};

const cr_layer_type cr_layer_type_bias = {
    .name = "bias",
    .shape = shape,
    .channelwise = &channelwise,
};
