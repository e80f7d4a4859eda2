/* relu: y = max(x, 0);  dx = dy where y > 0, else 0. */
#include "colrow/net.h"

static cr_status shape(cr_layer *layer)
{
    layer->out = layer->in;
    return CR_OK;
}

static void forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    (void)layer;
    (void)pass;
    int64_t count = (int64_t)tile->rows * tile->k;
    for (int64_t i = 0; i < count; i++)
        y[i] = y[i] < 0 ? 0 : y[i]; /* keeps a NaN, so that it is noticed */
}

static void backward(const cr_layer *layer, const cr_pass *pass, float *dy, const float *y,
                     const cr_tile *tile)
{
    (void)layer;
    (void)pass;
    int64_t count = (int64_t)tile->rows * tile->k;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

static const cr_channelwise channelwise = {
    .keeps_output = true,
    .forward = forward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_relu = {
    .name = "relu",
    .shape = shape,
    .channelwise = &channelwise,
};
