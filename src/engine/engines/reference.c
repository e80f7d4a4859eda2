/*
 * reference: the contractions as their definitions read, summed in double. Slow; the oracle that
 * every other engine is compared with.
 */
#include "dense.h"

#include <string.h>

/* Y_bo = sum_i X_bi W_io */
static void dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes,
                          void *work)
{
    (void)work;
    for (int b = 0; b < sizes->n; b++) {
        for (int o = 0; o < sizes->out; o++) {
            double sum = 0;
            for (int i = 0; i < sizes->in; i++)
                sum += (double)x[(int64_t)b * sizes->ldx + i] * w[(int64_t)i * sizes->ldw + o];
            y[(int64_t)b * sizes->ldy + o] = (float)sum;
        }
    }
}

/* dX_bi = sum_o dY_bo W_io */
static void dense_input_gradient(float *dx, const float *dy, const float *w,
                                 const cr_dense_sizes *sizes, void *work)
{
    (void)work;
    for (int b = 0; b < sizes->n; b++) {
        for (int i = 0; i < sizes->in; i++) {
            double sum = 0;
            for (int o = 0; o < sizes->out; o++)
                sum += (double)dy[(int64_t)b * sizes->ldy + o] * w[(int64_t)i * sizes->ldw + o];
            dx[(int64_t)b * sizes->ldx + i] = (float)sum;
        }
    }
}

/* dW_io (+)= sum_b X_bi dY_bo */
static void dense_weight_gradient(float *dw, const float *x, const float *dy,
                                  const cr_dense_sizes *sizes, bool accumulate, void *work)
{
    (void)work;
    for (int i = 0; i < sizes->in; i++) {
        for (int o = 0; o < sizes->out; o++) {
            float *target = &dw[(int64_t)i * sizes->ldw + o];
            double sum = accumulate ? *target : 0;
            for (int b = 0; b < sizes->n; b++)
                sum += (double)x[(int64_t)b * sizes->ldx + i] * dy[(int64_t)b * sizes->ldy + o];
            *target = (float)sum;
        }
    }
}

/* The products read w as it is. */
static int64_t repeated_prepared(const cr_dense_sizes *sizes, bool backward)
{
    (void)backward;
    return (int64_t)sizes->in * sizes->ldw;
}

static void repeated_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                             bool backward)
{
    (void)backward;
    for (int i = 0; i < sizes->in; i++)
        memcpy(prepared + (int64_t)i * sizes->ldw, w + (int64_t)i * sizes->ldw,
               (size_t)sizes->out * sizeof *w);
}

/* Where a position of an image stack [N, H, W] lies. */
typedef struct place {
    int b, row, column;
} place;

static place place_of(int64_t position, int h, int w)
{
    int64_t pixels = (int64_t)h * w;
    return (place){(int)(position / pixels), (int)(position % pixels / w), (int)(position % w)};
}

/* Offset of pixel (row, column) of image b in [N, H, W, channels]; -1 outside the image. */
static int64_t pixel(int b, int row, int column, int h, int w, int channels)
{
    bool inside = row >= 0 && row < h && column >= 0 && column < w;
    return inside ? (((int64_t)b * h + row) * w + column) * channels : -1;
}

/* sum over kh, kw, i of X_b,(oh stride + kh - pad_top),(ow stride + kw - pad_left),i W_kh,kw,i,o */
static double output_at(const float *x, const float *w, const cr_conv_sizes *s, place p, int o)
{
    double sum = 0;
    for (int tap = 0; tap < s->kernel * s->kernel; tap++) {
        int row = p.row * s->stride + tap / s->kernel - s->pad_top;
        int column = p.column * s->stride + tap % s->kernel - s->pad_left;
        int64_t at = pixel(p.b, row, column, s->h, s->w, s->in);
        for (int i = 0; at >= 0 && i < s->in; i++)
            sum += (double)x[at + i] * w[((int64_t)tap * s->in + i) * s->out + o];
    }
    return sum;
}

static void conv_forward(float *y, const float *x, const float *prepared,
                         const cr_conv_sizes *sizes, void *work)
{
    (void)work;
    for (int64_t at = 0; at < (int64_t)sizes->n * sizes->oh * sizes->ow; at++)
        for (int o = 0; o < sizes->out; o++)
            *y++ = (float)output_at(x, prepared, sizes, place_of(at, sizes->oh, sizes->ow), o);
}

