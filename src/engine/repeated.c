/*
 * repeated: Y = X W and dX = dY W^T for one X of few rows after another and the same W, as in the
 * steps of a recurrence. BLAS would pack W anew in each of them, which costs as much as the
 * multiplying: here W or its transpose is packed once, in panels of 16 columns, and threads share
 * the panels out.
 *
 * Measured on Zen 4, one thread, 20 rows by [650, 2600]: 66 to 71 GFLOP/s, where OpenBLAS 0.3.21
 * had 47 in the same minute.
 */
#include "repeated.h"

#include "packed.h"

/* Weights, and multiply-accumulates, worth waking threads for. */
enum { PARALLEL_WEIGHTS = 1 << 16, PARALLEL_MACS = 1 << 20 };

/* ---- weights --------------------------------------------------------------------------------- */

int64_t cr_repeated_prepared(const cr_dense_sizes *sizes, bool backward)
{
    return backward ? (int64_t)sizes->out * cr_packed_columns(sizes->in)
                    : (int64_t)sizes->in * cr_packed_columns(sizes->out);
}

void cr_repeated_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                         bool backward)
{
    int k = backward ? sizes->out : sizes->in;
    int columns = backward ? sizes->in : sizes->out;
    int64_t row = backward ? 1 : sizes->ldw;
    int64_t column = backward ? sizes->ldw : 1;
#pragma omp parallel for schedule(static) if ((int64_t)k * columns >= PARALLEL_WEIGHTS)
    for (int first = 0; first < columns; first += CR_LANES)
        cr_pack_panel(prepared + (int64_t)first * k, w + first * column, k,
                      columns - first < CR_LANES ? columns - first : CR_LANES, row, column);
}

/* ---- products -------------------------------------------------------------------------------- */

/* c [M, N] = a [M, K] B, packed in panels */
static void multiply(float *c, int ldc, const float *a, int lda, const float *packed, int m, int n,
                     int k)
{
#pragma omp parallel for schedule(static) if ((int64_t)m * n * k >= PARALLEL_MACS)
    for (int column = 0; column < n; column += CR_PACKED_COLUMNS) {
        int left = n - column;
        cr_packed_within(
            &(cr_packed_product){.m = m,
                                 .n = left < CR_PACKED_COLUMNS ? left : CR_PACKED_COLUMNS,
                                 .k = k,
                                 .a = a,
                                 .b = packed + (int64_t)column * k,
                                 .c = c + column,
                                 .a_row = lda,
                                 .a_column = 1,
                                 .b_panel = (int64_t)k * CR_LANES,
                                 .b_row = CR_LANES,
                                 .c_panel = CR_LANES,
                                 .c_row = ldc});
    }
}

void cr_repeated_forward(float *y, const float *x, const float *prepared,
                         const cr_dense_sizes *sizes, void *work)
{
    (void)work;
    multiply(y, sizes->ldy, x, sizes->ldx, prepared, sizes->n, sizes->out, sizes->in);
}

void cr_repeated_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_dense_sizes *sizes, void *work)
{
    (void)work;
    multiply(dx, sizes->ldx, dy, sizes->ldy, prepared, sizes->n, sizes->in, sizes->out);
}
