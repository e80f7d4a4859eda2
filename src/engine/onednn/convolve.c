/*
 * convolve: threads share out images, and parts of the weight gradient, among primitives that run
 * on one thread each. The cut depends on the sizes alone, so the bits do not depend on the number
 * of threads; and an image at a time is as fast as many (measured with 2.6.3 on Zen 4: 114 to 138
 * GFLOP/s in f32, 235 to 277 in bf16, for channels of 64 and more).
 *
 * The weight gradient is cut by input channels, so that threads have enough to do, and by images
 * where the partial results are small; what is cut or becomes bf16 is copied for that.
 * (Chunks of 160 of 640 output channels instead were 5 to 9% slower in bf16.)
 *
 * Channels that are no multiple of 16 are left to oneDNN: with padding by zeros up to the next
 * multiple the products took as long, or longer (40, 100 of 160, 320 channels: 0.98 to 1.20 times).
 */
#include "convolve.h"

#include "../partial.h"
#include "primitive.h"

#include <omp.h>
#include <string.h>

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int64_t rounded(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static size_t bytes_of(dnnl_data_type_t type)
{
    return type == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float);
}

/* Bytes of so many numbers, up to where the next array may begin. */
static size_t room_of(dnnl_data_type_t type, int64_t count)
{
    return (size_t)rounded(count * (int64_t)bytes_of(type), CR_ALIGNMENT);
}

static int64_t inputs(const cr_conv_sizes *s)
{
    return (int64_t)s->h * s->w * s->in; /* of an image */
}

static int64_t outputs(const cr_conv_sizes *s)
{
    return (int64_t)s->oh * s->ow * s->out;
}

/* ---- what a primitive may want -----------------------------------------------------------------
 * Bounds that fewer channels never exceed, and that the implementations we know keep: those for
 * direct convolution round channels up to at most 64, and keep copies of an image. */

static int64_t weights_most(const cr_conv_sizes *s) /* numbers */
{
    enum { MULTIPLE = 64 };
    return (int64_t)s->kernel * s->kernel * rounded(s->in, MULTIPLE) * rounded(s->out, MULTIPLE);
}

static size_t scratch_most(const cr_conv_sizes *s)
{
    enum { LEAST = 1 << 18 };
    return LEAST + 2 * room_of(dnnl_f32, inputs(s) + outputs(s));
}

static cr_onednn_primitive make(cr_onednn_product product, dnnl_data_type_t type,
                                const cr_conv_sizes *sizes)
{
    dnnl_data_type_t weights = product == CR_ONEDNN_WEIGHT_GRADIENT ? dnnl_f32 : type;
    return cr_onednn_make(
        &(cr_onednn_convolution){.product = product,
                                 .type = type,
                                 .sizes = *sizes,
                                 .weights_most = room_of(weights, weights_most(sizes)),
                                 .scratch_most = scratch_most(sizes)});
}

/* ---- numbers of a type -------------------------------------------------------------------------
 */

/* To the nearest bf16, ties to even; what is not a number stays so. */
static void round_to_bf16(uint16_t *restrict to, const float *restrict from, int64_t count)
{
    enum { SIGN_OFF = 0x7fffffff, INFINITE = 0x7f800000, QUIET = 0x400000, BELOW_HALF = 0x7fff };
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        uint32_t nearest = bits + BELOW_HALF + (bits >> 16 & 1);
        to[i] = (uint16_t)(((bits & SIGN_OFF) > INFINITE ? bits | QUIET : nearest) >> 16);
    }
}

/* from [count] as numbers of the type: itself, or at `room`. */
static const void *typed(dnnl_data_type_t type, void *room, const float *from, int64_t count)
{
    if (type == dnnl_f32)
        return from;
    round_to_bf16(room, from, count);
    return room;
}

/* to [rows, count] = columns from `first` on of from [rows, channels] */
static void copy_columns(dnnl_data_type_t type, void *to, const float *from, int64_t rows,
                         int channels, int first, int count)
{
    unsigned char *at = to;
    size_t row_bytes = (size_t)count * bytes_of(type);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int64_t row = 0; row < rows; row++) {
        const float *values = from + row * channels + first;
        if (type == dnnl_f32)
            memcpy(at + (size_t)row * row_bytes, values, row_bytes);
        else
            round_to_bf16((uint16_t *)(void *)(at + (size_t)row * row_bytes), values, count);
    }
}

