/*
 * chain: the channelwise layers before a consumer, on tiles of rows that stay in cache. The cut
 * into tiles depends on the number of rows alone, so sums do not depend on threads.
 */
#include "chain.h"

#include <omp.h>
#include <string.h>

enum { TILE_ROWS_LEAST = 16, PARALLEL_FLOATS = 1 << 16 };

int cr_chain_tile_rows(int64_t rows)
{
    int64_t size = (rows + CR_TILES_MAX - 1) / CR_TILES_MAX;
    return (int)(size < TILE_ROWS_LEAST ? TILE_ROWS_LEAST : size);
}

/* Is a tensor of so many floats worth waking threads for? */
static bool is_large(int64_t floats)
{
    return floats >= PARALLEL_FLOATS && omp_get_max_threads() > 1;
}

/* A tensor cut into tiles. */
typedef struct cut {
    int rows, size, count;
} cut;

static cut cut_of(int rows)
{
    int size = cr_chain_tile_rows(rows);
    return (cut){rows, size, (rows + size - 1) / size};
}

static cr_tile tile_at(const cut *tiles, int number, int k, const int *index)
{
    int first = number * tiles->size;
    int left = tiles->rows - first;
    return (cr_tile){first, left < tiles->size ? left : tiles->size, k, index, tiles->rows};
}

/* to [rows, k] = the tile's channels of x [.., n] */
static void gather(float *restrict to, const float *x, int n, const cr_tile *tile)
{
    const int *index = tile->index;
    int k = tile->k;
    if (index == NULL) {
        memcpy(to, x + tile->first_row * n, (size_t)tile->rows * (size_t)k * sizeof(float));
        return;
    }
    for (int r = 0; r < tile->rows; r++) {
        const float *from = x + (tile->first_row + r) * n;
        for (int j = 0; j < k; j++)
            to[j] = from[index[j]];
        to += k;
    }
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The first `count` layers of the chain on a tile in place. */
static void apply(const cr_net *net, const cr_segment *segment, float *y, const cr_tile *tile,
                  int count)
{
    for (int i = 0; i < count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        layer->type->channelwise->forward(layer, &net->pass, y, tile);
    }
}

/* The same, keeping what the backward pass wants. */
static void apply_and_keep(const cr_net *net, const cr_segment *segment, float *y,
                           const cr_tile *tile)
{
    size_t bytes = (size_t)tile->rows * (size_t)tile->k * sizeof(float);
    int64_t start = tile->first_row * tile->k;
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        if (segment->before[i] != NULL)
            memcpy(segment->before[i] + start, y, bytes);
        layer->type->channelwise->forward(layer, &net->pass, y, tile);
        if (segment->after[i] != NULL)
            memcpy(segment->after[i] + start, y, bytes);
    }
}

void cr_chain_write(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    segment->input = segment->x;
    if (segment->kept == NULL)
        return;
    bool all = cr_pick_is_all(&segment->pick);
    cut tiles = cut_of(cr_segment_rows(net, s));
    int k = segment->pick.k;
    segment->input = segment->kept;
#pragma omp parallel for schedule(static) if (is_large((int64_t)tiles.rows * k))
    for (int t = 0; t < tiles.count; t++) {
        cr_tile tile = tile_at(&tiles, t, k, all ? NULL : segment->pick.index);
        float *y = segment->kept + tile.first_row * k;
        gather(y, segment->x, segment->n, &tile);
        apply_and_keep(net, segment, y, &tile);
    }
}

void cr_chain_evaluate(cr_net *net, int s, float *y)
{
    const cr_segment *segment = &net->segments[s];
    int n = segment->n;
    cut tiles = cut_of(cr_segment_rows(net, s));
    cr_chain_prepare(net, s);
#pragma omp parallel for schedule(static) if (is_large((int64_t)tiles.rows * n))
    for (int t = 0; t < tiles.count; t++) {
        cr_tile tile = tile_at(&tiles, t, n, NULL);
        gather(y + tile.first_row * n, segment->x, n, &tile);
        apply(net, segment, y + tile.first_row * n, &tile, segment->chain_count);
    }
}

/* ---- sums over rows -------------------------------------------------------------------------- */

/* sums and squares [n] of y [rows, n], by column */
static void sum_columns(double *restrict sums, double *restrict squares, const float *restrict y,
                        int rows, int n)
{
    memset(sums, 0, (size_t)n * sizeof *sums);
    memset(squares, 0, (size_t)n * sizeof *squares);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < n; c++) {
            double value = y[(int64_t)r * n + c];
            sums[c] += value;
            squares[c] += value * value;
        }
}

static void tile_moments(cr_net *net, const cr_segment *segment, const cr_tile *tile, int number,
                         int layers)
{
    int n = segment->n;
    const float *y = segment->x + tile->first_row * n;
    double *partial = net->partial + (int64_t)number * 2 * n;
    if (layers > 0) {
        float *scratch = net->tiles + omp_get_thread_num() * net->tile_floats;
        gather(scratch, segment->x, n, tile);
        apply(net, segment, scratch, tile, layers);
        y = scratch;
    }
    sum_columns(partial, partial + n, y, tile->rows, n);
}

