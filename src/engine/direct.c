/*
 * direct: convolutions of few input channels, such as a network's first, straight from the image.
 * Products with K K IN rows only would spend their time on writing patches (im2col). The K rows of
 * the input that an output row sees are copied into a band, with zeros where they lie outside the
 * image; then
 *
 *     Y_ow,o = sum over taps t of band[offset_t + ow stride IN] W_t,o       t = (kh, kw, i)
 *     dW_t,o = sum over output rows and ow of band[offset_t + ow stride IN] dY_ow,o
 *
 * by register tiles of ROWS positions, or taps, and 16 outputs. The input gradient is im2col's.
 */
#include "convolution.h"
#include "packed.h"
#include "partial.h"

#include <omp.h>
#include <string.h>

enum { ROWS = 6, IN_MOST = 4, TAPS_MOST = 49 * IN_MOST, SCRATCH_MOST = 1 << 16 };

typedef float lane[CR_LANES];

static int taps(const cr_conv_sizes *s)
{
    return s->kernel * s->kernel * s->in;
}

/* Floats of a row of the band. */
static int line(const cr_conv_sizes *s)
{
    return ((s->ow - 1) * s->stride + s->kernel) * s->in;
}

/* Floats of a thread's scratch: the band, and 16 channels of an output row. */
static int64_t scratch_size(const cr_conv_sizes *s)
{
    int64_t floats = (int64_t)s->kernel * line(s) + (int64_t)s->ow * CR_LANES;
    return (floats + CR_LANES - 1) / CR_LANES * CR_LANES;
}

/* Scratch of no more than im2col's, which may be the way with more channels. */
static bool fits(const cr_conv_sizes *s)
{
    return s->in <= IN_MOST && s->kernel > 1 && taps(s) <= TAPS_MOST && s->ow >= ROWS &&
           scratch_size(s) <= SCRATCH_MOST;
}

/* ---- the band ----------------------------------------------------------------------------------
 */

/* Where the taps lie in the band, [K, line]; as many more as fill a tile, which are not used. */
static void find_taps(int offset[TAPS_MOST + ROWS], const cr_conv_sizes *s)
{
    int run = s->kernel * s->in;
    memset(offset, 0, (TAPS_MOST + ROWS) * sizeof *offset);
    for (int t = 0; t < taps(s); t++)
        offset[t] = t / run * line(s) + t % run;
}

/* band [K, line]: what output row number `row` of all images sees */
static void fill_band(float *band, const float *x, const cr_conv_sizes *s, int64_t row)
{
    int64_t image = row / s->oh;
    int top = (int)(row % s->oh) * s->stride - s->pad_top;
    int64_t left = (int64_t)s->pad_left * s->in;
    int64_t inside = line(s) - left; /* floats from the image's left edge on */
    int64_t width = (int64_t)s->w * s->in;
    width = width < inside ? width : inside;
    memset(band, 0, (size_t)s->kernel * (size_t)line(s) * sizeof *band);
    for (int kh = 0; kh < s->kernel; kh++)
        if (top + kh >= 0 && top + kh < s->h)
            memcpy(band + (int64_t)kh * line(s) + left,
                   x + (image * s->h + top + kh) * s->w * s->in, (size_t)width * sizeof *band);
}

/* sum [ROWS] += a values, `step` floats apart, times b [16] */
static inline void add_outer(lane sum[ROWS], const float *a, int64_t step, const float *b)
{
    for (int r = 0; r < ROWS; r++)
#pragma omp simd
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] += a[r * step] * b[l];
}

/* ---- forward -----------------------------------------------------------------------------------
 */

/* Forward: w packed as [panels, taps, 16]. */
static int64_t prepared(const cr_conv_sizes *sizes, bool backward)
{
    return backward ? cr_convolution_im2col.prepared(sizes, true)
                    : (int64_t)taps(sizes) * cr_packed_columns(sizes->out);
}

static void prepare(float *to, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    if (backward) {
        cr_convolution_im2col.prepare(to, w, sizes, true);
        return;
    }
    for (int column = 0; column < cr_packed_columns(sizes->out); column += CR_LANES)
        for (int t = 0; t < taps(sizes); t++, to += CR_LANES)
            for (int l = 0; l < CR_LANES; l++)
                to[l] = column + l < sizes->out ? w[(int64_t)t * sizes->out + column + l] : 0;
}

/* y [ROWS, OUT] of ROWS positions and one panel of `width` outputs */
static void forward_tile(float *y, const float *band, const float *w, const int *offset,
                         const cr_conv_sizes *s, int width)
{
    lane sum[ROWS];
    int64_t step = (int64_t)s->stride * s->in;
    for (int r = 0; r < ROWS; r++)
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] = 0;
    for (const int *end = offset + taps(s); offset < end; offset++, w += CR_LANES)
        add_outer(sum, band + *offset, step, w);
    for (int r = 0; r < ROWS; r++, y += s->out) {
        if (width == CR_LANES)
            memcpy(y, sum[r], sizeof(lane));
        else
            memcpy(y, sum[r], (size_t)width * sizeof(float));
    }
}

