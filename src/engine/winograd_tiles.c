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

/* at [side^2]: floats from the first position of a square to each, in images `w` wide */
static void lay_out(int64_t *at, int side, int w, int channels)
{
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            at[i * side + j] = ((int64_t)i * w + j) * channels;
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
    lay_out(t.input_at, t.maps->inputs, t.sizes.w, t.sizes.in);
    lay_out(t.output_at, t.maps->outputs, t.sizes.ow, t.sizes.out);
    return t;
}

int cr_tiling_block(const cr_tiling *t, int target, int even)
{
    int64_t blocks = t->count > 0 ? (t->count + target - 1) / target : 1;
    blocks = (blocks + even - 1) / even * even;
    return cr_packed_rows((int)((t->count + blocks - 1) / blocks));
}

/* p, with a plane every `plane` floats from `at` on */
static cr_planes spread(cr_planes p, float *at, int64_t plane)
{
    for (int f = 0; f < p.count; f++)
        p.frequency[f] = at + f * plane;
    return p;
}

cr_planes cr_planes_at(float *at, int count, int tiles, int channels)
{
    int row = cr_packed_columns(channels);
    cr_planes p = {.count = count, .row = row, .panel = CR_LANES, .channels = channels};
    return spread(p, at, (int64_t)tiles * row + PLANE_GAP);
}

cr_planes cr_planes_panels(float *at, int count, int tiles, int channels)
{
    int64_t panel = (int64_t)tiles * CR_LANES;
    cr_planes p = {.count = count, .row = CR_LANES, .panel = panel, .channels = channels};
    return spread(p, at, panel * cr_panels(channels) + PLANE_GAP);
}

int64_t cr_planes_size(int count, int tiles, int channels)
{
    return count * ((int64_t)tiles * cr_packed_columns(channels) + PLANE_GAP);
}

/* A square of side x side positions from (row, column) of an image on, in [N, h, w, channels]. */
typedef struct square {
    int64_t image;
    int row, column, side;
    int h, w, channels;
    const int64_t *at; /* floats from the first position to each */
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
                    .channels = s->in,
                    .at = t->input_at};
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
                    .channels = s->out,
                    .at = t->output_at};
}

static int above_zero(int value)
{
    return value > 0 ? value : 0;
}

/* Position `from` and every `step`th after it, before `to`, lie outside. */
static void leave_out(int64_t *offset, int from, int to, int step)
{
    for (int p = from; p < to; p += step)
        offset[p] = -1;
}

/* Floats from the first image to the square's first position */
static int64_t start_of(const square *q)
{
    return ((q->image * q->h + q->row) * q->w + q->column) * q->channels;
}

/* offset [side^2]: of the positions in the tensor; -1 outside the image */
static void find(int64_t *restrict offset, const square *q)
{
    const int64_t *restrict at = q->at;
    int64_t first = start_of(q);
    int side = q->side;
    int count = side * side;
    int left = above_zero(-q->column);
    int right = side - above_zero(q->column + side - q->w);
    for (int p = 0; p < count; p++)
        offset[p] = first + at[p];
    leave_out(offset, 0, above_zero(-q->row) * side, 1);
    leave_out(offset, count - above_zero(q->row + side - q->h) * side, count, 1);
    for (int column = 0; column < left; column++)
        leave_out(offset, column, count, side);
    for (int column = right; column < side; column++)
        leave_out(offset, column, count, side);
}

/* ---- from one to the other --------------------------------------------------------------------
 */

/* Positions in the image that the next tile is the first to use, side x side of them: they are
 * fetched into the cache while this tile is mapped, for a processor does not foresee short pieces,
 * one here, one there (measured on Zen 5, 160 channels of 32 x 32: V in 1.3 instead of 2.3 ms).
 * They may lie outside the image. */
typedef struct fetch {
    const float *start; /* of the next tile's square */
    const int64_t *at;  /* floats from there to each position of the square */
    int side, row;      /* positions, and from one row of `at` to the next */
} fetch;

/* A map of `to` positions from `from`, for all channels; those of an input are contiguous, lanes of
 * an output `step` floats apart. */
typedef struct way {
    cr_winograd_map *map;
    int to, from, channels;
    int64_t step;
    int64_t to_start, from_start; /* floats from the pointers to the first channel */
    bool to_room, from_room;      /* behind the last channels, for a whole lane */
    fetch next;
} way;

/* The last `side` rows and columns of a square */
static fetch fetch_of(const float *x, const square *q, int side)
{
    int skip = q->side - side;
    return (fetch){.start = x + start_of(q),
                   .at = q->at + (int64_t)skip * q->side + skip,
                   .side = side,
                   .row = q->side};
}

static void fetch_lanes(const fetch *f, int channel)
{
    for (int i = 0; i < f->side; i++)
        for (int j = 0; j < f->side; j++)
            CR_PREFETCH(f->start + f->at[i * f->row + j] + channel);
}

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

