/*
 * packed: the product of a row-major A and a packed B by a register tile of ROWS x PANELS x 16, in
 * C that compilers turn into fused multiply-adds of whole registers (this file is compiled with
 * -ffp-contract=fast). The panels of B stay in cache while the rows of A pass by.
 *
 * Measured with one thread, K and N of 32 to 640, 24 to 128 rows. On Zen 5 (two multiply-adds and
 * two loads a cycle; peak 283 GFLOP/s) tiles of 8 x 32 have 240 to 272 GFLOP/s, of 8 x 16, whose 9
 * loads for 8 multiply-adds are in their way, 208 to 238; gcc 12 keeps no larger ones in registers.
 * On Zen 4 (one multiply-add; peak 116) 8 x 16 has 107 to 112, 6 x 16 99 to 110, 12 and 16 x 16 as
 * many as 8; compiled for AVX2 6 x 16 has 99 to 111, 8 x 16 only 58 to 65. Whether a column of A is
 * contiguous or not makes no difference. OpenBLAS 0.3.21 has 78 to 91 there. All of that with B in
 * cache. In a step it is in memory: what is read next is fetched ahead, which makes convolutions of
 * 320 and 640 channels 1.1 to 1.25 times as fast on Zen 5.
 */
#include "packed.h"

#include "colrow/base.h"

#include <string.h>

/* As wide as a register; a row of a panel is PARTS of them. */
typedef CR_VECTOR(float, CR_REGISTER) vector;
enum { PARTS = CR_LANES / CR_REGISTER };

CR_INLINE vector read_vector(const float *from)
{
    vector value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* sum [rows, 16] += column of A, `row` floats between rows, times a row of the panel */
CR_INLINE void add_outer(vector sum[][PARTS], const float *a, int64_t row, const float *b,
                         const int rows)
{
    vector parts[PARTS];
    CR_UNROLL
    for (int64_t i = 0; i < PARTS; i++)
        parts[i] = read_vector(b + i * CR_REGISTER);
    CR_UNROLL
    for (int r = 0; r < rows; r++) {
        CR_UNROLL
        for (int64_t i = 0; i < PARTS; i++)
            sum[r][i] += a[r * row] * parts[i];
    }
}

/* c [rows, 16] (+)= sum [rows, 16] */
CR_INLINE void put(float *c, int64_t row, vector sum[][PARTS], bool add, const int rows)
{
    CR_UNROLL
    for (int r = 0; r < rows; r++) {
        CR_UNROLL
        for (int64_t i = 0; i < PARTS; i++) {
            float *to = c + r * row + i * CR_REGISTER;
            vector value = add ? read_vector(to) + sum[r][i] : sum[r][i];
            memcpy(to, &value, sizeof value);
        }
    }
}

/* What is read after some panels, fetched into the cache while their tiles are worked out: each
 * row's share of it, `pace` floats at each step along K; both for every panel. */
typedef struct fetch {
    const float *next;
    int64_t share, pace;
} fetch;

/* c (+)= a [rows, K] b for so many panels of b and c; `rows` and `panels` are numbers that the
 * compiler knows. The pointers move: with indices compilers keep the sums in memory. C is read
 * last, when it has arrived. */
CR_INLINE void multiply_tile(float *restrict c, const float *a, const float *b,
                             const cr_packed_product *p, const float *next, int64_t pace,
                             const int rows, const int panels)
{
    int64_t a_row = p->a_row;
    int64_t a_column = p->a_column;
    int64_t b_row = p->b_row;
    int64_t b_panel = p->b_panel;
    vector sum[CR_PACKED_PANELS][CR_PACKED_ROWS][PARTS] = {{{{0}}}};
    for (int i = p->k; i > 0; i--, a += a_column, b += b_row) {
        CR_PREFETCH(next);
        next += pace;
        CR_UNROLL
        for (int q = 0; q < panels; q++)
            add_outer(sum[q], a, a_row, b + q * b_panel, rows);
    }
    for (int q = 0; q < panels; q++, c += p->c_panel)
        if (p->add)
            put(c, p->c_row, sum[q], true, rows);
        else
            put(c, p->c_row, sum[q], false, rows);
}

/* Rows from `row` on of some panels in tiles of `rows`, while they fill one; the first row left. */
CR_INLINE int multiply_rows(const cr_packed_product *p, int panel, int row, fetch fetched,
                            const int rows, const int panels)
{
    float *c = p->c + panel * p->c_panel;
    const float *b = p->b + panel * p->b_panel;
    for (; row + rows <= p->m; row += rows)
        multiply_tile(c + row * p->c_row, p->a + row * p->a_row, b, p,
                      fetched.next + row * fetched.share * panels, fetched.pace * panels, rows,
                      panels);
    return row;
}

/* So many panels; what follows them, or the last ones, is fetched meanwhile. */
CR_INLINE void multiply_panels(const cr_packed_product *p, int panel, fetch fetched,
                               const int panels)
{
    bool is_last = panel + panels >= cr_panels(p->n);
    fetched.next = is_last && p->next != NULL ? p->next : p->b + (panel + panels) * p->b_panel;
    int row = multiply_rows(p, panel, 0, fetched, CR_PACKED_ROWS, panels);
    row = multiply_rows(p, panel, row, fetched, 4, panels);
    row = multiply_rows(p, panel, row, fetched, 2, panels);
    (void)multiply_rows(p, panel, row, fetched, 1, panels); /* the last */
}

void cr_packed_multiply(const cr_packed_product *p)
{
    int panel = 0;
    if (p->m <= 0)
        return;
    fetch fetched = {.share = (int64_t)CR_LANES * p->k / p->m,
                     .pace = (CR_LANES * CR_PACKED_ROWS + p->m - 1) / p->m};
    cr_tick((int64_t)p->m * p->n * p->k);
    for (; panel + CR_PACKED_PANELS <= cr_panels(p->n); panel += CR_PACKED_PANELS)
        multiply_panels(p, panel, fetched, CR_PACKED_PANELS);
    for (; panel < cr_panels(p->n); panel++)
        multiply_panels(p, panel, fetched, 1);
}

/* One panel of which N columns are meant, fewer than 16: a tile at a time. */
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

void cr_packed_within(const cr_packed_product *p)
{
    int whole = p->n / CR_LANES;
    cr_packed_product part = *p;
    part.n = whole * CR_LANES;
    if (whole > 0)
        cr_packed_multiply(&part);
    part.n = p->n - part.n;
    part.b += whole * p->b_panel;
    part.c += whole * p->c_panel;
    if (part.n > 0)
        multiply_narrow(&part);
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
