/* dense: the three dense products in f32, which engines share. Private to the engine. */
#ifndef COLROW_ENGINE_DENSE_H
#define COLROW_ENGINE_DENSE_H

#include "colrow/engine.h"

/* See cr_engine. w serves as it is, and no scratch is wanted: work may be NULL. */
int64_t cr_dense_prepared(const cr_dense_sizes *sizes, bool backward);
size_t cr_dense_work(const cr_dense_sizes *sizes, int threads);
void cr_dense_forward(float *y, const float *x, const float *w, const cr_dense_sizes *sizes,
                      void *work);
void cr_dense_input_gradient(float *dx, const float *dy, const float *w,
                             const cr_dense_sizes *sizes, void *work);
void cr_dense_weight_gradient(float *dw, const float *x, const float *dy,
                              const cr_dense_sizes *sizes, bool accumulate, void *work);

#endif
