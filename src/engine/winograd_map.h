/*
 * winograd_map: how a matrix L maps a tile, out = L in L^T: L applied to the columns of the tile,
 * then to the rows of what comes out. To be inlined with constant arguments: the loops over lanes,
 * of which each is a channel, are what the compiler makes vector instructions of.
 */
#ifndef COLROW_ENGINE_WINOGRAD_MAP_H
#define COLROW_ENGINE_WINOGRAD_MAP_H

#include "winograd_transform.h"

#include <stddef.h>
#include <string.h>

enum { LANES = 16, SIDE_MOST = 9, HALF = LANES / 2 };

typedef float lane[LANES]; /* so many channels of one position */

/* out = L in */
typedef void matrix(lane *out, const float *const *in);

/* LANES channels, `from_c` floats from the start of each in and `to_c` from that of each out:
 * out [to, to] = L in [from, from] L^T */
static inline void map_lanes(float *const *out, const float *const *in, int64_t to_c, int from_c,
                             matrix *apply, int to, int from)
{
    lane columns[SIDE_MOST][SIDE_MOST]; /* [to, from], by its columns */
    for (int j = 0; j < from; j++) {
        const float *column[SIDE_MOST];
        for (int i = 0; i < from; i++)
            column[i] = in[i * from + j] + from_c;
        apply(columns[j], column);
    }
    for (int i = 0; i < to; i++) {
        lane line[SIDE_MOST];
        const float *row[SIDE_MOST];
        for (int j = 0; j < from; j++)
            row[j] = columns[j][i];
        apply(line, row);
        for (int j = 0; j < to; j++)
            if (out[i * to + j] != NULL)
                memcpy(out[i * to + j] + to_c, line[j], sizeof(lane));
    }
}

/* `count` channels, fewer than LANES; from HALF on as two halves that overlap. */
static inline void copy_few(float *to, const float *from, int count)
{
    if (count >= HALF) {
        memcpy(to, from, HALF * sizeof(float));
        memcpy(to + count - HALF, from + count - HALF, HALF * sizeof(float));
        return;
    }
    for (int c = 0; c < count; c++)
        to[c] = from[c];
}

/* The same by way of full lanes. */
static inline void map_few(float *const *out, const float *const *in, int64_t to_c, int from_c,
                           int count, matrix *apply, int to, int from)
{
    lane from_lanes[CR_FREQUENCIES_MOST] = {{0}};
    lane to_lanes[CR_FREQUENCIES_MOST];
    const float *from_at[CR_FREQUENCIES_MOST];
    float *to_at[CR_FREQUENCIES_MOST];
    for (int p = 0; p < from * from; p++) {
        copy_few(from_lanes[p], in[p] + from_c, count);
        from_at[p] = from_lanes[p];
    }
    for (int p = 0; p < to * to; p++)
        to_at[p] = to_lanes[p];
    map_lanes(to_at, from_at, 0, 0, apply, to, from);
    for (int p = 0; p < to * to; p++)
        if (out[p] != NULL)
            copy_few(out[p] + to_c, to_lanes[p], count);
}

/* All channels, whose lanes lie `step` floats apart in out. Where they are contiguous the last
 * lanes overlap those before when there is no multiple of LANES. */
static inline void map(float *const *out, const float *const *in, int channels, int64_t step,
                       matrix *apply, int to, int from)
{
    int whole = channels / LANES * LANES;
    for (int c = 0; c < whole; c += LANES)
        map_lanes(out, in, c / LANES * step, c, apply, to, from);
    if (whole == channels)
        return;
    if (whole > 0 && step == LANES)
        map_lanes(out, in, channels - LANES, channels - LANES, apply, to, from);
    else
        map_few(out, in, whole / LANES * step, whole, channels - whole, apply, to, from);
}

#endif
