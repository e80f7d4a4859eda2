/*
 * winograd_transform: the maps of F(4x4, 3x3) (Lavin & Gray 2016, section 4.3), points 0, 1, -1, 2,
 * -2 and infinity:
 *
 *     B^T = 4  0 -5  0  1  0     G =  1/4    0    0     A^T = 1  1  1  1  1  0
 *           0 -4 -4  1  1  0         -1/6 -1/6 -1/6           0  1 -1  2 -2  0
 *           0  4 -4 -1  1  0         -1/6  1/6 -1/6           0  1  1  4  4  0
 *           0 -2 -1  2  1  0         1/24 1/12  1/6           0  1 -1  8 -8  1
 *           0  2 -1 -2  1  0         1/24 -1/12 1/6
 *           0  4  0 -5  0  1            0    0    1
 *
 * Each map is L x L^T: the matrix L applied to the columns of a tile, then to the rows of what
 * comes out. The loops over LANES channels are what the compiler makes vector instructions of.
 */
#include "winograd_transform.h"

#include <stddef.h>
#include <string.h>

enum { LANES = 16, SIDE = CR_TILE_INPUT };

typedef float lane[LANES]; /* so many channels of one position */

/* out = L in */
typedef void matrix(lane out[SIDE], const float *const in[SIDE]);

/* B^T: 6 from 6 */
static inline void input_matrix(lane out[SIDE], const float *const in[SIDE])
{
    for (int l = 0; l < LANES; l++) {
        float even = in[4][l] - 4 * in[2][l];
        float odd = in[3][l] - 4 * in[1][l];
        float even2 = in[4][l] - in[2][l];
        float odd2 = 2 * (in[3][l] - in[1][l]);
        out[0][l] = 4 * in[0][l] - 5 * in[2][l] + in[4][l];
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = 4 * in[1][l] - 5 * in[3][l] + in[5][l];
    }
}

/* A^T: 4 from 6 */
static inline void output_matrix(lane out[SIDE], const float *const in[SIDE])
{
    for (int l = 0; l < LANES; l++) {
        float sum = in[1][l] + in[2][l];
        float difference = in[1][l] - in[2][l];
        float sum2 = in[3][l] + in[4][l];
        float difference2 = in[3][l] - in[4][l];
        out[0][l] = in[0][l] + sum + sum2;
        out[1][l] = difference + 2 * difference2;
        out[2][l] = sum + 4 * sum2;
        out[3][l] = difference + 8 * difference2 + in[5][l];
    }
}

/* A: 6 from 4 */
static inline void output_gradient_matrix(lane out[SIDE], const float *const in[SIDE])
{
    for (int l = 0; l < LANES; l++) {
        float even = in[0][l] + in[2][l];
        float odd = in[1][l] + in[3][l];
        float even2 = in[0][l] + 4 * in[2][l];
        float odd2 = 2 * in[1][l] + 8 * in[3][l];
        out[0][l] = in[0][l];
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = in[3][l];
    }
}

/* G: 6 from 3 */
static inline void weights_matrix(lane out[SIDE], const float *const in[SIDE])
{
    for (int l = 0; l < LANES; l++) {
        float even = (in[0][l] + in[2][l]) * (-1.0F / 6);
        float odd = in[1][l] * (-1.0F / 6);
        float even2 = in[0][l] * (1.0F / 24) + in[2][l] * (1.0F / 6);
        float odd2 = in[1][l] * (1.0F / 12);
        out[0][l] = in[0][l] * (1.0F / 4);
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = in[2][l];
    }
}

/* G^T: 3 from 6 */
static inline void weights_gradient_matrix(lane out[SIDE], const float *const in[SIDE])
{
    for (int l = 0; l < LANES; l++) {
        float sum = (in[1][l] + in[2][l]) * (1.0F / 6);
        float difference = (in[2][l] - in[1][l]) * (1.0F / 6);
        float sum2 = in[3][l] + in[4][l];
        float difference2 = in[3][l] - in[4][l];
        out[0][l] = in[0][l] * (1.0F / 4) - sum + sum2 * (1.0F / 24);
        out[1][l] = difference + difference2 * (1.0F / 12);
        out[2][l] = sum2 * (1.0F / 6) - sum + in[5][l];
    }
}

/* LANES channels, `from_c` floats from the start of each in and `to_c` from that of each out:
 * out [to, to] = L in [from, from] L^T */
static inline void map_lanes(float *const *out, const float *const *in, int64_t to_c, int from_c,
                             matrix *apply, int to, int from)
{
    lane columns[SIDE][SIDE]; /* [to, from], by its columns */
    for (int j = 0; j < from; j++) {
        const float *column[SIDE];
        for (int i = 0; i < from; i++)
            column[i] = in[i * from + j] + from_c;
        apply(columns[j], column);
    }
    for (int i = 0; i < to; i++) {
        lane line[SIDE];
        const float *row[SIDE];
        for (int j = 0; j < from; j++)
            row[j] = columns[j][i];
        apply(line, row);
        for (int j = 0; j < to; j++)
            if (out[i * to + j] != NULL)
                memcpy(out[i * to + j] + to_c, line[j], sizeof(lane));
    }
}

/* `count` channels, fewer than LANES: by way of full lanes. */
static inline void map_few(float *const *out, const float *const *in, int64_t to_c, int from_c,
                           int count, matrix *apply, int to, int from)
{
    lane from_lanes[CR_TILE_INPUTS] = {{0}};
    lane to_lanes[CR_TILE_INPUTS];
    const float *from_at[CR_TILE_INPUTS];
    float *to_at[CR_TILE_INPUTS];
    for (int p = 0; p < from * from; p++) {
        for (int c = 0; c < count; c++)
            from_lanes[p][c] = in[p][from_c + c];
        from_at[p] = from_lanes[p];
    }
    for (int p = 0; p < to * to; p++)
        to_at[p] = to_lanes[p];
    map_lanes(to_at, from_at, 0, 0, apply, to, from);
    for (int p = 0; p < to * to; p++)
        for (int c = 0; out[p] != NULL && c < count; c++)
            out[p][to_c + c] = to_lanes[p][c];
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

void cr_winograd_input(float *const out[CR_TILE_INPUTS], const float *const in[CR_TILE_INPUTS],
                       int channels, int64_t step)
{
    map(out, in, channels, step, input_matrix, 6, 6);
}

void cr_winograd_output(float *const out[CR_TILE_OUTPUTS], const float *const in[CR_TILE_INPUTS],
                        int channels)
{
    map(out, in, channels, LANES, output_matrix, 4, 6);
}

void cr_winograd_output_gradient(float *const out[CR_TILE_INPUTS],
                                 const float *const in[CR_TILE_OUTPUTS], int channels, int64_t step)
{
    map(out, in, channels, step, output_gradient_matrix, 6, 4);
}

void cr_winograd_weights(float *const out[CR_TILE_INPUTS], const float *const in[CR_TILE_TAPS],
                         int channels)
{
    map(out, in, channels, LANES, weights_matrix, 6, 3);
}

void cr_winograd_weights_gradient(float *const out[CR_TILE_TAPS],
                                  const float *const in[CR_TILE_INPUTS], int channels)
{
    map(out, in, channels, LANES, weights_gradient_matrix, 3, 6);
}
