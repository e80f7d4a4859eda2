/*
 * chain: the channelwise layers between two contractions, on tiles of rows that stay in cache. The
 * cut into tiles depends on the number of rows alone, so sums do not depend on threads.
 */
#include "chain.h"

#include <omp.h>
#include <string.h>

enum { TILE_ROWS_LEAST = 16, PARALLEL_FLOATS = 1 << 16 };

int cr_segment_rows(const cr_net *net, int s)
{
    const cr_shape *in = &net->layers[net->segments[s].consumer].in;
    return net->pass_rows * in->h * in->w;
}

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

static cr_tile tile_at(int number, int tile_rows, int rows, int k, const int *index)
{
    int first = number * tile_rows;
    int left = rows - first;
    return (cr_tile){first, left < tile_rows ? left : tile_rows, k, index};
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

/* The chain on a tile in place; outputs that the backward pass wants go to their stash. */
static void apply(const cr_net *net, const cr_segment *segment, float *y, const cr_tile *tile,
                  bool keep)
{
    size_t bytes = (size_t)tile->rows * (size_t)tile->k * sizeof(float);
    for (int i = 0; i < segment->chain_count; i++) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        layer->type->channelwise->forward(layer, &net->pass, y, tile);
        if (keep && segment->stash[i] != NULL)
            memcpy(segment->stash[i] + tile->first_row * tile->k, y, bytes);
    }
}

void cr_chain_write(cr_net *net, int s)
{
    cr_segment *segment = &net->segments[s];
    bool all = cr_pick_is_all(&segment->pick);
    if (segment->chain_count == 0 && all) {
        segment->input = segment->x;
        return;
    }
    int rows = cr_segment_rows(net, s);
    int size = cr_chain_tile_rows(rows);
    int tiles = (rows + size - 1) / size;
    int k = segment->pick.k;
    segment->input = segment->kept;
#pragma omp parallel for schedule(static) if (is_large((int64_t)rows * k))
    for (int t = 0; t < tiles; t++) {
        cr_tile tile = tile_at(t, size, rows, k, all ? NULL : segment->pick.index);
        float *y = segment->kept + tile.first_row * k;
        gather(y, segment->x, segment->n, &tile);
        apply(net, segment, y, &tile, true);
    }
}

void cr_chain_evaluate(cr_net *net, int s, float *y, int rows)
{
    const cr_segment *segment = &net->segments[s];
    int size = cr_chain_tile_rows(rows);
    int tiles = (rows + size - 1) / size;
#pragma omp parallel for schedule(static) if (is_large((int64_t)rows * segment->n))
    for (int t = 0; t < tiles; t++) {
        cr_tile tile = tile_at(t, size, rows, segment->n, NULL);
        apply(net, segment, y + tile.first_row * segment->n, &tile, false);
    }
}

/* sums [n] = squares of y [rows, n], by column */
static void square_sums(double *restrict sums, const float *restrict y, int rows, int n)
{
    memset(sums, 0, (size_t)n * sizeof *sums);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < n; c++)
            sums[c] += (double)y[(int64_t)r * n + c] * y[(int64_t)r * n + c];
}

static void tile_norms(cr_net *net, const cr_segment *segment, const cr_tile *tile, int number)
{
    int n = segment->n;
    const float *y = segment->x + tile->first_row * n;
    if (segment->chain_count > 0) {
        float *scratch = net->tiles + omp_get_thread_num() * net->tile_floats;
        gather(scratch, segment->x, n, tile);
        apply(net, segment, scratch, tile, false);
        y = scratch;
    }
    square_sums(net->partial + (int64_t)number * n, y, tile->rows, n);
}

void cr_chain_norms(cr_net *net, int s, double *norms)
{
    const cr_segment *segment = &net->segments[s];
    int n = segment->n;
    int rows = cr_segment_rows(net, s);
    int size = cr_chain_tile_rows(rows);
    int tiles = (rows + size - 1) / size;
#pragma omp parallel for schedule(static) num_threads(net->threads) if (is_large((int64_t)rows * n))
    for (int t = 0; t < tiles; t++) {
        cr_tile tile = tile_at(t, size, rows, n, NULL);
        tile_norms(net, segment, &tile, t);
    }
    memset(norms, 0, (size_t)n * sizeof *norms);
    for (int t = 0; t < tiles; t++)
        for (int c = 0; c < n; c++)
            norms[c] += net->partial[(int64_t)t * n + c];
}

static void layer_backward(const cr_net *net, const cr_layer *layer, float *dy, const float *y,
                           const cr_tile *whole)
{
    int size = cr_chain_tile_rows(whole->rows);
    int tiles = (whole->rows + size - 1) / size;
    int k = whole->k;
    if (layer->type->channelwise->backward == NULL)
        return;
#pragma omp parallel for schedule(static) if (is_large((int64_t)whole->rows * k))
    for (int t = 0; t < tiles; t++) {
        cr_tile tile = tile_at(t, size, whole->rows, k, whole->index);
        int64_t start = tile.first_row * k;
        layer->type->channelwise->backward(layer, &net->pass, dy + start,
                                           y == NULL ? NULL : y + start, &tile);
    }
}

void cr_chain_backward(cr_net *net, int s, float *dy, bool first, int *block)
{
    const cr_segment *segment = &net->segments[s];
    const cr_pick *pick = &segment->pick;
    cr_tile whole = {0, cr_segment_rows(net, s), pick->k,
                     cr_pick_is_all(pick) ? NULL : pick->index};
    for (int i = segment->chain_count - 1; i >= 0; i--) {
        const cr_layer *layer = &net->layers[segment->chain_first + i];
        const cr_channelwise *type = layer->type->channelwise;
        const float *kept = i + 1 == segment->chain_count ? segment->kept : segment->stash[i];
        if (type->parameter_gradient != NULL) {
            float *dp = net->gradient + net->blocks[(*block)++].offset;
            type->parameter_gradient(dp, dy, &whole, !first);
        }
        layer_backward(net, layer, dy, type->keeps_output ? kept : NULL, &whole);
    }
}
