/*
 * chain_backward: a chain's layers, last to first, on the kept channels, in as few passes over
 * memory as there are layers that need sums over all rows (of dy, of dy x), plus one. A stage is
 * such a pass: strip by strip, the backward functions of the layers above `low`, then
 *
 *     low > 0    what the layer below, low - 1, sums up; its backward belongs to the next stage
 *     low = 0    all done: the gradient is added to the source's
 */
#include "chain.h"
#include "tiles.h"

#include <omp.h>
#include <string.h>

typedef struct stage {
    cr_net *net;
    int s;         /* segment */
    int high, low; /* layers of the chain: [low, high) go backwards */
    bool adds;     /* dy has to be added to the gradient of the source */
} stage;

static const cr_layer *layer_at(const stage *st, int i)
{
    return &st->net->layers[st->net->segments[st->s].chain_first + i];
}

/* First layer of those below `high` that can go backwards with the sums that are there. */
static int lowest(const stage *st, int high, bool has_sums)
{
    int low = has_sums ? high - 1 : high;
    while (low > 0 && layer_at(st, low - 1)->type->channelwise->sum == NULL)
        low--;
    return low;
}

/* The strip's rows and channels of what a layer kept. A mapping keeps all channels that it gets:
 * those wanted are gathered from it. */
static const float *kept_at(const stage *st, const float *values, const cr_tile *strip,
                            float *scratch)
{
    const cr_pick *inputs = cr_segment_inputs(st->net, st->s);
    if (values == NULL || strip->k == inputs->k)
        return values == NULL ? NULL : values + strip->first_row * strip->k;
    cr_tile_gather(scratch, values, inputs->k, strip);
    return scratch;
}

/* What layer i of the chain kept, for a strip; scratch: two strips. */
static cr_kept kept_of(const stage *st, int i, const cr_tile *strip, float *scratch)
{
    const cr_segment *segment = &st->net->segments[st->s];
    const cr_channelwise *type = layer_at(st, i)->type->channelwise;
    const float *after = i + 1 == segment->chain_count ? segment->kept : segment->after[i];
    float *second = scratch + cr_strip_floats(strip->k);
    return (cr_kept){.x =
                         type->keeps_input ? kept_at(st, segment->before[i], strip, scratch) : NULL,
                     .y = type->keeps_output ? kept_at(st, after, strip, second) : NULL};
}

/* dy: the strip's; sums [2, k] += */
static void run_strip(const stage *st, float *dy, double *sums, const cr_tile *strip)
{
    const cr_net *net = st->net;
    float *scratch = net->strips + omp_get_thread_num() * net->strip_floats;
    for (int i = st->high - 1; i >= st->low; i--) {
        const cr_layer *layer = layer_at(st, i);
        cr_kept kept = kept_of(st, i, strip, scratch);
        if (layer->type->channelwise->backward != NULL)
            layer->type->channelwise->backward(layer, &net->pass, dy, &kept, strip);
    }
    if (st->low > 0) {
        cr_kept kept = kept_of(st, st->low - 1, strip, scratch);
        layer_at(st, st->low - 1)->type->channelwise->sum(sums, dy, &kept, strip);
    } else if (st->adds) {
        cr_tensor_add_rows(net, st->s, dy, strip);
    }
}

/* One pass over dy [rows, k]; net->partial gets the sums [2, k] of all rows. */
static void run_stage(const stage *st, float *dy)
{
    const cr_pick *pick = st->net->segments[st->s].active;
    const int *index = pick->k == pick->n ? NULL : pick->index;
    int k = pick->k;
    double *partial = st->net->partial;
    cr_cut cut = cr_cut_of(cr_segment_rows(st->net, st->s));
    memset(partial, 0, (size_t)(cut.count > 0 ? cut.count : 1) * 2 * (size_t)k * sizeof *partial);
#pragma omp parallel for schedule(static)                                                          \
    num_threads(st->net->threads) if (cr_worth_threads((int64_t)cut.rows * k))
    for (int t = 0; t < cut.count; t++) {
        cr_tile tile = cr_tile_at(&cut, t, k, index);
        cr_tick((int64_t)tile.rows * k);
        for (cr_tile strip = cr_strip_first(&tile); strip.rows > 0; cr_strip_next(&strip, &tile))
            run_strip(st, dy + strip.first_row * k, partial + (int64_t)t * 2 * k, &strip);
    }
    for (int t = 1; t < cut.count; t++)
        for (int i = 0; i < 2 * k; i++)
            partial[i] += partial[(int64_t)t * 2 * k + i];
}

/* The gradients of the parameters of layer i from the sums, and what its backward needs of them;
 * *block moves on. */
static cr_status use_sums(const stage *st, int i, bool first, int *block)
{
    cr_net *net = st->net;
    const cr_pick *pick = net->segments[st->s].active;
    int rows = cr_segment_rows(net, st->s);
    cr_layer *layer = &net->layers[net->segments[st->s].chain_first + i];
    const cr_channelwise *type = layer->type->channelwise;
    cr_tile whole = {0, rows, pick->k, pick->k == pick->n ? NULL : pick->index, rows};
    float *dp[CR_LAYER_PARAMETERS] = {NULL};
    for (int p = 0; p < layer->parameter_count; p++)
        dp[p] = net->gradient + net->blocks[(*block)++].offset;
    type->parameter_gradient(layer, &net->pass, dp, net->partial, &whole, !first);
    if (type->prepare_backward == NULL)
        return CR_OK;
    CR_TRY(cr_chain_share(net, net->partial, net->partial + pick->k, pick->k, &whole.of_rows));
    type->prepare_backward(layer, &net->pass, net->partial, &whole);
    return CR_OK;
}

cr_status cr_chain_backward(cr_net *net, int s, float *dy, bool first, int *block)
{
    cr_tensor *source = &net->tensors[net->segments[s].source];
    stage st = {.net = net, .s = s, .low = net->segments[s].chain_count};
    bool has_sums = false;
    st.adds = dy != source->gradient;
    do {
        st.high = st.low;
        st.low = lowest(&st, st.high, has_sums);
        if (st.high > 0 || st.adds)
            run_stage(&st, dy);
        has_sums = st.low > 0;
        if (has_sums)
            CR_TRY(use_sums(&st, st.low - 1, first, block));
    } while (st.low > 0);
    source->has_gradient = true;
    return CR_OK;
}
