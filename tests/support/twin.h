/*
 * twin: the forward pass of a net in double (twin_layers.h), tensor by tensor. Its derivatives, by
 * central differences, are what the net's gradient must be: value by value, or, where there are too
 * many, along random directions.
 *
 * A second sampling inside the backward products makes the gradient that of another function: a
 * contraction's output y follows what was changed before it, or its own weights, from its value y0
 * of the first pass on as y0 + s (y - y0), with the scale s of the sample or output, 0 where that
 * was not picked.
 */
#ifndef TEST_TWIN_H
#define TEST_TWIN_H

#include "twin_layers.h"

/* Room for the largest tensor of the net, and for the choices of a pass. */
static inline void twin_make_room(twin *t)
{
    const cr_net *net = t->net;
    int64_t most = 0, choices = 0;
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        most = values_larger(most, twin_floats(t, &layer->in));
        most = values_larger(most, twin_floats(t, &layer->out));
        choices += twin_floats(t, &layer->in); /* more than are made */
    }
    t->x = values_new(most, sizeof(double));
    t->y = values_new(most, sizeof(double));
    t->pooled = values_new(most, sizeof(double));
    t->mask = values_new(most, sizeof(float));
    t->choices = values_new(choices, sizeof(int));
    t->first = values_new(net->segment_count, sizeof *t->first);
    for (int s = 0; net->backward != NULL && s < net->segment_count; s++)
        t->first[s] =
            values_new(twin_floats(t, &net->layers[net->segments[s].consumer].out), sizeof(double));
    t->values = values_new(net->tensor_count, sizeof *t->values);
    for (int i = 0; i < net->tensor_count; i++)
        t->values[i] = values_new(twin_floats(t, &net->tensors[i].shape), sizeof(double));
}

static inline void twin_start(twin *t, const cr_net *net, const net_batch *batch)
{
    *t = (twin){.net = net, .batch = batch, .margin = INFINITY};
    twin_make_room(t);
    t->w = values_new(net->parameter_count, sizeof(double));
    for (int64_t i = 0; i < net->parameter_count; i++)
        t->w[i] = net->parameters[i];
    for (int64_t i = 0; i < batch->rows * net_features(net); i++)
        t->values[0][i] = batch->x[i];
}

static inline void twin_free(twin *t)
{
    for (int i = 0; i < t->net->tensor_count; i++)
        CR_FREE(t->values[i]);
    for (int s = 0; s < t->net->segment_count; s++)
        CR_FREE(t->first[s]);
    CR_FREE(t->first);
    CR_FREE(t->values);
    CR_FREE(t->x);
    CR_FREE(t->y);
    CR_FREE(t->pooled);
    CR_FREE(t->mask);
    CR_FREE(t->choices);
    CR_FREE(t->w);
}

/* ---- the loss -------------------------------------------------------------------------------- */

static inline void twin_chain(twin *t, const cr_segment *segment, double *y)
{
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &t->net->layers[segment->chain_first + i];
        bool found = false;
        for (size_t j = 0; j < sizeof twin_channelwise / sizeof *twin_channelwise; j++) {
            if (strcmp(twin_channelwise[j].name, layer->type->name) != 0)
                continue;
            twin_channelwise[j].apply(t, layer, y);
            found = true;
        }
        assert_true(found);
    }
}

/* scales [of `of`] = what the pick makes of each; `through`: where its own channels lie. */
static inline void twin_scales(double *scales, int of, const cr_pick *pick, const cr_pick *through)
{
    for (int i = 0; i < of; i++)
        scales[i] = 0;
    for (int j = 0; j < pick->k; j++)
        scales[through != NULL ? through->index[pick->index[j]] : pick->index[j]] = pick->scale[j];
}

/* The second sampling of segment s: y0 + s (y - y0). */
static inline void twin_thin(const twin *t, int s, double *y)
{
    const cr_segment *segment = &t->net->segments[s];
    const cr_layer *layer = &t->net->layers[segment->consumer];
    int64_t count = twin_floats(t, &layer->out);
    int rows = t->batch->rows, out = layer->out.c;
    if (t->first[s] == NULL)
        return;
    if (!t->settled)
        memcpy(t->first[s], y, (size_t)count * sizeof *y);
    bool own = t->moved == &layer->parameters[0];
    if (!(own ? segment->thin_weights : segment->thin_inputs))
        return;
    bool by_sample = own && t->net->backward->by_sample;
    double *scales = values_new(values_larger(rows, out), sizeof *scales);
    if (by_sample)
        twin_scales(scales, rows, &segment->examples, NULL);
    else
        twin_scales(scales, out, &segment->outputs, segment->live);
    for (int64_t i = 0; i < count; i++)
        y[i] = t->first[s][i] +
               scales[by_sample ? i / (count / rows) : i % out] * (y[i] - t->first[s][i]);
    CR_FREE(scales);
}

