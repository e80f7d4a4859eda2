/*
 * winograd_tiles: where the positions of a tile lie. Inputs outside the image are read from a row
 * of zeros; outputs outside it (of the last tiles of an image whose side is no multiple of theirs,
 * of the first where they lead) are not written, and read as zeros.
 */
#include "winograd_tiles.h"

#include "packed.h"

#include <string.h>

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

/* A square of side x side positions from (row, column) of an image on, in [N, h, w, channels]. */
typedef struct square {
    int64_t image;
    int row, column, side;
    int h, w, channels;
} square;

static square input_square(const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = &t->sizes;
    int64_t tiles = (int64_t)t->down * t->across;
    return (square){.image = tile / tiles,
                    .row = (int)(tile % tiles / t->across) * t->maps->apart - s->pad_top,
                    .column = (int)(tile % t->across) * t->maps->apart - s->pad_left,
                    .side = t->maps->inputs,
                    .h = s->h,
                    .w = s->w,
                    .channels = s->in};
}

static square output_square(const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = &t->sizes;
    int64_t tiles = (int64_t)t->down * t->across;
    int side = t->maps->outputs;
    return (square){.image = tile / tiles,
                    .row = (int)(tile % tiles / t->across) * side - t->lead_top,
                    .column = (int)(tile % t->across) * side - t->lead_left,
                    .side = side,
                    .h = s->oh,
                    .w = s->ow,
                    .channels = s->out};
}

/* offset [side^2]: of the positions in the tensor; -1 outside the image */
static void find(int64_t *offset, const square *q)
{
    for (int i = 0; i < q->side; i++, offset += q->side) {
        int row = q->row + i;
        int64_t first = ((q->image * q->h + row) * q->w + q->column) * q->channels;
        int from = row >= 0 && row < q->h ? -q->column : q->side; /* positions inside: from ... */
        int to = q->w - q->column;                                /* ... to this one */
        for (int j = 0; j < q->side; j++)
            offset[j] = j >= from && j < to ? first + (int64_t)j * q->channels : -1;
    }
}

static void find_planes(float *at[CR_FREQUENCIES_MOST], const cr_planes *p, int slot)
{
    for (int f = 0; f < p->count; f++)
        at[f] = p->at + f * p->plane + (int64_t)slot * p->row;
}

/* ---- from one to the other --------------------------------------------------------------------
 */

/* A map of `to` positions from `from`, for all channels; those of an input are contiguous, lanes of
 * an output `step` floats apart. */
typedef struct way {
    cr_winograd_map *map;
    int to, from, channels;
    int64_t step;
} way;

/* `count` channels, fewer than CR_LANES; from HALF on as two halves that overlap */
static void copy_few(float *to, const float *from, int count)
{
    enum { HALF = CR_LANES / 2 };
    if (count >= HALF) {
        memcpy(to, from, HALF * sizeof(float));
        memcpy(to + count - HALF, from + count - HALF, HALF * sizeof(float));
        return;
    }
    for (int c = 0; c < count; c++)
        to[c] = from[c];
}

/* The channels from `first` on, fewer than a lane, by way of full lanes. */
static void map_few(const way *w, float *const *out, const float *const *in, int first)
{
    float from_lanes[CR_FREQUENCIES_MOST][CR_LANES] = {{0}};
    float to_lanes[CR_FREQUENCIES_MOST][CR_LANES];
    const float *from_at[CR_FREQUENCIES_MOST];
    float *to_at[CR_FREQUENCIES_MOST];
    int count = w->channels - first;
    for (int p = 0; p < w->from; p++) {
        copy_few(from_lanes[p], in[p] + first, count);
        from_at[p] = from_lanes[p];
    }
    for (int p = 0; p < w->to; p++)
        to_at[p] = to_lanes[p];
    w->map(to_at, from_at, 0, 0);
    for (int p = 0; p < w->to; p++)
        if (out[p] != NULL)
            copy_few(out[p] + first / CR_LANES * w->step, to_lanes[p], count);
}

