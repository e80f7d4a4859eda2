/* dense: the three dense products by CBLAS, which engines share. Private to the engine. */
#ifndef COLROW_ENGINE_DENSE_H
#define COLROW_ENGINE_DENSE_H

#include "colrow/engine.h"

/* See cr_engine. */
void cr_dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes);
void cr_dense_input_gradient(float *dx, const float *dy, const float *w,
                             const cr_dense_sizes *sizes);
void cr_dense_weight_gradient(float *dw, const float *x, const float *dy,
                              const cr_dense_sizes *sizes, bool accumulate);

#endif
