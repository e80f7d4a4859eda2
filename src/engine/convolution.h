/*
 * convolution: the ways in which the openblas engine convolves, one row each, and what all engines
 * share. Private to the engine.
 */
#ifndef COLROW_ENGINE_CONVOLUTION_H
#define COLROW_ENGINE_CONVOLUTION_H

#include "colrow/engine.h"

/* A way to convolve. Sizes have at least one image and one channel on either side; the functions
 * are those of cr_engine, with arrays as described there. */
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

/* Is the result [count] a sum of nothing: no images (a rank without a share), or no channels on
 * either side? Then zeros are written, unless it is to be added. */
bool cr_convolution_empty(const cr_conv_sizes *sizes, float *result, int64_t count, bool add);

extern const cr_convolution cr_convolution_winograd4; /* winograd.c */
extern const cr_convolution cr_convolution_direct;    /* direct.c */
extern const cr_convolution cr_convolution_im2col;    /* im2col.c */

#endif
