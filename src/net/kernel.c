/*
 * kernel: compact pieces of a kernel W [taps, IN, OUT]: a dense layer has one tap, a K x K
 * convolution K^2. A kept input channel is `taps` contiguous rows of OUT.
 */
#include "chain.h"
#include "channels.h"

#include <string.h>

int cr_kernel_taps(const cr_layer *layer)
{
    const cr_parameter *p = &layer->parameters[0];
    return p->rank == 4 ? p->dims[0] * p->dims[1] : 1;
}

int cr_kernel_in(const cr_layer *layer)
{
    const cr_parameter *p = &layer->parameters[0];
    return p->dims[p->rank - 2];
}

int cr_kernel_out(const cr_layer *layer)
{
    const cr_parameter *p = &layer->parameters[0];
    return p->dims[p->rank - 1];
}

static void copy_row(float *restrict to, const float *restrict from, float scale, int out)
{
    for (int o = 0; o < out; o++)
        to[o] = scale * from[o];
}

void cr_kernel_gather(float *kept, const float *w, const cr_layer *layer, const cr_pick *pick)
{
    int taps = cr_kernel_taps(layer);
    int out = cr_kernel_out(layer);
    int k = pick->k;
#pragma omp parallel for schedule(static) if ((int64_t)taps * k * out >= 1 << 18)
    for (int row = 0; row < taps * k; row++) {
        int64_t from = (int64_t)(row / k) * pick->n + pick->index[row % k];
        copy_row(kept + (int64_t)row * out, w + from * out, pick->scale[row % k], out);
    }
}

void cr_kernel_gather_live(float *live, const float *kept, int64_t rows, int out,
                           const cr_pick *pick)
{
    enum { STRIP = 16 };
    int count = pick->k;
#pragma omp parallel for schedule(static) if (rows * count >= 1 << 18)
    for (int64_t row = 0; row < rows; row += STRIP)
        cr_channels_gather(live + row * count, kept + row * out,
                           rows - row < STRIP ? rows - row : STRIP, out, pick->index, count);
}

/* Position in ascending index [k] of the first one that is not below `least`. */
static int position_of(const int *index, int k, int64_t least)
{
    int low = 0;
    int high = k;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (index[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* to [OUT] at O = scale from [kO] */
static void spread_row(float *restrict to, const float *restrict from, float scale,
                       const cr_pick *out)
{
    const int *index = out->index;
    int count = out->k;
    if (count == out->n)
        copy_row(to, from, scale, count);
    else
        for (int q = 0; q < count; q++)
            to[index[q]] = scale * from[q];
}

void cr_kernel_spread(float *to, const float *block, const cr_layer *layer, const cr_pick *in,
                      const cr_pick *out, int64_t first, int64_t rows)
{
    int columns = cr_kernel_out(layer);
    memset(to, 0, (size_t)(rows * columns) * sizeof *to);
    for (int64_t tap = first / in->n; tap * in->n < first + rows; tap++) {
        int64_t start = tap * in->n; /* row of the tap's channel 0 */
        for (int j = position_of(in->index, in->k, first - start);
             j < in->k && start + in->index[j] < first + rows; j++)
            spread_row(to + (start + in->index[j] - first) * columns,
                       block + (tap * in->k + j) * out->k, in->scale[j], out);
    }
}

int64_t cr_kernel_kept(const cr_pick *in, int64_t first, int64_t *rows)
{
    int64_t tap = first / in->n;
    int64_t end = first + *rows;
    int j = position_of(in->index, in->k, first % in->n);
    if (j == in->k) {
        j = 0;
        tap++;
    }
    int64_t found = tap * in->n + in->index[j];
    int64_t count = 0;
    while (found + count < end && j + count < in->k && in->index[j + count] == in->index[j] + count)
        count++;
    *rows = count;
    return found;
}

void cr_kernel_row_norms(double *norms, const float *w, int64_t rows, int out)
{
    for (int64_t i = 0; i < rows; i++) {
        const float *row = w + i * out; /* [OUT] */
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int o = 0; o < out; o++)
            sum += (double)row[o] * row[o];
        norms[i] = sum;
    }
}
