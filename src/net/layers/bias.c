/* bias: y_c = x_c + b_c;  db_c = sum over rows of dy_c. */
#include "colrow/net.h"

static cr_status shape(cr_layer *layer)
{
    layer->out = layer->in;
    layer->parameter_count = 1;
    layer->parameters[0] = cr_parameter_bias(layer->in.c);
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

static void sum(double *sums, const float *dy, const cr_kept *kept, const cr_tile *tile)
{
    int k = tile->k;
    (void)kept;
    for (int row = 0; row < tile->rows; row++)
        for (int j = 0; j < k; j++)
            sums[j] += dy[(int64_t)row * k + j];
}

static void parameter_gradient(cr_layer *layer, const cr_pass *pass,
                               float *const dp[CR_LAYER_PARAMETERS], const double *sums,
                               const cr_tile *whole, bool accumulate)
{
    (void)layer;
    (void)pass;
    for (int j = 0; j < whole->k; j++)
        dp[0][j] = (float)(accumulate ? dp[0][j] + sums[j] : sums[j]);
}

static const cr_channelwise channelwise = {
    .forward = forward,
    .sum = sum,
    .parameter_gradient = parameter_gradient,
};

const cr_layer_type cr_layer_type_bias = {
    .name = "bias",
    .shares_name = true,
    .shape = shape,
    .channelwise = &channelwise,
};
