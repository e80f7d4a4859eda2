/*
 * chain: the channelwise layers before a consumer, in the forward direction, on strips of rows that
 * stay in cache: statistics, scores, and what the consumer gets.
 */
#include "chain.h"
#include "columns.h"
#include "tiles.h"

#include <omp.h>
#include <string.h>

/* The first `count` layers of the chain on a strip in place. */
static void apply(const cr_net *net, const cr_segment *segment, float *y, const cr_tile *strip,
                  int count)
{
    for (int i = 0; i < count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        layer->type->channelwise->forward(layer, &net->pass, y, strip);
    }
}

/* The whole chain, keeping what the backward pass wants: outputs, and inputs from layer `first` on.
 */
static void apply_and_keep(const cr_net *net, const cr_segment *segment, float *y,
                           const cr_tile *strip, int first)
{
    size_t bytes = (size_t)strip->rows * (size_t)strip->k * sizeof(float);
    int64_t start = strip->first_row * strip->k;
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        if (segment->before[i] != NULL && i >= first)
            memcpy(segment->before[i] + start, y, bytes);
        layer->type->channelwise->forward(layer, &net->pass, y, strip);
        if (segment->after[i] != NULL)
            memcpy(segment->after[i] + start, y, bytes);
    }
}

/* y [rows, k] = the strip's channels of the source, which has no others where it is compact. */
static void read_source(const cr_net *net, const cr_segment *segment, float *y,
                        const cr_tile *strip)
{
    bool compact = cr_tensor_is_compact(net, segment->source);
    cr_tile columns = *strip;
    columns.index = compact ? NULL : strip->index;
    cr_tile_gather(y, segment->x, compact ? strip->k : segment->n, &columns);
}

/* The end of the chain from its source. */
static void write_strip(cr_net *net, int s, float *y, const cr_tile *strip)
{
    read_source(net, &net->segments[s], y, strip);
    apply_and_keep(net, &net->segments[s], y, strip, 0);
}

/* The same from what the first layer kept. */
static void write_strip_again(cr_net *net, int s, float *y, const cr_tile *strip)
{
    const cr_segment *segment = &net->segments[s];
    size_t bytes = (size_t)strip->rows * (size_t)strip->k * sizeof(float);
    memcpy(y, segment->before[0] + strip->first_row * strip->k, bytes);
    apply_and_keep(net, segment, y, strip, 1);
}

/* kept [rows, k], strip by strip. */
static void write_kept(cr_net *net, int s,
                       void (*write)(cr_net *net, int s, float *y, const cr_tile *strip))
{
    const cr_segment *segment = &net->segments[s];
    const cr_pick *pick = cr_segment_inputs(net, s);
    const int *index = cr_pick_is_all(pick) ? NULL : pick->index;
    cr_cut cut = cr_cut_of(cr_segment_rows(net, s));
    int k = pick->k;
#pragma omp parallel for schedule(static) if (cr_worth_threads((int64_t)cut.rows * k))
    for (int t = 0; t < cut.count; t++) {
        cr_tile tile = cr_tile_at(&cut, t, k, index);
        for (cr_tile strip = cr_strip_first(&tile); strip.rows > 0; cr_strip_next(&strip, &tile))
            write(net, s, segment->kept + strip.first_row * k, &strip);
    }
}

void cr_chain_write(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    segment->input = segment->kept != NULL ? segment->kept : segment->x;
    if (segment->kept != NULL)
        write_kept(net, s, write_strip);
}

void cr_chain_write_again(cr_net *net, int s)
{
    if (cr_segment_recomputes(net, s))
        write_kept(net, s, write_strip_again);
}

const float *cr_net_input(cr_net *net, int s)
{
    cr_chain_write_again(net, s);
    return net->segments[s].input;
}

void cr_chain_evaluate(cr_net *net, int s, float *y)
{
    const cr_segment *segment = &net->segments[s];
    int n = segment->n;
    cr_cut cut = cr_cut_of(cr_segment_rows(net, s));
    (void)cr_chain_prepare(net, s); /* nothing is shared, so nothing can fail */
#pragma omp parallel for schedule(static) if (cr_worth_threads((int64_t)cut.rows * n))
    for (int t = 0; t < cut.count; t++) {
        cr_tile tile = cr_tile_at(&cut, t, n, NULL);
        for (cr_tile strip = cr_strip_first(&tile); strip.rows > 0; cr_strip_next(&strip, &tile)) {
            cr_tile_gather(y + strip.first_row * n, segment->x, n, &strip);
            apply(net, segment, y + strip.first_row * n, &strip, segment->chain_count);
        }
    }
}

