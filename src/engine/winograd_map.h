/*
 * winograd_map: how a matrix L maps a tile, out = L in L^T: L applied to the columns of the tile,
 * then to the rows of what comes out. To be inlined with constant arguments. As many rows of L in
 * are worked out together as registers hold; reading the tile again for the next ones costs less
 * than writing them down (measured on Zen 4).
 */
#ifndef COLROW_ENGINE_WINOGRAD_MAP_H
#define COLROW_ENGINE_WINOGRAD_MAP_H

#include "colrow/base.h"
#include "winograd_transform.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Positions of a side; lanes that are held in registers. */
enum { SIDE_MOST = 9, HELD = CR_REGISTERS == 32 ? 27 : 12 };

typedef CR_VECTOR(float, CR_REGISTER) lane; /* so many channels of one position */

/* out = L in */
typedef void matrix(lane *out, const lane *in);

CR_INLINE lane read_lane(const float *from)
{
    lane value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* out [to] = L held [from]; when `partial`, some are NULL and left out */
CR_INLINE void map_row(float *const *out, int64_t to_c, const lane *held, matrix *apply, int to,
                       bool partial)
{
    lane line[SIDE_MOST];
    apply(line, held);
    CR_UNROLL
    for (int j = 0; j < to; j++)
        if (!partial || out[j] != NULL)
            memcpy(out[j] + to_c, &line[j], sizeof(lane));
}

/* The channels of a register, `from_c` floats from the start of each in and `to_c` from that of
 * each out: out [to, to] = L in [from, from] L^T */
CR_INLINE void map_lane(float *const *out, const float *const *in, int64_t to_c, int64_t from_c,
                        matrix *apply, int to, int from, bool partial)
{
    const int most = HELD / from;
    CR_UNROLL
    for (int first = 0; first < to; first += most) {
        const int rows = to - first < most ? to - first : most;
        lane held[SIDE_MOST][SIDE_MOST]; /* [rows, from] of L in */
        CR_UNROLL
        for (int j = 0; j < from; j++) {
            lane column[SIDE_MOST], mapped[SIDE_MOST];
            CR_UNROLL
            for (int i = 0; i < from; i++)
                column[i] = read_lane(in[i * from + j] + from_c);
            apply(mapped, column);
            CR_UNROLL
            for (int i = 0; i < rows; i++)
                held[i][j] = mapped[first + i];
        }
        CR_UNROLL
        for (int i = 0; i < rows; i++)
            map_row(out + (int64_t)(first + i) * to, to_c, held[i], apply, to, partial);
    }
}

/* The same for CR_LANES channels. */
CR_INLINE void map(float *const *out, const float *const *in, int64_t to_c, int64_t from_c,
                   matrix *apply, int to, int from, bool partial)
{
    for (int c = 0; c < CR_LANES; c += CR_REGISTER)
        map_lane(out, in, to_c + c, from_c + c, apply, to, from, partial);
}

/* A cr_winograd_map by that name: out [to, to] = L in [from, from] L^T */
#define CR_WINOGRAD_MAP(name, matrix, to, from, partial)                                           \
    static void name(float *const *out, const float *const *in, int64_t to_c, int64_t from_c)      \
    {                                                                                              \
        map(out, in, to_c, from_c, matrix, to, from, partial);                                     \
    }

#endif
