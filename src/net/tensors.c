/*
 * tensors: what lies between segments. Which of them carry all channels backwards, which share
 * memory, and how the gradients of several readers come together.
 */
#include "chain.h"
#include "channels.h"

#include <string.h>

int cr_segment_positions(const cr_net *net, int s)
{
    const cr_shape *in = &net->layers[net->segments[s].consumer].in;
    return in->h * in->w;
}

int cr_segment_rows(const cr_net *net, int s)
{
    return net->pass_rows * cr_segment_positions(net, s);
}

/* ---- who needs what -------------------------------------------------------------------------- */

static void count_users(cr_net *net)
{
    for (int t = 0; t < net->tensor_count; t++)
        net->tensors[t].first_writer = -1;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        cr_tensor *source = &net->tensors[segment->source];
        source->readers++;
        source->reader = s;
        source->last_user = s;
        source->dense = source->dense || segment->n != source->shape.c;
        if (segment->target < 0)
            continue;
        cr_tensor *target = &net->tensors[segment->target];
        const cr_mapping *mapping = net->layers[segment->consumer].type->mapping;
        bool mixes = mapping != NULL ? !mapping->channelwise : cr_segment_apart(net, s);
        target->dense = target->dense || segment->adds || mixes; /* wants all of its gradient */
        target->last_user = s;
        if (target->first_writer < 0)
            target->first_writer = s;
    }
    for (int t = 0; t < net->tensor_count; t++)
        net->tensors[t].dense =
            net->tensors[t].dense || net->tensors[t].readers != 1 || !net->liveness;
}

static bool maps_channels(const cr_net *net, int s)
{
    const cr_mapping *mapping = net->layers[net->segments[s].consumer].type->mapping;
    return mapping != NULL && mapping->channelwise;
}

/* Are there channels of tensor t that no contraction wants, known before the step? */
static bool has_unwanted(const cr_net *net, int t)
{
    const cr_tensor *tensor = &net->tensors[t];
    if (tensor->dense)
        return false;
    return maps_channels(net, tensor->reader)
               ? has_unwanted(net, net->segments[tensor->reader].target)
               : cr_segment_contraction(net, tensor->reader) != NULL;
}

/* From contraction to contraction, through channelwise mappings between them. */
static void plan_skips(cr_net *net)
{
    for (int t = 1; t < net->tensor_count; t++) {
        cr_tensor *tensor = &net->tensors[t];
        int writer = tensor->first_writer;
        bool can = cr_segment_contraction(net, writer) != NULL ||
                   (maps_channels(net, writer) && net->tensors[net->segments[writer].source].skips);
        tensor->skips = net->sampling.lookahead && can && has_unwanted(net, t);
    }
}

bool cr_tensor_is_compact(const cr_net *net, int t)
{
    return t >= 0 && net->pass.training && net->ahead && net->tensors[t].skips;
}

int cr_segment_channels(const cr_net *net, int s)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    return cr_segment_apart(net, s) ? cr_kernel_out(layer) : layer->out.c;
}

const cr_pick *cr_segment_inputs(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    return cr_tensor_is_compact(net, segment->source) ? segment->active : &segment->pick;
}

cr_layer cr_segment_mapping(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    cr_layer layer = net->layers[segment->consumer];
    if (cr_tensor_is_compact(net, segment->source))
        layer.in.c = layer.out.c = segment->active->k;
    return layer;
}

int cr_segment_outputs(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    return cr_tensor_is_compact(net, segment->target) ? segment->live->k
                                                      : cr_segment_channels(net, s);
}

static const cr_pick *live_of(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    if (cr_segment_apart(net, s))
        return &segment->whole;
    if (segment->target < 0)
        return NULL;
    const cr_tensor *target = &net->tensors[segment->target];
    return target->dense ? &target->all : net->segments[target->reader].active;
}

static const cr_pick *active_of(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_mapping *mapping = net->layers[segment->consumer].type->mapping;
    if (mapping == NULL && !cr_segment_recurs(net, s))
        return &segment->pick;
    return mapping != NULL && mapping->channelwise ? segment->live
                                                   : &net->tensors[segment->source].all;
}

