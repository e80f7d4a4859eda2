/*
 * winograd_tiles: where the positions of a tile lie. Inputs outside the image are read from a row
 * of zeros; outputs outside it (of the last tiles of an image whose side is no multiple of theirs,
 * of the first where they lead) are not written, and read as zeros.
 */
#include "winograd_tiles.h"

#include "packed.h"

/* Planes a power of two apart would share the same few sets of a cache. */
enum { PLANE_GAP = 16 };

/* The input gradient's way from dy [N, OH, OW, OUT] to dx [N, H, W, IN]. With S the stride, dx at i
 * takes part in y from (i + pad - (K - 1)) / S to (i + pad) / S: whole strides of the pad move dy,
 * what is left of it is the lead of dx. */
static cr_conv_sizes exchanged(const cr_conv_sizes *s)
{
    int reach = (s->kernel - 1) / s->stride;
    return (cr_conv_sizes){.n = s->n,
                           .h = s->oh,
                           .w = s->ow,
                           .in = s->out,
                           .out = s->in,
                           .kernel = s->kernel,
                           .stride = s->stride,
                           .pad_top = reach - s->pad_top / s->stride,
                           .pad_left = reach - s->pad_left / s->stride,
                           .oh = s->h,
                           .ow = s->w};
}

static int tiles_for(int outputs, int side)
{
    return (outputs + side - 1) / side;
}

cr_tiling cr_tiling_of(const cr_conv_sizes *sizes, bool backward, const float *zeros)
{
    cr_tiling t = {.sizes = backward ? exchanged(sizes) : *sizes,
                   .maps = cr_winograd_find(sizes, backward),
                   .lead_top = backward ? sizes->pad_top % sizes->stride : 0,
                   .lead_left = backward ? sizes->pad_left % sizes->stride : 0,
                   .zeros = zeros};
    t.down = tiles_for(t.sizes.oh + t.lead_top, t.maps->outputs);
    t.across = tiles_for(t.sizes.ow + t.lead_left, t.maps->outputs);
    t.count = (int64_t)t.sizes.n * t.down * t.across;
    return t;
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
    int row, column; /* of tiles in the image */
} place;

static place place_of(const cr_tiling *t, int64_t tile)
{
    int64_t tiles = (int64_t)t->down * t->across;
    return (place){.image = tile / tiles,
                   .row = (int)(tile % tiles / t->across),
                   .column = (int)(tile % t->across)};
}

/* in [inputs^2]: where the tile's inputs are */
static void find_inputs(const float *in[CR_FREQUENCIES_MOST], const cr_tiling *t, int64_t tile,
                        const float *x)
{
    const cr_conv_sizes *s = &t->sizes;
    int side = t->maps->inputs;
    place p = place_of(t, tile);
    for (int i = 0; i < side; i++) {
        int row = p.row * t->maps->apart + i - s->pad_top;
        for (int j = 0; j < side; j++) {
            int column = p.column * t->maps->apart + j - s->pad_left;
            bool inside = row >= 0 && row < s->h && column >= 0 && column < s->w;
            int64_t pixel = (p.image * s->h + row) * s->w + column;
            in[i * side + j] = inside ? x + pixel * s->in : t->zeros;
        }
    }
}

/* offset [outputs^2]: of the tile's outputs; -1 outside */
static void find_outputs(int64_t offset[CR_OUTPUTS_MOST], const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = &t->sizes;
    int side = t->maps->outputs;
    place p = place_of(t, tile);
    for (int i = 0; i < side; i++) {
        int row = p.row * side + i - t->lead_top;
        for (int j = 0; j < side; j++) {
            int column = p.column * side + j - t->lead_left;
            bool inside = row >= 0 && row < s->oh && column >= 0 && column < s->ow;
            int64_t pixel = (p.image * s->oh + row) * s->ow + column;
            offset[i * side + j] = inside ? pixel * s->out : -1;
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
    float *out[CR_OUTPUTS_MOST];
    int64_t offset[CR_OUTPUTS_MOST] = {0};
    find_planes(in, m, slot);
    find_outputs(offset, t, tile);
    for (int p = 0; p < t->maps->outputs * t->maps->outputs; p++)
        out[p] = offset[p] >= 0 ? y + offset[p] : NULL;
    t->maps->output(out, (const float *const *)in, m->channels, CR_LANES);
}

void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy)
{
    const float *in[CR_OUTPUTS_MOST];
    float *out[CR_FREQUENCIES_MOST];
    int64_t offset[CR_OUTPUTS_MOST] = {0};
    find_planes(out, m, slot);
    find_outputs(offset, t, tile);
    for (int p = 0; p < t->maps->outputs * t->maps->outputs; p++)
        in[p] = offset[p] >= 0 ? dy + offset[p] : t->zeros;
    t->maps->output_gradient(out, in, m->channels, m->panel);
}
