/*
 * winograd_gradient: the transpose of the forward product (winograd.c),
 *
 *     dU_p [IN, OUT] = sum over tiles of V_f^T D_f,    D = A dy A^T,    dg = G^T dU G
 *
 * the sum being also over the frequencies f that have plane p of the weights in common.
 * V and D are written in panels of 16 channels, so that both sides of a product are read in the
 * order in which they lie. The sum over tiles is cut into blocks, each of which adds to all of dU;
 * a sum of one block is finished panel by panel, and no more than that of dU is ever held.
 */
#include "winograd_gradient.h"

#include "each.h"
#include "packed.h"
#include "partial.h"
#include "winograd_tiles.h"

#include <omp.h>
#include <string.h>

enum {
    TILES = 128, /* of a block, but for whole rows of the products: the more, the less often dU is
                  * read and written; V and D should stay in cache. Measured with 64 to 192 and 16
                  * to 640 channels. */
    EVEN = 4,    /* blocks, where there are several: equal shares for as many threads */
    GROUP = 2    /* panels of output channels that are taken together while V passes by */
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- sizes -------------------------------------------------------------------------------------
 * dU is laid out as the products give it: [panels, planes, rows, 16], rows and columns being input
 * and output channels. */

static int64_t plane_size(const cr_conv_sizes *s)
{
    return (int64_t)cr_packed_columns(s->in) * CR_LANES;
}

static int64_t panel_size(const cr_conv_sizes *s)
{
    return cr_winograd_planes(cr_winograd_find(s, false)) * plane_size(s);
}

static int64_t gradient_size(const cr_conv_sizes *s)
{
    return panel_size(s) * cr_panels(s->out);
}

static int64_t zeros_size(const cr_conv_sizes *s)
{
    return cr_packed_columns((int)larger(s->in, s->out));
}

/* of V and D */
static int64_t planes_size(const cr_conv_sizes *s, int tiles)
{
    int count = cr_winograd_frequencies(cr_winograd_find(s, false));
    return cr_planes_size(count, tiles, s->in) + cr_planes_size(count, tiles, s->out);
}

/* ---- a block -----------------------------------------------------------------------------------
 */

/* A block of tiles, transformed. */
typedef struct block {
    const cr_tiling *t;
    const float *x, *dy;
    int64_t first;
    int tiles;
    cr_planes v, d; /* in panels */
} block;

static void read_tile(void *self, int i)
{
    const block *b = self;
    cr_tile_input(&b->v, i, b->t, b->first + i, b->x);
    cr_tile_output_gradient(&b->d, i, b->t, b->first + i, b->dy);
}

/* By all threads or, inside a parallel region, by this one. */
static block transform(const float *x, const float *dy, const cr_tiling *t, int64_t first,
                       int tiles, float *space)
{
    const cr_conv_sizes *s = &t->sizes;
    block b = {.t = t, .x = x, .dy = dy, .first = first};
    int count = cr_winograd_frequencies(t->maps);
    b.tiles = (int)smaller(tiles, t->count - first);
    b.v = cr_planes_panels(space, count, tiles, s->in);
    b.d = cr_planes_panels(space + cr_planes_size(count, tiles, s->in), count, tiles, s->out);
    cr_each(b.tiles, read_tile, &b);
    return b;
}

/* dU of `panels` panels of output channels from `panel` on (+)= V^T D */
static void multiply_panels(float *du, const block *b, int panel, int panels, bool add)
{
    const cr_conv_sizes *s = &b->t->sizes;
    int64_t plane = plane_size(s);
    for (int f = 0; f < b->v.count; f++) {
        float *sum = du + cr_winograd_plane(b->t->maps, f) * plane;
        for (int row = 0; row < cr_panels(s->in); row++)
            cr_packed_multiply(
                &(cr_packed_product){.m = CR_LANES,
                                     .n = panels * CR_LANES,
                                     .k = b->tiles,
                                     .a = b->v.frequency[f] + row * b->v.panel,
                                     .b = b->d.frequency[f] + panel * b->d.panel,
                                     .c = sum + (int64_t)row * CR_LANES * CR_LANES,
                                     .a_row = 1,
                                     .a_column = CR_LANES,
                                     .b_panel = b->d.panel,
                                     .b_row = CR_LANES,
                                     .c_panel = panel_size(s),
                                     .c_row = CR_LANES,
                                     .next = b->v.frequency[f] + (row + 1) * b->v.panel,
                                     .add = add || !cr_winograd_first(b->t->maps, f)});
    }
}

/* dw of 16 output channels and all inputs (+)= G^T dU G */
static void finish_panel(float *dw, const float *du, const cr_conv_sizes *s, int panel,
                         bool accumulate)
{
    const cr_winograd *maps = cr_winograd_find(s, false);
    float lanes[CR_TAPS_MOST][CR_LANES];
    const float *in[CR_FREQUENCIES_MOST];
    float *out[CR_TAPS_MOST];
    int taps = s->kernel * s->kernel;
    int width = (int)smaller(CR_LANES, s->out - panel * CR_LANES);
    for (int tap = 0; tap < taps; tap++)
        out[tap] = lanes[tap];
    for (int i = 0; i < s->in; i++) {
        for (int f = 0; f < cr_winograd_planes(maps); f++)
            in[f] = du + f * plane_size(s) + (int64_t)i * CR_LANES;
        maps->weights_gradient(out, in, 0, 0);
        for (int tap = 0; tap < taps; tap++) {
            float *to = dw + ((int64_t)tap * s->in + i) * s->out + (int64_t)panel * CR_LANES;
            for (int c = 0; c < width; c++)
                to[c] = lanes[tap][c] + (accumulate ? to[c] : 0);
        }
    }
}

/* ---- the sum -----------------------------------------------------------------------------------
 */

/* Of one block: dU of some panels at a time, at du [threads, GROUP panels]. */
static void sum_one(float *dw, float *du, const block *b, bool accumulate)
{
    const cr_conv_sizes *s = &b->t->sizes;
    int panels = cr_panels(s->out);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int panel = 0; panel < panels; panel += GROUP) {
        float *mine = du + (int64_t)omp_get_thread_num() * GROUP * panel_size(s);
        int count = (int)smaller(GROUP, panels - panel);
        multiply_panels(mine, b, panel, count, false);
        for (int p = 0; p < count; p++)
            finish_panel(dw, mine + p * panel_size(s), s, panel + p, accumulate);
    }
}

