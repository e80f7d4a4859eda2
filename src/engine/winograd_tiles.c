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

/* Of a square in images `w` wide */
static cr_positions positions_of(int side, int w, int channels)
{
    cr_positions p = {.side = side};
    for (int i = 0; i < side * side; i++) {
        p.row[i] = i / side;
        p.column[i] = i % side;
        p.at[i] = ((int64_t)p.row[i] * w + p.column[i]) * channels;
    }
    return p;
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
    t.inputs = positions_of(t.maps->inputs, t.sizes.w, t.sizes.in);
    t.outputs = positions_of(t.maps->outputs, t.sizes.ow, t.sizes.out);
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
    int row, column;
    int h, w, channels;
    const cr_positions *of;
} square;

static square input_square(const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = &t->sizes;
    int64_t tiles = (int64_t)t->down * t->across;
    return (square){.image = tile / tiles,
                    .row = (int)(tile % tiles / t->across) * t->maps->apart - s->pad_top,
                    .column = (int)(tile % t->across) * t->maps->apart - s->pad_left,
                    .h = s->h,
                    .w = s->w,
                    .channels = s->in,
                    .of = &t->inputs};
}

static square output_square(const cr_tiling *t, int64_t tile)
{
    const cr_conv_sizes *s = &t->sizes;
    int64_t tiles = (int64_t)t->down * t->across;
    int side = t->maps->outputs;
    return (square){.image = tile / tiles,
                    .row = (int)(tile % tiles / t->across) * side - t->lead_top,
                    .column = (int)(tile % t->across) * side - t->lead_left,
                    .h = s->oh,
                    .w = s->ow,
                    .channels = s->out,
                    .of = &t->outputs};
}

/* Floats from the first image to the square's first position */
static int64_t start_of(const square *q)
{
    return ((q->image * q->h + q->row) * q->w + q->column) * q->channels;
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
    int skip = q->of->side - side;
    return (fetch){.start = x + start_of(q),
                   .at = q->of->at + (int64_t)skip * q->of->side + skip,
                   .side = side,
                   .row = q->of->side};
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

/* at [side^2]: the positions of a square in x, or `outside` */
static void point(float **restrict at, float *x, float *outside, const square *q)
{
    const cr_positions *of = q->of;
    float *first = x + start_of(q);
    int count = of->side * of->side;
    for (int p = 0; p < count; p++) {
        bool inside = (unsigned)(q->row + of->row[p]) < (unsigned)q->h &&
                      (unsigned)(q->column + of->column[p]) < (unsigned)q->w;
        at[p] = inside ? first + of->at[p] : outside;
    }
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* May whole lanes be read at all positions of a square? Behind the last channels of a position
 * there are those of others, but for the last positions of all images. */
static bool has_room(const square *q, int images)
{
    int row = smaller(q->row + q->of->side, q->h) - 1;
    int column = smaller(q->column + q->of->side, q->w) - 1;
    int64_t last = ((q->image * q->h + row) * q->w + column) * q->channels;
    return q->channels % CR_LANES == 0 ||
           last + cr_packed_columns(q->channels) <= (int64_t)images * q->h * q->w * q->channels;
}

void cr_tile_input(const cr_planes *v, int slot, const cr_tiling *t, int64_t tile, const float *x)
{
    float *in[CR_FREQUENCIES_MOST];
    square from = input_square(t, tile);
    square next = input_square(t, tile + 1);
    point(in, (float *)x, (float *)t->zeros, &from); /* only read */
    way w = {.map = t->maps->input,
             .to = v->count,
             .from = from.of->side * from.of->side,
             .channels = v->channels,
             .step = v->panel,
             .to_start = (int64_t)slot * v->row,
             .to_room = true,
             .from_room = has_room(&from, t->sizes.n),
             .next = fetch_of(x, &next, t->maps->apart)};
    map_all(&w, v->frequency, (const float *const *)in);
}

void cr_tile_output_gradient(const cr_planes *m, int slot, const cr_tiling *t, int64_t tile,
                             const float *dy)
{
    float *in[CR_OUTPUTS_MOST];
    square from = output_square(t, tile);
    square next = output_square(t, tile + 1);
    point(in, (float *)dy, (float *)t->zeros, &from); /* only read */
    way w = {.map = t->maps->output_gradient,
             .to = m->count,
             .from = from.of->side * from.of->side,
             .channels = m->channels,
             .step = m->panel,
             .to_start = (int64_t)slot * m->row,
             .to_room = true,
             .from_room = has_room(&from, t->sizes.n),
             .next = fetch_of(dy, &next, next.of->side)};
    map_all(&w, m->frequency, (const float *const *)in);
}

void cr_tile_output(float *y, const cr_tiling *t, int64_t tile, const cr_planes *m, int slot)
{
    float *out[CR_OUTPUTS_MOST];
    square to = output_square(t, tile);
    square next = output_square(t, tile + 1);
    point(out, y, NULL, &to);
    way w = {.map = t->maps->output,
             .to = to.of->side * to.of->side,
             .from = m->count,
             .channels = m->channels,
             .step = CR_LANES,
             .from_start = (int64_t)slot * m->row,
             .from_room = true,
             .next = fetch_of(y, &next, next.of->side)};
    if (t->adds)
        map_onto(&w, out, (const float *const *)m->frequency);
    else
        map_all(&w, out, (const float *const *)m->frequency);
}
