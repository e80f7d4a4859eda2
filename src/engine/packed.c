/*
 * packed: the product of a row-major A and a packed B by a register tile of ROWS x 16, in C that
 * compilers turn into fused multiply-adds of whole registers (this file is compiled with
 * -ffp-contract=fast). A panel of B stays in cache while the rows of A pass by.
 *
 * Measured on Zen 4 (one thread, K and N of 64 to 640, 48 to 126 rows; peak 116 GFLOP/s): 98 to 112
 * GFLOP/s, where OpenBLAS 0.3.21 has 78 to 91 from 160 on and 112 at 64; compiled for AVX2, 92 to
 * 110. Wider tiles, of 6 x 32 and 6 x 64, were no faster, and fall to half where registers are few.
 */
#include "packed.h"

#include <string.h>

enum { ROWS = CR_PACKED_ROWS };

typedef float lane[CR_LANES];

/* sum [ROWS] += column of A, `lda` floats between rows, times a row of the panel */
static inline void add_outer(lane sum[ROWS], const float *a, int64_t lda, const float *b)
{
    for (int r = 0; r < ROWS; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] += a[r * lda] * b[l];
}

/* c [ROWS, 16] = a [ROWS, K] b [K, 16]. The pointers move: with indices compilers keep the sums in
 * memory. */
static void multiply_tile(float *c, int ldc, const float *a, const float *b, int k)
{
    lane sum[ROWS];
    for (int r = 0; r < ROWS; r++)
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] = 0;
    for (int i = 0; i < k; i++, a++, b += CR_LANES)
        add_outer(sum, a, k, b);
    for (int r = 0; r < ROWS; r++)
        memcpy(c + (int64_t)r * ldc, sum[r], sizeof(lane));
}

void cr_packed_multiply(const cr_packed_product *p)
{
    int ldc = cr_packed_columns(p->n);
    for (int column = 0; column < ldc; column += CR_LANES)
        for (int row = 0; row < p->m; row += ROWS)
            multiply_tile(p->c + (int64_t)row * ldc + column, ldc, p->a + (int64_t)row * p->k,
                          p->b + (int64_t)column * p->k, p->k);
}
