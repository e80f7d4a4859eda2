/* values: random numbers for tests, and how far apart two arrays are. */
#ifndef TEST_VALUES_H
#define TEST_VALUES_H

#include "check.h"

#include <math.h>
#include <stdlib.h>

/* Zeroed, 64-byte aligned; freed with CR_FREE. */
static inline void *values_new(int64_t count, size_t bytes)
{
    void *memory = NULL;
    ASSERT_OK(cr_alloc(&memory, (size_t)(count > 0 ? count : 1) * bytes));
    return memory;
}

static inline cr_random values_random(uint32_t which)
{
    return cr_random_start((cr_random_key){.seed = 77, .stream = CR_STREAM_TEST, .sample = which});
}

/* Uniform in (-1, 1); equal `which`, equal values. */
static inline void values_uniform(float *out, int64_t count, uint32_t which)
{
    cr_random random = values_random(which);
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(2 * cr_random_uniform(&random) - 1);
}

/* Odd multiples of 1/64 in (-2, 2): sums of many of them are exact, and none is near 0. */
static inline void values_dyadic(float *out, int64_t count, uint32_t which)
{
    cr_random random = values_random(which);
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(2 * (int)cr_random_below(&random, 128) - 127) / 64.0F;
}

static inline void values_labels(int *out, int count, int classes, uint32_t which)
{
    cr_random random = values_random(which);
    for (int i = 0; i < count; i++)
        out[i] = (int)cr_random_below(&random, (uint32_t)classes);
}

/* A value that nothing may read: it spoils whatever it is added to or multiplied by. */
static inline void values_poison(float *out, int64_t count)
{
    for (int64_t i = 0; out != NULL && i < count; i++)
        out[i] = NAN;
}

static inline int64_t values_larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* |a - b| / |b|, Euclidean; |a| where b is zero. A NaN in either gives a NaN. */
static inline double values_gap(const float *a, const double *b, int64_t count)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        apart += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return size > 0 ? sqrt(apart / size) : sqrt(apart);
}

/* The same for two arrays of float. */
static inline double values_gap_float(const float *a, const float *b, int64_t count)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        apart += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return size > 0 ? sqrt(apart / size) : sqrt(apart);
}

static inline void assert_same_bits(const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0)
            fail_msg("value %lld of %lld: %.9g is not %.9g", (long long)i, (long long)count,
                     (double)a[i], (double)b[i]);
}

#endif
