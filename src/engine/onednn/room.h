/*
 * room: how much memory the arrays of a convolution take. Private to the onednn engine.
 */
#ifndef COLROW_ENGINE_ONEDNN_ROOM_H
#define COLROW_ENGINE_ONEDNN_ROOM_H

#include "api.h"

size_t cr_onednn_bytes(dnnl_data_type_t type); /* of a number */

/* Bytes of so many numbers, up to where the next array may begin. */
size_t cr_onednn_room(dnnl_data_type_t type, int64_t count);

/* Numbers of an image of x; of y. */
int64_t cr_onednn_inputs(const cr_conv_sizes *sizes);
int64_t cr_onednn_outputs(const cr_conv_sizes *sizes);

/* What a primitive may want: numbers of weights in the form it likes, bytes of scratch. Fewer
 * images or channels never give more. */
int64_t cr_onednn_weights_most(const cr_conv_sizes *sizes);
size_t cr_onednn_scratch_most(const cr_conv_sizes *sizes);

#endif
