/*
 * average_pool: the mean of each K x K window, channel by channel, over the positions inside the
 * image (as TensorFlow counts them). Kernel 0: the whole image (global average pooling).
 */
#include "../tiles.h"
#include "../window.h"

#include <string.h>

static const cr_option options[] = {
    {.name = "kernel",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, kernel),
     .fallback = "0",
     .low = 0,
     .high = 255,
     .help = "rows and columns of the window; 0: the whole image"},
    CR_OPTION_POOL_STRIDE,
    CR_OPTION_PADDING,
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    cr_layer_plan *plan = &layer->plan;
    if (plan->kernel > 0) {
        plan->stride = plan->stride > 0 ? plan->stride : plan->kernel;
        return cr_window_shape(layer);
    }
    CR_CHECK(layer->in.h == layer->in.w, CR_BAD_CONFIG,
             "layer %s: expected a square image, found %d x %d", layer->name, layer->in.h,
             layer->in.w);
    plan->kernel = layer->in.h;
    plan->stride = layer->in.h;
    plan->valid = true;
    return cr_window_shape(layer);
}

static float share(const cr_window *window)
{
    return 1.0F / (float)((window->bottom - window->top) * (window->right - window->left));
}

/* y [k] = mean of the window of x [H, W, k] */
static void forward_at(const cr_layer *layer, float *restrict y, const float *x, int oh, int ow)
{
    cr_window window = cr_window_at(layer, oh, ow);
    float scale = share(&window);
    int channels = layer->in.c;
    memset(y, 0, (size_t)channels * sizeof *y);
    for (int h = window.top; h < window.bottom; h++) {
        for (int w = window.left; w < window.right; w++) {
            const float *from = x + ((int64_t)h * layer->in.w + w) * channels;
            for (int c = 0; c < channels; c++)
                y[c] += scale * from[c];
        }
    }
}

static void forward(const cr_layer *layer, float *y, const float *x, int samples)
{
    cr_window_each(layer, y, x, samples, forward_at);
}

static void backward_sample(const cr_layer *layer, float *dx, const float *dy, int k)
{
    memset(dx, 0, (size_t)layer->in.h * (size_t)layer->in.w * (size_t)k * sizeof *dx);
    for (int at = 0; at < layer->out.h * layer->out.w; at++) {
        cr_window window = cr_window_at(layer, at / layer->out.w, at % layer->out.w);
        float scale = share(&window);
        const float *from = dy + (int64_t)at * k;
        int wide = window.right - window.left;
        for (int p = 0; p < (window.bottom - window.top) * wide; p++) {
            int64_t to = (int64_t)(window.top + p / wide) * layer->in.w + window.left + p % wide;
            for (int j = 0; j < k; j++)
                dx[to * k + j] += scale * from[j];
        }
    }
}

static void backward(const cr_layer *layer, float *dx, const float *dy, const float *x,
                     const cr_tile *channels, int samples)
{
    int k = channels->k;
    int64_t in = (int64_t)layer->in.h * layer->in.w;
    int64_t out = (int64_t)layer->out.h * layer->out.w;
    (void)x;
#pragma omp parallel for schedule(static) if (cr_worth_threads(samples * in * k))
    for (int n = 0; n < samples; n++)
        backward_sample(layer, dx + n * in * k, dy + n * out * k, k);
}

static const cr_mapping mapping = {
    .channelwise = true,
    .forward = forward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_average_pool = {
    .name = "average_pool",
    .options = options,
    .shape = shape,
    .mapping = &mapping,
};
