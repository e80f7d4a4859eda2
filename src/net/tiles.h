/*
 * tiles: the rows of a micro-batch in tiles, which threads share and sums are kept by, and tiles in
 * strips of rows that stay in the first-level cache while one channelwise layer after another works
 * on them. The cut depends on the sizes alone, so sums do not depend on threads.
 */
#ifndef NET_TILES_H
#define NET_TILES_H

#include "colrow/net.h"

/* A tensor of so many rows cut into tiles. */
typedef struct cr_cut {
    int rows, size, count;
} cr_cut;

cr_cut cr_cut_of(int rows);

/* Tile `number`, with k channels. */
cr_tile cr_tile_at(const cr_cut *cut, int number, int k, const int *index);

/* for (cr_tile strip = cr_strip_first(&tile); strip.rows > 0; cr_strip_next(&strip, &tile)) */
cr_tile cr_strip_first(const cr_tile *tile);
void cr_strip_next(cr_tile *strip, const cr_tile *tile);

/* Floats of a strip of a tensor with k channels at most. */
int64_t cr_strip_floats(int k);

/* to [rows, k] = the tile's channels of x [.., n] */
void cr_tile_gather(float *to, const float *x, int n, const cr_tile *tile);

/* Rows of a large tensor are read one after another: have the cache fetch what comes some rows
 * after this one, of n floats. Reading alone does not keep memory busy when each value is worked
 * on. */
void cr_row_prefetch(const float *row, int n);

/* Is a tensor of so many floats worth waking threads for? */
bool cr_worth_threads(int64_t floats);

#endif
