/* bench: what the programs that time parts of colrow share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "colrow/base.h"

#include <stdlib.h>
#include <string.h>

enum { REPEATS_MOST = 101 };

static inline int bench_ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of at most REPEATS_MOST values. */
static inline double bench_median(const double *values, int count)
{
    double sorted[REPEATS_MOST];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, bench_ascending);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Uniform in [-1, 1); equal `which`, equal values. CR_FREE them. */
static inline float *bench_numbers(int64_t count, uint32_t which)
{
    void *memory = NULL;
    if (cr_alloc(&memory, (size_t)(count + 1) * sizeof(float)) != CR_OK)
        exit(CR_INTERNAL);
    cr_random random = cr_random_start((cr_random_key){.seed = which, .stream = CR_STREAM_TEST});
    float *at = memory;
    for (int64_t i = 0; i < count; i++)
        at[i] = 2 * cr_random_unit(cr_random_bits(&random)) - 1;
    return at;
}

/* The values as a JSON list. */
static inline void bench_write_list(FILE *file, const double *values, int count)
{
    for (int i = 0; i < count; i++)
        (void)fprintf(file, "%s%.6g", i > 0 ? ", " : "[", values[i]);
    (void)fprintf(file, "]");
}

#endif
