/*
 * winograd: 3x3 and 5x5 convolutions of stride 1 by Winograd's F(4x4, KxK) (Lavin & Gray 2016), 3x3
 * of stride 2 by F(4x4, 2x2) of every other row and column (winograd_3x3_stride2.c). An image is
 * cut into tiles of 4x4 outputs, which want 6x6, 8x8 or 9x9 inputs d (neighbours' overlap):
 *
 *     V_f = (B^T d B)_f            of every tile and input channel, 36, 64 or 81 frequencies f
 *     U_f = (G g G^T)_f            of every pair of channels, once a step (g: its weights)
 *     M_f [tiles, OUT] = V_f [tiles, IN] U_f [IN, OUT]
 *     y   = A^T M A
 *
 * 36 multiply-accumulates do the work of 144, 64 that of 400, 81 that of 144. The input gradient is
 * the same on dy, with the weights turned by 180 degrees and IN and OUT exchanged: at stride 1 by
 * the same maps, at stride 2 by maps of its own; the weight gradient is the transpose
 * (winograd_gradient.c).
 *
 * Tiles are taken in blocks, whose V and M should stay in cache. Neither how large the blocks are,
 * nor whether threads share out whole blocks, or the tiles and frequencies of one block after
 * another, changes a sum here.
 */
#include "convolution.h"
#include "each.h"
#include "packed.h"
#include "winograd_gradient.h"
#include "winograd_tiles.h"

#include <omp.h>
#include <string.h>

/* Where Winograd is the faster way, measured against im2col: with enough channels on either side,
 * unless so much of the tiles lies outside the image that their products are more than 0.7 times
 * those of each output with each tap (3x3 of stride 1: images of 1 and 2 pixels a side; of stride
 * 2: of up to 6, 9 to 14, 17 to 20, 25 to 28, 33 and 34). The tiles of the input gradient may be
 * more than those of the other two products. */
static bool fits(const cr_conv_sizes *s)
{
    const cr_winograd *maps = cr_winograd_find(s, false);
    if (maps == NULL || s->in < maps->channels_least || s->out < maps->channels_least)
        return false;
    cr_tiling ahead = cr_tiling_of(s, false, NULL);
    cr_tiling back = cr_tiling_of(s, true, NULL);
    int64_t tiles = (int64_t)2 * ahead.down * ahead.across + (int64_t)back.down * back.across;
    int64_t direct = (int64_t)s->oh * s->ow * s->kernel * s->kernel;
    return 10 * tiles * cr_winograd_frequencies(maps) <= 21 * direct;
}

static bool fits_stride1(const cr_conv_sizes *s)
{
    return s->stride == 1 && fits(s);
}

static bool fits_stride2(const cr_conv_sizes *s)
{
    return s->stride == 2 && fits(s);
}

/* Tiles of a block that is worth a thread's reading all of U. */
enum { APART_LEAST = 16 };

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* About so many tiles has a block. Each reads all of U, which is the larger the more channels there
 * are; V and M should stay in the second-level cache. Measured on Zen 4 with 24 to 128 tiles: best
 * are 24 for 64 channels, 24 to 48 for 160, 64 to 96 for 320, 128 for 640. */
static int block_target(const cr_conv_sizes *s)
{
    enum { LEAST = 24, MOST = 128, CHANNELS_A_TILE = 8 };
    int tiles = (s->in + s->out) / CHANNELS_A_TILE;
    return tiles < LEAST ? LEAST : tiles > MOST ? MOST : tiles;
}

/* Floats of the row of zeros, and of V and M of the largest block. */
static int64_t zeros_size(const cr_conv_sizes *s)
{
    return cr_packed_columns((int)largest(s->in, s->out));
}

static int64_t block_size(const cr_tiling *t)
{
    int block = cr_packed_rows(block_target(&t->sizes));
    int count = cr_winograd_frequencies(t->maps);
    return cr_planes_size(count, block, t->sizes.in) + cr_planes_size(count, block, t->sizes.out);
}

