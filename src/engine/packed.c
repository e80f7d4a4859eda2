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

typedef float lane[CR_LANES];

/* sum [rows] += column of A, `row` floats between rows, times a row of the panel */
CR_INLINE void add_outer(lane *sum, const float *a, int64_t row, const float *b, const int rows)
{
    for (int r = 0; r < rows; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] += a[r * row] * b[l];
}

/* c [16] (+)= sum [16] */
CR_INLINE void put(float *c, const lane sum, bool add)
{
#pragma omp simd
    for (int l = 0; l < CR_LANES; l++)
        c[l] = add ? c[l] + sum[l] : sum[l];
}

/* c [rows, 16] (+)= a [rows, K] b [K, 16], `rows` a number that the compiler knows, at most
 * CR_PACKED_ROWS. The pointers move: with indices compilers keep the sums in memory. C is read
 * last, when it has arrived. */
CR_INLINE void multiply_tile(float *restrict c, const float *a, const float *b,
                             const cr_packed_product *p, const int rows)
{
    int64_t a_row = p->a_row;
    int64_t a_column = p->a_column;
    int64_t b_row = p->b_row;
    int64_t c_row = p->c_row;
    lane sum[CR_PACKED_ROWS];
    for (int r = 0; r < rows; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] = 0;
    for (int i = p->k; i > 0; i--, a += a_column, b += b_row)
        add_outer(sum, a, a_row, b, rows);
    if (p->add)
        for (int r = 0; r < rows; r++)
            put(c + r * c_row, sum[r], true);
    else
        for (int r = 0; r < rows; r++)
            put(c + r * c_row, sum[r], false);
}

/* A panel's rows from `row` on in tiles of so many, while they fill one; the first row left. */
#define MULTIPLY_TILES(name, rows)                                                                 \
    static int name(const cr_packed_product *p, int panel, int row)                                \
    {                                                                                              \
        float *c = p->c + panel * p->c_panel;                                                      \
        const float *b = p->b + panel * p->b_panel;                                                \
        for (; row + (rows) <= p->m; row += (rows))                                                \
            multiply_tile(c + row * p->c_row, p->a + row * p->a_row, b, p, rows);                  \
        return row;                                                                                \
    }

MULTIPLY_TILES(multiply_whole, CR_PACKED_ROWS)
MULTIPLY_TILES(multiply_fours, 4)
MULTIPLY_TILES(multiply_pairs, 2)
MULTIPLY_TILES(multiply_single, 1)

void cr_packed_multiply(const cr_packed_product *p)
{
    cr_tick();
    for (int panel = 0; panel < cr_panels(p->n); panel++) {
        int row = multiply_whole(p, panel, 0);
        row = multiply_fours(p, panel, row);
        row = multiply_pairs(p, panel, row);
        (void)multiply_single(p, panel, row); /* the last */
    }
}

/* The same for one panel of which N columns are meant, fewer than 16: a tile at a time. */
static void multiply_narrow(const cr_packed_product *p)
{
    float part[CR_PACKED_ROWS * CR_LANES] = {0};
    cr_packed_product tile = *p;
    tile.c = part;
    tile.c_row = CR_LANES;
    tile.add = false;
    for (int row = 0; row < p->m; row += CR_PACKED_ROWS) {
        tile.m = p->m - row < CR_PACKED_ROWS ? p->m - row : CR_PACKED_ROWS;
        tile.a = p->a + row * p->a_row;
        cr_packed_multiply(&tile);
        for (int r = 0; r < tile.m; r++) {
            float *c = p->c + (row + r) * p->c_row;
            for (int l = 0; l < p->n; l++)
                c[l] = p->add ? c[l] + part[r * CR_LANES + l] : part[r * CR_LANES + l];
        }
    }
}

void cr_packed_panel(const cr_packed_product *p)
{
    if (p->n == CR_LANES)
        cr_packed_multiply(p);
    else
        multiply_narrow(p);
}

/* Rows of b are contiguous. */
static void pack_rows(float *restrict panel, const float *b, int k, int columns, int64_t row)
{
    if (columns == CR_LANES) {
        for (int i = 0; i < k; i++, panel += CR_LANES, b += row)
            memcpy(panel, b, CR_LANES * sizeof *panel);
        return;
    }
    for (int i = 0; i < k; i++, panel += CR_LANES, b += row)
        for (int l = 0; l < CR_LANES; l++)
            panel[l] = b[l < columns ? l : columns - 1];
}

/* Columns of b are. */
static void pack_columns(float *restrict panel, const float *b, int k, int columns, int64_t column)
{
    const float *from[CR_LANES];
    for (int l = 0; l < CR_LANES; l++)
        from[l] = b + (l < columns ? l : columns - 1) * column;
    for (int i = 0; i < k; i++, panel += CR_LANES)
        for (int l = 0; l < CR_LANES; l++)
            panel[l] = from[l][i];
}

void cr_pack_panel(float *panel, const float *b, int k, int columns, int64_t row, int64_t column)
{
    if (column == 1)
        pack_rows(panel, b, k, columns, row);
    else
        pack_columns(panel, b, k, columns, column);
}
