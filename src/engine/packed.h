/*
 * packed: C [M, N] = A [M, K] B [K, N] for a B that was packed once and serves many products, which
 * BLAS would pack again each time. Private to the engine.
 */
#ifndef COLROW_ENGINE_PACKED_H
#define COLROW_ENGINE_PACKED_H

#include <stdint.h>

enum {
    CR_LANES = 16,      /* columns of a panel; floats of the widest vector register */
    CR_PACKED_ROWS = 6, /* rows that are computed together */
};

/* So many columns in whole panels. */
static inline int cr_packed_columns(int columns)
{
    return (columns + CR_LANES - 1) / CR_LANES * CR_LANES;
}

/* A and C have room for a multiple of CR_PACKED_ROWS rows, of which those from M on hold anything;
 * rows of C have room for whole panels. */
typedef struct cr_packed_product {
    int m, n, k;
    const float *a; /* [M, K] row-major */
    const float *b; /* [panels, K, CR_LANES], columns from N on are zero */
    float *c;       /* [M, cr_packed_columns(N)] row-major, overwritten */
} cr_packed_product;

/* By the calling thread alone. */
void cr_packed_multiply(const cr_packed_product *product);

#endif
