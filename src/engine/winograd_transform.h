/*
 * winograd_transform: the linear maps of Winograd's F(4x4, KxK), each of one tile or one KxK kernel
 * on all of its channels. `in` and `out` point to the channels of each position of the tile, row by
 * row: so a tile can lie in an image, in a padding of zeros, or spread over the planes of the
 * transformed domain. The channels of an input are contiguous; of an output, lanes of CR_LANES
 * channels each lie `step` floats apart. Private to the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_TRANSFORM_H
#define COLROW_ENGINE_WINOGRAD_TRANSFORM_H

#include <stdint.h>

enum {
    CR_TILE = 4, /* outputs of a tile, a side */
    CR_TILE_OUTPUTS = CR_TILE * CR_TILE,
    CR_FREQUENCIES_MOST = 64, /* of all rows below */
    CR_TAPS_MOST = 25
};

typedef void cr_winograd_map(float *const *out, const float *const *in, int channels, int64_t step);

/* What belongs to a kernel size. A tile's 4x4 outputs want side x side inputs, which become as many
 * frequencies. */
typedef struct cr_winograd {
    int kernel;                        /* K */
    int side;                          /* 4 + K - 1 */
    int frequencies;                   /* side side */
    cr_winograd_map *input;            /* out [frequencies] = B^T in [side side] B */
    cr_winograd_map *output;           /* out [16] = A^T in [frequencies] A; NULLs are left out */
    cr_winograd_map *output_gradient;  /* out [frequencies] = A in [16] A^T */
    cr_winograd_map *weights;          /* out [frequencies] = G in [K K] G^T */
    cr_winograd_map *weights_gradient; /* out [K K] = G^T in [frequencies] G */
} cr_winograd;

extern const cr_winograd cr_winograd_3x3, cr_winograd_5x5; /* each in its file */

#endif