/* out [to] from in [from]. Where lanes of the output are contiguous, the last ones overlap those
 * before when there is no multiple of CR_LANES. */
static void map_all(const way *w, float *const *out, const float *const *in)
{
    int whole = w->channels / CR_LANES * CR_LANES;
    for (int c = 0; c < whole; c += CR_LANES)
        w->map(out, in, c / CR_LANES * w->step, c);
    if (whole == w->channels)
        return;
    if (whole > 0 && w->step == CR_LANES)
        w->map(out, in, w->channels - CR_LANES, w->channels - CR_LANES);
    else
        map_few(w, out, in, whole);
}

/* to [count] += from, `count` at most CR_LANES */
static void add_lanes(float *restrict to, const float *restrict from, int count)
{
    if (count == CR_LANES)
        for (int c = 0; c < CR_LANES; c++)
            to[c] += from[c];
    else
        for (int c = 0; c < count; c++)
            to[c] += from[c];
}

/* out [to], without NULLs, += from in [from], which has room for whole lanes */
static void map_onto(const way *w, float *const *out, const float *const *in)
{
    float lanes[CR_OUTPUTS_MOST][CR_LANES];
    float *at[CR_OUTPUTS_MOST];
    for (int p = 0; p < w->to; p++) {
        at[p] = lanes[p];
        for (int c = 0; out[p] != NULL && c < w->channels; c += CR_LANES)
            CR_PREFETCH(out[p] + c);
    }
    for (int first = 0; first < w->channels; first += CR_LANES) {
        int count = w->channels - first < CR_LANES ? w->channels - first : CR_LANES;
        w->map(at, in, 0, first);
        for (int p = 0; p < w->to; p++)
            if (out[p] != NULL)
                add_lanes(out[p] + first, lanes[p], count);
    }
}

void cr_tile_input(const cr_planes *v, int slot, const cr_tiling *t, int64_t tile, const float *x)
{
    const float *in[CR_FREQUENCIES_MOST];
    float *out[CR_FREQUENCIES_MOST];
    int64_t offset[CR_FREQUENCIES_MOST] = {0};
    square from = input_square(t, tile);
    int positions = from.side * from.side;
    find(offset, &from);
    find_planes(out, v, slot);
    for (int p = 0; p < positions; p++)
        in[p] = offset[p] >= 0 ? x + offset[p] : t->zeros;
    way w = {t->maps->input, v->count, positions, v->channels, v->panel};
    map_all(&w, out, in);
}

void cr_tile_output(float *y, const cr_tiling *t, int64_t tile, const cr_planes *m, int slot)
{
    float *in[CR_FREQUENCIES_MOST];
    float *out[CR_OUTPUTS_MOST];
    int64_t offset[CR_OUTPUTS_MOST] = {0};
    square to = output_square(t, tile);
    int positions = to.side * to.side;
    find(offset, &to);
    find_planes(in, m, slot);
    for (int p = 0; p < positions; p++)
        out[p] = offset[p] >= 0 ? y + offset[p] : NULL;
    way w = {t->maps->output, positions, m->count, m->channels, CR_LANES};
    if (t->adds)
        map_onto(&w, out, (const float *const *)in);
    else
        map_all(&w, out, (const float *const *)in);
}

void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy)
{
    const float *in[CR_OUTPUTS_MOST];
    float *out[CR_FREQUENCIES_MOST];
    int64_t offset[CR_OUTPUTS_MOST] = {0};
    square from = output_square(t, tile);
    int positions = from.side * from.side;
    find(offset, &from);
    find_planes(out, m, slot);
    for (int p = 0; p < positions; p++)
        in[p] = offset[p] >= 0 ? dy + offset[p] : t->zeros;
    way w = {t->maps->output_gradient, m->count, positions, m->channels, m->panel};
    map_all(&w, out, in);
}
