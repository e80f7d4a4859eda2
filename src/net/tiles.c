/* tiles: see tiles.h. */
#include "tiles.h"

#include "channels.h"

#include <omp.h>
#include <string.h>

enum {
    TILE_ROWS_LEAST = 16,
    AHEAD = 2048, /* floats */
    LINE = CR_ALIGNMENT / (int)sizeof(float),
    STRIP_FLOATS = 4096, /* 16 KiB: half of a usual first-level cache */
    PARALLEL_FLOATS = 1 << 16
};

cr_cut cr_cut_of(int rows)
{
    int size = (rows + CR_TILES_MAX - 1) / CR_TILES_MAX;
    size = size < TILE_ROWS_LEAST ? TILE_ROWS_LEAST : size;
    return (cr_cut){rows, size, (rows + size - 1) / size};
}

cr_tile cr_tile_at(const cr_cut *cut, int number, int k, const int *index)
{
    int first = number * cut->size;
    int left = cut->rows - first;
    return (cr_tile){first, left < cut->size ? left : cut->size, k, index, cut->rows};
}

static int strip_rows(int k)
{
    return k < STRIP_FLOATS ? STRIP_FLOATS / (k > 0 ? k : 1) : 1;
}

int64_t cr_strip_floats(int k)
{
    return (int64_t)strip_rows(k) * k;
}

cr_tile cr_strip_first(const cr_tile *tile)
{
    int rows = strip_rows(tile->k);
    cr_tile strip = *tile;
    strip.rows = rows < tile->rows ? rows : tile->rows;
    return strip;
}

void cr_strip_next(cr_tile *strip, const cr_tile *tile)
{
    int rows = strip_rows(tile->k);
    strip->first_row += strip->rows;
    int left = (int)(tile->first_row + tile->rows - strip->first_row);
    strip->rows = rows < left ? rows : left;
}

void cr_row_prefetch(const float *row, int n)
{
    for (int c = AHEAD; c < AHEAD + n; c += LINE)
        CR_PREFETCH(row + c);
}

void cr_tile_gather(float *restrict to, const float *x, int n, const cr_tile *tile)
{
    const int *index = tile->index;
    int k = tile->k;
    if (index == NULL) {
        memcpy(to, x + tile->first_row * n, (size_t)tile->rows * (size_t)k * sizeof(float));
        return;
    }
    cr_channels_gather(to, x + tile->first_row * n, tile->rows, n, index, k);
}

bool cr_worth_threads(int64_t floats)
{
    return floats >= PARALLEL_FLOATS && omp_get_max_threads() > 1;
}
