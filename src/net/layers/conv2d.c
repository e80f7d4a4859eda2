/*
 * conv2d: Y[N, OH, OW, OC] = X[N, H, W, IC] * W[K, K, IC, OC] (Adelman & Silberstein 2018, eq.
 * (4)), padding SAME as TensorFlow has it (OH = ceil(H / stride), the odd zero below and to the
 * right) or VALID. Sampling keeps k of the IC input channels, eq. (6); the rest is as in dense.c.
 */
#include "../window.h"

#include <limits.h>

static const cr_option options[] = {
    {.name = "filters",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, width),
     .low = 1,
     .high = 1 << 20,
     .help = "output channels"},
    {.name = "kernel",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, kernel),
     .low = 1,
     .high = 255,
     .help = "rows and columns of the window, odd"},
    {.name = "stride",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, stride),
     .fallback = "1",
     .low = 1,
     .high = 1 << 16,
     .help = "positions from window to window"},
    CR_OPTION_PADDING,
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    const cr_layer_plan *plan = &layer->plan;
    const cr_shape *in = &layer->in;
    CR_CHECK(plan->kernel % 2 == 1, CR_BAD_CONFIG, "layer %s: expected an odd kernel, found %d",
             layer->name, plan->kernel);
    CR_CHECK(plan->width >= 1, CR_BAD_CONFIG, "layer %s: expected a width of at least 1, found %d",
             layer->name, plan->width);
    CR_TRY(cr_window_shape(layer));
    layer->out.c = plan->width;
    int taps = plan->kernel * plan->kernel;
    int64_t fan = (int64_t)taps * (in->c > plan->width ? in->c : plan->width);
    CR_CHECK(fan <= INT_MAX, CR_BAD_CONFIG,
             "layer %s: expected a smaller kernel, found %d x %d for %d to %d channels",
             layer->name, plan->kernel, plan->kernel, in->c, plan->width);
    layer->parameter_count = 1;
    layer->parameters[0] = (cr_parameter){.name = "kernel",
                                          .rank = 4,
                                          .dims = {plan->kernel, plan->kernel, in->c, plan->width},
                                          .dimensions = "KH,KW,IC,OC",
                                          .count = (int64_t)taps * in->c * plan->width,
                                          .decay = true,
                                          .fan_in = taps * in->c,
                                          .fan_out = taps * plan->width};
    return CR_OK;
}

static void channel_norms(const cr_layer *layer, double *norms, const double *rows)
{
    int taps = layer->plan.kernel * layer->plan.kernel;
    for (int i = 0; i < layer->in.c; i++) {
        norms[i] = 0;
        for (int tap = 0; tap < taps; tap++)
            norms[i] += rows[(int64_t)tap * layer->in.c + i];
    }
}

static cr_conv_sizes sizes_of(const cr_contract *c, int out)
{
    const cr_layer *layer = c->layer;
    return (cr_conv_sizes){.n = c->samples,
                           .h = layer->in.h,
                           .w = layer->in.w,
                           .in = c->k,
                           .out = out,
                           .kernel = layer->plan.kernel,
                           .stride = layer->plan.stride,
                           .pad_top = layer->pad_top,
                           .pad_left = layer->pad_left,
                           .oh = layer->out.h,
                           .ow = layer->out.w};
}

static int64_t prepared(const cr_contract *c, bool backward)
{
    cr_conv_sizes sizes = sizes_of(c, backward ? c->live : c->out);
    return cr_conv_prepared(c->engine, &sizes, backward);
}

static void prepare(const cr_contract *c, float *to, const float *w, bool backward)
{
    cr_conv_sizes sizes = sizes_of(c, backward ? c->live : c->out);
    cr_conv_prepare(c->engine, to, w, &sizes, backward);
}

static size_t work(const cr_contract *c)
{
    cr_conv_sizes sizes = sizes_of(c, c->layer->out.c);
    return cr_conv_work(c->engine, &sizes, cr_engine_threads());
}

static void forward(const cr_contract *c, float *y, const float *x, const float *w)
{
    cr_conv_sizes sizes = sizes_of(c, c->out);
    cr_conv_forward(c->engine, y, x, w, &sizes, c->work);
}

static bool add(const cr_contract *c, float *y, const float *x, const float *w)
{
    cr_conv_sizes sizes = sizes_of(c, c->out);
    return cr_conv_add(c->engine, y, x, w, &sizes, c->work);
}

static void input_gradient(const cr_contract *c, float *dx, const float *dy, const float *w)
{
    cr_conv_sizes sizes = sizes_of(c, c->live);
    cr_conv_input_gradient(c->engine, dx, dy, w, &sizes, c->work);
}

static void weight_gradient(const cr_contract *c, float *dw, const float *x, const float *dy,
                            bool accumulate)
{
    cr_conv_sizes sizes = sizes_of(c, c->live);
    cr_conv_weight_gradient(c->engine, dw, x, dy, &sizes, accumulate, c->work);
}

static const cr_contraction contraction = {
    .channel_norms = channel_norms,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .add = add,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
};

const cr_layer_type cr_layer_type_conv2d = {
    .name = "conv2d",
    .options = options,
    .shape = shape,
    .contraction = &contraction,
};