/* y [OW, OUT] of one output row; the last tile overlaps the one before. */
static void forward_row(float *y, const float *band, const float *w, const int *offset,
                        const cr_conv_sizes *s)
{
    for (int column = 0; column < s->out; column += CR_LANES) {
        int width = s->out - column < CR_LANES ? s->out - column : CR_LANES;
        for (int at = 0; at < s->ow; at += ROWS) {
            int ow = at + ROWS <= s->ow ? at : s->ow - ROWS;
            forward_tile(y + (int64_t)ow * s->out + column, band + (int64_t)ow * s->stride * s->in,
                         w + (int64_t)column * taps(s), offset, s, width);
        }
    }
}

static void forward(float *y, const float *x, const float *w, const cr_conv_sizes *s, void *work)
{
    int offset[TAPS_MOST + ROWS];
    find_taps(offset, s);
#pragma omp parallel for schedule(static) if (omp_get_max_threads() > 1)
    for (int64_t row = 0; row < (int64_t)s->n * s->oh; row++) {
        float *band = (float *)work + omp_get_thread_num() * scratch_size(s);
        fill_band(band, x, s, row);
        forward_row(y + row * s->ow * s->out, band, w, offset, s);
    }
}

static void input_gradient(float *dx, const float *dy, const float *w, const cr_conv_sizes *sizes,
                           void *work)
{
    cr_convolution_im2col.input_gradient(dx, dy, w, sizes, work);
}

/* ---- weight gradient ---------------------------------------------------------------------------
 */

/* dw [ROWS or `count` taps, OUT] += of one output row and one panel of `width` outputs, whose dy is
 * [OW, 16] */
static void weight_tile(float *dw, const float *band, const float *dy, const int *offset,
                        const cr_conv_sizes *s, int count, int width)
{
    lane sum[ROWS];
    int64_t step = (int64_t)s->stride * s->in;
    for (int r = 0; r < ROWS; r++)
        for (int l = 0; l < CR_LANES; l++)
            sum[r][l] = 0;
    for (int ow = 0; ow < s->ow; ow++, band += step, dy += CR_LANES)
        for (int r = 0; r < ROWS; r++)
#pragma omp simd
            for (int l = 0; l < CR_LANES; l++)
                sum[r][l] += band[offset[r]] * dy[l];
    for (int r = 0; r < count; r++)
        for (int l = 0; l < width; l++)
            dw[(int64_t)r * s->out + l] += sum[r][l];
}

/* dw [taps, OUT] += of one output row; scratch: the band, behind it [OW, 16] */
static void weight_row(float *dw, const float *dy, const int *offset, const cr_conv_sizes *s,
                       float *scratch)
{
    float *panel = scratch + (int64_t)s->kernel * line(s);
    for (int column = 0; column < s->out; column += CR_LANES) {
        int width = s->out - column < CR_LANES ? s->out - column : CR_LANES;
        memset(panel, 0, (size_t)s->ow * sizeof(lane));
        for (int ow = 0; ow < s->ow; ow++)
            for (int l = 0; l < width; l++)
                panel[ow * CR_LANES + l] = dy[(int64_t)ow * s->out + column + l];
        for (int t = 0; t < taps(s); t += ROWS)
            weight_tile(dw + (int64_t)t * s->out + column, scratch, panel, offset + t, s,
                        taps(s) - t < ROWS ? taps(s) - t : ROWS, width);
    }
}

static int64_t weights_size(const cr_conv_sizes *s)
{
    return (int64_t)taps(s) * s->out;
}

static void weight_gradient(float *dw, const float *x, const float *dy, const cr_conv_sizes *s,
                            bool accumulate, void *work)
{
    int offset[TAPS_MOST + ROWS];
    float *parts = work;
    float *scratch = parts + cr_partial_room(weights_size(s));
    cr_partial sum = cr_partial_at(parts, weights_size(s), (int64_t)s->n * s->oh);
    find_taps(offset, s);
#pragma omp parallel for schedule(dynamic) if (omp_get_max_threads() > 1)
    for (int part = 0; part < sum.parts; part++) {
        float *mine = parts + part * sum.stride;
        float *band = scratch + omp_get_thread_num() * scratch_size(s);
        memset(mine, 0, (size_t)weights_size(s) * sizeof *mine);
        for (int64_t row = cr_partial_first(&sum, part); row < cr_partial_first(&sum, part + 1);
             row++) {
            fill_band(band, x, s, row);
            weight_row(mine, dy + row * s->ow * s->out, offset, s, band);
        }
    }
    cr_partial_sum(dw, &sum, accumulate);
}

static size_t work(const cr_conv_sizes *sizes, int threads)
{
    int64_t room = cr_partial_room(weights_size(sizes)) + threads * scratch_size(sizes);
    size_t most = cr_convolution_im2col.work(sizes, threads);
    return (size_t)room * sizeof(float) > most ? (size_t)room * sizeof(float) : most;
}

const cr_convolution cr_convolution_direct = {
    .name = "direct",
    .fits = fits,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
};
