/*
 * api: the few calls of oneDNN whose C interface differs between its versions 2 and 3, and what the
 * convolutions ask of it. Private to the onednn engine.
 */
#ifndef COLROW_ENGINE_ONEDNN_API_H
#define COLROW_ENGINE_ONEDNN_API_H

#include "colrow/engine.h"

#include <oneapi/dnnl/dnnl.h>

typedef enum cr_onednn_product {
    CR_ONEDNN_FORWARD,
    CR_ONEDNN_INPUT_GRADIENT,
    CR_ONEDNN_WEIGHT_GRADIENT
} cr_onednn_product;

/* A product of x (or dx) and y (or dy), both NHWC, and weights in whatever form oneDNN likes best.
 */
typedef struct cr_onednn_convolution {
    cr_onednn_product product;
    dnnl_data_type_t type; /* of what is multiplied; the result is f32 */
    cr_conv_sizes sizes;
    size_t weights_most, scratch_most; /* B; an implementation that wants more is passed over */
} cr_onednn_convolution;

/* C [M, N] (+)= A [M, K] B [K, N]: A and B are bf16 by any strides, one of each of them 1; C is
 * f32.
 */
typedef struct cr_onednn_matmul {
    int m, n, k;
    int64_t a_row, a_column, b_row, b_column, c_row; /* numbers from one to the next */
    bool add;            /* to what C holds; otherwise C is overwritten and never read */
    size_t scratch_most; /* B; as above */
} cr_onednn_matmul;

/* The first of oneDNN's implementations, the fastest first, that fits. */
dnnl_status_t cr_onednn_describe_matmul(dnnl_primitive_desc_t *out, const cr_onednn_matmul *m,
                                        const_dnnl_primitive_attr_t attributes,
                                        dnnl_engine_t engine);
dnnl_status_t cr_onednn_describe(dnnl_primitive_desc_t *out, const cr_onednn_convolution *c,
                                 const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine);

/* Weights [OUT, IN, K, K] as the program has them: f32, [K, K, rows, OUT], of which IN rows from
 * `data` on are meant. */
dnnl_status_t cr_onednn_plain_weights(dnnl_memory_t *out, const cr_conv_sizes *sizes, int rows,
                                      float *data, dnnl_engine_t engine);

/* A copy from one form to the other. */
dnnl_status_t cr_onednn_describe_reorder(dnnl_primitive_desc_t *out, const_dnnl_memory_t from,
                                         const_dnnl_memory_t to,
                                         const_dnnl_primitive_attr_t attributes,
                                         dnnl_engine_t engine);

/* Post-operation: add the result to what the output holds. */
dnnl_status_t cr_onednn_append_sum(dnnl_post_ops_t operations);

#endif
