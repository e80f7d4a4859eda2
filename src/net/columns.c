/* columns: see columns.h. Sums: a few rows at a time, so that memory is read in its order, are
 * added up in single precision, in registers: to widen every value would take longer than to read
 * it. Factors: BLOCK columns at a time, whose factors stay in registers while the rows, which are
 * in cache, pass by; row by row, narrow matrices would spend their time on beginning loops. */
#include "columns.h"

#include "tiles.h"

#include "colrow/base.h"

#include <string.h>

enum { BLOCK = CR_REGISTER, ROWS = 8 };

typedef CR_VECTOR(float, BLOCK) block;

static void widen_and_add(double *restrict sums, const block *sum)
{
    for (int c = 0; c < BLOCK; c++)
        sums[c] += (*sum)[c];
}

/* BLOCK columns from a and b on, k floats between rows */
static void add_block(double *sums, double *products, const float *a, const float *b, int rows,
                      int k)
{
    block sum = {0};
    block product = {0};
    for (; rows > 0; rows--, a += k, b += k) {
        block left, right;
        memcpy(&left, a, sizeof left);
        memcpy(&right, b, sizeof right);
        sum += left;
        product += left * right;
    }
    widen_and_add(sums, &sum);
    widen_and_add(products, &product);
}

static void add_column(double *sums, double *products, const float *a, const float *b, int rows,
                       int k)
{
    float sum = 0;
    float product = 0;
    for (; rows > 0; rows--, a += k, b += k) {
        sum += *a;
        product += *a * *b;
    }
    *sums += sum;
    *products += product;
}

void cr_columns_add(double *sums, double *products, const float *a, const float *b, int rows, int k)
{
    for (int first = 0; first < rows;
         first += ROWS, a += ROWS * (int64_t)k, b += ROWS * (int64_t)k) {
        int count = rows - first < ROWS ? rows - first : ROWS;
        int c = 0;
        cr_row_prefetch(a, count * k);
        for (; c + BLOCK <= k; c += BLOCK)
            add_block(sums + c, products + c, a + c, b + c, count, k);
        for (; c < k; c++)
            add_column(sums + c, products + c, a + c, b + c, count, k);
    }
}

/* ---- factors --------------------------------------------------------------------------------- */

static block read_block(const float *from)
{
    block value;
    memcpy(&value, from, sizeof value);
    return value;
}

void cr_columns_scale(float *y, const float *scale, const float *shift, int rows, int columns,
                      int k)
{
    int first = 0;
    for (; first + BLOCK <= columns; first += BLOCK) {
        block by = read_block(scale + first);
        block plus = read_block(shift + first);
        float *to = y + first;
        for (int row = 0; row < rows; row++, to += k) {
            block value = by * read_block(to) + plus;
            memcpy(to, &value, sizeof value);
        }
    }
    for (int row = 0; row < rows && first < columns; row++)
        for (int c = first; c < columns; c++)
            y[(int64_t)row * k + c] = scale[c] * y[(int64_t)row * k + c] + shift[c];
}

void cr_columns_combine(float *y, const float *x, const float *a, const float *b, const float *c,
                        int rows, int k)
{
    int first = 0;
    for (; first + BLOCK <= k; first += BLOCK) {
        block of_y = read_block(a + first);
        block of_x = read_block(b + first);
        block plus = read_block(c + first);
        float *to = y + first;
        const float *from = x + first;
        for (int row = 0; row < rows; row++, to += k, from += k) {
            block value = of_y * read_block(to) + of_x * read_block(from) + plus;
            memcpy(to, &value, sizeof value);
        }
    }
    for (int row = 0; row < rows && first < k; row++)
        for (int i = first; i < k; i++) {
            float *to = y + (int64_t)row * k + i;
            *to = a[i] * *to + b[i] * x[(int64_t)row * k + i] + c[i];
        }
}