/* ---- weights -----------------------------------------------------------------------------------
 */

static cr_conv_sizes one_image(const cr_conv_sizes *sizes)
{
    cr_conv_sizes one = *sizes;
    one.n = 1;
    return one;
}

int64_t cr_onednn_prepared(dnnl_data_type_t type, const cr_conv_sizes *sizes)
{
    return (int64_t)(room_of(type, weights_most(sizes)) / sizeof(float));
}

void cr_onednn_prepare(dnnl_data_type_t type, float *prepared, const float *w,
                       const cr_conv_sizes *sizes, bool backward)
{
    cr_conv_sizes one = one_image(sizes);
    cr_onednn_primitive p =
        make(backward ? CR_ONEDNN_INPUT_GRADIENT : CR_ONEDNN_FORWARD, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, prepared);
    cr_onednn_import(weights, w, sizes);
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}

/* ---- forward, input gradient -------------------------------------------------------------------
 */

/* Of a thread: an image as numbers of the type, and a primitive's scratch pad. */
static size_t image_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    return type == dnnl_f32 ? 0 : room_of(type, larger(inputs(s), outputs(s)));
}

static size_t thread_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    return image_room(type, s) + scratch_most(s);
}

static unsigned char *room_of_thread(dnnl_data_type_t type, const cr_conv_sizes *s, void *work)
{
    return (unsigned char *)work + (size_t)omp_get_thread_num() * thread_room(type, s);
}

void cr_onednn_forward(dnnl_data_type_t type, float *y, const float *x, const float *prepared,
                       const cr_conv_sizes *s, void *work)
{
    cr_conv_sizes one = one_image(s);
    cr_onednn_primitive p = make(CR_ONEDNN_FORWARD, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, (void *)prepared); /* only read */
#pragma omp parallel for schedule(dynamic)
    for (int image = 0; image < s->n; image++) {
        unsigned char *room = room_of_thread(type, s, work);
        const void *from = typed(type, room, x + image * inputs(s), inputs(s));
        cr_onednn_run(&p, from, weights, y + image * outputs(s), room + image_room(type, s));
    }
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}

void cr_onednn_input_gradient(dnnl_data_type_t type, float *dx, const float *dy,
                              const float *prepared, const cr_conv_sizes *s, void *work)
{
    cr_conv_sizes one = one_image(s);
    cr_onednn_primitive p = make(CR_ONEDNN_INPUT_GRADIENT, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, (void *)prepared); /* only read */
#pragma omp parallel for schedule(dynamic)
    for (int image = 0; image < s->n; image++) {
        unsigned char *room = room_of_thread(type, s, work);
        const void *from = typed(type, room, dy + image * outputs(s), outputs(s));
        cr_onednn_run(&p, dx + image * inputs(s), weights, from, room + image_room(type, s));
    }
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}

/* ---- weight gradient ---------------------------------------------------------------------------
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
    int width = (int)rounded((s->in + chunks - 1) / chunks, CHUNK_MULTIPLE);
    cr_conv_sizes widest = chunk_sizes(s, width, 0);
    return (cut){(s->in + width - 1) / width, width, weights_most(&widest)};
}

/* Numbers of all chunks' gradients at most, for so many channels or fewer: rounding up may add 64
 * a chunk. */
static int64_t gradients_most(const cr_conv_sizes *s)
{
    enum { ROUNDING = 64 + CHUNK_MULTIPLE };
    cr_conv_sizes padded = *s;
    padded.in += CHUNKS_MOST * ROUNDING;
    return weights_most(&padded);
}

/* Where the work of the weight gradient has what, in bytes from the start, where x is. */
typedef struct places {
    size_t dy, pieces, threads;
} places;

/* Behind each of x and dy: two pixels of either, zero. */
static size_t tail_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    return room_of(type, 2 * ((int64_t)s->in + s->out));
}

static places places_of(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    places at;
    at.dy = room_of(type, s->n * inputs(s)) + tail_room(type, s);
    at.pieces =
        at.dy + room_of(type, type == dnnl_f32 ? 0 : s->n * outputs(s)) + tail_room(type, s);
    at.threads = at.pieces + room_of(dnnl_f32, cr_partial_room(gradients_most(s)));
    return at;
}

