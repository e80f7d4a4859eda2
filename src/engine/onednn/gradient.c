/*
 * gradient: the weight gradient is cut by input channels, so that threads have enough to do, and by
 * images where the partial results are small; what is cut or becomes bf16 is copied for that. The
 * cut depends on the sizes alone, so the bits do not depend on the number of threads.
 * (Chunks of 160 of 640 output channels instead were 5 to 9% slower in bf16.)
 */
#include "gradient.h"

#include "../partial.h"
#include "primitive.h"
#include "room.h"
#include "round.h"

#include <omp.h>
#include <string.h>

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* ---- the cut -----------------------------------------------------------------------------------
 */

/* The input channels in chunks of `width`, of which the last may be narrower. */
typedef struct cut {
    int chunks, width;
    int64_t weights; /* numbers that a chunk's gradient may take */
} cut;

enum { CHUNKS_MOST = 4, CHUNK_LEAST = 96, CHUNK_MULTIPLE = 16 };

static cr_conv_sizes chunk_sizes(const cr_conv_sizes *s, int width, int chunk)
{
    cr_conv_sizes part = *s;
    part.in = smaller(width, s->in - chunk * width);
    return part;
}

static cut cut_of(const cr_conv_sizes *s)
{
    int chunks = 1;
    while (chunks < CHUNKS_MOST && s->in / (2 * chunks) >= CHUNK_LEAST)
        chunks *= 2;
    int share = (s->in + chunks - 1) / chunks;
    int width = (share + CHUNK_MULTIPLE - 1) / CHUNK_MULTIPLE * CHUNK_MULTIPLE;
    cr_conv_sizes widest = chunk_sizes(s, width, 0);
    return (cut){(s->in + width - 1) / width, width, cr_onednn_weights_most(&widest)};
}

/* Numbers of all chunks' gradients at most, for so many channels or fewer: rounding up may add 64
 * a chunk. */
static int64_t gradients_most(const cr_conv_sizes *s)
{
    enum { ROUNDING = 64 + CHUNK_MULTIPLE };
    cr_conv_sizes padded = *s;
    padded.in += CHUNKS_MOST * ROUNDING;
    return cr_onednn_weights_most(&padded);
}

/* ---- work --------------------------------------------------------------------------------------
 */

/* Zeros behind x: where there is one input channel, oneDNN's bf16 product takes the pixels of x in
 * pairs, and at the end of a row of odd length multiplies the pixel a stride further on, which may
 * lie behind x, by zero: a NaN there would stay one. */
static size_t tail_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    return type == dnnl_f32 ? 0 : cr_onednn_room(type, s->stride + s->kernel);
}

/* Where the work has what, in bytes from the start, where x is; f32 may have no need of a copy. */
typedef struct places {
    size_t dy, pieces, threads;
} places;

static places places_of(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    places at;
    int64_t copied_outputs = type == dnnl_f32 ? 0 : s->n * cr_onednn_outputs(s);
    at.dy = cr_onednn_room(type, s->n * cr_onednn_inputs(s)) + tail_room(type, s);
    at.pieces = at.dy + cr_onednn_room(type, copied_outputs);
    at.threads = at.pieces + cr_onednn_room(dnnl_f32, cr_partial_room(gradients_most(s)));
    return at;
}

size_t cr_onednn_gradient_work(dnnl_data_type_t type, const cr_conv_sizes *s, int threads)
{
    return places_of(type, s).threads + (size_t)threads * cr_onednn_scratch_most(s);
}

/* ---- operands ----------------------------------------------------------------------------------
 */

/* One weight gradient under way. */
typedef struct gradient {
    dnnl_data_type_t type;
    const cr_conv_sizes *sizes;
    cut cut;
    const unsigned char *x, *dy; /* [chunks][N, H, W, width] and [N, OH, OW, OUT] of the type */
    float *pieces;               /* of dw, [parts, chunks, cut.weights] */
    unsigned char *threads;      /* a scratch pad for each of them */
    cr_partial sum;              /* over images */
} gradient;

/* to [rows, count] = columns from `first` on of from [rows, channels] */
static void copy_columns(dnnl_data_type_t type, unsigned char *to, const float *from, int64_t rows,
                         int channels, int first, int count)
{
    size_t row_bytes = (size_t)count * cr_onednn_bytes(type);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int64_t row = 0; row < rows; row++) {
        const float *values = from + row * channels + first;
        unsigned char *at = to + (size_t)row * row_bytes;
        if (type == dnnl_f32)
            memcpy(at, values, row_bytes);
        else
            cr_onednn_round((uint16_t *)(void *)at, values, count);
    }
}

/* Numbers of x before an image of a chunk. */
static int64_t inputs_before(const gradient *g, int chunk, int64_t image)
{
    cr_conv_sizes part = chunk_sizes(g->sizes, g->cut.width, chunk);
    int64_t chunks_before = (int64_t)part.n * part.h * part.w * chunk * g->cut.width;
    return chunks_before + image * cr_onednn_inputs(&part);
}