/* What a block adds to dU. */
typedef struct addend {
    float *du;
    const block *from;
    bool add; /* to what dU holds; otherwise that is overwritten */
} addend;

static void add_group(void *self, int group)
{
    const addend *a = self;
    const cr_conv_sizes *s = &a->from->t->sizes;
    int panel = group * GROUP;
    multiply_panels(a->du + panel * panel_size(s), a->from, panel,
                    (int)smaller(GROUP, cr_panels(s->out) - panel), a->add);
}

/* dU (+)= that of a block, by all threads or, inside a parallel region, by this one. */
static void add_block(float *du, const block *b, bool add)
{
    int panels = cr_panels(b->t->sizes.out);
    cr_each((panels + GROUP - 1) / GROUP, add_group, &(addend){du, b, add});
}

/* Of many blocks: in partial sums of dU. */
static void sum_many(float *dw, const float *x, const float *dy, const cr_tiling *t, int tiles,
                     bool accumulate, float *du)
{
    const cr_conv_sizes *s = &t->sizes;
    float *space = du + cr_partial_room(gradient_size(s));
    cr_partial sum = cr_partial_at(du, gradient_size(s), (t->count + tiles - 1) / tiles);
#pragma omp parallel for schedule(static) if (cr_partial_apart(&sum))
    for (int part = 0; part < sum.parts; part++) {
        float *mine = space + omp_get_thread_num() * planes_size(s, tiles);
        int64_t first = cr_partial_first(&sum, part);
        for (int64_t i = first; i < cr_partial_first(&sum, part + 1); i++) {
            block b = transform(x, dy, t, i * tiles, tiles, mine);
            add_block(du + part * sum.stride, &b, i > first);
        }
    }
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int panel = 0; panel < cr_panels(s->out); panel++) {
        cr_partial_sum_range(&sum, panel * panel_size(s), panel_size(s));
        finish_panel(dw, du + panel * panel_size(s), s, panel, accumulate);
    }
}

void cr_winograd_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    float *zeros = work;
    float *space = zeros + zeros_size(sizes);
    memset(zeros, 0, (size_t)zeros_size(sizes) * sizeof(float));
    cr_tiling t = cr_tiling_of(sizes, false, zeros);
    int tiles = cr_tiling_block(&t, TILES, t.count > TILES ? EVEN : 1);
    if (tiles < t.count) {
        sum_many(dw, x, dy, &t, tiles, accumulate, space);
        return;
    }
    block all = transform(x, dy, &t, 0, tiles, space);
    sum_one(dw, space + planes_size(sizes, tiles), &all, accumulate);
}

int64_t cr_winograd_weight_gradient_work(const cr_conv_sizes *sizes, int threads)
{
    int64_t planes = planes_size(sizes, cr_packed_rows(TILES));
    int64_t du = (int64_t)threads * GROUP * panel_size(sizes);
    if (cr_tiling_of(sizes, false, NULL).count > TILES)
        du = larger(du, cr_partial_room(gradient_size(sizes)));
    return zeros_size(sizes) + threads * planes + du;
}
