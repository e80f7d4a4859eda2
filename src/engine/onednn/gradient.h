/*
 * gradient: the weight gradient of the onednn engine, in one precision or the other; see cr_engine
 * for the arrays. Private to the onednn engine.
 */
#ifndef COLROW_ENGINE_ONEDNN_GRADIENT_H
#define COLROW_ENGINE_ONEDNN_GRADIENT_H

#include "api.h"

/* Bytes of work for these sizes, or for fewer images or channels. */
size_t cr_onednn_gradient_work(dnnl_data_type_t type, const cr_conv_sizes *sizes, int threads);

/* type: dnnl_f32 or dnnl_bf16, of what is multiplied. */
void cr_onednn_weight_gradient(dnnl_data_type_t type, float *dw, const float *x, const float *dy,
                               const cr_conv_sizes *sizes, bool accumulate, void *work);

#endif
