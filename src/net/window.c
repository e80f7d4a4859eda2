/* window: which input positions an output position of conv2d or pooling sees. */
#include "window.h"
#include "tiles.h"

static int outputs(const cr_layer_plan *plan, int size)
{
    return plan->valid ? (size - plan->kernel + plan->stride) / plan->stride
                       : (size + plan->stride - 1) / plan->stride;
}

/* Zeros before the first position: SAME as TensorFlow has it, the odd one behind the last. */
static int padding(int size, int out, const cr_layer_plan *plan)
{
    int missing = (out - 1) * plan->stride + plan->kernel - size;
    return missing > 0 ? missing / 2 : 0;
}

const char *const *cr_padding_names(void)
{
    static const char *const names[] = {"same", "valid", NULL};
    return names;
}

cr_status cr_window_shape(cr_layer *layer)
{
    cr_layer_plan *plan = &layer->plan;
    const cr_shape *in = &layer->in;
    plan->stride = plan->stride == 0 ? 1 : plan->stride;
    CR_CHECK(plan->kernel >= 1 && plan->stride >= 1, CR_BAD_CONFIG,
             "layer %s: expected a kernel and a stride of at least 1, found %d and %d", layer->name,
             plan->kernel, plan->stride);
    CR_CHECK(!plan->valid || (in->h >= plan->kernel && in->w >= plan->kernel), CR_BAD_CONFIG,
             "layer %s: expected a kernel of at most the image, %d x %d, found %d", layer->name,
             in->h, in->w, plan->kernel);
    layer->out = (cr_shape){outputs(plan, in->h), outputs(plan, in->w), in->c};
    layer->pad_top = plan->valid ? 0 : padding(in->h, layer->out.h, plan);
    layer->pad_left = plan->valid ? 0 : padding(in->w, layer->out.w, plan);
    return CR_OK;
}

static int clamp(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

cr_window cr_window_at(const cr_layer *layer, int oh, int ow)
{
    int top = oh * layer->plan.stride - layer->pad_top;
    int left = ow * layer->plan.stride - layer->pad_left;
    return (cr_window){clamp(top, layer->in.h), clamp(top + layer->plan.kernel, layer->in.h),
                       clamp(left, layer->in.w), clamp(left + layer->plan.kernel, layer->in.w)};
}

void cr_window_each(const cr_layer *layer, float *y, const float *x, int samples,
                    cr_window_function at)
{
    int64_t in = (int64_t)layer->in.h * layer->in.w * layer->in.c;
    int64_t row = (int64_t)layer->out.w * layer->out.c;
#pragma omp parallel for schedule(static) if (cr_worth_threads(samples * in))
    for (int i = 0; i < samples * layer->out.h; i++)
        for (int ow = 0; ow < layer->out.w; ow++)
            at(layer, y + i * row + (int64_t)ow * layer->out.c, x + i / layer->out.h * in,
               i % layer->out.h, ow);
}
