/*
 * winograd_tiles: where the positions of a tile lie. Inputs outside the image are read from a row
 * of zeros; outputs outside it (the last tiles of an image whose side is no multiple of 4) are not
 * written, and read as zeros.
 */
#include "winograd_tiles.h"

#include "packed.h"

/* Planes a power of two apart would share the same few sets of a cache. */
enum { PLANE_GAP = 16 };

const cr_winograd *cr_winograd_find(int kernel)
{
    static const cr_winograd *const all[] = {&cr_winograd_3x3, &cr_winograd_5x5};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->kernel == kernel)
            return all[i];
    return NULL;
}

cr_tiling cr_tiling_of(const cr_conv_sizes *sizes, const float *zeros)
{
    int down = (sizes->oh + CR_TILE - 1) / CR_TILE;
    int across = (sizes->ow + CR_TILE - 1) / CR_TILE;
    return (cr_tiling){.sizes = sizes,
                       .maps = cr_winograd_find(sizes->kernel),
                       .down = down,
                       .across = across,
                       .count = (int64_t)sizes->n * down * across,
                       .zeros = zeros};
}

int cr_tiling_block(const cr_tiling *t, int target)
{
    enum { EVEN = 4 };
    int64_t blocks = (t->count + target - 1) / target;
    blocks = blocks > 1 ? (blocks + EVEN - 1) / EVEN * EVEN : 1;
    return cr_packed_rows((int)((t->count + blocks - 1) / blocks));
}

cr_planes cr_planes_at(float *at, int count, int tiles, int channels, int row)
{
    return (cr_planes){at, count, (int64_t)tiles * row + PLANE_GAP, row, CR_LANES, channels};
}

cr_planes cr_planes_panels(float *at, int count, int tiles, int channels)
{
    int64_t panel = (int64_t)tiles * CR_LANES;
    int64_t plane = panel * cr_panels(channels) + PLANE_GAP;
    return (cr_planes){at, count, plane, CR_LANES, panel, channels};
}

int64_t cr_planes_size(int count, int tiles, int row)
{
    return count * ((int64_t)tiles * row + PLANE_GAP);
}

/* Where a tile lies. */
typedef struct place {
    int64_t image;
    int row, column; /* of its first output */
} place;

static place place_of(const cr_tiling *t, int64_t tile)
{
    int64_t tiles = (int64_t)t->down * t->across;
    return (place){.image = tile / tiles,
                   .row = (int)(tile % tiles / t->across) * CR_TILE,
                   .column = (int)(tile % t->across) * CR_TILE};
}

/* in [side side]: where the tile's inputs are */
static void find_inputs(const float *in[CR_FREQUENCIES_MOST], const cr_tiling *t, int64_t tile,
                        const float *x)
{
    const cr_conv_sizes *s = t->sizes;
    int side = t->maps->side;
    place p = place_of(t, tile);
    for (int i = 0; i < side; i++) {
        int row = p.row + i - s->pad_top;
        for (int j = 0; j < side; j++) {
            int column = p.column + j - s->pad_left;
            bool inside = row >= 0 && row < s->h && column >= 0 && column < s->w;
            int64_t pixel = (p.image * s->h + row) * s->w + column;
            in[i * side + j] = inside ? x + pixel * s->in : t->zeros;
        }
    }
}

/* offset [16]: of the tile's outputs; -1 outside */
static void find_outputs(int64_t offset[CR_TILE_OUTPUTS], const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = t->sizes;
    place p = place_of(t, tile);
    for (int i = 0; i < CR_TILE; i++) {
        for (int j = 0; j < CR_TILE; j++) {
            bool inside = p.row + i < s->oh && p.column + j < s->ow;
            int64_t pixel = (p.image * s->oh + p.row + i) * s->ow + p.column + j;
            offset[i * CR_TILE + j] = inside ? pixel * s->out : -1;
        }
    }
}

static void find_planes(float *at[CR_FREQUENCIES_MOST], const cr_planes *p, int slot)
{
    for (int f = 0; f < p->count; f++)
        at[f] = p->at + f * p->plane + (int64_t)slot * p->row;
}

void cr_tile_input(const cr_planes *v, int slot, const cr_tiling *t, int64_t tile, const float *x)
{
    const float *in[CR_FREQUENCIES_MOST];
    float *out[CR_FREQUENCIES_MOST];
    find_inputs(in, t, tile, x);
    find_planes(out, v, slot);
    t->maps->input(out, in, v->channels, v->panel);
}

void cr_tile_output(float *y, const cr_tiling *t, int64_t tile, const cr_planes *m, int slot)
{
    float *in[CR_FREQUENCIES_MOST];
    float *out[CR_TILE_OUTPUTS];
    int64_t offset[CR_TILE_OUTPUTS];
    find_planes(in, m, slot);
    find_outputs(offset, t, tile);
    for (int p = 0; p < CR_TILE_OUTPUTS; p++)
        out[p] = offset[p] >= 0 ? y + offset[p] : NULL;
    t->maps->output(out, (const float *const *)in, m->channels, CR_LANES);
}

void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy)
{
    const float *in[CR_TILE_OUTPUTS];
    float *out[CR_FREQUENCIES_MOST];
    int64_t offset[CR_TILE_OUTPUTS];
    find_planes(out, m, slot);
    find_outputs(offset, t, tile);
    for (int p = 0; p < CR_TILE_OUTPUTS; p++)
        in[p] = offset[p] >= 0 ? dy + offset[p] : t->zeros;
    t->maps->output_gradient(out, in, m->channels, m->panel);
}
