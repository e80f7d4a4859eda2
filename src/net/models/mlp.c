/*
 * mlp: dense layers with ReLU (and dropout) between them; `sizes` from the inputs to the classes. A
 * bias has its dense layer's name, so that both are stored together: fc1/kernel, fc1/bias.
 */
#include "colrow/net.h"

#include <stdio.h>

typedef struct mlp {
    cr_ints sizes;
    double dropout;
} mlp;

static const cr_option options[] = {
    {.name = "sizes",
     .kind = CR_OPTION_INTS,
     .offset = offsetof(mlp, sizes),
     .fallback = "[784, 500, 500, 10]",
     .low = 1,
     .high = 1 << 24,
     .help = "features of the input, of each hidden layer, and the classes"},
    {.name = "dropout",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(mlp, dropout),
     .fallback = "0",
     .low = 0,
     .high = 0.99,
     .help = "share of each hidden layer's outputs dropped"},
    {.name = NULL},
};

_Static_assert(sizeof(mlp) <= CR_NET_PARAMETERS, "options of mlp fit");

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    const mlp *m = parameters;
    CR_CHECK(m->sizes.count >= 2, CR_BAD_CONFIG,
             "network.sizes: expected at least 2 numbers (inputs and classes), found %d",
             m->sizes.count);
    *input = (cr_shape){1, 1, m->sizes.value[0]};
    *classes = m->sizes.value[m->sizes.count - 1];
    return CR_OK;
}

static cr_status add_dense(cr_net *net, int number, int width)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "fc%d", number);
    CR_TRY(cr_net_add(net, &(cr_layer_plan){.type = "dense", .name = name, .width = width}));
    return cr_net_add(net, &(cr_layer_plan){.type = "bias", .name = name});
}

static cr_status add_hidden(cr_net *net, const mlp *m, int number)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "relu%d", number);
    CR_TRY(cr_net_add(net, &(cr_layer_plan){.type = "relu", .name = name}));
    (void)snprintf(name, sizeof name, "dropout%d", number);
    if (m->dropout > 0)
        CR_TRY(
            cr_net_add(net, &(cr_layer_plan){.type = "dropout", .name = name, .rate = m->dropout}));
    return CR_OK;
}

static cr_status build(cr_net *net, const void *parameters)
{
    const mlp *m = parameters;
    int last = m->sizes.count - 1;
    for (int i = 1; i <= last; i++) {
        CR_TRY(add_dense(net, i, m->sizes.value[i]));
        if (i < last)
            CR_TRY(add_hidden(net, m, i));
    }
    return cr_net_add(net, &(cr_layer_plan){.type = "softmax_cross_entropy", .name = "loss"});
}

const cr_model cr_model_mlp = {
    .name = "mlp",
    .options = options,
    .wants = wants,
    .build = build,
};
