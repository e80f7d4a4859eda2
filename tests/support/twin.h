/*
 * twin: the forward pass of a net of dense layers in double, as one reads it in a textbook: all
 * channels, nothing compact. Picks and dropout masks are those of the net's step, held fixed. Its
 * derivatives, by central differences, are what the net's gradient must be.
 */
#ifndef TEST_TWIN_H
#define TEST_TWIN_H

#include "nets.h"

enum { TWIN_ROWS = 16, TWIN_WIDE = 48 };

typedef struct twin {
    const cr_net *net; /* its step's picks and masks; borrowed */
    const net_batch *batch;
    double *w;     /* [parameter_count] owned */
    double margin; /* smallest |x| that a ReLU has seen: no derivative at 0 */
} twin;

static inline void twin_start(twin *t, const cr_net *net, const net_batch *batch)
{
    *t = (twin){.net = net, .batch = batch, .margin = INFINITY};
    assert_true(batch->rows <= TWIN_ROWS);
    t->w = values_new(net->parameter_count, sizeof(double));
    for (int64_t i = 0; i < net->parameter_count; i++)
        t->w[i] = net->parameters[i];
}

static inline void twin_free(twin *t)
{
    CR_FREE(t->w);
}

/* ---- channelwise layers: y [rows, C] in place -------------------------------------------------
 */

static inline void twin_bias(twin *t, const cr_layer *layer, double *y)
{
    const double *b = t->w + layer->parameters[0].offset;
    for (int i = 0; i < t->batch->rows * layer->in.c; i++)
        y[i] += b[i % layer->in.c];
}

static inline void twin_relu(twin *t, const cr_layer *layer, double *y)
{
    for (int i = 0; i < t->batch->rows * layer->in.c; i++) {
        t->margin = fmin(t->margin, fabs(y[i]));
        y[i] = fmax(y[i], 0);
    }
}

/* The mask is what the layer makes of ones. */
static inline void twin_dropout(twin *t, const cr_layer *layer, double *y)
{
    float mask[TWIN_ROWS * TWIN_WIDE];
    int count = t->batch->rows * layer->in.c;
    cr_tile tile = {.rows = t->batch->rows, .k = layer->in.c};
    cr_pass pass = t->net->pass;
    pass.first_sample = 0;
    for (int i = 0; i < count; i++)
        mask[i] = 1;
    layer->type->channelwise->forward(layer, &pass, mask, &tile);
    for (int i = 0; i < count; i++)
        y[i] *= mask[i];
}

static const struct {
    const char *name;
    void (*apply)(twin *t, const cr_layer *layer, double *y);
} twin_layers[] = {{"bias", twin_bias}, {"relu", twin_relu}, {"dropout", twin_dropout}};

static inline void twin_chain(twin *t, const cr_segment *segment, double *y)
{
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &t->net->layers[segment->chain_first + i];
        bool found = false;
        for (size_t j = 0; j < sizeof twin_layers / sizeof *twin_layers; j++) {
            if (strcmp(twin_layers[j].name, layer->type->name) != 0)
                continue;
            twin_layers[j].apply(t, layer, y);
            found = true;
        }
        assert_true(found);
    }
}

/* ---- contraction and loss -------------------------------------------------------------------- */

/* y_bo = sum over the picked i of x_bi scale_i w_io */
static inline void twin_dense(const twin *t, const cr_segment *segment, double *y, const double *x)
{
    const cr_layer *layer = &t->net->layers[segment->consumer];
    const double *w = t->w + layer->parameters[0].offset;
    const cr_pick *pick = &segment->pick;
    for (int b = 0; b < t->batch->rows; b++) {
        for (int o = 0; o < layer->out.c; o++) {
            double sum = 0;
            for (int j = 0; j < pick->k; j++) {
                int i = pick->index[j];
                sum += x[b * segment->n + i] * pick->scale[j] * w[i * layer->out.c + o];
            }
            y[b * layer->out.c + o] = sum;
        }
    }
}

/* Summed over samples. */
static inline double twin_cross_entropy(const twin *t, const double *x)
{
    int classes = t->net->classes;
    double loss = 0;
    for (int b = 0; b < t->batch->rows; b++) {
        double sum = 0;
        for (int c = 0; c < classes; c++)
            sum += exp(x[b * classes + c]);
        loss += log(sum) - x[b * classes + t->batch->labels[b]];
    }
    return loss;
}

static inline double twin_loss(twin *t)
{
    double x[TWIN_ROWS * TWIN_WIDE], y[TWIN_ROWS * TWIN_WIDE];
    const cr_net *net = t->net;
    for (int i = 0; i < t->batch->rows * net->segments[0].n; i++)
        x[i] = t->batch->x[i];
    for (int s = 0; s + 1 < net->segment_count; s++) {
        assert_true(net->segments[s].n <= TWIN_WIDE);
        twin_chain(t, &net->segments[s], x);
        twin_dense(t, &net->segments[s], y, x);
        memcpy(x, y, sizeof x);
    }
    twin_chain(t, &net->segments[net->segment_count - 1], x);
    return twin_cross_entropy(t, x);
}

/* out [count]: derivatives of the mean loss in the values of a parameter. Step 1e-5: truncation
 * is about step^2, rounding 2^-53 / step, both below 1e-9. */
static inline void twin_gradient(twin *t, double *out, const cr_parameter *p)
{
    const double step = 1e-5;
    for (int64_t i = 0; i < p->count; i++) {
        double *value = &t->w[p->offset + i];
        double before = *value;
        *value = before + step;
        double above = twin_loss(t);
        *value = before - step;
        double below = twin_loss(t);
        *value = before;
        out[i] = (above - below) / (2 * step) / t->batch->rows;
    }
}

#endif
