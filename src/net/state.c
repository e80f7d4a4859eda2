/*
 * state: windows of streams. What a sample carries from one window to its next, under which names,
 * and windows of fewer steps than the net was made for.
 */
#include "chain.h"

enum { PARTS = 2 };

/* Hochreiter & Schmidhuber's cell, and what it lets out */
static const char *const names[PARTS] = {"c", "h"};

/* A layer's state is of equal parts, by the names that its kind gives them. */
cr_status cr_net_name_state(cr_net *net)
{
    size_t most = (size_t)net->layer_count * PARTS + 1;
    CR_TRY(cr_alloc((void **)&net->state_parts, most * sizeof *net->state_parts));
    cr_state_part *part = net->state_parts;
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        int64_t count = layer->state / PARTS;
        for (int i = 0; i < PARTS && count > 0; i++)
            *part++ =
                (cr_state_part){layer->name, names[i], layer->state_offset + i * count, count};
    }
    return CR_OK;
}

void cr_state_norms(const cr_net *net, int s, double *norms)
{
    const cr_layer *layer = &net->layers[net->segments[s].consumer];
    int n = net->segments[s].n;
    double all = 0;
    for (int c = 0; c < n; c++)
        norms[c] = 0;
    for (int row = 0; net->state != NULL && row < net->pass_rows; row++) {
        const float *h = net->state + row * net->state_floats + layer->state_offset + n;
        for (int c = 0; c < n; c++)
            norms[c] += (double)h[c] * h[c];
    }
    for (int c = 0; c < n; c++)
        all += norms[c];
    for (int c = 0; all == 0 && c < n; c++)
        norms[c] = 1; /* nothing is carried yet: scores are those of the weights */
}

cr_turn cr_segment_turn(const cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *layer = &net->layers[segment->consumer];
    const cr_tensor *target = segment->target >= 0 ? &net->tensors[segment->target] : NULL;
    int k = net->pass.training ? segment->pick.k : segment->n;
    return (cr_turn){.contract = cr_segment_contract(net, s, k, segment->live->k),
                     .pass = &net->pass,
                     .pick = net->pass.training ? &segment->pick : NULL,
                     .y = target != NULL ? target->values : NULL,
                     .dy = target != NULL ? target->gradient : NULL,
                     .state = net->state != NULL ? net->state + layer->state_offset : NULL,
                     .state_stride = net->state_floats};
}

void cr_net_set_state(cr_net *net, float *state)
{
    net->state = net->state_floats > 0 ? state : NULL;
}

const cr_state_part *cr_net_state_parts(const cr_net *net, int i)
{
    const cr_state_part *part = &net->state_parts[i];
    return part->name != NULL ? part : NULL;
}

/* All shapes of a net that sees windows are [steps, 1, C]. */
void cr_net_set_steps(cr_net *net, int steps)
{
    CR_ASSERT(steps >= 1 && steps <= net->input.h);
    for (int l = 0; l < net->layer_count; l++) {
        net->layers[l].in.h = steps;
        net->layers[l].out.h = steps;
    }
    for (int t = 0; t < net->tensor_count; t++)
        net->tensors[t].shape.h = steps;
    net->positions = steps;
}
