/* columns: see columns.h. A few rows at a time, so that memory is read in its order, are added up
 * in single precision, in registers: to widen every value would take longer than to read it. */
#include "columns.h"

#include "tiles.h"

#include "colrow/base.h"

#include <string.h>

enum { BLOCK = 16, ROWS = 8 };

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