/* ---- sums over rows -------------------------------------------------------------------------- */

static void tile_moments(cr_net *net, const cr_segment *segment, const cr_tile *tile,
                         double *partial, int layers)
{
    int n = tile->k;
    float *scratch = net->strips + omp_get_thread_num() * net->strip_floats;
    memset(partial, 0, 2 * (size_t)n * sizeof *partial);
    for (cr_tile strip = cr_strip_first(tile); strip.rows > 0; cr_strip_next(&strip, tile)) {
        const float *y = segment->x + strip.first_row * n;
        if (layers > 0) {
            read_source(net, segment, scratch, &strip);
            apply(net, segment, scratch, &strip, layers);
            y = scratch;
        }
        cr_columns_add(partial, partial + n, y, y, strip.rows, n);
    }
}

/* values [k] of the channels of a pick to where they belong among all n; 0 elsewhere. */
static void spread(double *values, const cr_pick *pick)
{
    int c = pick->n - 1;
    for (int j = pick->k - 1; j >= 0; j--) {
        for (; c > pick->index[j]; c--)
            values[c] = 0;
        values[c--] = values[j];
    }
    for (; c >= 0; c--)
        values[c] = 0;
}

/* sums, squares [n] of the channels after the first `layers` layers of the chain; 0 for channels
 * that a compact source lacks */
static void moments(cr_net *net, int s, int layers, double *sums, double *squares)
{
    const cr_segment *segment = &net->segments[s];
    bool compact = cr_tensor_is_compact(net, segment->source);
    int n = compact ? segment->active->k : segment->n;
    const int *index = compact ? segment->active->index : NULL;
    cr_cut cut = cr_cut_of(cr_segment_rows(net, s));
#pragma omp parallel for schedule(static)                                                          \
    num_threads(net->threads) if (cr_worth_threads((int64_t)cut.rows * n))
    for (int t = 0; t < cut.count; t++) {
        cr_tile tile = cr_tile_at(&cut, t, n, index);
        tile_moments(net, segment, &tile, net->partial + (int64_t)t * 2 * n, layers);
    }
    memset(sums, 0, (size_t)n * sizeof *sums);
    memset(squares, 0, (size_t)n * sizeof *squares);
    for (int t = 0; t < cut.count; t++) {
        const double *partial = net->partial + (int64_t)t * 2 * n;
        for (int c = 0; c < n; c++) {
            sums[c] += partial[c];
            squares[c] += partial[n + c];
        }
    }
    if (compact) {
        spread(sums, segment->active);
        spread(squares, segment->active);
    }
}

void cr_chain_norms(cr_net *net, int s, double *norms)
{
    if (cr_segment_recurs(net, s))
        cr_state_norms(net, s, norms);
    else
        moments(net, s, net->segments[s].chain_count, net->norms[1], norms);
}

/* Tell layer i of the chain the mean and variance of what it gets. */
static cr_status observe(cr_net *net, int s, int i)
{
    const cr_segment *segment = &net->segments[s];
    cr_layer *layer = &net->layers[segment->chain_first + i];
    double *mean = net->norms[0];
    double *variance = net->norms[1];
    int64_t all = cr_segment_rows(net, s);
    moments(net, s, i, mean, variance);
    CR_TRY(cr_chain_share(net, mean, variance, segment->n, &all));
    double rows = (double)all;
    for (int c = 0; c < segment->n; c++) {
        mean[c] = all > 0 ? mean[c] / rows : 0;
        variance[c] = all > 0 ? variance[c] / rows - mean[c] * mean[c] : 1;
        variance[c] = variance[c] < 0 ? 0 : variance[c]; /* rounding */
    }
    layer->type->channelwise->observe(layer, mean, variance, all);
    return CR_OK;
}

cr_status cr_chain_prepare(cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    for (int i = 0; i < segment->chain_count; i++) {
        cr_layer *layer = &net->layers[segment->chain_first + i];
        if (layer->type->channelwise->observe != NULL && net->pass.observes)
            CR_TRY(observe(net, s, i));
        if (layer->type->channelwise->prepare != NULL)
            layer->type->channelwise->prepare(layer, &net->pass);
    }
    return CR_OK;
}
