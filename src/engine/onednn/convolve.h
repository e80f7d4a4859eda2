/*
 * convolve: the forward product and the input gradient of the onednn engine, in one precision or
 * the other; see cr_engine for the functions and their arrays. Private to the onednn engine.
 */
#ifndef COLROW_ENGINE_ONEDNN_CONVOLVE_H
#define COLROW_ENGINE_ONEDNN_CONVOLVE_H

#include "api.h"

/* type: dnnl_f32 or dnnl_bf16, of what is multiplied. */
int64_t cr_onednn_prepared(dnnl_data_type_t type, const cr_conv_sizes *sizes);
void cr_onednn_prepare(dnnl_data_type_t type, float *prepared, const float *w,
                       const cr_conv_sizes *sizes, bool backward);
size_t cr_onednn_work(dnnl_data_type_t type, const cr_conv_sizes *sizes, int threads);
void cr_onednn_forward(dnnl_data_type_t type, float *y, const float *x, const float *prepared,
                       const cr_conv_sizes *sizes, void *work);
void cr_onednn_input_gradient(dnnl_data_type_t type, float *dx, const float *dy,
                              const float *prepared, const cr_conv_sizes *sizes, void *work);

#endif
