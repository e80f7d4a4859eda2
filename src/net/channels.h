/*
 * channels: rows of all n channels and rows of the k that a pick keeps, whose ascending indices are
 * index [k]. For a few rows at a time, which should stay in the first-level cache.
 */
#ifndef NET_CHANNELS_H
#define NET_CHANNELS_H

#include <stdint.h>

/* to [rows, k] = the channels of from [rows, n]; as many rows behind are fetched into the cache */
void cr_channels_gather(float *to, const float *from, int64_t rows, int n, const int *index, int k);

/* the channels of to [rows, n] += from [rows, k] */
void cr_channels_add(float *to, const float *from, int64_t rows, int n, const int *index, int k);

#endif