/* ---- weights ---------------------------------------------------------------------------------
 * U is packed as the products want it: [planes, panels, rows, 16], rows and columns being input
 * and output channels, or output and input channels for the input gradient. */

typedef struct order {
    const cr_winograd *maps;
    int taps, planes;
    int rows, columns;
    int64_t tap, row, column; /* floats from one to the next in w [K, K, IN, OUT] */
    bool turned;              /* by 180 degrees */
} order;

static order order_of(const cr_conv_sizes *s, bool backward)
{
    const cr_winograd *maps = cr_winograd_find(s, backward);
    int taps = s->kernel * s->kernel;
    int planes = cr_winograd_planes(maps);
    int64_t tap = (int64_t)s->in * s->out;
    if (backward)
        return (order){maps, taps, planes, s->out, s->in, tap, 1, s->out, true};
    return (order){maps, taps, planes, s->in, s->out, tap, s->out, 1, false};
}

static int64_t prepared(const cr_conv_sizes *sizes, bool backward)
{
    order o = order_of(sizes, backward);
    return (int64_t)o.planes * o.rows * cr_packed_columns(o.columns);
}

/* One row of a panel of U from w. U goes round the caches: its products read lines that another
 * core has changed several times slower than memory (measured, two cores without a common cache).
 * taps: scratch, zero from `width` on. */
static void prepare_row(float *u, int64_t plane, const float *w, const order *o, int width,
                        float taps[CR_TAPS_MOST][CR_LANES])
{
    float lanes[CR_FREQUENCIES_MOST][CR_LANES];
    const float *in[CR_TAPS_MOST];
    float *out[CR_FREQUENCIES_MOST];
    bool direct = o->column == 1 && width == CR_LANES;
    for (int tap = 0; tap < o->taps; tap++) {
        const float *from = w + (o->turned ? o->taps - 1 - tap : tap) * o->tap;
        for (int c = 0; c < width && !direct; c++)
            taps[tap][c] = from[c * o->column];
        in[tap] = direct ? from : taps[tap];
    }
    for (int f = 0; f < o->planes; f++)
        out[f] = lanes[f];
    o->maps->weights(out, in, 0, 0);
    for (int f = 0; f < o->planes; f++)
        cr_stream_lanes(u + f * plane, lanes[f]);
}

static void prepare(float *u, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    const order o = order_of(sizes, backward);
    int64_t plane = (int64_t)o.rows * cr_packed_columns(o.columns);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int column = 0; column < o.columns; column += CR_LANES) {
        float taps[CR_TAPS_MOST][CR_LANES] = {{0}};
        int width = o.columns - column < CR_LANES ? o.columns - column : CR_LANES;
        for (int row = 0; row < o.rows; row++)
            prepare_row(u + ((int64_t)column * o.rows + (int64_t)row * CR_LANES), plane,
                        w + row * o.row + column * o.column, &o, width, taps);
        cr_stream_end();
    }
}

/* ---- forward and input gradient ----------------------------------------------------------------
 */

/* Tiles from `first` on, and where their transforms are. */
typedef struct block {
    const cr_tiling *t;
    int64_t first;
    int tiles;
    const float *x, *u;
    float *y;
    cr_planes v, m;
} block;

static void read_tile(void *self, int i)
{
    const block *b = self;
    cr_tile_input(&b->v, i, b->t, b->first + i, b->x);
}

static void multiply_frequency(void *self, int f)
{
    const block *b = self;
    const cr_conv_sizes *s = &b->t->sizes;
    int64_t plane = (int64_t)s->in * cr_packed_columns(s->out);
    cr_packed_multiply(&(cr_packed_product){.m = b->tiles,
                                            .n = s->out,
                                            .k = s->in,
                                            .a = b->v.frequency[f],
                                            .b = b->u + cr_winograd_plane(b->t->maps, f) * plane,
                                            .c = b->m.frequency[f],
                                            .a_row = b->v.row,
                                            .a_column = 1,
                                            .b_panel = (int64_t)s->in * CR_LANES,
                                            .b_row = CR_LANES,
                                            .c_panel = CR_LANES,
                                            .c_row = b->m.row});
}

