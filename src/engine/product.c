/*
 * product: matrix products by CBLAS. A shared product is cut into panels of C, because BLAS itself
 * stays at one thread (threads.c).
 */
#include "product.h"

#include "colrow/base.h"

#include <cblas.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

/* Panels: enough multiply-accumulates to outweigh packing and a thread's wake-up, at most so many a
 * side, and a multiple of the kernels' register tile. Measured with OpenBLAS 0.3.21: 0 to 5% below
 * the uncut product. */
enum { PANEL_MACS = 1 << 22, PANELS_A_SIDE = 4, PANEL_MULTIPLE = 16, PANEL_LEAST = 128 };

/* Size of the panels that cut `side`, when each should hold at least `least` of it. */
static int panel_size(int side, int64_t least)
{
    int64_t size = (side + PANELS_A_SIDE - 1) / PANELS_A_SIDE;
    size = size < PANEL_LEAST ? PANEL_LEAST : size;
    size = size < least ? least : size;
    size = (size + PANEL_MULTIPLE - 1) / PANEL_MULTIPLE * PANEL_MULTIPLE;
    return size < side ? (int)size : side;
}

static void clear(const cr_product *p)
{
    for (int row = 0; row < p->m; row++)
        memset(p->c + (int64_t)row * p->ldc, 0, (size_t)p->n * sizeof(float));
}

/* Sums of nothing (an empty micro-batch, no live channels), or nothing to sum: BLAS wants positive
 * strides. */
static bool empty(const cr_product *p)
{
    if (p->k == 0 && !p->add)
        clear(p);
    return p->m == 0 || p->n == 0 || p->k == 0;
}

/* The panel of the product that C holds from (row, column) on. */
static cr_product panel_at(const cr_product *p, int row, int column, int rows, int columns)
{
    cr_product panel = *p;
    panel.m = p->m - row < rows ? p->m - row : rows;
    panel.n = p->n - column < columns ? p->n - column : columns;
    panel.a += (int64_t)row * (p->transpose_a ? 1 : p->lda);
    panel.b += (int64_t)column * (p->transpose_b ? p->ldb : 1);
    panel.c += (int64_t)row * p->ldc + column;
    return panel;
}

void cr_product_alone(const cr_product *p)
{
    if (empty(p))
        return;
    cr_tick((int64_t)p->m * p->n * p->k);
    cblas_sgemm(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans,
                p->transpose_b ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1.0F, p->a, p->lda,
                p->b, p->ldb, p->add ? 1.0F : 0.0F, p->c, p->ldc);
}

void cr_product_shared(const cr_product *p)
{
    if (empty(p))
        return;
    int columns = panel_size(p->n, PANEL_MACS / ((int64_t)p->m * p->k) + 1);
    int rows = panel_size(p->m, PANEL_MACS / ((int64_t)columns * p->k) + 1);
    int across = (p->n + columns - 1) / columns;
    int down = (p->m + rows - 1) / rows;
    /* also for one panel: outside a parallel region an OpenMP BLAS would thread by itself */
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1 && !omp_in_parallel())
    for (int panel = 0; panel < across * down; panel++) {
        cr_product part =
            panel_at(p, panel / across * rows, panel % across * columns, rows, columns);
        cr_product_alone(&part);
    }
}
