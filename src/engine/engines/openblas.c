/*
 * openblas: the contractions as products of any CBLAS. A product C[M, N] = A[M, K] B[K, N] is cut
 * into panels of C that OpenMP threads share; the cut depends on the sizes alone, so the bits do
 * not depend on the number of threads.
 */
#include "colrow/engine.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

/* Panels: enough multiply-accumulates to outweigh packing and a thread's wake-up, at most so many a
 * side, and a multiple of the kernels' register tile. Measured with OpenBLAS 0.3.21: 0 to 5% below
 * the uncut product. */
enum { PANEL_MACS = 1 << 22, PANELS_A_SIDE = 4, PANEL_MULTIPLE = 16, PANEL_LEAST = 128 };

typedef struct product {
    CBLAS_TRANSPOSE transpose_a, transpose_b;
    int m, n, k;
    const float *a, *b;
    float *c;
    int lda, ldb, ldc;
    float beta; /* 0 overwrites, 1 adds */
} product;

/* Size of the panels that cut `side`, when each should hold at least `least` of it. */
static int panel_size(int side, int64_t least)
{
    int64_t size = (side + PANELS_A_SIDE - 1) / PANELS_A_SIDE;
    size = size < PANEL_LEAST ? PANEL_LEAST : size;
    size = size < least ? least : size;
    size = (size + PANEL_MULTIPLE - 1) / PANEL_MULTIPLE * PANEL_MULTIPLE;
    return size < side ? (int)size : side;
}

/* The panel of C at (row, column), by one thread. */
static void multiply_panel(const product *p, int row, int column, int rows, int columns)
{
    int m = p->m - row < rows ? p->m - row : rows;
    int n = p->n - column < columns ? p->n - column : columns;
    const float *a = p->a + (int64_t)row * (p->transpose_a == CblasTrans ? 1 : p->lda);
    const float *b = p->b + (int64_t)column * (p->transpose_b == CblasTrans ? p->ldb : 1);
    cblas_sgemm(CblasRowMajor, p->transpose_a, p->transpose_b, m, n, p->k, 1.0F, a, p->lda, b,
                p->ldb, p->beta, p->c + (int64_t)row * p->ldc + column, p->ldc);
}

static void clear(const product *p)
{
    for (int row = 0; row < p->m; row++)
        memset(p->c + (int64_t)row * p->ldc, 0, (size_t)p->n * sizeof(float));
}

static void multiply(const product *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    if (p->k == 0) { /* an empty micro-batch, or no live channels: BLAS wants positive strides */
        if (p->beta == 0)
            clear(p);
        return;
    }
    int columns = panel_size(p->n, PANEL_MACS / ((int64_t)p->m * p->k) + 1);
    int rows = panel_size(p->m, PANEL_MACS / ((int64_t)columns * p->k) + 1);
    int across = (p->n + columns - 1) / columns;
    int down = (p->m + rows - 1) / rows;
    /* also for one panel: outside a parallel region an OpenMP BLAS would thread by itself */
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int panel = 0; panel < across * down; panel++)
        multiply_panel(p, panel / across * rows, panel % across * columns, rows, columns);
}

static void dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes)
{
    multiply(&(product){.transpose_a = CblasNoTrans,
                        .transpose_b = CblasNoTrans,
                        .m = sizes->n,
                        .n = sizes->out,
                        .k = sizes->in,
                        .a = x,
                        .b = w,
                        .c = y,
                        .lda = sizes->ldx,
                        .ldb = sizes->ldw,
                        .ldc = sizes->ldy});
}

static void dense_input_gradient(float *dx, const float *dy, const float *w,
                                 const cr_dense_sizes *sizes)
{
    multiply(&(product){.transpose_a = CblasNoTrans,
                        .transpose_b = CblasTrans,
                        .m = sizes->n,
                        .n = sizes->in,
                        .k = sizes->out,
                        .a = dy,
                        .b = w,
                        .c = dx,
                        .lda = sizes->ldy,
                        .ldb = sizes->ldw,
                        .ldc = sizes->ldx});
}

static void dense_weight_gradient(float *dw, const float *x, const float *dy,
                                  const cr_dense_sizes *sizes, bool accumulate)
{
    multiply(&(product){.transpose_a = CblasTrans,
                        .transpose_b = CblasNoTrans,
                        .m = sizes->in,
                        .n = sizes->out,
                        .k = sizes->n,
                        .a = x,
                        .b = dy,
                        .c = dw,
                        .lda = sizes->ldx,
                        .ldb = sizes->ldy,
                        .ldc = sizes->ldw,
                        .beta = accumulate ? 1.0F : 0.0F});
}

const cr_engine cr_engine_openblas = {
    .name = "openblas",
    .dense_forward = dense_forward,
    .dense_input_gradient = dense_input_gradient,
    .dense_weight_gradient = dense_weight_gradient,
};
