/*
 * winograd_transform: the linear maps of Winograd's convolutions, each of one tile or one KxK
 * kernel. `in` and `out` point to the channels of each position of the tile, row by row: so a tile
 * can lie in an image, in a padding of zeros, or spread over the planes of the transformed domain.
 * Private to the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_TRANSFORM_H
#define COLROW_ENGINE_WINOGRAD_TRANSFORM_H

#include "processor.h"

#include <stdint.h>

enum { /* of all rows below */
       CR_FREQUENCIES_MOST = 81,
       CR_OUTPUTS_MOST = 64,
       CR_TAPS_MOST = 25
};

/* CR_LANES channels, `from_c` floats from the start of each in and `to_c` from that of each out. */
typedef void cr_winograd_map(float *const *out, const float *const *in, int64_t to_c,
                             int64_t from_c);

/* Tiles of inputs become tiles of outputs by so many frequencies, each with a plane of the weights;
 * the last plane serves all frequencies that are left. All numbers are of one side. */
typedef struct cr_winograd {
    int inputs, apart; /* of a tile; from the first of one tile to the first of the next */
    int outputs;       /* of a tile */
    int frequencies;
    int planes;              /* of weights, at most as many as frequencies */
    int channels_least;      /* on either side: fewer are faster another way */
    cr_winograd_map *input;  /* out [frequencies^2] = B^T in [inputs^2] B */
    cr_winograd_map *output; /* out [outputs^2] = A^T in [frequencies^2] A, without NULLs */
    cr_winograd_map *output_gradient;  /* out [frequencies^2] = A in [outputs^2] A^T */
    cr_winograd_map *weights;          /* out [planes^2] = G in [K^2] G^T */
    cr_winograd_map *weights_gradient; /* out [K^2] = G^T in [planes^2] G */
} cr_winograd;

static inline int cr_winograd_frequencies(const cr_winograd *w)
{
    return w->frequencies * w->frequencies;
}

static inline int cr_winograd_planes(const cr_winograd *w)
{
    return w->planes * w->planes;
}

/* Of the weights: that of a frequency. */
static inline int cr_winograd_plane(const cr_winograd *w, int frequency)
{
    int row = frequency / w->frequencies;
    int column = frequency % w->frequencies;
    int last = w->planes - 1;
    return (row < last ? row : last) * w->planes + (column < last ? column : last);
}

/* Is the frequency the first of its plane? */
static inline int cr_winograd_first(const cr_winograd *w, int frequency)
{
    return frequency / w->frequencies < w->planes && frequency % w->frequencies < w->planes;
}

/* Each in the file of its kernel and stride. Those of input gradients have no maps of gradients;
 * those of stride 1 are their own input gradient's. */
extern const cr_winograd cr_winograd_3x3, cr_winograd_5x5;
extern const cr_winograd cr_winograd_3x3_stride2, cr_winograd_3x3_stride2_back;

#endif
