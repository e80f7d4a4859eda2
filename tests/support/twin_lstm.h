/*
 * twin_lstm: the lstm model in double, as one reads it in a textbook, number by number: embedding,
 * gates, cells, projection, cross-entropy. Picks and dropout masks are those of the net's step,
 * held fixed; the state that a window begins with is a constant. It finds all parameters by name.
 */
#ifndef TEST_TWIN_LSTM_H
#define TEST_TWIN_LSTM_H

#include "nets.h"

#include <math.h>

enum { TWIN_CELLS = 16, TWIN_STEPS = 8 }; /* at most */

/* The net that the tests are about. */
enum { ROWS = 3, STEPS = 4, CELLS = 6, CLASSES = 11, STATE = 2 * 2 * CELLS };
static const net_wish lstm_whole = {.model = "lstm",
                                    .input = {STEPS, 1, 1},
                                    .classes = CLASSES,
                                    .options = "hidden=6 layers=2 unroll=4 forget_bias=0.25",
                                    .initializer = "xavier",
                                    .rows = ROWS,
                                    .seed = 3};

/* Windows of a micro-batch. */
typedef struct lstm_batch {
    int rows;
    float *x;    /* [rows, T] tokens; owned */
    int *labels; /* [rows, T] owned */
} lstm_batch;

typedef struct lstm_twin {
    const cr_net *net; /* its step's picks and masks; borrowed */
    const lstm_batch *batch;
    int steps, cells, layers;
    double *w;           /* [parameter_count] owned */
    const double *begin; /* [rows, state_floats] */
    double *end;         /* likewise: the state behind the window; NULL: not wanted */
    double *x;           /* [rows, T, cells] from layer to layer; owned */
} lstm_twin;

static inline lstm_batch lstm_batch_new(const cr_net *net, int rows, int steps, uint32_t which)
{
    lstm_batch batch = {.rows = rows};
    batch.x = values_new((int64_t)rows * steps, sizeof(float));
    batch.labels = values_new((int64_t)rows * steps, sizeof(int));
    net_tokens(batch.x, rows * steps, net->classes, which);
    values_labels(batch.labels, rows * steps, net->classes, which + 1);
    return batch;
}

static inline void lstm_batch_free(lstm_batch *batch)
{
    CR_FREE(batch->x);
    CR_FREE(batch->labels);
}

static inline void lstm_twin_start(lstm_twin *t, const cr_net *net, int steps, int cells)
{
    *t = (lstm_twin){.net = net, .steps = steps, .cells = cells};
    t->layers = (int)(net->state_floats / (2 * cells));
    assert_true(cells <= TWIN_CELLS && steps <= TWIN_STEPS);
    t->w = values_new(net->parameter_count, sizeof(double));
    t->x = values_new((int64_t)net->rows * steps * cells, sizeof(double));
    for (int64_t i = 0; i < net->parameter_count; i++)
        t->w[i] = net->parameters[i];
}

static inline void lstm_twin_free(lstm_twin *t)
{
    CR_FREE(t->w);
    CR_FREE(t->x);
}

/* ---- by name --------------------------------------------------------------------------------- */

static inline const double *lstm_twin_weights(const lstm_twin *t, const char *layer,
                                              const char *name)
{
    for (int i = 0; cr_net_parameter(t->net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(t->net, i);
        if (strcmp(p->layer, layer) == 0 && strcmp(p->name, name) == 0)
            return t->w + p->offset;
    }
    fail_msg("no parameter %s/%s", layer, name);
    return NULL;
}

static inline const cr_segment *net_segment_named(const cr_net *net, const char *name)
{
    for (int s = 0; s < net->segment_count; s++)
        if (strcmp(net->layers[net->segments[s].consumer].name, name) == 0)
            return &net->segments[s];
    fail_msg("no segment %s", name);
    return NULL;
}

/* scale [n] of each channel that the layer's pick keeps, 0 of others */
static inline void lstm_twin_scales(const lstm_twin *t, double *scale, const char *layer)
{
    const cr_pick *pick = &net_segment_named(t->net, layer)->pick;
    for (int i = 0; i < pick->n; i++)
        scale[i] = 0;
    for (int j = 0; j < pick->k; j++)
        scale[pick->index[j]] = pick->scale[j];
}

/* ---- layers ---------------------------------------------------------------------------------- */

static inline int64_t lstm_twin_floats(const lstm_twin *t)
{
    return (int64_t)t->batch->rows * t->steps * t->cells;
}

/* The mask is what the layer makes of ones. */
static inline void lstm_twin_drop(lstm_twin *t, int number)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "dropout%d", number);
    for (int l = 0; l < t->net->layer_count; l++) {
        const cr_layer *layer = &t->net->layers[l];
        if (strcmp(layer->name, name) != 0)
            continue;
        float *mask = values_new(lstm_twin_floats(t), sizeof(float));
        cr_tile tile = {.rows = t->batch->rows * t->steps, .k = t->cells};
        for (int64_t i = 0; i < lstm_twin_floats(t); i++)
            mask[i] = 1;
        layer->type->channelwise->forward(layer, &t->net->pass, mask, &tile);
        for (int64_t i = 0; i < lstm_twin_floats(t); i++)
            t->x[i] *= mask[i];
        CR_FREE(mask);
    }
}