/* The channels from `first` on, fewer than a lane, by way of full lanes where there is no room. */
static void map_few(const way *w, float *const *out, const float *const *in, int first)
{
    float from_lanes[CR_FREQUENCIES_MOST][CR_LANES];
    float to_lanes[CR_FREQUENCIES_MOST][CR_LANES];
    const float *from_at[CR_FREQUENCIES_MOST];
    float *to_at[CR_FREQUENCIES_MOST];
    int count = w->channels - first;
    for (int p = 0; p < w->from; p++) {
        from_at[p] = in[p] + w->from_start + first;
        if (w->from_room)
            continue;
        memset(from_lanes[p], 0, sizeof from_lanes[p]);
        copy_few(from_lanes[p], from_at[p], count);
        from_at[p] = from_lanes[p];
    }
    for (int p = 0; p < w->to; p++)
        to_at[p] = to_lanes[p];
    w->map(to_at, from_at, 0, 0);
    for (int p = 0; p < w->to; p++)
        if (out[p] != NULL)
            copy_few(out[p] + w->to_start + first / CR_LANES * w->step, to_lanes[p], count);
}

/* out [to] from in [from]. When there is no multiple of CR_LANES, the last lane reaches into the
 * room behind or, where lanes of the output are contiguous, overlaps the one before. */
static void map_all(const way *w, float *const *out, const float *const *in)
{
    bool room = w->to_room && w->from_room;
    int whole = (room ? cr_packed_columns(w->channels) : w->channels) / CR_LANES * CR_LANES;
    int last = w->channels - CR_LANES;
    for (int c = 0; c < whole; c += CR_LANES) {
        fetch_lanes(&w->next, c);
        w->map(out, in, w->to_start + c / CR_LANES * w->step, w->from_start + c);
    }
    if (whole >= w->channels)
        return;
    if (whole > 0 && w->step == CR_LANES)
        w->map(out, in, w->to_start + last, w->from_start + last);
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
    for (int p = 0; p < w->to; p++)
        at[p] = lanes[p];
    for (int first = 0; first < w->channels; first += CR_LANES) {
        int count = w->channels - first < CR_LANES ? w->channels - first : CR_LANES;
        fetch_lanes(&w->next, first);
        w->map(at, in, 0, w->from_start + first);
        for (int p = 0; p < w->to; p++)
            if (out[p] != NULL)
                add_lanes(out[p] + first, lanes[p], count);
    }
}

/* at [count] = x + offset, or zeros */
static void point(const float **at, const float *x, const float *zeros, const square *q)
{
    int64_t offset[CR_FREQUENCIES_MOST];
    int count = q->side * q->side;
    find(offset, q);
    for (int p = 0; p < count; p++)
        at[p] = offset[p] >= 0 ? x + offset[p] : zeros;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* May whole lanes be read at all positions of a square? Behind the last channels of a position
 * there are those of others, but for the last positions of all images. */
static bool has_room(const square *q, int images)
{
    int row = smaller(q->row + q->side, q->h) - 1;
    int column = smaller(q->column + q->side, q->w) - 1;
    int64_t last = ((q->image * q->h + row) * q->w + column) * q->channels;
    return q->channels % CR_LANES == 0 ||
           last + cr_packed_columns(q->channels) <= (int64_t)images * q->h * q->w * q->channels;
}

void cr_tile_input(const cr_planes *v, int slot, const cr_tiling *t, int64_t tile, const float *x)
{
    const float *in[CR_FREQUENCIES_MOST];
    square from = input_square(t, tile);
    square next = input_square(t, tile + 1);
    point(in, x, t->zeros, &from);
    way w = {.map = t->maps->input,
             .to = v->count,
             .from = from.side * from.side,
             .channels = v->channels,
             .step = v->panel,
             .to_start = (int64_t)slot * v->row,
             .to_room = true,
             .from_room = has_room(&from, t->sizes.n),
             .next = fetch_of(x, &next, t->maps->apart)};
    map_all(&w, v->frequency, in);
}

void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy)
{
    const float *in[CR_OUTPUTS_MOST];
    square from = output_square(t, tile);
    square next = output_square(t, tile + 1);
    point(in, dy, t->zeros, &from);
    way w = {.map = t->maps->output_gradient,
             .to = m->count,
             .from = from.side * from.side,
             .channels = m->channels,
             .step = m->panel,
             .to_start = (int64_t)slot * m->row,
             .to_room = true,
             .from_room = has_room(&from, t->sizes.n),
             .next = fetch_of(dy, &next, next.side)};
    map_all(&w, m->frequency, in);
}

void cr_tile_output(float *y, const cr_tiling *t, int64_t tile, const cr_planes *m, int slot)
{
    float *out[CR_OUTPUTS_MOST];
    int64_t offset[CR_OUTPUTS_MOST];
    square to = output_square(t, tile);
    square next = output_square(t, tile + 1);
    int positions = to.side * to.side;
    find(offset, &to);
    for (int p = 0; p < positions; p++)
        out[p] = offset[p] >= 0 ? y + offset[p] : NULL;
    way w = {.map = t->maps->output,
             .to = positions,
             .from = m->count,
             .channels = m->channels,
             .step = CR_LANES,
             .from_start = (int64_t)slot * m->row,
             .from_room = true,
             .next = fetch_of(y, &next, next.side)};
    if (t->adds)
        map_onto(&w, out, (const float *const *)m->frequency);
    else
        map_all(&w, out, (const float *const *)m->frequency);
}
