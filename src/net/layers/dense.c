/*
 * dense: Y[N, OUT] = X[N, IN] W[IN, OUT]. With a pick I of the inputs, its scales s, and the live
 * outputs O (Adelman & Silberstein 2018, eq. (1), with liveness):
 *
 *     Y = X[:, I] (s W[I, :])     dX[:, I] = dY[:, O] (s W[I, O])^T     dW[I, O] = s X[:, I]^T
 * dY[:, O]
 *
 * The gathered weights carry the scale; dW gets its own when it is spread out, once a step.
 */
#include "colrow/net.h"

#include <string.h>

static const cr_option options[] = {
    {.name = "features",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, width),
     .low = 1,
     .high = 1 << 24,
     .help = "outputs"},
    {.name = "each_position",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_layer_plan, each_position),
     .fallback = "false",
     .help = "the same weights at every position, not others for each"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    int64_t features = (int64_t)layer->in.h * layer->in.w * layer->in.c;
    int in = layer->in.c;
    if (!layer->plan.each_position) { /* NHWC rows are the features already */
        CR_TRY(cr_to_int(&in, features, layer->name));
        layer->in = (cr_shape){1, 1, in};
    }
    int out = layer->plan.width;
    CR_CHECK(out >= 1, CR_BAD_CONFIG, "layer %s: expected a width of at least 1, found %d",
             layer->name, out);
    layer->out = (cr_shape){layer->in.h, layer->in.w, out};
    layer->parameter_count = 1;
    layer->parameters[0] = cr_parameter_kernel(in, out);
    return CR_OK;
}

static void channel_norms(const cr_layer *layer, double *norms, const double *rows)
{
    memcpy(norms, rows, (size_t)layer->in.c * sizeof *norms); /* a channel is one row */
}

static cr_dense_sizes sizes_of(const cr_contract *c, int out)
{
    int rows = c->samples * c->layer->in.h * c->layer->in.w;
    return (cr_dense_sizes){rows, c->k, out, c->k, out, c->ldy > 0 ? c->ldy : out};
}

static int64_t prepared(const cr_contract *c, bool backward)
{
    cr_dense_sizes sizes = sizes_of(c, backward ? c->live : c->out);
    return c->engine->dense_prepared(&sizes, backward);
}

static void prepare(const cr_contract *c, float *to, const float *w, bool backward)
{
    cr_dense_sizes sizes = sizes_of(c, backward ? c->live : c->out);
    c->engine->dense_prepare(to, w, &sizes, backward);
}

static size_t work(const cr_contract *c)
{
    cr_dense_sizes sizes = sizes_of(c, c->layer->out.c);
    return c->engine->dense_work(&sizes, cr_engine_threads());
}

static void forward(const cr_contract *c, float *y, const float *x, const float *w)
{
    cr_dense_sizes sizes = sizes_of(c, c->out);
    c->engine->dense_forward(y, x, w, &sizes, c->work);
}

static void input_gradient(const cr_contract *c, float *dx, const float *dy, const float *w)
{
    cr_dense_sizes sizes = sizes_of(c, c->live);
    c->engine->dense_input_gradient(dx, dy, w, &sizes, c->work);
}

static void weight_gradient(const cr_contract *c, float *dw, const float *x, const float *dy,
                            bool accumulate)
{
    cr_dense_sizes sizes = sizes_of(c, c->live);
    c->engine->dense_weight_gradient(dw, x, dy, &sizes, accumulate, c->work);
}

static const cr_contraction contraction = {
    .channel_norms = channel_norms,
    .prepared = prepared,
    .prepare = prepare,
    .work = work,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
};

const cr_layer_type cr_layer_type_dense = {
    .name = "dense",
    .options = options,
    .shape = shape,
    .contraction = &contraction,
};