size_t cr_onednn_work(dnnl_data_type_t type, const cr_conv_sizes *s, int threads)
{
    return places_of(type, s).threads + (size_t)threads * thread_room(type, s);
}

/* One weight gradient under way. */
typedef struct gradient {
    dnnl_data_type_t type;
    const cr_conv_sizes *sizes;
    cut cut;
    const unsigned char *x, *dy; /* [chunks][N, H, W, width] and [N, OH, OW, OUT] of the type */
    float *pieces;               /* of dw, [parts, chunks, cut.weights] */
    unsigned char *threads;      /* what each of them needs */
    cr_partial sum;              /* over images */
} gradient;

/* Numbers of x before an image of a chunk. */
static int64_t inputs_before(const gradient *g, int chunk, int64_t image)
{
    cr_conv_sizes part = chunk_sizes(g->sizes, g->cut.width, chunk);
    int64_t chunks_before = (int64_t)part.n * part.h * part.w * chunk * g->cut.width;
    return chunks_before + image * inputs(&part);
}

/* x cut into chunks: itself where nothing changes. */
static const void *cut_inputs(const gradient *g, unsigned char *to, const float *x)
{
    const cr_conv_sizes *s = g->sizes;
    if (g->type == dnnl_f32 && g->cut.chunks == 1)
        return x;
    for (int chunk = 0; chunk < g->cut.chunks; chunk++)
        copy_columns(g->type, to + (size_t)inputs_before(g, chunk, 0) * bytes_of(g->type), x,
                     (int64_t)s->n * s->h * s->w, s->in, chunk * g->cut.width,
                     chunk_sizes(s, g->cut.width, chunk).in);
    memset(to + (size_t)(s->n * inputs(s)) * bytes_of(g->type), 0, tail_room(g->type, s));
    return to;
}

static const void *typed_outputs(const gradient *g, unsigned char *to, const float *dy)
{
    const cr_conv_sizes *s = g->sizes;
    if (g->type == dnnl_f32)
        return dy;
    copy_columns(g->type, to, dy, (int64_t)s->n * s->oh * s->ow, s->out, 0, s->out);
    memset(to + (size_t)(s->n * outputs(s)) * bytes_of(g->type), 0, tail_room(g->type, s));
    return to;
}

/* A primitive for a chunk and the images of a part. */
static cr_onednn_primitive make_piece(const gradient *g, int part, int chunk)
{
    cr_conv_sizes sizes = chunk_sizes(g->sizes, g->cut.width, chunk);
    sizes.n = (int)(cr_partial_first(&g->sum, part + 1) - cr_partial_first(&g->sum, part));
    return make(CR_ONEDNN_WEIGHT_GRADIENT, g->type, &sizes);
}

static float *piece_at(const gradient *g, int part, int chunk)
{
    return g->pieces + part * g->sum.stride + chunk * g->cut.weights;
}

/* With NaN in work that it had not written, oneDNN 2.6's bf16 weight gradient gave NaN for some
 * small images. Which of its reads did that was not found; with zeros in the scratch pad, behind x
 * and dy, and in results for kernels larger than the image, it is gone. */
static void clear_for_piece(const gradient *g, unsigned char *pad, size_t scratch, float *piece)
{
    const cr_conv_sizes *s = g->sizes;
    memset(pad, 0, scratch);
    if (s->kernel > s->h || s->kernel > s->w)
        memset(piece, 0, (size_t)g->cut.weights * sizeof(float));
}

static void run_piece(const gradient *g, int part, int chunk)
{
    int64_t first = cr_partial_first(&g->sum, part);
    size_t bytes = bytes_of(g->type);
    unsigned char *pad = g->threads + (size_t)omp_get_thread_num() * thread_room(g->type, g->sizes);
    cr_onednn_primitive p = make_piece(g, part, chunk);
    dnnl_memory_t dw = cr_onednn_weights(&p, piece_at(g, part, chunk));
    clear_for_piece(g, pad, p.scratch, piece_at(g, part, chunk));
    cr_onednn_run(&p, g->x + (size_t)inputs_before(g, chunk, first) * bytes, dw,
                  g->dy + (size_t)(first * outputs(g->sizes)) * bytes, pad);
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
