/*
 * twin_layers: every layer in double, as one reads it in a textbook: all channels, nothing compact,
 * shapes and padding worked out here. Only a contraction knows of its pick: it sums over the
 * picked channels alone. Picks and dropout masks are those of the net's step, held fixed.
 *
 * Which side of its kink a ReLU is on and which value is a window's largest is settled in the first
 * pass and then kept, so that the loss is smooth around it and its differences are derivatives.
 */
#ifndef TEST_TWIN_LAYERS_H
#define TEST_TWIN_LAYERS_H

#include "nets.h"

typedef struct twin {
    const cr_net *net; /* its step's picks and masks; borrowed */
    const net_batch *batch;
    double *w;       /* [parameter_count] owned */
    double **values; /* [tensor_count] of the tensors; owned */
    double *x, *y;   /* end of a chain, output of a consumer; owned */
    double *pooled;  /* inside zero_pad; owned */
    float *mask;     /* of a dropout layer; owned */
    double **first;  /* [segment_count] outputs of the contractions in the first pass; owned */
    const cr_parameter *moved; /* parameter that this pass has other values of; NULL: none */
    int *choices;              /* in the order in which a pass meets them; owned */
    int64_t next;              /* choice of this pass */
    bool settled;              /* the first pass has been made */
    double margin;             /* how near to another choice the first pass came */
} twin;

/* The choice made in the first pass; `now` and how far it is from another, in that pass. */
static inline int twin_choice(twin *t, int now, double margin)
{
    int *choice = &t->choices[t->next++];
    if (!t->settled) {
        *choice = now;
        t->margin = fmin(t->margin, margin);
    }
    return *choice;
}

static inline int64_t twin_floats(const twin *t, const cr_shape *shape)
{
    return (int64_t)t->batch->rows * shape->h * shape->w * shape->c;
}

/* ---- channelwise layers: y [rows, C] in place ------------------------------------------------ */

static inline void twin_bias(twin *t, const cr_layer *layer, double *y)
{
    const double *b = t->w + layer->parameters[0].offset;
    for (int64_t i = 0; i < twin_floats(t, &layer->in); i++)
        y[i] += b[i % layer->in.c];
}

static inline void twin_relu(twin *t, const cr_layer *layer, double *y)
{
    for (int64_t i = 0; i < twin_floats(t, &layer->in); i++)
        y[i] *= twin_choice(t, y[i] > 0, fabs(y[i])) ? 1 : layer->plan.slope;
}

/* The mask is what the layer makes of ones. */
static inline void twin_dropout(twin *t, const cr_layer *layer, double *y)
{
    int64_t count = twin_floats(t, &layer->in);
    cr_tile tile = {.rows = (int)(count / layer->in.c), .k = layer->in.c};
    cr_pass pass = t->net->pass;
    pass.first_sample = 0;
    for (int64_t i = 0; i < count; i++)
        t->mask[i] = 1;
    layer->type->channelwise->forward(layer, &pass, t->mask, &tile);
    for (int64_t i = 0; i < count; i++)
        y[i] *= t->mask[i];
}

static inline void twin_batch_norm(twin *t, const cr_layer *layer, double *y)
{
    const double *gamma = t->w + layer->parameters[0].offset;
    const double *beta = t->w + layer->parameters[1].offset;
    int64_t count = twin_floats(t, &layer->in);
    int64_t channels = layer->in.c;
    double rows = (double)(count / channels);
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (int64_t i = c; i < count; i += channels)
            mean += y[i] / rows;
        for (int64_t i = c; i < count; i += channels)
            variance += (y[i] - mean) * (y[i] - mean) / rows;
        double scale = gamma[c] / sqrt(variance + layer->plan.epsilon);
        for (int64_t i = c; i < count; i += channels)
            y[i] = scale * (y[i] - mean) + beta[c];
    }
}

/* ---- windows --------------------------------------------------------------------------------- */

/* Kernel and stride of any consumer: a dense layer is a 1x1 convolution of an image of 1x1. */
typedef struct twin_window {
    int kernel, stride;
    int top, left; /* zeros before the image: SAME as TensorFlow has it, none for VALID */
} twin_window;

static inline int twin_padding(const twin_window *window, int in, int out)
{
    int missing = (out - 1) * window->stride + window->kernel - in;
    return missing > 0 ? missing / 2 : 0;
}

static inline twin_window twin_window_of(const cr_layer *layer)
{
    twin_window window = {1, 1, 0, 0};
    if (strcmp(layer->type->name, "dense") == 0)
        return window;
    window.kernel = layer->plan.kernel;
    window.stride = layer->plan.stride;
    if (!layer->plan.valid) {
        window.top = twin_padding(&window, layer->in.h, layer->out.h);
        window.left = twin_padding(&window, layer->in.w, layer->out.w);
    }
    return window;
}

