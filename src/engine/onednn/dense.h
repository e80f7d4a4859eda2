/* dense: dense products in bf16. Private to the onednn engine; each is as cr_engine says. */
#ifndef COLROW_ENGINE_ONEDNN_DENSE_H
#define COLROW_ENGINE_ONEDNN_DENSE_H

#include "colrow/engine.h"

int64_t cr_onednn_dense_prepared(const cr_dense_sizes *sizes, bool backward);
void cr_onednn_dense_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                             bool backward);
size_t cr_onednn_dense_work(const cr_dense_sizes *sizes, int threads);
void cr_onednn_dense_forward(float *y, const float *x, const float *prepared,
                             const cr_dense_sizes *sizes, void *work);
void cr_onednn_dense_input_gradient(float *dx, const float *dy, const float *prepared,
                                    const cr_dense_sizes *sizes, void *work);
void cr_onednn_dense_weight_gradient(float *dw, const float *x, const float *dy,
                                     const cr_dense_sizes *sizes, bool accumulate, void *work);

#endif
