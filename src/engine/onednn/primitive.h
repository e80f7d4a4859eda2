/*
 * primitive: making and running oneDNN's primitives. They are asked for anew at every call: oneDNN
 * keeps those that it has made, the 1024 used last (DNNL_PRIMITIVE_CACHE_CAPACITY), by shape.
 * Measured with 2.6.3: 4 to 9 us from there, 0.1 to 0.9 ms the first time. So a k that changes
 * from step to step works, and nothing grows. Private to the onednn engine.
 *
 * A call of oneDNN that fails means that memory ran out: the program ends there.
 */
#ifndef COLROW_ENGINE_ONEDNN_PRIMITIVE_H
#define COLROW_ENGINE_ONEDNN_PRIMITIVE_H

#include "api.h"

typedef struct cr_onednn_primitive {
    cr_onednn_product product;
    dnnl_primitive_desc_t desc; /* owned, as is ... */
    dnnl_primitive_t primitive;
    size_t scratch; /* B that it uses of its scratch pad */
} cr_onednn_primitive;

/* For one thread, which may be one of many: each needs a scratch pad of its own. */
cr_onednn_primitive cr_onednn_make(cr_onednn_product product, dnnl_data_type_t type,
                                   const cr_conv_sizes *sizes);
/* C is y, A is x, B the weights; for one thread likewise. */
cr_onednn_primitive cr_onednn_make_matmul(const cr_onednn_matmul *matmul);
void cr_onednn_free(cr_onednn_primitive *primitive);

/* Its weights, or their gradient, which are at `data`. */
dnnl_memory_t cr_onednn_weights(const cr_onednn_primitive *primitive, void *data);
void cr_onednn_weights_free(dnnl_memory_t *weights);

/* Run it on x, weights and y, one of which is the result. */
void cr_onednn_run(const cr_onednn_primitive *primitive, const void *x, dnnl_memory_t weights,
                   const void *y, void *scratch);

/* Weights from the program's form, f32 [K, K, IN, OUT], into the primitive's; or back into IN of
 * the rows of [K, K, rows, OUT], from w on, where they are added when `add`. By all threads. */
void cr_onednn_import(dnnl_memory_t weights, const float *w, const cr_conv_sizes *sizes);
void cr_onednn_export(float *w, dnnl_memory_t weights, const cr_conv_sizes *sizes, int rows,
                      bool add);

#endif
