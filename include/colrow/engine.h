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

/* A table of kernels. The results of each depend on the sizes alone, never on the thread count. */
typedef struct cr_engine {
    const char *name; /* = file name = config word */
    /* y [N, OUT] = x [N, IN] w [IN, OUT] */
    void (*dense_forward)(float *y, const float *x, const float *w, const cr_dense_sizes *sizes);
    /* dx [N, IN] = dy [N, OUT] w [IN, OUT]^T */
    void (*dense_input_gradient)(float *dx, const float *dy, const float *w,
                                 const cr_dense_sizes *sizes);
    /* dw [IN, OUT] (+)= x [N, IN]^T dy [N, OUT]; adds when `accumulate`, else overwrites */
    void (*dense_weight_gradient)(float *dw, const float *x, const float *dy,
                                  const cr_dense_sizes *sizes, bool accumulate);
} cr_engine;

/* All engines, ended by NULL; made by CMake from the files of src/engine/engines/. */
extern const cr_engine *const cr_engines[];
const cr_engine *cr_engine_find(const char *name);
const char *const *cr_engine_names(void);

/* Threads of this process's parallel loops from now on; BLAS itself stays at one thread, the
 * engines share their products out among OpenMP threads in blocks that do not depend on the count.
 */
void cr_engine_set_threads(int threads);
int cr_engine_threads(void);

#endif
