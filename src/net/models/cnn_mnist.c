/*
 * cnn_mnist: the paper's small network (Adelman & Silberstein 2018, supplement): 5x5x32, pool,
 * 5x5x64, pool, 3136-1024, dropout, 1024-10, on images of any size.
 */
#include "colrow/net.h"

typedef struct cnn_mnist {
    int classes;
    double dropout;
} cnn_mnist;

static const cr_option options[] = {
    {.name = "classes",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cnn_mnist, classes),
     .fallback = "10",
     .low = 2,
     .high = 1 << 20,
     .help = "classes to tell apart"},
    {.name = "dropout",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cnn_mnist, dropout),
     .fallback = "0.5",
     .low = 0,
     .high = 0.99,
     .help = "share of the first dense layer's outputs dropped"},
    {.name = NULL},
};

_Static_assert(sizeof(cnn_mnist) <= CR_NET_PARAMETERS, "options of cnn_mnist fit");

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    const cnn_mnist *m = parameters;
    *input = (cr_shape){28, 28, 1};
    *classes = m->classes;
    return CR_OK;
}

static cr_status build(cr_net *net, const void *parameters)
{
    const cnn_mnist *m = parameters;
    const cr_layer_plan plans[] = {
        {.type = "conv2d", .name = "conv1", .width = 32, .kernel = 5},
        {.type = "bias", .name = "conv1"},
        {.type = "relu", .name = "relu1"},
        {.type = "max_pool", .name = "pool1", .kernel = 2, .stride = 2},
        {.type = "conv2d", .name = "conv2", .width = 64, .kernel = 5},
        {.type = "bias", .name = "conv2"},
        {.type = "relu", .name = "relu2"},
        {.type = "max_pool", .name = "pool2", .kernel = 2, .stride = 2},
        {.type = "dense", .name = "fc1", .width = 1024},
        {.type = "bias", .name = "fc1"},
        {.type = "relu", .name = "relu3"},
        {.type = "dropout", .name = "dropout1", .rate = m->dropout},
        {.type = "dense", .name = "fc2", .width = m->classes},
        {.type = "bias", .name = "fc2"},
        {.type = "softmax_cross_entropy", .name = "loss"},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        CR_TRY(cr_net_add(net, &plans[i]));
    return CR_OK;
}

const cr_model cr_model_cnn_mnist = {
    .name = "cnn_mnist",
    .options = options,
    .wants = wants,
    .build = build,
};
