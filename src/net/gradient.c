/*
 * gradient: where the compact gradient's blocks lie, and back to the dense one. Blocks follow each
 * other in the order in which the backward pass finishes them, so that a finished run of them can
 * travel as it lies.
 */
#include "chain.h"

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

/* dense [C] at O = block [kO] */
static void scatter_channels(float *dense, const float *block, const cr_pick *out)
{
    for (int q = 0; q < out->k; q++)
        dense[out->index[q]] = block[q];
}

void cr_net_scatter(const cr_net *net, float *dense, const float *compact)
{
    for (int i = 0; i < net->block_count; i++) {
        const cr_block *block = &net->blocks[i];
        float *to = dense + block->parameter->offset;
        if (block->in == NULL)
            scatter_channels(to, compact + block->offset, block->out);
        else
            block->layer->type->contraction->scatter(block->layer, to, compact + block->offset,
                                                     block->in, block->out);
    }
}

void cr_net_clear(const cr_net *net, float *dense)
{
    for (int i = 0; i < net->block_count; i++) {
        const cr_block *block = &net->blocks[i];
        float *to = dense + block->parameter->offset;
        if (block->in == NULL)
            for (int q = 0; q < block->out->k; q++)
                to[block->out->index[q]] = 0;
        else
            block->layer->type->contraction->clear(block->layer, to, block->in);
    }
}
