/*
 * partial: as many parts as fit in ROOM_FLOATS, at most PARTS_MOST. Larger results have one
 * part only: their blocks are large as well, and worth the threads' waiting for each other.
 */
#include "partial.h"

#include <omp.h>

enum { ROOM_FLOATS = 1 << 24, PARTS_MOST = 4, MULTIPLE = 16, STRIP = 1 << 12 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t stride_of(int64_t size)
{
    return (size + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
}

cr_partial cr_partial_at(float *at, int64_t size, int64_t blocks)
{
    int64_t parts = smaller(smaller(ROOM_FLOATS / stride_of(size), PARTS_MOST), blocks);
    return (cr_partial){.at = at,
                        .size = size,
                        .stride = stride_of(size),
                        .blocks = blocks,
                        .parts = parts > 1 ? (int)parts : 1};
}

int64_t cr_partial_room(int64_t size)
{
    int64_t all = smaller(PARTS_MOST * stride_of(size), ROOM_FLOATS);
    return all > stride_of(size) ? all : stride_of(size);
}

int64_t cr_partial_first(const cr_partial *p, int part)
{
    return p->blocks * part / p->parts;
}

bool cr_partial_apart(const cr_partial *p)
{
    return omp_get_max_threads() > 1 && p->parts >= omp_get_max_threads();
}

/* out [count] (+)= the sum of the parts from `first` on, count at most STRIP */
static void sum_strip(float *out, const cr_partial *p, int64_t first, int64_t count,
                      bool accumulate)
{
    float sum[STRIP];
    for (int64_t i = 0; i < count; i++)
        sum[i] = p->at[first + i];
    for (int part = 1; part < p->parts; part++)
        for (int64_t i = 0; i < count; i++)
            sum[i] += p->at[part * p->stride + first + i];
    for (int64_t i = 0; i < count; i++)
        out[i] = accumulate ? out[i] + sum[i] : sum[i];
}

void cr_partial_sum(float *out, const cr_partial *p, bool accumulate)
{
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int64_t first = 0; first < p->size; first += STRIP)
        sum_strip(out + first, p, first, smaller(STRIP, p->size - first), accumulate);
}

void cr_partial_sum_range(const cr_partial *p, int64_t from, int64_t count)
{
    int64_t to = from + count;
    for (int64_t first = from; p->parts > 1 && first < to; first += STRIP)
        sum_strip(p->at + first, p, first, smaller(STRIP, to - first), false);
}