/* Where tap (kh, kw) of output (b, oh, ow) reads: offset of its channel 0 in x, -1 outside. */
static inline int64_t twin_at(const cr_layer *layer, const twin_window *window, int64_t output,
                              int tap)
{
    const cr_shape *in = &layer->in, *out = &layer->out;
    int64_t b = output / out->w / out->h;
    int64_t h = output / out->w % out->h * window->stride + tap / window->kernel - window->top;
    int64_t w = output % out->w * window->stride + tap % window->kernel - window->left;
    bool inside = h >= 0 && h < in->h && w >= 0 && w < in->w;
    return inside ? ((b * in->h + h) * in->w + w) * in->c : -1;
}

static inline int64_t twin_outputs(const twin *t, const cr_layer *layer)
{
    return (int64_t)t->batch->rows * layer->out.h * layer->out.w;
}

/* y_o += sum over the picked i of x_i scale_i w_io, at one tap */
static inline void twin_add_tap(double *restrict y, const double *x, const double *w,
                                const cr_pick *pick, int out)
{
    for (int j = 0; j < pick->k; j++) {
        double value = x[pick->index[j]] * pick->scale[j];
        const double *row = w + (int64_t)pick->index[j] * out;
        for (int o = 0; o < out; o++)
            y[o] += value * row[o];
    }
}

/* Adelman & Silberstein 2018, eq. (4) and (6) */
static inline void twin_contract(twin *t, const cr_layer *layer, const cr_pick *pick, double *y,
                                 const double *x)
{
    const double *w = t->w + layer->parameters[0].offset;
    twin_window window = twin_window_of(layer);
    int out = layer->out.c;
    memset(y, 0, (size_t)twin_floats(t, &layer->out) * sizeof *y);
    for (int64_t at = 0; at < twin_outputs(t, layer); at++) {
        for (int tap = 0; tap < window.kernel * window.kernel; tap++) {
            int64_t from = twin_at(layer, &window, at, tap);
            if (from >= 0)
                twin_add_tap(y + at * out, x + from, w + (int64_t)tap * layer->in.c * out, pick,
                             out);
        }
    }
}

static inline void twin_max_pool(twin *t, const cr_layer *layer, double *y, const double *x)
{
    twin_window window = twin_window_of(layer);
    for (int64_t at = 0; at < twin_outputs(t, layer); at++) {
        for (int c = 0; c < layer->in.c; c++) {
            int64_t best = -1;
            double margin = INFINITY; /* equal values are zeros of a ReLU: nothing flows there */
            for (int tap = 0; tap < window.kernel * window.kernel; tap++) {
                int64_t from = twin_at(layer, &window, at, tap);
                double apart = from < 0 || best < 0 ? 0 : x[from + c] - x[best + c];
                margin = apart != 0 ? fmin(margin, fabs(apart)) : margin;
                if (from >= 0 && (best < 0 || apart > 0))
                    best = from;
            }
            y[at * layer->in.c + c] = x[twin_choice(t, (int)best, margin) + c];
        }
    }
}

static inline void twin_average_pool(twin *t, const cr_layer *layer, double *y, const double *x)
{
    twin_window window = twin_window_of(layer);
    for (int64_t at = 0; at < twin_outputs(t, layer); at++) {
        for (int c = 0; c < layer->in.c; c++) {
            double sum = 0, inside = 0;
            for (int tap = 0; tap < window.kernel * window.kernel; tap++) {
                int64_t from = twin_at(layer, &window, at, tap);
                sum += from >= 0 ? x[from + c] : 0;
                inside += from >= 0;
            }
            y[at * layer->in.c + c] = sum / inside;
        }
    }
}

/* Average pooling, then zero channels on both sides. */
static inline void twin_zero_pad(twin *t, const cr_layer *layer, double *y, const double *x)
{
    int zeros = (layer->out.c - layer->in.c) / 2;
    twin_average_pool(t, layer, t->pooled, x);
    memset(y, 0, (size_t)twin_floats(t, &layer->out) * sizeof *y);
    for (int64_t at = 0; at < twin_outputs(t, layer); at++)
        for (int c = 0; c < layer->in.c; c++)
            y[at * layer->out.c + zeros + c] = t->pooled[at * layer->in.c + c];
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*apply)(twin *t, const cr_layer *layer, double *y);
} twin_channelwise[] = {
    {"bias", twin_bias},
    {"relu", twin_relu},
    {"dropout", twin_dropout},
    {"batch_norm", twin_batch_norm},
};

static const struct {
    const char *name;
    void (*apply)(twin *t, const cr_layer *layer, double *y, const double *x);
} twin_mappings[] = {
    {"max_pool", twin_max_pool},
    {"average_pool", twin_average_pool},
    {"zero_pad", twin_zero_pad},
};

#endif