static inline double lstm_twin_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* z [4][cells] += what x [cells] gives, gate by gate */
static inline void lstm_twin_input(const lstm_twin *t, double z[4][TWIN_CELLS], const double *x,
                                   const char *layer)
{
    static const char *const gates[] = {"i", "j", "f", "o"};
    for (int g = 0; g < 4; g++) {
        char name[2 * CR_WORD_MAX];
        double scale[TWIN_CELLS];
        (void)snprintf(name, sizeof name, "%s.%s", layer, gates[g]);
        const double *w = lstm_twin_weights(t, name, "kernel");
        lstm_twin_scales(t, scale, name);
        for (int i = 0; i < t->cells; i++)
            for (int q = 0; q < t->cells; q++)
                z[g][q] += scale[i] * x[i] * w[i * t->cells + q];
    }
}

/* z [4][cells] += what h [cells] gives, and the bias */
static inline void lstm_twin_recurrent(const lstm_twin *t, double z[4][TWIN_CELLS], const double *h,
                                       const char *name)
{
    double scale[TWIN_CELLS];
    const double *w = lstm_twin_weights(t, name, "kernel");
    const double *b = lstm_twin_weights(t, name, "bias");
    lstm_twin_scales(t, scale, name);
    for (int g = 0; g < 4; g++)
        for (int q = 0; q < t->cells; q++) {
            z[g][q] += b[g * t->cells + q];
            for (int i = 0; i < t->cells; i++)
                z[g][q] += scale[i] * h[i] * w[(4 * i + g) * t->cells + q];
        }
}

/* One sample's window through one layer, x in place; c and h [cells] likewise. */
static inline void lstm_twin_window(const lstm_twin *t, double *x, double *c, double *h,
                                    const char *layer, const char *recurrent, double forget_bias)
{
    for (int step = 0; step < t->steps; step++) {
        double z[4][TWIN_CELLS] = {{0}};
        lstm_twin_input(t, z, x + (int64_t)step * t->cells, layer);
        lstm_twin_recurrent(t, z, h, recurrent);
        for (int q = 0; q < t->cells; q++) {
            double keeps = lstm_twin_sigmoid(z[2][q] + forget_bias) * c[q];
            c[q] = keeps + lstm_twin_sigmoid(z[0][q]) * tanh(z[1][q]);
            h[q] = lstm_twin_sigmoid(z[3][q]) * tanh(c[q]);
            x[step * t->cells + q] = h[q];
        }
    }
}

static inline void lstm_twin_layer(lstm_twin *t, int number)
{
    cr_word layer;
    char recurrent[2 * CR_WORD_MAX];
    (void)snprintf(layer, sizeof layer, "lstm%d", number);
    (void)snprintf(recurrent, sizeof recurrent, "%s.recurrent", layer);
    const cr_segment *segment = net_segment_named(t->net, recurrent);
    double forget_bias = t->net->layers[segment->consumer].plan.forget_bias;
    for (int n = 0; n < t->batch->rows; n++) {
        double carried[2][TWIN_CELLS]; /* c, h */
        int64_t at = n * t->net->state_floats + (int64_t)(number - 1) * 2 * t->cells;
        for (int i = 0; i < 2 * t->cells; i++)
            carried[i / t->cells][i % t->cells] = t->begin[at + i];
        lstm_twin_window(t, t->x + (int64_t)n * t->steps * t->cells, carried[0], carried[1], layer,
                         recurrent, forget_bias);
        for (int i = 0; t->end != NULL && i < 2 * t->cells; i++)
            t->end[at + i] = carried[i / t->cells][i % t->cells];
    }
}

/* Cross-entropy of one position. */
static inline double lstm_twin_entropy(const lstm_twin *t, const double *x, int label)
{
    double scale[TWIN_CELLS], sum = 0, of_label = 0;
    const double *w = lstm_twin_weights(t, "projection", "kernel");
    const double *b = lstm_twin_weights(t, "projection", "bias");
    int classes = t->net->classes;
    lstm_twin_scales(t, scale, "projection");
    for (int v = 0; v < classes; v++) {
        double z = b[v];
        for (int i = 0; i < t->cells; i++)
            z += scale[i] * x[i] * w[i * classes + v];
        sum += exp(z);
        of_label = v == label ? z : of_label;
    }
    return log(sum) - of_label;
}

/* Summed over windows and their steps. */
static inline double lstm_twin_loss(lstm_twin *t)
{
    const double *table = lstm_twin_weights(t, "embedding", "kernel");
    double loss = 0;
    for (int64_t i = 0; i < lstm_twin_floats(t); i++)
        t->x[i] = table[(int)t->batch->x[i / t->cells] * t->cells + i % t->cells];
    lstm_twin_drop(t, 0);
    for (int l = 1; l <= t->layers; l++) {
        lstm_twin_layer(t, l);
        lstm_twin_drop(t, l);
    }
    for (int p = 0; p < t->batch->rows * t->steps; p++)
        loss += lstm_twin_entropy(t, t->x + (int64_t)p * t->cells, t->batch->labels[p]);
    return loss;
}

/* out [count]: derivatives of the loss in the values of a parameter, by central differences. */
static inline void lstm_twin_gradient(lstm_twin *t, double *out, const cr_parameter *p)
{
    const double step = 1e-5;
    for (int64_t i = 0; i < p->count; i++) {
        double *w = t->w + p->offset + i;
        double value = *w;
        *w = value + step;
        double above = lstm_twin_loss(t);
        *w = value - step;
        out[i] = (above - lstm_twin_loss(t)) / (2 * step);
        *w = value;
    }
}

#endif
