/*
 * winograd_transform: the linear maps of Winograd's F(4x4, 3x3), each of one tile or one 3x3 kernel
 * on all of its channels. `in` and `out` point to the channels of each position of the tile, row by
 * row: so a tile can lie in an image, in a padding of zeros, or spread over 36 planes. The channels
 * are contiguous. Private to the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_TRANSFORM_H
#define COLROW_ENGINE_WINOGRAD_TRANSFORM_H

#include <stdint.h>

enum {
    CR_TILE = 4,          /* outputs of a tile, a side */
    CR_TILE_INPUT = 6,    /* inputs of a tile, a side */
    CR_TILE_OUTPUTS = 16, /* positions of each */
    CR_TILE_INPUTS = 36,
    CR_TILE_TAPS = 9
};

/* out [36] = B^T in [36] B */
void cr_winograd_input(float *const out[CR_TILE_INPUTS], const float *const in[CR_TILE_INPUTS],
                       int channels, int64_t step);

/* out [16] = A^T in [36] A; an out that is NULL is left out */
void cr_winograd_output(float *const out[CR_TILE_OUTPUTS], const float *const in[CR_TILE_INPUTS],
                        int channels);

/* out [36] = A in [16] A^T */
void cr_winograd_output_gradient(float *const out[CR_TILE_INPUTS],
                                 const float *const in[CR_TILE_OUTPUTS], int channels,
                                 int64_t step);

/* out [36] = G in [9] G^T */
void cr_winograd_weights(float *const out[CR_TILE_INPUTS], const float *const in[CR_TILE_TAPS],
                         int channels);

/* out [9] = G^T in [36] G */
void cr_winograd_weights_gradient(float *const out[CR_TILE_TAPS],
                                  const float *const in[CR_TILE_INPUTS], int channels);

#endif
