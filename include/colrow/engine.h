/*
 * engine: the kernels that contract. They see small dense tensors (compact channels), never picks.
 * Not collective. Pure arithmetic: no errors, no allocation.
 */
#ifndef COLROW_ENGINE_H
#define COLROW_ENGINE_H

#include "colrow/base.h"

/* Sizes of one dense contraction Y[N, OUT] = X[N, IN] W[IN, OUT] on compact tensors. Leading
 * dimensions are in floats. */
typedef struct cr_dense_sizes {
    int n;   /* N, rows */
    int in;  /* kept input features */
    int out; /* output features, or live ones in the backward products */
    int ldx, ldw, ldy;
} cr_dense_sizes;

/* Sizes of one convolution Y[N, OH, OW, OUT] = X[N, H, W, IN] * W[K, K, IN, OUT] (NHWC, HWIO) on
 * compact tensors: Y_b,oh,ow,o = sum over kh, kw, i of X_b,(oh stride + kh - pad_top),(ow stride +
 * kw - pad_left),i W_kh,kw,i,o, with zeros outside the image (Adelman & Silberstein 2018, eq. (4)).
 */
typedef struct cr_conv_sizes {
    int n, h, w;           /* N, H, W of the input */
    int in, out;           /* kept input channels; output channels, or live ones in the backward */
    int kernel, stride;    /* K x K, odd; the same both ways */
    int pad_top, pad_left; /* what is below and to the right follows from OH and OW */
    int oh, ow;
} cr_conv_sizes;

/* A way to convolve. Its sizes have at least one image and one channel on either side, but for
 * those of `fits`, `prepared` and `work`; the functions are those of an engine, cr_conv_prepared
 * and so on, with arrays as described there. */
typedef struct cr_convolution {
    const char *name;
    /* Is this the way for these sizes? Not a matter of N, so that what is prepared once serves
     * micro-batches of any size. */
    bool (*fits)(const cr_conv_sizes *sizes);
    int64_t (*prepared)(const cr_conv_sizes *sizes, bool backward);
    void (*prepare)(float *prepared, const float *w, const cr_conv_sizes *sizes, bool backward);
    size_t (*work)(const cr_conv_sizes *sizes, int threads); /* B */
    void (*forward)(float *y, const float *x, const float *prepared, const cr_conv_sizes *sizes,
                    void *work);
    /* y += the same; NULL: no faster than adding afterwards */
    void (*add)(float *y, const float *x, const float *prepared, const cr_conv_sizes *sizes,
                void *work);
    void (*input_gradient)(float *dx, const float *dy, const float *prepared,
                           const cr_conv_sizes *sizes, void *work);
    void (*weight_gradient)(float *dw, const float *x, const float *dy, const cr_conv_sizes *sizes,
                            bool accumulate, void *work);
} cr_convolution;

/* A table of kernels. The results of each depend on the sizes alone, never on the thread count. */
typedef struct cr_engine cr_engine;
struct cr_engine {
    const char *name;      /* = file name = config word */
    const char *precision; /* of the operands: f32 | bf16; results and sums are f32 always */
    const cr_engine *bf16; /* the same engine in bf16; NULL: it has none */
    /* What this processor lacks for it, in words; NULL: nothing, which a NULL function says too */
    const char *(*lacks)(void);
    /* What a user should know of its speed on this processor; NULL: nothing, likewise */
    const char *(*remark)(void);
    /* What `auto` takes in its place on this processor; NULL: itself, likewise */
    const cr_engine *(*instead)(void);

    /* Weights [IN, OUT] may be brought into the form that the dense products want, once a step, for
     * the forward product or (`backward`) for the input gradient: so many floats ... */
    int64_t (*dense_prepared)(const cr_dense_sizes *sizes, bool backward);
    /* ... prepared from w; never called where they are 0, as in f32: w serves as it is */
    void (*dense_prepare)(float *prepared, const float *w, const cr_dense_sizes *sizes,
                          bool backward);
    /* bytes of scratch that any of the three products of these sizes or smaller ones wants */
    size_t (*dense_work)(const cr_dense_sizes *sizes, int threads);
    /* y [N, OUT] = x [N, IN] w [IN, OUT], by w (prepared) */
    void (*dense_forward)(float *y, const float *x, const float *w, const cr_dense_sizes *sizes,
                          void *work);
    /* dx [N, IN] = dy [N, OUT] w [IN, OUT]^T, likewise */
    void (*dense_input_gradient)(float *dx, const float *dy, const float *w,
                                 const cr_dense_sizes *sizes, void *work);
    /* dw [IN, OUT] (+)= x [N, IN]^T dy [N, OUT]; adds when `accumulate`, else overwrites */
    void (*dense_weight_gradient)(float *dw, const float *x, const float *dy,
                                  const cr_dense_sizes *sizes, bool accumulate, void *work);

