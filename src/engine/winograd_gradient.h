/*
 * winograd_gradient: the weight gradient of a 3x3 convolution of stride 1 by Winograd. Private to
 * the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_GRADIENT_H
#define COLROW_ENGINE_WINOGRAD_GRADIENT_H

#include "colrow/engine.h"

/* dw [3, 3, IN, OUT] (+)= from x [N, H, W, IN] and dy [N, OH, OW, OUT] */
void cr_winograd_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work);

/* Floats of work that it wants, no less than for fewer images or channels. */
int64_t cr_winograd_weight_gradient_work(const cr_conv_sizes *sizes, int threads);

#endif