/* x cut into chunks: itself where nothing changes. */
static const void *cut_inputs(const gradient *g, unsigned char *to, const float *x)
{
    const cr_conv_sizes *s = g->sizes;
    size_t bytes = cr_onednn_bytes(g->type);
    if (g->type == dnnl_f32 && g->cut.chunks == 1)
        return x;
    for (int chunk = 0; chunk < g->cut.chunks; chunk++)
        copy_columns(g->type, to + (size_t)inputs_before(g, chunk, 0) * bytes, x,
                     (int64_t)s->n * s->h * s->w, s->in, chunk * g->cut.width,
                     chunk_sizes(s, g->cut.width, chunk).in);
    memset(to + (size_t)(s->n * cr_onednn_inputs(s)) * bytes, 0, tail_room(g->type, s));
    return to;
}

static const void *typed_outputs(const gradient *g, unsigned char *to, const float *dy)
{
    const cr_conv_sizes *s = g->sizes;
    if (g->type == dnnl_f32)
        return dy;
    copy_columns(g->type, to, dy, (int64_t)s->n * s->oh * s->ow, s->out, 0, s->out);
    return to;
}

/* ---- pieces ------------------------------------------------------------------------------------
 */

/* A primitive for a chunk and the images of a part. */
static cr_onednn_primitive make_piece(const gradient *g, int part, int chunk)
{
    cr_conv_sizes sizes = chunk_sizes(g->sizes, g->cut.width, chunk);
    sizes.n = (int)(cr_partial_first(&g->sum, part + 1) - cr_partial_first(&g->sum, part));
    return cr_onednn_make(CR_ONEDNN_WEIGHT_GRADIENT, g->type, &sizes);
}

static float *piece_at(const gradient *g, int part, int chunk)
{
    return g->pieces + part * g->sum.stride + chunk * g->cut.weights;
}

/* oneDNN's bf16 product first sorts the columns of x by their remainder modulo the stride, with
 * zeros around each sort, in its scratch pad. In an image narrower than the stride some sorts have
 * no columns; for these 2.6.3 writes no zeros either, but reads them. */
static void *scratch_pad(const gradient *g, size_t bytes)
{
    size_t room = cr_onednn_scratch_most(g->sizes);
    unsigned char *pad = g->threads + (size_t)omp_get_thread_num() * room;
    if (g->sizes->w < g->sizes->stride)
        memset(pad, 0, bytes);
    return pad;
}

static void run_piece(const gradient *g, int part, int chunk)
{
    int64_t first = cr_partial_first(&g->sum, part);
    size_t bytes = cr_onednn_bytes(g->type);
    cr_onednn_primitive p = make_piece(g, part, chunk);
    dnnl_memory_t dw = cr_onednn_weights(&p, piece_at(g, part, chunk));
    cr_onednn_run(&p, g->x + (size_t)inputs_before(g, chunk, first) * bytes, dw,
                  g->dy + (size_t)(first * cr_onednn_outputs(g->sizes)) * bytes,
                  scratch_pad(g, p.scratch));
    cr_onednn_weights_free(&dw);
    cr_onednn_free(&p);
}

/* dw (+)= a piece */
static void add_piece(float *dw, const gradient *g, int part, int chunk, bool add)
{
    cr_conv_sizes sizes = chunk_sizes(g->sizes, g->cut.width, chunk);
    cr_onednn_primitive p = make_piece(g, part, chunk);
    dnnl_memory_t from = cr_onednn_weights(&p, piece_at(g, part, chunk));
    float *rows = dw + (int64_t)chunk * g->cut.width * g->sizes->out;
    cr_onednn_export(rows, from, &sizes, g->sizes->in, add);
    cr_onednn_weights_free(&from);
    cr_onednn_free(&p);
}

void cr_onednn_weight_gradient(dnnl_data_type_t type, float *dw, const float *x, const float *dy,
                               const cr_conv_sizes *s, bool accumulate, void *work)
{
    gradient g = {.type = type, .sizes = s, .cut = cut_of(s)};
    places at = places_of(type, s);
    unsigned char *room = work;
    int chunks = g.cut.chunks;
    g.x = cut_inputs(&g, room, x);
    g.dy = typed_outputs(&g, room + at.dy, dy);
    g.pieces = (float *)(void *)(room + at.pieces);
    g.threads = room + at.threads;
    g.sum = cr_partial_at(g.pieces, chunks * g.cut.weights, s->n);
#pragma omp parallel for schedule(dynamic)
    for (int piece = 0; piece < chunks * g.sum.parts; piece++)
        run_piece(&g, piece / chunks, piece % chunks);
    for (int piece = 0; piece < chunks * g.sum.parts; piece++)
        add_piece(dw, &g, piece / chunks, piece % chunks, accumulate || piece >= chunks);
}