/* sums, squares [n] of the channels after the first `layers` layers of the chain */
static void moments(cr_net *net, int s, int layers, double *sums, double *squares)
{
    const cr_segment *segment = &net->segments[s];
    int n = segment->n;
    cut tiles = cut_of(cr_segment_rows(net, s));
#pragma omp parallel for schedule(static)                                                          \
    num_threads(net->threads) if (is_large((int64_t)tiles.rows * n))
    for (int t = 0; t < tiles.count; t++) {
        cr_tile tile = tile_at(&tiles, t, n, NULL);
        tile_moments(net, segment, &tile, t, layers);
    }
    memset(sums, 0, (size_t)n * sizeof *sums);
    memset(squares, 0, (size_t)n * sizeof *squares);
    for (int t = 0; t < tiles.count; t++) {
        const double *partial = net->partial + (int64_t)t * 2 * n;
        for (int c = 0; c < n; c++) {
            sums[c] += partial[c];
            squares[c] += partial[n + c];
        }
    }
}

void cr_chain_norms(cr_net *net, int s, double *norms)
{
    moments(net, s, net->segments[s].chain_count, net->norms[1], norms);
}

/* Tell layer i of the chain the mean and variance of what it gets. */
static void observe(cr_net *net, int s, int i)
{
    const cr_segment *segment = &net->segments[s];
    cr_layer *layer = &net->layers[segment->chain_first + i];
    double *mean = net->norms[0];
    double *variance = net->norms[1];
    int rows = cr_segment_rows(net, s);
    moments(net, s, i, mean, variance);
    for (int c = 0; c < segment->n; c++) {
        mean[c] = rows > 0 ? mean[c] / rows : 0;
        variance[c] = rows > 0 ? variance[c] / rows - mean[c] * mean[c] : 1;
        variance[c] = variance[c] < 0 ? 0 : variance[c]; /* rounding */
    }
    layer->type->channelwise->observe(layer, mean, variance);
}

void cr_chain_prepare(cr_net *net, int s)
{
    const cr_segment *segment = &net->segments[s];
    for (int i = 0; i < segment->chain_count; i++) {
        cr_layer *layer = &net->layers[segment->chain_first + i];
        if (layer->type->channelwise->observe != NULL && net->pass.observes)
            observe(net, s, i);
        if (layer->type->channelwise->prepare != NULL)
            layer->type->channelwise->prepare(layer, &net->pass);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

static void layer_backward(const cr_net *net, const cr_layer *layer, float *dy, const cr_kept *kept,
                           const cr_tile *whole)
{
    cut tiles = cut_of(whole->rows);
    int k = whole->k;
    if (layer->type->channelwise->backward == NULL)
        return;
#pragma omp parallel for schedule(static) if (is_large((int64_t)whole->rows * k))
    for (int t = 0; t < tiles.count; t++) {
        cr_tile tile = tile_at(&tiles, t, k, whole->index);
        int64_t start = tile.first_row * k;
        cr_kept here = {kept->x == NULL ? NULL : kept->x + start,
                        kept->y == NULL ? NULL : kept->y + start};
        layer->type->channelwise->backward(layer, &net->pass, dy + start, &here, &tile);
    }
}

/* What layer i of the chain kept, for the channels of `whole`. A mapping keeps all channels: those
 * wanted are gathered from it. */
static const float *kept_of(cr_net *net, int s, const float *values, const cr_tile *whole)
{
    const cr_segment *segment = &net->segments[s];
    cut tiles = cut_of(whole->rows);
    if (values == NULL || whole->k == segment->pick.k)
        return values;
#pragma omp parallel for schedule(static) if (is_large((int64_t)whole->rows * whole->k))
    for (int t = 0; t < tiles.count; t++) {
        cr_tile tile = tile_at(&tiles, t, whole->k, whole->index);
        gather(net->sum + tile.first_row * whole->k, values, segment->n, &tile);
    }
    return net->sum;
}

/* Where the gradients of a layer's parameters go; *block moves on. */
static void targets_of(const cr_net *net, const cr_layer *layer, float *dp[CR_LAYER_PARAMETERS],
                       int *block)
{
    for (int i = 0; i < layer->parameter_count; i++)
        dp[i] = net->gradient + net->blocks[(*block)++].offset;
}

void cr_chain_backward(cr_net *net, int s, float *dy, bool first, int *block)
{
    const cr_segment *segment = &net->segments[s];
    const cr_pick *pick = segment->active;
    int rows = cr_segment_rows(net, s);
    cr_tile whole = {0, rows, pick->k, pick->k == pick->n ? NULL : pick->index, rows};
    for (int i = segment->chain_count - 1; i >= 0; i--) {
        cr_layer *layer = &net->layers[segment->chain_first + i];
        const cr_channelwise *type = layer->type->channelwise;
        const float *after = i + 1 == segment->chain_count ? segment->kept : segment->after[i];
        float *dp[CR_LAYER_PARAMETERS] = {NULL};
        cr_kept kept = {.x = type->keeps_input ? kept_of(net, s, segment->before[i], &whole) : NULL,
                        .y = type->keeps_output ? kept_of(net, s, after, &whole) : NULL};
        targets_of(net, layer, dp, block);
        if (type->parameter_gradient != NULL)
            type->parameter_gradient(layer, dp, dy, &kept, &whole, !first);
        layer_backward(net, layer, dy, &kept, &whole);
    }
}
