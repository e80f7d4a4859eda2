/* window.h: the windows of pooling layers. */
#ifndef NET_WINDOW_H
#define NET_WINDOW_H

#include "colrow/net.h"

/* The part of the image that output position (oh, ow) sees: rows [top, bottom), columns [left,
 * right). */
typedef struct cr_window {
    int top, bottom, left, right;
} cr_window;

cr_window cr_window_at(const cr_layer *layer, int oh, int ow);

/* The words for plan.valid: same, valid. */
const char *const *cr_padding_names(void);

/* Rows of the tables of options: of all layers with windows, of pooling. */
#define CR_OPTION_PADDING                                                                          \
    {                                                                                              \
        .name = "padding", .kind = CR_OPTION_BOOL, .offset = offsetof(cr_layer_plan, valid),       \
        .fallback = "same", .words = cr_padding_names,                                             \
        .help = "zeros around the image: as TensorFlow has it, or none"                            \
    }

#define CR_OPTION_POOL_STRIDE                                                                      \
    {                                                                                              \
        .name = "stride", .kind = CR_OPTION_INT, .offset = offsetof(cr_layer_plan, stride),        \
        .fallback = "0", .low = 0, .high = 1 << 16,                                                \
        .help = "positions from window to window; 0: the kernel"                                   \
    }

/* Output shape and padding of a K x K window, SAME or VALID, the channels kept. */
cr_status cr_window_shape(cr_layer *layer);

/* y [OC] of output position (oh, ow) from one sample's x [H, W, C] */
typedef void (*cr_window_function)(const cr_layer *layer, float *y, const float *x, int oh, int ow);

/* All output positions of all samples, shared among threads. */
void cr_window_each(const cr_layer *layer, float *y, const float *x, int samples,
                    cr_window_function at);

#endif
