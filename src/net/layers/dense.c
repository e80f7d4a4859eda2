/*
 * dense: Y[N, OUT] = X[N, IN] W[IN, OUT]. With a pick I of the inputs, its scales s, and the live
 * outputs O (Adelman & Silberstein 2018, eq. (1), with liveness):
 *
 *     Y = X[:, I] (s W[I, :])     dX[:, I] = dY[:, O] (s W[I, O])^T     dW[I, O] = s X[:, I]^T
 * dY[:, O]
 *
 * The gathered weights carry the scale; dW gets its own when it is spread out, once a step.
 */
#include "colrow/net.h"

#include <string.h>

static cr_status shape(cr_layer *layer)
{
    int64_t features = (int64_t)layer->in.h * layer->in.w * layer->in.c;
    int in = 0;
    CR_TRY(cr_to_int(&in, features, layer->name));
    layer->in = (cr_shape){1, 1, in}; /* NHWC rows are the features already */
    int out = layer->out.c;
    CR_CHECK(out >= 1, CR_BAD_CONFIG, "layer %s: expected a width of at least 1, found %d",
             layer->name, out);
    layer->out = (cr_shape){1, 1, out};
    layer->parameter_count = 1;
    layer->parameters[0] = (cr_parameter){.name = "kernel",
                                          .rank = 2,
                                          .dims = {in, out},
                                          .dimensions = "IN,OUT",
                                          .count = (int64_t)in * out,
                                          .decay = true,
                                          .fan_in = in,
                                          .fan_out = out};
    return CR_OK;
}

static void row_norms(const cr_layer *layer, double *norms, const float *w, int64_t rows)
{
    int out = layer->out.c;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = w + i * out; /* [OUT] */
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int o = 0; o < out; o++)
            sum += (double)row[o] * row[o];
        norms[i] = sum;
    }
}

static void channel_norms(const cr_layer *layer, double *norms, const double *rows)
{
    memcpy(norms, rows, (size_t)layer->in.c * sizeof *norms); /* a channel is one row */
}

static void gather(const cr_layer *layer, float *kept, const float *w, const cr_pick *pick)
{
    int out = layer->out.c;
    for (int j = 0; j < pick->k; j++) {
        float *to = kept + (int64_t)j * out;
        const float *from = w + (int64_t)pick->index[j] * out;
        float scale = pick->scale[j];
        if (!pick->scaled)
            memcpy(to, from, (size_t)out * sizeof(float));
        else
            for (int o = 0; o < out; o++)
                to[o] = scale * from[o];
    }
}

static void gather_live(const cr_layer *layer, float *live, const float *kept, int k,
                        const cr_pick *out)
{
    const int *index = out->index;
    int count = out->k;
    for (int j = 0; j < k; j++) {
        const float *from = kept + (int64_t)j * layer->out.c;
        float *restrict to = live + (int64_t)j * count;
        for (int q = 0; q < count; q++)
            to[q] = from[index[q]];
    }
}

static void forward(const cr_layer *layer, const cr_engine *engine, float *y, const float *x,
                    const float *w, int rows, int k)
{
    int out = layer->out.c;
    engine->dense_forward(y, x, w, &(cr_dense_sizes){rows, k, out, k, out, out});
}

static void input_gradient(const cr_layer *layer, const cr_engine *engine, float *dx,
                           const float *dy, const float *w, int rows, int k, int live)
{
    (void)layer;
    engine->dense_input_gradient(dx, dy, w, &(cr_dense_sizes){rows, k, live, k, live, live});
}

static void weight_gradient(const cr_layer *layer, const cr_engine *engine, float *dw,
                            const float *x, const float *dy, int rows, int k, int live,
                            bool accumulate)
{
    (void)layer;
    engine->dense_weight_gradient(dw, x, dy, &(cr_dense_sizes){rows, k, live, k, live, live},
                                  accumulate);
}

/* Position in ascending index [k] of the first one that is not below `least`. */
static int position_of(const int *index, int k, int64_t least)
{
    int low = 0;
    int high = k;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (index[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* to [OUT] at O = scale from [kO] */
static void spread_row(float *restrict to, const float *restrict from, float scale,
                       const cr_pick *out)
{
    const int *index = out->index;
    int count = out->k;
    if (count == out->n)
        for (int o = 0; o < count; o++)
            to[o] = scale * from[o];
    else
        for (int q = 0; q < count; q++)
            to[index[q]] = scale * from[q];
}

static void spread(const cr_layer *layer, float *to, const float *block, const cr_pick *in,
                   const cr_pick *out, int64_t first, int64_t rows)
{
    memset(to, 0, (size_t)(rows * layer->out.c) * sizeof *to);
    for (int j = position_of(in->index, in->k, first); j < in->k && in->index[j] < first + rows;
         j++)
        spread_row(to + (in->index[j] - first) * layer->out.c, block + (int64_t)j * out->k,
                   in->scale[j], out);
}

static int64_t macs(const cr_layer *layer, int k, int live)
{
    (void)layer;
    return (int64_t)k * live;
}

static const cr_contraction contraction = {
    .row_norms = row_norms,
    .channel_norms = channel_norms,
    .gather = gather,
    .gather_live = gather_live,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
    .spread = spread,
    .macs = macs,
};

const cr_layer_type cr_layer_type_dense = {
    .name = "dense",
    .shape = shape,
    .contraction = &contraction,
};
