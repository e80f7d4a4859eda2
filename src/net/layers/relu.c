/* relu: y = x where x > 0, else slope x (leaky; 0 for the plain one);  dx = dy, or slope dy. */
#include "colrow/net.h"

static const cr_option options[] = {
    {.name = "slope",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, slope),
     .fallback = "0",
     .low = 0,
     .high = 1,
     .help = "factor below zero"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    layer->out = layer->in;
    return CR_OK;
}

static void forward(const cr_layer *layer, const cr_pass *pass, float *y, const cr_tile *tile)
{
    float slope = (float)layer->plan.slope;
    int64_t count = (int64_t)tile->rows * tile->k;
    (void)pass;
    for (int64_t i = 0; i < count; i++)
        y[i] = y[i] < 0 ? slope * y[i] : y[i]; /* keeps a NaN, so that it is noticed */
}

/* The output has the input's sign, so it tells which side it was on. */
static void backward(const cr_layer *layer, const cr_pass *pass, float *dy, const cr_kept *kept,
                     const cr_tile *tile)
{
    const float *y = kept->y;
    float slope = (float)layer->plan.slope;
    int64_t count = (int64_t)tile->rows * tile->k;
    (void)pass;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        dy[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

static const cr_channelwise channelwise = {
    .keeps_output = true,
    .forward = forward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_relu = {
    .name = "relu",
    .options = options,
    .shape = shape,
    .channelwise = &channelwise,
};