    /* The first two for one x of few rows after another and the same w, as in the steps of a
     * recurrence: w is always prepared, by these sizes with any N. The work is dense_work's. */
    int64_t (*repeated_prepared)(const cr_dense_sizes *sizes, bool backward);
    void (*repeated_prepare)(float *prepared, const float *w, const cr_dense_sizes *sizes,
                             bool backward);
    void (*repeated_forward)(float *y, const float *x, const float *prepared,
                             const cr_dense_sizes *sizes, void *work);
    void (*repeated_input_gradient)(float *dx, const float *dy, const float *prepared,
                                    const cr_dense_sizes *sizes, void *work);

    /* Convolutions go the first of these ways that fits, ended by NULL; the last one fits all sizes
     * that no other does. See cr_conv_forward. */
    const cr_convolution *const *convolutions;
};

/* All engines of this build in f32, ended by NULL; made by CMake from the files of
 * src/engine/engines/. The names are `auto` and those of all files, also those left out here. */
extern const cr_engine *const cr_engines[];
const cr_engine *cr_engine_find(const char *name);
const char *const *cr_engine_names(void);

/* f32, bf16. */
const char *const *cr_precision_names(void);

/* The engine of that name (NULL or `auto`: the one that is the fastest where all are there) and
 * precision (NULL: f32). CR_BAD_CONFIG, saying what would do, where this build or this processor
 * does not have it. */
cr_status cr_engine_choose(const cr_engine **out, const char *name, const char *precision);

/* ---- convolutions ------------------------------------------------------------------------------
 * By the first of an engine's ways that fits. */

/* The way that convolutions of these sizes go. */
const cr_convolution *cr_conv_way(const cr_engine *engine, const cr_conv_sizes *sizes);

/* Weights are brought into the form that the products want once a step, for the forward product or
 * (`backward`) for the input gradient: so many floats at most, for these sizes or fewer channels
 * ... */
int64_t cr_conv_prepared(const cr_engine *engine, const cr_conv_sizes *sizes, bool backward);
/* ... prepared from w [K, K, IN, OUT] */
void cr_conv_prepare(const cr_engine *engine, float *prepared, const float *w,
                     const cr_conv_sizes *sizes, bool backward);
/* bytes of scratch that any of the three products of these sizes (or of fewer images or channels)
 * wants */
size_t cr_conv_work(const cr_engine *engine, const cr_conv_sizes *sizes, int threads);
/* y [N, OH, OW, OUT] */
void cr_conv_forward(const cr_engine *engine, float *y, const float *x, const float *prepared,
                     const cr_conv_sizes *sizes, void *work);
/* y += the same; false, with nothing done, where it is no faster than adding afterwards */
bool cr_conv_add(const cr_engine *engine, float *y, const float *x, const float *prepared,
                 const cr_conv_sizes *sizes, void *work);
/* dx [N, H, W, IN] from dy [N, OH, OW, OUT] */
void cr_conv_input_gradient(const cr_engine *engine, float *dx, const float *dy,
                            const float *prepared, const cr_conv_sizes *sizes, void *work);
/* dw [K, K, IN, OUT] (+)= from x and dy */
void cr_conv_weight_gradient(const cr_engine *engine, float *dw, const float *x, const float *dy,
                             const cr_conv_sizes *sizes, bool accumulate, void *work);

/* Threads of this process's parallel loops from now on; BLAS itself stays at one thread, the
 * engines share their products out among OpenMP threads in blocks that do not depend on the count.
 */
void cr_engine_set_threads(int threads);
int cr_engine_threads(void);

#endif