void cr_tensors_link(cr_net *net)
{
    count_users(net);
    plan_skips(net);
    for (int s = net->segment_count - 1; s >= 0; s--) {
        cr_segment *segment = &net->segments[s];
        segment->live = live_of(net, s);
        segment->active = active_of(net, s);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Most channels that the gradient of tensor t can have. */
static int gradient_channels(const cr_net *net, const cr_tensor *t)
{
    if (t->dense)
        return t->shape.c;
    const cr_segment *reader = &net->segments[t->reader];
    if (net->layers[reader->consumer].type->mapping == NULL)
        return reader->most;
    return gradient_channels(net, &net->tensors[reader->target]);
}

static int64_t floats(const cr_net *net, const cr_tensor *t, int channels)
{
    return (int64_t)net->rows * t->shape.h * t->shape.w * channels;
}

static bool live_together(const cr_tensor *a, const cr_tensor *b)
{
    return a->first_writer <= b->last_user && b->first_writer <= a->last_user;
}

/* The lowest slot whose tensors so far never live together with tensor t; slots [tensor_count]. */
static int free_slot(const cr_net *net, const int *slots, int t)
{
    for (int slot = 0;; slot++) {
        bool is_free = true;
        for (int other = 1; other < t; other++)
            is_free = is_free && !(slots[other] == slot &&
                                   live_together(&net->tensors[other], &net->tensors[t]));
        if (is_free)
            return slot;
    }
}

static void place_slot(cr_net *net, cr_arena *arena, const int *slots, int slot)
{
    int64_t values = 0;
    int64_t gradient = 0;
    for (int t = 1; t < net->tensor_count; t++) {
        const cr_tensor *tensor = &net->tensors[t];
        if (slots[t] != slot)
            continue;
        values = larger(values, floats(net, tensor, tensor->shape.c));
        gradient = larger(gradient, floats(net, tensor, gradient_channels(net, tensor)));
    }
    float *memory[2] = {cr_arena_take(arena, values, sizeof(float)),
                        cr_arena_take(arena, gradient, sizeof(float))};
    for (int t = 1; t < net->tensor_count; t++) {
        if (slots[t] != slot)
            continue;
        net->tensors[t].values = memory[0];
        net->tensors[t].gradient = memory[1];
    }
}

void cr_tensors_place(cr_net *net, cr_arena *arena)
{
    int *slots = net->slots;
    int count = 0;
    for (int t = 0; t < net->tensor_count; t++)
        cr_pick_place(&net->tensors[t].all, net->tensors[t].shape.c, arena);
    for (int t = 1; t < net->tensor_count; t++) {
        slots[t] = free_slot(net, slots, t);
        count = slots[t] >= count ? slots[t] + 1 : count;
    }
    for (int slot = 0; slot < count; slot++)
        place_slot(net, arena, slots, slot);
}

/* ---- gradients ------------------------------------------------------------------------------- */

float *cr_tensor_gradient_of(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_tensor *source = &net->tensors[segment->source];
    if (segment->source == 0)
        return NULL;
    bool whole = segment->active->k == segment->active->n;
    return !source->dense || (whole && !source->has_gradient) ? source->gradient : net->flow;
}

void cr_tensor_add_rows(const cr_net *net, int s, const float *dx, const cr_tile *rows)
{
    const cr_segment *segment = &net->segments[s];
    const cr_tensor *source = &net->tensors[segment->source];
    const cr_pick *pick = segment->active;
    float *restrict to = source->gradient + rows->first_row * pick->n;
    if (!source->has_gradient)
        memset(to, 0, (size_t)rows->rows * (size_t)pick->n * sizeof *to);
    if (pick->k < pick->n)
        cr_channels_add(to, dx, rows->rows, pick->n, pick->index, pick->k);
    else
        for (int64_t i = 0; i < (int64_t)rows->rows * pick->n; i++)
            to[i] += dx[i];
}
