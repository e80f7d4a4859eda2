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
    int64_t rows = in != NULL ? (int64_t)cr_kernel_taps(layer) * in->k
                              : parameter->count / cr_parameter_row(parameter);
    int64_t count = rows * out->k;
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
    for (int p = 0; p < consumer->parameter_count; p++) {
        bool sums = p == 0 && consumer->type->contraction != NULL;
        add_block(net, consumer, &consumer->parameters[p], sums ? &segment->pick : NULL,
                  segment->live);
    }
    for (int i = segment->chain_count - 1; i >= 0; i--) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        for (int p = 0; p < layer->parameter_count; p++)
            add_block(net, layer, &layer->parameters[p], NULL, segment->active);
    }
}

void cr_gradient_plan(cr_net *net)
{
    net->block_count = 0;
    net->gradient_count = 0;
    for (int s = net->segment_count - 1; s >= 0; s--)
        plan_segment(net, s);
    net->statistics_offset = net->gradient_count;
    net->gradient_count += net->statistics_count;
    net->remembered_offset = net->gradient_count;
    net->gradient_count += net->remembered_count;
}

/* ---- running statistics ride behind the gradients ---------------------------------------------
 */

double cr_layer_statistic(const cr_layer *layer, int64_t i, int samples)
{
    int64_t rows = layer->observed;
    double unbias = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    if (samples == 0)
        return 0; /* an empty micro-batch has no part in the mean */
    return i < layer->in.c ? layer->moments[i] : unbias * layer->moments[layer->in.c + i];
}

void cr_gradient_add_statistics(cr_net *net, bool first)
{
    for (int l = 0; l < net->layer_count; l++) {
        const cr_layer *layer = &net->layers[l];
        float *to = net->gradient + net->statistics_offset + layer->statistics_offset;
        for (int64_t i = 0; i < layer->statistics; i++) {
            double value = cr_layer_statistic(layer, i, net->pass_rows);
            to[i] = (float)(first ? value : to[i] + value);
        }
    }
}

/* A layer's running statistics of the channels that segment s had, of a compact source not all:
 * from their sums. */
static void follow(cr_net *net, int s, const cr_layer *layer, const float *sums, int micro_batches)
{
    const cr_pick *active = net->segments[s].active;
    bool compact = cr_tensor_is_compact(net, net->segments[s].source);
    int64_t channels = layer->in.c;
    double keep = layer->plan.momentum;
    for (int j = 0; j < (compact ? active->k : channels); j++) {
        int64_t c = compact ? active->index[j] : j;
        for (int64_t i = c; i < layer->statistics; i += channels) { /* mean, variance */
            float *running = &net->statistics[layer->statistics_offset + i];
            double seen = (double)sums[layer->statistics_offset + i] / micro_batches;
            *running = (float)(keep * *running + (1 - keep) * seen);
        }
    }
}

void cr_net_update_statistics(cr_net *net, const float *compact, int micro_batches)
{
    const float *sums = compact + net->statistics_offset;
    for (int s = 0; s < net->segment_count; s++) {
        const cr_segment *segment = &net->segments[s];
        for (int i = 0; i < segment->chain_count; i++)
            follow(net, s, &net->layers[segment->chain_first + i], sums, micro_batches);
    }
}

/* ---- the dense gradient -----------------------------------------------------------------------
 */

/* to [rows, C] at O = block [rows, kO], zero elsewhere */
static void spread_channels(float *to, const float *block, const cr_pick *out, int64_t rows)
{
    memset(to, 0, (size_t)(rows * out->n) * sizeof *to);
    for (int64_t row = 0; row < rows; row++)
        for (int q = 0; q < out->k; q++)
            to[row * out->n + out->index[q]] = block[row * out->k + q];
}

const float *cr_net_gradient_rows(const cr_net *net, float *scratch, const float *compact, int i,
                                  int64_t first, int64_t rows)
{
    const cr_block *block = &net->blocks[net->block_of[i]];
    const float *from = compact + block->offset;
    bool whole = block->out->k == block->out->n && (block->in == NULL || cr_pick_is_all(block->in));
    if (whole)
        return from + first * cr_parameter_row(block->parameter);
    if (block->in == NULL)
        spread_channels(scratch, from + first * block->out->k, block->out, rows);
    else
        cr_kernel_spread(scratch, from, block->layer, block->in, block->out, first, rows);
    return scratch;
}

int64_t cr_net_kept_rows(const cr_net *net, int i, int64_t first, int64_t *rows)
{
    const cr_block *block = &net->blocks[net->block_of[i]];
    bool all = block->in == NULL || cr_pick_is_all(block->in);
    return all ? first : cr_kernel_kept(block->in, first, rows);
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
