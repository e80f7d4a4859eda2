/*
 * convolve: threads share out images among primitives that run on one thread each. The cut depends
 * on the sizes alone, so the bits do not depend on the number of threads; and an image at a time is
 * as fast as many (measured with 2.6.3 on Zen 4: 114 to 138 GFLOP/s in f32, 235 to 277 in bf16, for
 * channels of 64 and more).
 *
 * Channels that are no multiple of 16 are left to oneDNN: with padding by zeros up to the next
 * multiple the products took as long, or longer (40, 100 of 160, 320 channels: 0.98 to 1.20 times).
 */
#include "convolve.h"

#include "gradient.h"
#include "primitive.h"
#include "room.h"
#include "round.h"

#include <omp.h>

static cr_conv_sizes one_image(const cr_conv_sizes *sizes)
{
    cr_conv_sizes one = *sizes;
    one.n = 1;
    return one;
}

/* ---- weights -----------------------------------------------------------------------------------
 */

int64_t cr_onednn_prepared(dnnl_data_type_t type, const cr_conv_sizes *sizes)
{
    return (int64_t)(cr_onednn_room(type, cr_onednn_weights_most(sizes)) / sizeof(float));
}

void cr_onednn_prepare(dnnl_data_type_t type, float *prepared, const float *w,
                       const cr_conv_sizes *sizes, bool backward)
{
    cr_conv_sizes one = one_image(sizes);
    cr_onednn_primitive p =
        cr_onednn_make(backward ? CR_ONEDNN_INPUT_GRADIENT : CR_ONEDNN_FORWARD, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, prepared);
    cr_onednn_import(weights, w, sizes);
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}

/* ---- work --------------------------------------------------------------------------------------
 * Of each thread: an image as numbers of the type, and a primitive's scratch pad. */

static size_t image_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    int64_t inputs = cr_onednn_inputs(s);
    int64_t outputs = cr_onednn_outputs(s);
    return type == dnnl_f32 ? 0 : cr_onednn_room(type, (inputs > outputs ? inputs : outputs) + 1);
}

static size_t thread_room(dnnl_data_type_t type, const cr_conv_sizes *s)
{
    return image_room(type, s) + cr_onednn_scratch_most(s);
}

static unsigned char *room_of_thread(dnnl_data_type_t type, const cr_conv_sizes *s, void *work)
{
    return (unsigned char *)work + (size_t)omp_get_thread_num() * thread_room(type, s);
}

size_t cr_onednn_work(dnnl_data_type_t type, const cr_conv_sizes *s, int threads)
{
    size_t images = (size_t)threads * thread_room(type, s);
    size_t gradient = cr_onednn_gradient_work(type, s, threads);
    return images > gradient ? images : gradient;
}

/* from [count] as numbers of the type: itself, or at `room`. With an odd number of channels
 * oneDNN's forward product in bf16, which takes them in pairs, multiplies the number behind the
 * last one by zero: a NaN there would stay one. */
static const void *typed(dnnl_data_type_t type, void *room, const float *from, int64_t count)
{
    if (type == dnnl_f32)
        return from;
    uint16_t *to = room;
    cr_onednn_round(to, from, count);
    to[count] = 0;
    return to;
}

/* ---- forward, input gradient -------------------------------------------------------------------
 */

void cr_onednn_forward(dnnl_data_type_t type, float *y, const float *x, const float *prepared,
                       const cr_conv_sizes *s, void *work)
{
    int64_t inputs = cr_onednn_inputs(s);
    int64_t outputs = cr_onednn_outputs(s);
    cr_conv_sizes one = one_image(s);
    cr_onednn_primitive p = cr_onednn_make(CR_ONEDNN_FORWARD, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, (void *)prepared); /* only read */
#pragma omp parallel for schedule(dynamic)
    for (int image = 0; image < s->n; image++) {
        unsigned char *room = room_of_thread(type, s, work);
        const void *from = typed(type, room, x + image * inputs, inputs);
        cr_onednn_run(&p, from, weights, y + image * outputs, room + image_room(type, s));
    }
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}

void cr_onednn_input_gradient(dnnl_data_type_t type, float *dx, const float *dy,
                              const float *prepared, const cr_conv_sizes *s, void *work)
{
    int64_t inputs = cr_onednn_inputs(s);
    int64_t outputs = cr_onednn_outputs(s);
    cr_conv_sizes one = one_image(s);
    cr_onednn_primitive p = cr_onednn_make(CR_ONEDNN_INPUT_GRADIENT, type, &one);
    dnnl_memory_t weights = cr_onednn_weights(&p, (void *)prepared); /* only read */
#pragma omp parallel for schedule(dynamic)
    for (int image = 0; image < s->n; image++) {
        unsigned char *room = room_of_thread(type, s, work);
        const void *from = typed(type, room, dy + image * outputs, outputs);
        cr_onednn_run(&p, dx + image * inputs, weights, from, room + image_room(type, s));
    }
    cr_onednn_weights_free(&weights);
    cr_onednn_free(&p);
}
