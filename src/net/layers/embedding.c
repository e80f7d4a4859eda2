/*
 * embedding: y = W[x], the row of the token's number: x [rows, 1], W [V, C]. Backwards a token's
 * row gets the sum of dy over the rows where it stood:  dW[v, O] = sum over x_r = v of dy_r.
 *
 * A number that is no token's counts as token 0; whoever reads the data has seen that there is
 * none.
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
    {.name = "vocabulary",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, vocabulary),
     .low = 1,
     .high = 1 << 24,
     .help = "tokens there are"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    int tokens = layer->plan.vocabulary;
    int out = layer->plan.width;
    CR_CHECK(layer->in.c == 1, CR_BAD_CONFIG,
             "layer %s: expected one token at each position, found %d values", layer->name,
             layer->in.c);
    CR_CHECK(tokens >= 1 && out >= 1, CR_BAD_CONFIG,
             "layer %s: expected a vocabulary and a width of at least 1, found %d and %d",
             layer->name, tokens, out);
    layer->out = (cr_shape){layer->in.h, layer->in.w, out};
    layer->parameter_count = 1;
    layer->parameters[0] = cr_parameter_kernel(tokens, out);
    layer->parameters[0].dimensions = "TOKEN,OUT";
    return CR_OK;
}

static int64_t rows_of(const cr_turn *turn)
{
    const cr_shape *in = &turn->contract.layer->in;
    return (int64_t)turn->contract.samples * in->h * in->w;
}

static int64_t token_at(const cr_turn *turn, int64_t row)
{
    float number = turn->x[row];
    return number >= 0 && number < (float)turn->contract.layer->plan.vocabulary ? (int64_t)number
                                                                                : 0;
}

static void forward(const cr_turn *turn)
{
    const cr_layer *layer = turn->contract.layer;
    const float *table = turn->pass->parameters + layer->parameters[0].offset;
    int64_t out = layer->out.c;
    for (int64_t row = 0; row < rows_of(turn); row++)
        memcpy(turn->y + row * out, table + token_at(turn, row) * out, (size_t)out * sizeof(float));
}

static void clear(float *dw, int64_t count)
{
    const int64_t piece = 1 << 16;
#pragma omp parallel for schedule(static) if (count > piece)
    for (int64_t first = 0; first < count; first += piece) {
        int64_t left = count - first;
        memset(dw + first, 0, (size_t)(left < piece ? left : piece) * sizeof *dw);
    }
}

static void backward(const cr_turn *turn)
{
    int live = turn->contract.live;
    if (!turn->accumulate)
        clear(turn->dp[0], (int64_t)turn->contract.layer->plan.vocabulary * live);
    for (int64_t row = 0; row < rows_of(turn); row++) {
        float *restrict to = turn->dp[0] + token_at(turn, row) * live;
        const float *restrict from = turn->dy + row * live;
        for (int o = 0; o < live; o++)
            to[o] += from[o];
    }
}

static const cr_operation operation = {.forward = forward, .backward = backward};

const cr_layer_type cr_layer_type_embedding = {
    .name = "embedding",
    .options = options,
    .shape = shape,
    .operation = &operation,
};
