/*
 * product: C[M, N] (+)= A[M, K] B[K, N] of row-major matrices, by any CBLAS. Private to the engine.
 */
#ifndef COLROW_ENGINE_PRODUCT_H
#define COLROW_ENGINE_PRODUCT_H

#include <stdbool.h>

typedef struct cr_product {
    bool transpose_a, transpose_b; /* A is stored as [K, M], B as [N, K] */
    int m, n, k;
    const float *a, *b;
    float *c;
    int lda, ldb, ldc; /* in floats */
    bool add;          /* to what C holds; otherwise C is overwritten and never read */
} cr_product;

/* The product by the calling thread alone; inside a parallel region or at one thread only:
 * elsewhere an OpenMP BLAS would thread by itself. */
void cr_product_alone(const cr_product *product);

/* The product shared out among OpenMP threads in panels of C, or inside a parallel region by the
 * calling thread in the same panels. The cut depends on the sizes alone,
 * so the bits do not depend on the number of threads. */
void cr_product_shared(const cr_product *product);

#endif
