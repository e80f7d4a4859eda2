/*
 * gradient: where the compact gradient's blocks lie, and rows of the dense one from them. Blocks
 * follow each other in the order in which the backward pass finishes them, so that a finished run
 * of them can travel as it lies.
 */
#include "chain.h"

#include <string.h>

enum { PADDING = CR_ALIGNMENT / (int)sizeof(float) };

static void add_block(cr_net *net, const cr_layer *layer, const cr_parameter *parameter,
                      const cr_pick *in, const cr_pick *out)
{
    int64_t positions = parameter->count; /* kernel positions, after taking out the channels */
    if (in != NULL)
        positions /= (int64_t)in->n * layer->out.c;
    else
        positions /= layer->out.c;
    int64_t count = positions * (in != NULL ? in->k : 1) * out->k;
    for (int i = 0; i < net->list_count; i++)
        if (net->list[i] == parameter)
            net->block_of[i] = net->block_count;
    net->blocks[net->block_count++] =
        (cr_block){layer, parameter, in, out, net->gradient_count, count};
    net->gradient_count += (count + PADDING - 1) / PADDING * PADDING;
}

static void plan_segment(cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    const cr_layer *consumer = &net->layers[segment->consumer];
    if (consumer->type->contraction != NULL)
        add_block(net, consumer, &consumer->parameters[0], &segment->pick,
                  &net->segments[s + 1].pick);
    for (int i = segment->chain_count - 1; i >= 0; i--) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        if (layer->parameter_count > 0)
            add_block(net, layer, &layer->parameters[0], NULL, &segment->pick);
    }
}

void cr_gradient_plan(cr_net *net)
{
    net->block_count = 0;
    net->gradient_count = 0;
    for (int s = net->segment_count - 1; s >= 0; s--)
        plan_segment(net, s);
}

bool cr_net_gradient_is_dense(const cr_net *net)
{
    for (int s = 0; s < net->segment_count; s++)
        if (!cr_pick_is_all(&net->segments[s].pick))
            return false;
    return true;
}

/* to [C] at O = block [kO], zero elsewhere */
static void spread_channels(float *to, const float *block, const cr_pick *out)
{
    memset(to, 0, (size_t)out->n * sizeof *to);
    for (int q = 0; q < out->k; q++)
        to[out->index[q]] = block[q];
}

const float *cr_net_gradient_rows(const cr_net *net, float *scratch, const float *compact, int i,
                                  int64_t first, int64_t rows)
{
    const cr_block *block = &net->blocks[net->block_of[i]];
    const float *from = compact + block->offset;
    bool whole = cr_pick_is_all(block->out) && (block->in == NULL || cr_pick_is_all(block->in));
    if (whole)
        return from + first * cr_parameter_row(block->parameter);
    if (block->in == NULL)
        spread_channels(scratch, from, block->out);
    else
        block->layer->type->contraction->spread(block->layer, scratch, from, block->in, block->out,
                                                first, rows);
    return scratch;
}

void cr_net_spread(const cr_net *net, float *dense, const float *compact)
{
    for (int i = 0; i < net->list_count; i++) {
        const cr_parameter *p = net->list[i];
        float *to = dense + p->offset;
        const float *rows =
            cr_net_gradient_rows(net, to, compact, i, 0, p->count / cr_parameter_row(p));
        if (rows != to)
            memcpy(to, rows, (size_t)p->count * sizeof *to);
    }
}
