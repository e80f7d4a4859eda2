/*
 * zero_pad: the shortcut without weights of He et al. 2015 (option A), as the paper's code base has
 * it: average pooling over stride x stride windows, then channels of zeros on both sides up to
 * `width`. Width equal to the channels and stride 1 is the identity, which also serves as a
 * flatten.
 */
#include "../tiles.h"
#include "../window.h"

#include <string.h>

static const cr_option options[] = {
    {.name = "channels",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, width),
     .fallback = "0",
     .low = 0,
     .high = 1 << 20,
     .help = "of the output; 0: those of the input"},
    {.name = "stride",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, stride),
     .fallback = "1",
     .low = 1,
     .high = 1 << 16,
     .help = "rows and columns whose mean is taken"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    cr_layer_plan *plan = &layer->plan;
    plan->width = plan->width > 0 ? plan->width : layer->in.c;
    CR_CHECK(plan->width >= layer->in.c, CR_BAD_CONFIG,
             "layer %s: expected at least the %d channels of the input, found %d", layer->name,
             layer->in.c, plan->width);
    plan->stride = plan->stride > 0 ? plan->stride : 1;
    plan->kernel = plan->stride;
    plan->valid = true;
    CR_TRY(cr_window_shape(layer));
    layer->out.c = plan->width;
    return CR_OK;
}

/* Channel of the output where the input's first one is. */
static int begin(const cr_layer *layer)
{
    return (layer->out.c - layer->in.c) / 2;
}

static void forward_at(const cr_layer *layer, float *y, const float *x, int oh, int ow)
{
    int stride = layer->plan.stride;
    int channels = layer->in.c;
    float scale = 1.0F / (float)(stride * stride);
    float *restrict to = y + begin(layer);
    memset(y, 0, (size_t)layer->out.c * sizeof *y);
    for (int p = 0; p < stride * stride; p++) {
        int row = oh * stride + p / stride;
        int column = ow * stride + p % stride;
        int64_t at = (int64_t)row * layer->in.w + column;
        const float *from = x + at * channels;
        for (int c = 0; c < channels; c++)
            to[c] += scale * from[c];
    }
}

static void forward(const cr_layer *layer, float *y, const float *x, int samples)
{
    cr_window_each(layer, y, x, samples, forward_at);
}

/* A row of dx [W, IN] from the row of dy [OW, OUT] that saw it; NULL: none did. */
static void backward_row(const cr_layer *layer, float *restrict dx, const float *restrict dy)
{
    int stride = layer->plan.stride;
    int channels = layer->in.c;
    int seen = dy != NULL ? layer->out.w * stride : 0; /* an odd last column is not */
    float scale = 1.0F / (float)(stride * stride);
    for (int w = 0; w < seen; w++) {
        const float *from = dy + (int64_t)(w / stride) * layer->out.c + begin(layer);
        for (int c = 0; c < channels; c++)
            dx[(int64_t)w * channels + c] = scale * from[c];
    }
    memset(dx + (int64_t)seen * channels, 0,
           (size_t)(layer->in.w - seen) * (size_t)channels * sizeof *dx);
}

static void backward_sample(const cr_layer *layer, float *dx, const float *dy)
{
    int64_t in_row = (int64_t)layer->in.w * layer->in.c;
    int64_t out_row = (int64_t)layer->out.w * layer->out.c;
    for (int h = 0; h < layer->in.h; h++) {
        int oh = h / layer->plan.stride;
        backward_row(layer, dx + h * in_row, oh < layer->out.h ? dy + oh * out_row : NULL);
    }
}

static void backward(const cr_layer *layer, float *dx, const float *dy, const float *x,
                     const cr_tile *channels, int samples)
{
    int64_t in = (int64_t)layer->in.h * layer->in.w * layer->in.c;
    int64_t out = (int64_t)layer->out.h * layer->out.w * layer->out.c;
    (void)x;
    (void)channels; /* all: its target is dense */
#pragma omp parallel for schedule(static) if (cr_worth_threads(samples * in))
    for (int n = 0; n < samples; n++)
        backward_sample(layer, dx + n * in, dy + n * out);
}

static const cr_mapping mapping = {
    .forward = forward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_zero_pad = {
    .name = "zero_pad",
    .options = options,
    .shape = shape,
    .mapping = &mapping,
};
