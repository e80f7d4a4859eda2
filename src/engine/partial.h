/*
 * partial: long sums cut into parts, each with a result of its own, so that threads can work apart
 * and need not wait for each other after every block. Private to the engine.
 */
#ifndef COLROW_ENGINE_PARTIAL_H
#define COLROW_ENGINE_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

/* The sum over blocks 0 to blocks - 1, each of which gives `size` floats. The number of parts
 * depends on these two alone: so do the bits of the sum. */
typedef struct cr_partial {
    float *at; /* [parts, stride]; borrowed */
    int64_t size, stride;
    int64_t blocks;
    int parts; /* at most as many as blocks, but at least one */
} cr_partial;

cr_partial cr_partial_at(float *at, int64_t size, int64_t blocks);

/* Floats at `at` that hold results of `size` or less. */
int64_t cr_partial_room(int64_t size);

/* First block of a part; that of part number `parts` is the number of blocks. */
int64_t cr_partial_first(const cr_partial *partial, int part);

/* Enough parts that each thread takes some for itself? Otherwise all work on each, in turn. */
bool cr_partial_apart(const cr_partial *partial);

/* out [size] (+)= the sum of the parts, first to last; out may be the first part. */
void cr_partial_sum(float *out, const cr_partial *partial, bool accumulate);

/* The same for `count` floats from `from` on, in place: the first part's become the sum. By the
 * calling thread alone. */
void cr_partial_sum_range(const cr_partial *partial, int64_t from, int64_t count);

#endif
