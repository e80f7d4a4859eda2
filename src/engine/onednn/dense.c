/*
 * dense: Y = X W, dX = dY W^T and dW (+)= X^T dY of operands rounded to bf16, sums in f32. The
 * result is cut into blocks, which threads share out among primitives that run on one thread each.
 * The cut depends on the sizes alone, so the bits do not depend on the number of threads.
 *
 * Weights are rounded once a step, for the forward product in strips of the columns of a block.
 *
 * Measured with 2.6.3 on Zen 4, which has no AMX, two threads: 280 to 370 GFLOP/s with 256 and more
 * rows and 300 and more columns and terms, 1.2 to 1.9 times f32 (dense.c of the engine); 190 to 240
 * for 20 rows by [650, 2600], 1.1 to 1.3 times; but with 50 rows by [200, 200], where primitives
 * are asked for as long as they run, 0.5 to 0.9 times.
 */
#include "dense.h"

#include "primitive.h"
#include "room.h"
#include "round.h"

#include <omp.h>
#include <string.h>

enum { ROWS_MOST = 256, COLUMNS_MOST = 128, MULTIPLE = 16, PARALLEL = 1 << 16 };

/* C [M, N] (+)= A [M, K] B [K, N]; of B the columns of a block lie `b_strip` behind those of the
 * block before. */
typedef struct product {
    int m, n, k;
    const uint16_t *a, *b;
    float *c;
    int64_t a_row, a_column, b_row, b_column, b_strip, c_row;
    bool add;
} product;

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Of a side cut into pieces of at most `most`, a piece, all but the last of which are equal. */
static int piece_of(int side, int most)
{
    int pieces = (side + most - 1) / most;
    int size = pieces > 0 ? (side + pieces - 1) / pieces : 0;
    return smaller(side, (size + MULTIPLE - 1) / MULTIPLE * MULTIPLE);
}

static int pieces_of(int side, int piece)
{
    return piece > 0 ? (side + piece - 1) / piece : 0;
}

/* ---- operands in bf16 ------------------------------------------------------------------------ */

/* to [rows, columns] = from, whose rows are `ld` floats apart */
static void round_rows(uint16_t *to, const float *from, int64_t rows, int64_t columns, int64_t ld)
{
#pragma omp parallel for schedule(static) if (rows * columns >= PARALLEL)
    for (int64_t row = 0; row < rows; row++)
        cr_onednn_round(to + row * columns, from + row * ld, columns);
}

/* to [strips, rows, width] = from [rows, columns] */
static void round_strips(uint16_t *to, const float *from, int rows, int columns, int width,
                         int64_t ld)
{
#pragma omp parallel for schedule(static) if ((int64_t)rows * columns >= PARALLEL)
    for (int row = 0; row < rows; row++)
        for (int first = 0; first < columns; first += width)
            cr_onednn_round(to + (int64_t)first * rows + (int64_t)row * width,
                            from + row * ld + first, smaller(width, columns - first));
}

int64_t cr_onednn_dense_prepared(const cr_dense_sizes *sizes, bool backward)
{
    int width = piece_of(sizes->out, COLUMNS_MOST);
    int64_t columns = backward ? sizes->out : (int64_t)pieces_of(sizes->out, width) * width;
    return (int64_t)(cr_onednn_room(dnnl_bf16, sizes->in * columns) / sizeof(float));
}

void cr_onednn_dense_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                             bool backward)
{
    uint16_t *to = (uint16_t *)(void *)prepared;
    if (backward)
        round_rows(to, w, sizes->in, sizes->out, sizes->ldw);
    else if (sizes->out > 0)
        round_strips(to, w, sizes->in, sizes->out, piece_of(sizes->out, COLUMNS_MOST), sizes->ldw);
}

/* ---- work --------------------------------------------------------------------------------------
 * x and dy in bf16, and a scratch pad for each thread. */

static int64_t rounded(int64_t side)
{
    enum { SIDE = 64 };
    return (side + SIDE - 1) / SIDE * SIDE;
}

/* Of a block's primitive: room for copies of all that it works on, its sides rounded up. */
static size_t scratch_most(int m, int n, int k)
{
    enum { LEAST = 1 << 18 };
    int64_t rows = rounded(smaller(m, ROWS_MOST));
    int64_t columns = rounded(smaller(n, COLUMNS_MOST));
    return LEAST + cr_onednn_room(dnnl_bf16, (rows + columns) * rounded(k)) +
           cr_onednn_room(dnnl_f32, rows * columns);
}

static size_t operand_room(const cr_dense_sizes *s)
{
    return cr_onednn_room(dnnl_bf16, (int64_t)s->n * s->in) +
           cr_onednn_room(dnnl_bf16, (int64_t)s->n * s->out);
}

size_t cr_onednn_dense_work(const cr_dense_sizes *s, int threads)
{
    size_t forward = scratch_most(s->n, s->out, s->in);
    size_t input = scratch_most(s->n, s->in, s->out);
    size_t weights = scratch_most(s->in, s->out, s->n);
    size_t most = forward > input ? forward : input;
    return operand_room(s) + (size_t)threads * (most > weights ? most : weights);
}

/* ---- products -------------------------------------------------------------------------------- */

