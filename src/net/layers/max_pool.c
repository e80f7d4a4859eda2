/*
 * max_pool: the largest value of each K x K window, channel by channel. The gradient goes to the
 * first position that has it, found again from the input.
 */
#include "../tiles.h"
#include "../window.h"

#include <float.h>
#include <string.h>

enum { STRIP = 64 }; /* channels of which the largest are found together */

static const cr_option options[] = {
    {.name = "kernel",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, kernel),
     .low = 1,
     .high = 255,
     .help = "rows and columns of the window"},
    CR_OPTION_POOL_STRIDE,
    CR_OPTION_PADDING,
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    cr_layer_plan *plan = &layer->plan;
    plan->stride = plan->stride > 0 ? plan->stride : plan->kernel;
    return cr_window_shape(layer);
}

static void forward_at(const cr_layer *layer, float *restrict y, const float *x, int oh, int ow)
{
    cr_window window = cr_window_at(layer, oh, ow);
    int channels = layer->in.c;
    for (int c = 0; c < channels; c++)
        y[c] = -FLT_MAX;
    for (int h = window.top; h < window.bottom; h++) {
        for (int w = window.left; w < window.right; w++) {
            const float *from = x + ((int64_t)h * layer->in.w + w) * channels;
            for (int c = 0; c < channels; c++)
                y[c] = from[c] > y[c] || from[c] != from[c] ? from[c] : y[c];
        }
    }
}

static void forward(const cr_layer *layer, float *y, const float *x, int samples)
{
    cr_window_each(layer, y, x, samples, forward_at);
}

/* position [count] where the first channels of x [H, W, C] are largest in a window */
static void find_largest(int *restrict position, const cr_layer *layer, const float *x,
                         const cr_window *window, int count)
{
    float largest[STRIP];
    for (int c = 0; c < count; c++) {
        largest[c] = -FLT_MAX;
        position[c] = window->top * layer->in.w + window->left;
    }
    for (int h = window->top; h < window->bottom; h++) {
        for (int w = window->left; w < window->right; w++) {
            int at = h * layer->in.w + w;
            const float *from = x + (int64_t)at * layer->in.c;
            for (int c = 0; c < count; c++) {
                position[c] = from[c] > largest[c] ? at : position[c];
                largest[c] = from[c] > largest[c] ? from[c] : largest[c];
            }
        }
    }
}

/* dx [H, W, C] += dy [count] of one window, where the first channels are largest */
static void add_all(const cr_layer *layer, float *dx, const float *dy, const int *position,
                    const cr_window *window, int count)
{
    for (int h = window->top; h < window->bottom; h++) {
        for (int w = window->left; w < window->right; w++) {
            int at = h * layer->in.w + w;
            float *restrict to = dx + (int64_t)at * layer->in.c;
            for (int c = 0; c < count; c++)
                to[c] += position[c] == at ? dy[c] : 0;
        }
    }
}

/* dx [H, W, k] += dy [k] of one window, where x [H, W, C] is largest */
static void backward_window(const cr_layer *layer, float *dx, const float *dy, const float *x,
                            const cr_window *window, const cr_tile *channels)
{
    const int *index = channels->index;
    int position[STRIP];
    int k = channels->k;
    int j = 0;
    for (int first = 0; first < layer->in.c && j < k; first += STRIP) {
        int count = layer->in.c - first < STRIP ? layer->in.c - first : STRIP;
        find_largest(position, layer, x + first, window, count);
        if (index == NULL)
            add_all(layer, dx + first, dy + first, position, window, count);
        for (; index != NULL && j < k && index[j] < first + count; j++)
            dx[(int64_t)position[index[j] - first] * k + j] += dy[j];
    }
}

static void backward_sample(const cr_layer *layer, float *dx, const float *dy, const float *x,
                            const cr_tile *channels)
{
    int k = channels->k;
    memset(dx, 0, (size_t)layer->in.h * (size_t)layer->in.w * (size_t)k * sizeof *dx);
    for (int at = 0; at < layer->out.h * layer->out.w; at++) {
        cr_window window = cr_window_at(layer, at / layer->out.w, at % layer->out.w);
        backward_window(layer, dx, dy + (int64_t)at * k, x, &window, channels);
    }
}

static void backward(const cr_layer *layer, float *dx, const float *dy, const float *x,
                     const cr_tile *channels, int samples)
{
    int64_t in = (int64_t)layer->in.h * layer->in.w;
    int64_t out = (int64_t)layer->out.h * layer->out.w;
#pragma omp parallel for schedule(static) if (cr_worth_threads(samples * in * channels->k))
    for (int n = 0; n < samples; n++)
        backward_sample(layer, dx + n * in * channels->k, dy + n * out * channels->k,
                        x + n * in * layer->in.c, channels);
}

static const cr_mapping mapping = {
    .channelwise = true,
    .keeps_input = true,
    .forward = forward,
    .backward = backward,
};

const cr_layer_type cr_layer_type_max_pool = {
    .name = "max_pool",
    .options = options,
    .shape = shape,
    .mapping = &mapping,
};
