/*
 * winograd_gradient: the weight gradient of a convolution by Winograd, for what cr_winograd_find
 * knows. Private to the engine.
 */
#ifndef COLROW_ENGINE_WINOGRAD_GRADIENT_H
#define COLROW_ENGINE_WINOGRAD_GRADIENT_H

#include "colrow/engine.h"

/* dw [K, K, IN, OUT] (+)= from x [N, H, W, IN] and dy [N, OH, OW, OUT] */
void cr_winograd_weight_gradient(float *dw, const float *x, const float *dy,
                                 const cr_conv_sizes *sizes, bool accumulate, void *work);

/* Floats of work that it wants, no less than for fewer images or channels. */
int64_t cr_winograd_weight_gradient_work(const cr_conv_sizes *sizes, int threads);

#endif
