/*
 * packed: the product of a row-major A and a packed B by a register tile of ROWS x 16, in C that
 * compilers turn into fused multiply-adds of whole registers (this file is compiled with
 * -ffp-contract=fast). A panel of B stays in cache while the rows of A pass by.
 *
 * Measured on Zen 4 (one thread, K and N of 96 to 640, 36 to 640 rows; peak 116 GFLOP/s): tiles of
 * 8 x 16 have 107 to 112 GFLOP/s, of 6 x 16 99 to 110, of 12 and 16 x 16 as many as 8; compiled for
 * AVX2 6 x 16 has 99 to 111, 8 x 16 only 58 to 65. Whether a column of A is contiguous or not makes
 * no difference. OpenBLAS 0.3.21 has 78 to 91 at these sizes.
 */
#include "packed.h"

#include "colrow/base.h"

#include <string.h>

enum { ROWS = CR_PACKED_ROWS };

typedef float lane[CR_LANES];

/* sum [ROWS] += column of A, `row` floats between rows, times a row of the panel */
static inline void add_outer(lane sum[ROWS], const float *a, int64_t row, const float *b)
{
    for (int r = 0; r < ROWS; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] += a[r * row] * b[l];
}

/* c [16] (+)= sum [16] */
static inline void put(float *c, const lane sum, bool add)
{
#pragma omp simd
    for (int l = 0; l < CR_LANES; l++)
        c[l] = add ? c[l] + sum[l] : sum[l];
}

/* The first `rows` of c [ROWS, 16] (+)= a [ROWS, K] b [K, 16]. The pointers move: with indices
 * compilers keep the sums in memory. C is read last, when it has arrived. */
static void multiply_tile(float *restrict c, const float *a, const float *b,
                          const cr_packed_product *p, int rows)
{
    int64_t a_row = p->a_row;
    int64_t a_column = p->a_column;
    int64_t b_row = p->b_row;
    int64_t c_row = p->c_row;
    lane sum[ROWS];
    for (int r = 0; r < ROWS; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] = 0;
    for (int i = p->k; i > 0; i--, a += a_column, b += b_row)
        add_outer(sum, a, a_row, b);
    if (p->add)
        for (int r = 0; r < rows; r++)
            put(c + r * c_row, sum[r], true);
    else
        for (int r = 0; r < rows; r++)
            put(c + r * c_row, sum[r], false);
}

void cr_packed_multiply(const cr_packed_product *p)
{
    cr_tick();
    for (int panel = 0; panel < cr_panels(p->n); panel++)
        for (int row = 0; row < p->m; row += ROWS)
            multiply_tile(p->c + panel * p->c_panel + row * p->c_row, p->a + row * p->a_row,
                          p->b + panel * p->b_panel, p, p->m - row < ROWS ? p->m - row : ROWS);
}
