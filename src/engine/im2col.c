/*
 * im2col: any convolution as products. The K x K patches of the input that each output position
 * sees are written out as rows of a matrix C, a block of positions after another:
 *
 *     C [positions, K K IN]:   C_r,(kh, kw, i) = X_b,(oh stride + kh - pad_top),(ow stride + kw -
 *                              pad_left),i   for r = (b, oh, ow), 0 outside the image
 *     Y = C W,   dW = C^T dY,   dC = dY W^T, whose entries are added up where they came from
 *
 * With 1x1 kernels of stride 1, C is X itself and nothing is copied.
 */
#include "convolution.h"
#include "packed.h"
#include "partial.h"
#include "product.h"

#include <omp.h>
#include <string.h>

/* Patches of a block: few enough to stay in cache, enough for the product to pay for its packing of
 * W. */
enum { BLOCK_FLOATS = 1 << 17, BLOCK_LEAST = 96, BLOCK_MOST = 1024, BLOCK_MULTIPLE = 32 };

static bool fits(const cr_conv_sizes *sizes)
{
    (void)sizes;
    return true;
}

/* Is C the input itself? */
static bool is_plain(const cr_conv_sizes *s)
{
    return s->kernel == 1 && s->stride == 1 && s->pad_top == 0 && s->pad_left == 0 &&
           s->oh == s->h && s->ow == s->w;
}

static int patch_size(const cr_conv_sizes *s)
{
    return s->kernel * s->kernel * s->in;
}

static int rows_a_block(const cr_conv_sizes *s)
{
    int rows = BLOCK_FLOATS / patch_size(s) / BLOCK_MULTIPLE * BLOCK_MULTIPLE;
    return rows < BLOCK_LEAST ? BLOCK_LEAST : rows > BLOCK_MOST ? BLOCK_MOST : rows;
}