static inline void twin_consume(twin *t, int s, double *y, const double *x)
{
    const cr_segment *segment = &t->net->segments[s];
    const cr_layer *layer = &t->net->layers[segment->consumer];
    bool found = layer->type->contraction != NULL;
    if (found) {
        twin_contract(t, layer, &segment->pick, y, x);
        twin_thin(t, s, y);
    }
    for (size_t j = 0; j < sizeof twin_mappings / sizeof *twin_mappings; j++) {
        if (strcmp(twin_mappings[j].name, layer->type->name) != 0)
            continue;
        twin_mappings[j].apply(t, layer, y, x);
        found = true;
    }
    assert_true(found);
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
    const cr_net *net = t->net;
    t->next = 0;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        const cr_tensor *source = &net->tensors[segment->source];
        memcpy(t->x, t->values[segment->source],
               (size_t)twin_floats(t, &source->shape) * sizeof(double));
        twin_chain(t, segment, t->x);
        if (segment->target < 0)
            break;
        double *to = t->values[segment->target];
        twin_consume(t, s, t->y, t->x);
        for (int64_t i = 0; i < twin_floats(t, &net->tensors[segment->target].shape); i++)
            to[i] = (segment->adds ? to[i] : 0) + t->y[i];
    }
    t->settled = true;
    return twin_cross_entropy(t, t->x);
}

/* ---- its derivatives ------------------------------------------------------------------------- */

/* Step of the differences: truncation is about step^2 times a third derivative (that has
 * reached 2e6), rounding 2^-53 / step: both far below what tests allow. */
static const double twin_step = 1e-6;

/* The mean loss with `step` times direction [count] added to a parameter. */
static inline double twin_moved(twin *t, const cr_parameter *p, const float *direction, double step)
{
    double *w = t->w + p->offset;
    for (int64_t i = 0; i < p->count; i++)
        w[i] = t->net->parameters[p->offset + i] + step * direction[i];
    t->moved = p;
    double loss = twin_loss(t) / t->batch->rows;
    t->moved = NULL;
    for (int64_t i = 0; i < p->count; i++)
        w[i] = t->net->parameters[p->offset + i];
    return loss;
}

/* Derivative of the mean loss along a direction [count] of a parameter. */
static inline double twin_slope(twin *t, const cr_parameter *p, const float *direction)
{
    return (twin_moved(t, p, direction, twin_step) - twin_moved(t, p, direction, -twin_step)) /
           (2 * twin_step);
}

/* out [count]: derivatives of the mean loss in the values of a parameter. */
static inline void twin_gradient(twin *t, double *out, const cr_parameter *p)
{
    float *direction = values_new(p->count, sizeof(float));
    for (int64_t i = 0; i < p->count; i++) {
        direction[i] = 1;
        out[i] = twin_slope(t, p, direction);
        direction[i] = 0;
    }
    CR_FREE(direction);
}

/* |found - the gradient| / |found|, estimated: for a direction of independent +-1 the square of
 * what an error e makes in the slope has the mean |e|^2. */
static inline double twin_gap(twin *t, const float *found, const cr_parameter *p, int directions)
{
    float *direction = values_new(p->count, sizeof(float));
    double apart = 0, size = 0;
    for (int64_t i = 0; i < p->count; i++)
        size += (double)found[i] * found[i];
    for (int d = 0; d < directions; d++) {
        double slope = 0;
        values_uniform(direction, p->count, 60 + (uint32_t)d);
        for (int64_t i = 0; i < p->count; i++) {
            direction[i] = direction[i] < 0 ? -1 : 1;
            slope += (double)direction[i] * found[i];
        }
        slope -= twin_slope(t, p, direction);
        apart += slope * slope / directions;
    }
    CR_FREE(direction);
    return sqrt(apart / size);
}

/* ---- a whole net ----------------------------------------------------------------------------- */

/* The gradient of a mean loss over `rows` samples against derivatives along random directions for
 * each parameter: the estimate of the error is within a factor of 2. In the second of two steps,
 * which works in used memory. Returns false, and compares nothing, when the twin comes nearer to
 * another choice of a ReLU or maximum than `margin`. */
static inline bool twin_check_net(cr_net *net, int rows, double most, double margin,
                                  const char *what)
{
    enum { DIRECTIONS = 2 };
    net_batch batch = net_batch_new(net, rows);
    twin t;
    (void)net_step(net, &batch, 4);
    net_poison(net);
    double loss = net_step(net, &batch, 5);
    float *dense = net_gradient(net);
    twin_start(&t, net, &batch);
    ASSERT_NEAR(loss, twin_loss(&t), 1e-5 * loss);
    bool usable = t.margin > margin;
    for (int i = 0; usable && cr_net_parameter(net, i) != NULL; i++) {
        const cr_parameter *p = cr_net_parameter(net, i);
        double gap = twin_gap(&t, dense + p->offset, p, DIRECTIONS);
        if (!(gap <= most))
            fail_msg("%s: %s/%s: the gradient is off by %.3g", what, p->layer, p->name, gap);
    }
    twin_free(&t);
    net_batch_free(&batch);
    CR_FREE(dense);
    return usable;
}

#endif
