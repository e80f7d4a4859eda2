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

#include <omp.h>
#include <string.h>

/* Weights, and multiply-accumulates, worth waking threads for. */
enum { PARALLEL_WEIGHTS = 1 << 16, PARALLEL_MACS = 1 << 20 };

/* ---- weights --------------------------------------------------------------------------------- */

int64_t cr_repeated_prepared(const cr_dense_sizes *sizes, bool backward)
{
    return backward ? (int64_t)sizes->out * cr_packed_columns(sizes->in)
                    : (int64_t)sizes->in * cr_packed_columns(sizes->out);
}

/* panel [K, 16] = columns [first, first + 16) of a matrix [K, columns], zeros beyond the last */
static void pack(float *restrict panel, const float *w, int k, int columns, int first, int64_t row,
                 int64_t column)
{
    int count = columns - first < CR_LANES ? columns - first : CR_LANES;
    for (int i = 0; i < k; i++)
        for (int l = 0; l < CR_LANES; l++)
            panel[(int64_t)i * CR_LANES + l] = l < count ? w[i * row + (first + l) * column] : 0;
}

void cr_repeated_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                         bool backward)
{
    int k = backward ? sizes->out : sizes->in;
    int columns = backward ? sizes->in : sizes->out;
    int64_t row = backward ? 1 : sizes->ldw;
    int64_t column = backward ? sizes->ldw : 1;
#pragma omp parallel for schedule(static) if ((int64_t)k * columns >= PARALLEL_WEIGHTS)
    for (int panel = 0; panel < cr_panels(columns); panel++)
        pack(prepared + (int64_t)panel * k * CR_LANES, w, k, columns, panel * CR_LANES, row,
             column);
}

/* ---- products -------------------------------------------------------------------------------- */

/* C [M, N] = A [M, K] B, of packed panels. */
typedef struct job {
    int m, n, k;
    const float *a, *b;
    float *c;
    int lda, ldc;
    const float *rest; /* [CR_PACKED_ROWS, K] the rows of A beyond whole tiles, and zeros */
} job;

size_t cr_repeated_work(const cr_dense_sizes *sizes)
{
    int k = sizes->in > sizes->out ? sizes->in : sizes->out;
    return (size_t)CR_PACKED_ROWS * (size_t)k * sizeof(float);
}

/* The panel's columns of `rows` rows of C from `first` on. */
static void multiply_rows(const job *j, int panel, int first, int rows, const float *a, int lda)
{
    int column = panel * CR_LANES;
    int count = j->n - column < CR_LANES ? j->n - column : CR_LANES;
    float *c = j->c + (int64_t)first * j->ldc + column;
    float part[CR_PACKED_ROWS * CR_LANES]; /* a last panel is narrower than what is computed */
    bool direct = count == CR_LANES;
    cr_packed_multiply(&(cr_packed_product){.m = rows,
                                            .n = CR_LANES,
                                            .k = j->k,
                                            .a = a,
                                            .b = j->b + (int64_t)panel * j->k * CR_LANES,
                                            .c = direct ? c : part,
                                            .a_row = lda,
                                            .a_column = 1,
                                            .b_row = CR_LANES,
                                            .c_row = direct ? j->ldc : CR_LANES});
    for (int row = 0; !direct && row < rows; row++)
        memcpy(c + (int64_t)row * j->ldc, part + (int64_t)row * CR_LANES,
               (size_t)count * sizeof *c);
}

static void multiply_panel(const job *j, int panel)
{
    int whole = j->m - j->m % CR_PACKED_ROWS;
    for (int row = 0; row < whole; row += CR_PACKED_ROWS)
        multiply_rows(j, panel, row, CR_PACKED_ROWS, j->a + (int64_t)row * j->lda, j->lda);
    if (whole < j->m)
        multiply_rows(j, panel, whole, j->m - whole, j->rest, j->k);
}

static void multiply(job j, float *rest)
{
    int whole = j.m - j.m % CR_PACKED_ROWS;
    size_t row = (size_t)j.k * sizeof *rest;
    memset(rest, 0, CR_PACKED_ROWS * row);
    for (int r = whole; r < j.m; r++)
        memcpy(rest + (int64_t)(r - whole) * j.k, j.a + (int64_t)r * j.lda, row);
    j.rest = rest;
#pragma omp parallel for schedule(static) if ((int64_t)j.m * j.n * j.k >= PARALLEL_MACS)
    for (int panel = 0; panel < cr_panels(j.n); panel++)
        multiply_panel(&j, panel);
}

void cr_repeated_forward(float *y, const float *x, const float *prepared,
                         const cr_dense_sizes *sizes, void *work)
{
    multiply((job){.m = sizes->n,
                   .n = sizes->out,
                   .k = sizes->in,
                   .a = x,
                   .b = prepared,
                   .c = y,
                   .lda = sizes->ldx,
                   .ldc = sizes->ldy},
             work);
}

void cr_repeated_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_dense_sizes *sizes, void *work)
{
    multiply((job){.m = sizes->n,
                   .n = sizes->in,
                   .k = sizes->out,
                   .a = dy,
                   .b = prepared,
                   .c = dx,
                   .lda = sizes->ldy,
                   .ldc = sizes->ldx},
             work);
}