static int64_t positions(const cr_conv_sizes *s)
{
    return (int64_t)s->n * s->oh * s->ow;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- patches -----------------------------------------------------------------------------------
 */

/* The part of one patch row (kh) that lies inside the image: `count` floats from `from` on in x,
 * which are those from `skip` on of the patch's K IN. */
typedef struct span {
    int64_t from;
    int skip, count;
} span;

static span span_of(const cr_conv_sizes *s, int64_t position, int kh)
{
    int64_t image = position / ((int64_t)s->oh * s->ow);
    int in_image = (int)(position % ((int64_t)s->oh * s->ow));
    int row = in_image / s->ow * s->stride + kh - s->pad_top;
    int column = in_image % s->ow * s->stride - s->pad_left;
    int first = column < 0 ? -column : 0;
    int last = s->w - column < s->kernel ? s->w - column : s->kernel;
    if (row < 0 || row >= s->h || first >= last)
        return (span){0};
    return (span){.from = ((image * s->h + row) * s->w + column + first) * s->in,
                  .skip = first * s->in,
                  .count = (last - first) * s->in};
}

/* patches [rows, K K IN] of the positions from `first` on */
static void gather(float *patches, const float *x, const cr_conv_sizes *s, int64_t first, int rows)
{
    int line = s->kernel * s->in;
    for (int r = 0; r < rows; r++) {
        for (int kh = 0; kh < s->kernel; kh++, patches += line) {
            span p = span_of(s, first + r, kh);
            if (p.count < line)
                memset(patches, 0, (size_t)line * sizeof(float));
            memcpy(patches + p.skip, x + p.from, (size_t)p.count * sizeof(float));
        }
    }
}

/* the same back: dx += patches */
static void scatter(float *dx, const float *patches, const cr_conv_sizes *s, int64_t first,
                    int rows)
{
    int line = s->kernel * s->in;
    for (int r = 0; r < rows; r++) {
        for (int kh = 0; kh < s->kernel; kh++, patches += line) {
            span p = span_of(s, first + r, kh);
            float *to = dx + p.from;
            const float *from = patches + p.skip;
            for (int c = 0; c < p.count; c++)
                to[c] += from[c];
        }
    }
}

/* ---- the products ------------------------------------------------------------------------------
 */

/* y [rows, OUT] = patches [rows, K K IN] w [K K IN, OUT] */
static cr_product forward_product(float *y, const float *patches, const float *w,
                                  const cr_conv_sizes *s, int64_t rows)
{
    return (cr_product){.m = (int)rows,
                        .n = s->out,
                        .k = patch_size(s),
                        .a = patches,
                        .b = w,
                        .c = y,
                        .lda = patch_size(s),
                        .ldb = s->out,
                        .ldc = s->out};
}

/* patches [rows, K K IN] = dy [rows, OUT] w [K K IN, OUT]^T */
static cr_product input_product(float *patches, const float *dy, const float *w,
                                const cr_conv_sizes *s, int64_t rows)
{
    return (cr_product){.transpose_b = true,
                        .m = (int)rows,
                        .n = patch_size(s),
                        .k = s->out,
                        .a = dy,
                        .b = w,
                        .c = patches,
                        .lda = s->out,
                        .ldb = s->out,
                        .ldc = patch_size(s)};
}

/* dw [K K IN, OUT] (+)= patches [rows, K K IN]^T dy [rows, OUT] */
static cr_product weight_product(float *dw, const float *patches, const float *dy,
                                 const cr_conv_sizes *s, int64_t rows, bool add)
{
    return (cr_product){.transpose_a = true,
                        .m = patch_size(s),
                        .n = s->out,
                        .k = (int)rows,
                        .a = patches,
                        .b = dy,
                        .c = dw,
                        .lda = patch_size(s),
                        .ldb = s->out,
                        .ldc = s->out,
                        .add = add};
}

/* ---- the convolution ---------------------------------------------------------------------------
 */

static int64_t weights_size(const cr_conv_sizes *s)
{
    return (int64_t)patch_size(s) * s->out;
}

/* No less than fewer channels want, which may go the direct way. */
static int64_t prepared(const cr_conv_sizes *sizes, bool backward)
{
    return backward ? weights_size(sizes)
                    : (int64_t)patch_size(sizes) * cr_packed_columns(sizes->out);
}

static void prepare(float *to, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    (void)backward;
    memcpy(to, w, (size_t)weights_size(sizes) * sizeof(float));
}

/* Floats for the patches of a block: no less for fewer channels, of which a block has more rows. */
static int64_t block_size(const cr_conv_sizes *s)
{
    int64_t least = (int64_t)BLOCK_LEAST * patch_size(s);
    return least > BLOCK_FLOATS ? least : BLOCK_FLOATS;
}

static size_t work(const cr_conv_sizes *sizes, int threads)
{
    int64_t room = threads * block_size(sizes) + cr_partial_room(weights_size(sizes));
    return is_plain(sizes) ? 0 : (size_t)room * sizeof(float);
}

static void forward(float *y, const float *x, const float *w, const cr_conv_sizes *s, void *work)
{
    if (is_plain(s)) {
        cr_product all = forward_product(y, x, w, s, positions(s));
        cr_product_shared(&all);
        return;
    }
    int block = rows_a_block(s);
#pragma omp parallel for schedule(dynamic) if (omp_get_max_threads() > 1)
    for (int64_t first = 0; first < positions(s); first += block) {
        float *patches = (float *)work + omp_get_thread_num() * block_size(s);
        int rows = (int)smaller(block, positions(s) - first);
        gather(patches, x, s, first, rows);
        cr_product part = forward_product(y + first * s->out, patches, w, s, rows);
        cr_product_alone(&part);
    }
}

/* dx of so many whole images: patches of neighbours overlap, so one thread adds them up, in order
 */
static void input_gradient_of(float *dx, const float *dy, const float *w, const cr_conv_sizes *s,
                              float *patches)
{
    int block = rows_a_block(s);
    memset(dx, 0, (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->in * sizeof(float));
    for (int64_t first = 0; first < positions(s); first += block) {
        int rows = (int)smaller(block, positions(s) - first);
        cr_product part = input_product(patches, dy + first * s->out, w, s, rows);
        cr_product_alone(&part);
        scatter(dx, patches, s, first, rows);
    }
}

static void input_gradient(float *dx, const float *dy, const float *w, const cr_conv_sizes *s,
                           void *work)
{
    if (is_plain(s)) {
        cr_product all = input_product(dx, dy, w, s, positions(s));
        cr_product_shared(&all);
        return;
    }
    int images = rows_a_block(s) / (s->oh * s->ow) + 1;
#pragma omp parallel for schedule(dynamic) if (omp_get_max_threads() > 1)
    for (int image = 0; image < s->n; image += images) {
        cr_conv_sizes part = *s;
        part.n = (int)smaller(images, s->n - image);
        input_gradient_of(dx + (int64_t)image * s->h * s->w * s->in,
                          dy + (int64_t)image * s->oh * s->ow * s->out, w, &part,
                          (float *)work + omp_get_thread_num() * block_size(s));
    }
}

/* dw (+)= the sum over a block, by all threads or, inside a parallel region, by this one */
static void add_block(float *dw, const float *x, const float *dy, const cr_conv_sizes *s,
                      int64_t first, bool add, float *patches)
{
    enum { STRIP = 16 }; /* rows that a thread gathers at a time */
    int rows = (int)smaller(rows_a_block(s), positions(s) - first);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1 && !omp_in_parallel())
    for (int r = 0; r < rows; r += STRIP)
        gather(patches + (int64_t)r * patch_size(s), x, s, first + r,
               (int)smaller(STRIP, rows - r));
    cr_product part = weight_product(dw, patches, dy + first * s->out, s, rows, add);
    cr_product_shared(&part);
}

static void weight_gradient(float *dw, const float *x, const float *dy, const cr_conv_sizes *s,
                            bool accumulate, void *work)
{
    if (is_plain(s)) {
        cr_product all = weight_product(dw, x, dy, s, positions(s), accumulate);
        cr_product_shared(&all);
        return;
    }
    int block = rows_a_block(s);
    int64_t size = weights_size(s);
    float *patches = (float *)work + cr_partial_room(size);
    cr_partial sum = cr_partial_at(work, size, (positions(s) + block - 1) / block);
#pragma omp parallel for schedule(dynamic) if (cr_partial_apart(&sum))
    for (int part = 0; part < sum.parts; part++) {
        int64_t first = cr_partial_first(&sum, part);
        for (int64_t b = first; b < cr_partial_first(&sum, part + 1); b++)
            add_block(sum.at + part * sum.stride, x, dy, s, b * block, b > first,
                      patches + omp_get_thread_num() * block_size(s));
    }
    cr_partial_sum(dw, &sum, accumulate);
}

const cr_convolution cr_convolution_im2col = {
    .name = "im2col",
    .fits = fits,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
};