/* The same sum read from the input's side: the outputs (oh, ow) with oh stride + kh - pad_top = row
 * and ow stride + kw - pad_left = column. */
static double input_gradient_at(const float *dy, const float *w, const cr_conv_sizes *s, place p,
                                int i)
{
    double sum = 0;
    for (int tap = 0; tap < s->kernel * s->kernel; tap++) {
        int down = p.row + s->pad_top - tap / s->kernel;
        int across = p.column + s->pad_left - tap % s->kernel;
        if (down % s->stride != 0 || across % s->stride != 0)
            continue;
        int64_t at = pixel(p.b, down / s->stride, across / s->stride, s->oh, s->ow, s->out);
        for (int o = 0; at >= 0 && o < s->out; o++)
            sum += (double)dy[at + o] * w[((int64_t)tap * s->in + i) * s->out + o];
    }
    return sum;
}

static void conv_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_conv_sizes *sizes, void *work)
{
    (void)work;
    for (int64_t at = 0; at < (int64_t)sizes->n * sizes->h * sizes->w; at++)
        for (int i = 0; i < sizes->in; i++)
            *dx++ =
                (float)input_gradient_at(dy, prepared, sizes, place_of(at, sizes->h, sizes->w), i);
}

/* sum over b, oh, ow of X_b,(oh stride + kh - pad_top),(ow stride + kw - pad_left),i dY_b,oh,ow,o
 */
static double weight_gradient_at(const float *x, const float *dy, const cr_conv_sizes *s, int tap,
                                 int i, int o)
{
    double sum = 0;
    for (int64_t at = 0; at < (int64_t)s->n * s->oh * s->ow; at++) {
        place p = place_of(at, s->oh, s->ow);
        int row = p.row * s->stride + tap / s->kernel - s->pad_top;
        int column = p.column * s->stride + tap % s->kernel - s->pad_left;
        int64_t input = pixel(p.b, row, column, s->h, s->w, s->in);
        if (input >= 0)
            sum += (double)x[input + i] * dy[at * s->out + o];
    }
    return sum;
}

static void conv_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work)
{
    (void)work;
    for (int tap = 0; tap < sizes->kernel * sizes->kernel; tap++)
        for (int i = 0; i < sizes->in; i++)
            for (int o = 0; o < sizes->out; o++, dw++) {
                double sum = weight_gradient_at(x, dy, sizes, tap, i, o);
                *dw = (float)(accumulate ? *dw + sum : sum);
            }
}

static bool conv_fits(const cr_conv_sizes *sizes)
{
    (void)sizes;
    return true;
}

/* The products read w as it is. */
static int64_t conv_prepared(const cr_conv_sizes *sizes, bool backward)
{
    (void)backward;
    return (int64_t)sizes->kernel * sizes->kernel * sizes->in * sizes->out;
}

static void conv_prepare(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward)
{
    memcpy(prepared, w, (size_t)conv_prepared(sizes, backward) * sizeof(float));
}

static size_t conv_work(const cr_conv_sizes *sizes, int threads)
{
    (void)sizes;
    (void)threads;
    return 0;
}

static const cr_convolution by_definition = {
    .name = "definition",
    .fits = conv_fits,
    .prepared = conv_prepared,
    .prepare = conv_prepare,
    .work = conv_work,
    .forward = conv_forward,
    .input_gradient = conv_input_gradient,
    .weight_gradient = conv_weight_gradient,
};

static const cr_convolution *const convolutions[] = {&by_definition, NULL};

const cr_engine cr_engine_reference = {
    .name = "reference",
    .precision = "f32",
    .dense_prepared = cr_dense_prepared,
    .dense_work = cr_dense_work,
    .dense_forward = dense_forward,
    .dense_input_gradient = dense_input_gradient,
    .dense_weight_gradient = dense_weight_gradient,
    .repeated_prepared = repeated_prepared,
    .repeated_prepare = repeated_prepare,
    .repeated_forward = dense_forward,
    .repeated_input_gradient = dense_input_gradient,
    .convolutions = convolutions,
};