static void write_tile(void *self, int i)
{
    const block *b = self;
    cr_tile_output(b->y, b->t, b->first + i, &b->m, i);
}

/* y of a block of at most so many tiles, by all threads or, inside a parallel region, by this one.
 */
static void convolve_block(float *y, const float *x, const float *u, const cr_tiling *t,
                           int64_t first, int most, float *space)
{
    const cr_conv_sizes *s = &t->sizes;
    int count = cr_winograd_frequencies(t->maps);
    block b = {.t = t, .first = first, .x = x, .u = u, .y = y};
    b.tiles = (int)(t->count - first < most ? t->count - first : most);
    b.v = cr_planes_at(space, count, most, s->in);
    b.m = cr_planes_at(space + cr_planes_size(count, most, s->in), count, most, s->out);
    cr_each(b.tiles, read_tile, &b);
    cr_each(count, multiply_frequency, &b);
    cr_each(b.tiles, write_tile, &b);
}

/* y [N, OH, OW, OUT] (+)= of x [N, H, W, IN], or dx of dy, by tiles that want zeros still. Threads
 * take whole blocks, in the order of the images, so that each finds in its caches what it has
 * written itself; with too few tiles they share each block, though V and M then wander from one to
 * the other (measured with two cores, 640 channels, 64 tiles: twice the time). */
static void convolve(float *y, const float *x, const float *u, cr_tiling t, void *work)
{
    float *zeros = work;
    float *space = zeros + zeros_size(&t.sizes);
    memset(zeros, 0, (size_t)zeros_size(&t.sizes) * sizeof(float));
    t.zeros = zeros;
    int target = block_target(&t.sizes);
    int threads = omp_get_max_threads();
    int tiles = cr_tiling_block(&t, target, threads);
    bool apart = threads > 1 && tiles >= APART_LEAST;
    if (!apart)
        tiles = cr_tiling_block(&t, target, 1);
#pragma omp parallel for schedule(static) if (apart)
    for (int64_t first = 0; first < t.count; first += tiles)
        convolve_block(y, x, u, &t, first, tiles, space + omp_get_thread_num() * block_size(&t));
}

static void forward(float *y, const float *x, const float *u, const cr_conv_sizes *sizes,
                    void *work)
{
    convolve(y, x, u, cr_tiling_of(sizes, false, NULL), work);
}

static void add(float *y, const float *x, const float *u, const cr_conv_sizes *sizes, void *work)
{
    cr_tiling t = cr_tiling_of(sizes, false, NULL);
    t.adds = true;
    convolve(y, x, u, t, work);
}

static void input_gradient(float *dx, const float *dy, const float *u, const cr_conv_sizes *sizes,
                           void *work)
{
    convolve(dx, dy, u, cr_tiling_of(sizes, true, NULL), work);
}

static size_t work(const cr_conv_sizes *sizes, int threads)
{
    cr_tiling ahead = cr_tiling_of(sizes, false, NULL);
    cr_tiling back = cr_tiling_of(sizes, true, NULL);
    int64_t blocks = threads * largest(block_size(&ahead), block_size(&back));
    int64_t room =
        largest(zeros_size(sizes) + blocks, cr_winograd_weight_gradient_work(sizes, threads));
    return (size_t)room * sizeof(float);
}

const cr_convolution cr_convolution_winograd4 = {
    .name = "winograd4",
    .fits = fits_stride1,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .add = add,
    .input_gradient = input_gradient,
    .weight_gradient = cr_winograd_weight_gradient,
};

const cr_convolution cr_convolution_winograd4_stride2 = {
    .name = "winograd4_stride2",
    .fits = fits_stride2,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .add = add,
    .input_gradient = input_gradient,
    .weight_gradient = cr_winograd_weight_gradient,
};
