/*
 * packed: C [M, N] = A [M, K] B [K, N] for a B that was packed once and serves many products, which
 * BLAS would pack again each time. Private to the engine.
 */
#ifndef COLROW_ENGINE_PACKED_H
#define COLROW_ENGINE_PACKED_H

#include "processor.h"

#include <stdbool.h>
#include <stdint.h>

/* Panels that hold so many columns, and the columns they have room for. */
static inline int cr_panels(int columns)
{
    return (columns + CR_LANES - 1) / CR_LANES;
}

static inline int cr_packed_columns(int columns)
{
    return cr_panels(columns) * CR_LANES;
}

/* So many rows in whole tiles. */
static inline int cr_packed_rows(int rows)
{
    return (rows + CR_PACKED_ROWS - 1) / CR_PACKED_ROWS * CR_PACKED_ROWS;
}

/* A is read by any strides, B and C are cut into panels of CR_LANES columns each. There is room for
 * whole panels of B and C; columns of C from N on get values of no meaning. */
typedef struct cr_packed_product {
    int m, n, k;
    const float *a;          /* [M, K] */
    const float *b;          /* [panels, K, CR_LANES] */
    float *c;                /* [panels, M, CR_LANES] */
    int64_t a_row, a_column; /* floats from one to the next */
    int64_t b_panel, b_row;
    int64_t c_panel, c_row;
    const float *next; /* what the thread reads after this product, or NULL: a panel's floats of it
                        * or two are fetched into the cache meanwhile */
    bool add;          /* to what C holds; otherwise C is overwritten and never read */
} cr_packed_product;

/* By the calling thread alone. An element's terms are summed in their order, whatever M and N. */
void cr_packed_multiply(const cr_packed_product *product);

/* The same for a C that has room for N columns only: nothing behind them changes. */
void cr_packed_within(const cr_packed_product *product);

/* panel [K, CR_LANES] = b [K, columns], at most CR_LANES, and the last column again beyond it. One
 * of the strides, floats from one row or column to the next, is 1. */
void cr_pack_panel(float *panel, const float *b, int k, int columns, int64_t row, int64_t column);

#endif
