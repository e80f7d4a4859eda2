/*
 * winograd_tiles: the tiles of a convolution, and their way between images and the transformed
 * domain. Private to the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_TILES_H
#define COLROW_ENGINE_WINOGRAD_TILES_H

#include "colrow/engine.h"
#include "winograd_transform.h"

/* A block of tiles in the transformed domain: planes [tiles, row], one a frequency, with room for
 * whole lanes. */
typedef struct cr_planes {
    float *frequency[CR_FREQUENCIES_MOST]; /* the planes */
    int count;
    int row;       /* floats from one tile to the next */
    int64_t panel; /* floats from CR_LANES channels to the next */
    int channels;
} cr_planes;

/* The positions of a square of an image, row by row. */
typedef struct cr_positions {
    int side;
    int row[CR_FREQUENCIES_MOST], column[CR_FREQUENCIES_MOST]; /* from the first position ... */
    int64_t at[CR_FREQUENCIES_MOST];                           /* ... in floats */
} cr_positions;

/* Tiles, image by image, row by row. Those of an input gradient lead from dy to dx, which `sizes`
 * calls the input and the output. */
typedef struct cr_tiling {
    cr_conv_sizes sizes;
    const cr_winograd *maps;
    int lead_top, lead_left;      /* outputs of the first tiles that lie before the image */
    int down, across;             /* tiles of an image */
    int64_t count;                /* tiles of all images */
    const float *zeros;           /* [max(IN, OUT)]: what lies outside an image; borrowed */
    bool adds;                    /* outputs are added to what is there, not overwritten */
    cr_positions inputs, outputs; /* of a tile */
} cr_tiling;

/* The maps for a kernel and stride, of the forward product or (`backward`) the input gradient;
 * NULL: there are none. */
const cr_winograd *cr_winograd_find(const cr_conv_sizes *sizes, bool backward);

cr_tiling cr_tiling_of(const cr_conv_sizes *sizes, bool backward, const float *zeros);

/* Tiles of a block when it should have at most about `target` of them, and there should be a
 * multiple of `even` blocks, for equal shares. */
int cr_tiling_block(const cr_tiling *t, int target, int even);

/* So many planes for so many tiles at `at`, and the floats they take. */
cr_planes cr_planes_at(float *at, int count, int tiles, int channels);
cr_planes cr_planes_panels(float *at, int count, int tiles, int channels);
int64_t cr_planes_size(int count, int tiles, int channels);

/* Row `slot` of each plane = (B^T d B)_f of the tile's inputs in x [N, H, W, IN] */
void cr_tile_input(const cr_planes *v, int slot, const cr_tiling *t, int64_t tile, const float *x);

/* The tile's outputs in y [N, OH, OW, OUT] (+)= A^T M A of row `slot` of each plane */
void cr_tile_output(float *y, const cr_tiling *t, int64_t tile, const cr_planes *m, int slot);

/* Row `slot` of each plane = (A dy A^T)_f of the tile's outputs in dy [N, OH, OW, OUT] */
void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy);

#endif
