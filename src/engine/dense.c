/*
 * dense: Y = X W, dX = dY W^T and dW (+)= X^T dY. Of the right operand a panel or two of 16 columns
 * are packed at a time, K_MOST rows of it, and the rows of the left one that fit in the cache
 * beside it pass by (packed.c). Threads share out blocks of rows and panels; the cut depends on the
 * sizes alone, and so do the bits.
 *
 * Measured on Zen 4 with two threads, sizes of the MLP and the language model (50 to 700 rows; 200
 * to 10,000 columns and terms): 136 to 217 GFLOP/s, where panels of C by OpenBLAS 0.3.21, which
 * packs both operands for each, had 77 to 180; 1.05 to 2 times as fast, and never slower.
 */
#include "dense.h"

#include "packed.h"

#include <string.h>

/* Terms that are packed at a time, floats of the left operand that stay in the second cache,
 * multiply-accumulates worth waking threads for. */
enum { K_MOST = 768, ROWS_FLOATS = 1 << 18, PARALLEL_MACS = 1 << 20 };

/* C [M, N] (+)= A [M, K] B [K, N], A and B by any strides. */
typedef struct product {
    int m, n, k;
    const float *a, *b;
    float *c;
    int64_t a_row, a_column, b_row, b_column, c_row; /* floats from one to the next */
    bool add;
} product;

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* C's rows and columns from `row` and `column` on, so many, (+)= their sum over the terms from
 * `first` on. */
static void multiply_part(const product *p, int row, int rows, int column, int first)
{
    float panels[CR_PACKED_PANELS][K_MOST * CR_LANES];
    int columns = smaller(CR_PACKED_COLUMNS, p->n - column);
    int k = smaller(K_MOST, p->k - first);
    const float *b = p->b + first * p->b_row + column * p->b_column;
    for (int at = 0; at < columns; at += CR_LANES)
        cr_pack_panel(panels[at / CR_LANES], b + at * p->b_column, k,
                      smaller(CR_LANES, columns - at), p->b_row, p->b_column);
    cr_packed_within(&(cr_packed_product){.m = smaller(rows, p->m - row),
                                          .n = columns,
                                          .k = k,
                                          .a = p->a + row * p->a_row + first * p->a_column,
                                          .b = panels[0],
                                          .c = p->c + row * p->c_row + column,
                                          .a_row = p->a_row,
                                          .a_column = p->a_column,
                                          .b_panel = sizeof panels[0] / sizeof(float),
                                          .b_row = CR_LANES,
                                          .c_panel = CR_LANES,
                                          .c_row = p->c_row,
                                          .add = p->add || first > 0});
}

/* ---- a product ------------------------------------------------------------------------------- */

/* Rows of a block: A's part of a block and of K_MOST terms fits in the cache. */
static int block_rows(const product *p)
{
    int most = ROWS_FLOATS / smaller(K_MOST, p->k);
    int blocks = (p->m + most - 1) / most;
    return cr_packed_rows((p->m + blocks - 1) / blocks);
}

static void clear(const product *p)
{
    for (int row = 0; row < p->m; row++)
        memset(p->c + row * p->c_row, 0, (size_t)p->n * sizeof *p->c);
}

/* Each thread has the same parts in all rounds, so its sums need not wait for others'. */
static void multiply(product p)
{
    if (p.k == 0 && !p.add)
        clear(&p);
    if (p.m == 0 || p.n == 0 || p.k == 0)
        return;
    int rows = block_rows(&p);
    int across = (p.n + CR_PACKED_COLUMNS - 1) / CR_PACKED_COLUMNS;
    int parts = (p.m + rows - 1) / rows * across;
#pragma omp parallel if ((int64_t)p.m * p.n * p.k >= PARALLEL_MACS)
    for (int first = 0; first < p.k; first += K_MOST) {
#pragma omp for schedule(static) nowait
        for (int part = 0; part < parts; part++)
            multiply_part(&p, part / across * rows, rows, part % across * CR_PACKED_COLUMNS, first);
    }
}

int64_t cr_dense_prepared(const cr_dense_sizes *sizes, bool backward)
{
    (void)sizes;
    (void)backward;
    return 0;
}

size_t cr_dense_work(const cr_dense_sizes *sizes, int threads)
{
    (void)sizes;
    (void)threads;
    return 0;
}

void cr_dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes,
                      void *work)
{
    (void)work;
    multiply((product){.m = sizes->n,
                       .n = sizes->out,
                       .k = sizes->in,
                       .a = x,
                       .b = w,
                       .c = y,
                       .a_row = sizes->ldx,
                       .a_column = 1,
                       .b_row = sizes->ldw,
                       .b_column = 1,
                       .c_row = sizes->ldy});
}

void cr_dense_input_gradient(float *dx, const float *dy, const float *w,
                             const cr_dense_sizes *sizes, void *work)
{
    (void)work;
    multiply((product){.m = sizes->n,
                       .n = sizes->in,
                       .k = sizes->out,
                       .a = dy,
                       .b = w,
                       .c = dx,
                       .a_row = sizes->ldy,
                       .a_column = 1,
                       .b_row = 1,
                       .b_column = sizes->ldw,
                       .c_row = sizes->ldx});
}

void cr_dense_weight_gradient(float *dw, const float *x, const float *dy,
                              const cr_dense_sizes *sizes, bool accumulate, void *work)
{
    (void)work;
    multiply((product){.m = sizes->in,
                       .n = sizes->out,
                       .k = sizes->n,
                       .a = x,
                       .b = dy,
                       .c = dw,
                       .a_row = 1,
                       .a_column = sizes->ldx,
                       .b_row = sizes->ldy,
                       .b_column = 1,
                       .c_row = sizes->ldw,
                       .add = accumulate});
}
