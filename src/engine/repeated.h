/* repeated: dense products of few rows by weights packed once, which engines share. Private to the
 * engine. */
#ifndef COLROW_ENGINE_REPEATED_H
#define COLROW_ENGINE_REPEATED_H

#include "colrow/engine.h"

/* See cr_engine. */
int64_t cr_repeated_prepared(const cr_dense_sizes *sizes, bool backward);
void cr_repeated_prepare(float *prepared, const float *w, const cr_dense_sizes *sizes,
                         bool backward);
void cr_repeated_forward(float *y, const float *x, const float *prepared,
                         const cr_dense_sizes *sizes, void *work);
void cr_repeated_input_gradient(float *dx, const float *dy, const float *prepared,
                                const cr_dense_sizes *sizes, void *work);

#endif