static void clear(const product *p)
{
    for (int row = 0; row < p->m; row++)
        memset(p->c + row * p->c_row, 0, (size_t)p->n * sizeof *p->c);
}

/* The primitives of the four sizes of block that there may be: [last rows?][last columns?] */
typedef struct blocks {
    int rows, columns, down, across;
    cr_onednn_primitive primitives[2][2];
    size_t scratch;
} blocks;

static int side_of(int side, int piece, int number)
{
    return smaller(piece, side - number * piece);
}

static blocks blocks_new(const product *p)
{
    blocks b = {.rows = piece_of(p->m, ROWS_MOST), .columns = piece_of(p->n, COLUMNS_MOST)};
    b.down = pieces_of(p->m, b.rows);
    b.across = pieces_of(p->n, b.columns);
    b.scratch = scratch_most(p->m, p->n, p->k);
    for (int i = b.down > 1 ? 0 : 1; i < 2; i++)
        for (int j = b.across > 1 ? 0 : 1; j < 2; j++)
            b.primitives[i][j] = cr_onednn_make_matmul(
                &(cr_onednn_matmul){.m = side_of(p->m, b.rows, i * (b.down - 1)),
                                    .n = side_of(p->n, b.columns, j * (b.across - 1)),
                                    .k = p->k,
                                    .a_row = p->a_row,
                                    .a_column = p->a_column,
                                    .b_row = p->b_row,
                                    .b_column = p->b_column,
                                    .c_row = p->c_row,
                                    .add = p->add,
                                    .scratch_most = b.scratch});
    return b;
}

static void blocks_free(blocks *b)
{
    for (int i = b->down > 1 ? 0 : 1; i < 2; i++)
        for (int j = b->across > 1 ? 0 : 1; j < 2; j++)
            cr_onednn_free(&b->primitives[i][j]);
}

static void multiply_block(const product *p, const blocks *b, int row, int column, void *scratch)
{
    const cr_onednn_primitive *primitive =
        &b->primitives[row == b->down - 1][column == b->across - 1];
    dnnl_memory_t right = cr_onednn_weights(primitive, (void *)(p->b + column * p->b_strip));
    int64_t first = (int64_t)row * b->rows;
    cr_onednn_run(primitive, p->a + first * p->a_row, right,
                  p->c + first * p->c_row + (int64_t)column * b->columns, scratch);
    cr_onednn_weights_free(&right);
}

static void multiply(const product *p, void *scratch)
{
    if (p->k == 0 && !p->add)
        clear(p);
    if (p->m == 0 || p->n == 0 || p->k == 0)
        return;
    blocks b = blocks_new(p);
#pragma omp parallel for schedule(static)
    for (int block = 0; block < b.down * b.across; block++)
        multiply_block(p, &b, block % b.down, block / b.down,
                       (unsigned char *)scratch + (size_t)omp_get_thread_num() * b.scratch);
    blocks_free(&b);
}

void cr_onednn_dense_forward(float *y, const float *x, const float *prepared,
                             const cr_dense_sizes *s, void *work)
{
    int width = piece_of(s->out, COLUMNS_MOST);
    uint16_t *from = work;
    round_rows(from, x, s->n, s->in, s->ldx);
    multiply(&(product){.m = s->n,
                        .n = s->out,
                        .k = s->in,
                        .a = from,
                        .b = (const uint16_t *)(const void *)prepared,
                        .c = y,
                        .a_row = s->in,
                        .a_column = 1,
                        .b_row = width,
                        .b_column = 1,
                        .b_strip = (int64_t)s->in * width,
                        .c_row = s->ldy},
             (unsigned char *)work + operand_room(s));
}

void cr_onednn_dense_input_gradient(float *dx, const float *dy, const float *prepared,
                                    const cr_dense_sizes *s, void *work)
{
    uint16_t *from = work;
    round_rows(from, dy, s->n, s->out, s->ldy);
    multiply(&(product){.m = s->n,
                        .n = s->in,
                        .k = s->out,
                        .a = from,
                        .b = (const uint16_t *)(const void *)prepared,
                        .c = dx,
                        .a_row = s->out,
                        .a_column = 1,
                        .b_row = 1,
                        .b_column = s->out,
                        .b_strip = (int64_t)piece_of(s->in, COLUMNS_MOST) * s->out,
                        .c_row = s->ldx},
             (unsigned char *)work + operand_room(s));
}

void cr_onednn_dense_weight_gradient(float *dw, const float *x, const float *dy,
                                     const cr_dense_sizes *s, bool accumulate, void *work)
{
    uint16_t *left = work;
    size_t room = cr_onednn_room(dnnl_bf16, (int64_t)s->n * s->in);
    uint16_t *right = (uint16_t *)(void *)((unsigned char *)work + room);
    round_rows(left, x, s->n, s->in, s->ldx);
    round_rows(right, dy, s->n, s->out, s->ldy);
    multiply(&(product){.m = s->in,
                        .n = s->out,
                        .k = s->n,
                        .a = left,
                        .b = right,
                        .c = dw,
                        .a_row = 1,
                        .a_column = s->in,
                        .b_row = s->out,
                        .b_column = 1,
                        .b_strip = piece_of(s->out, COLUMNS_MOST),
                        .c_row = s->ldw,
                        .add = accumulate},
             (unsigned char *)work + operand_room(s));
}
