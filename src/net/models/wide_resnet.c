/*
 * wide_resnet: WRN-depth-width (Zagoruyko & Komodakis 2016): a 3x3 convolution to 16 channels,
 * three groups of (depth - 4) / 6 pre-activation blocks of 16, 32 and 64 x width channels, batch
 * norm, ReLU, global average pooling, dense.
 *
 *     block:  x -> batch norm, ReLU -> 3x3 conv -> batch norm, ReLU, dropout -> 3x3 conv -> +
 * shortcut
 *
 * The first block of the second and third group has stride 2. Where a block changes the shape, its
 * shortcut is
 *
 *     projection  a 1x1 convolution of the activated input
 *     zero_pad    average pooling and zero channels (the paper's code base); of the activated input
 *                 in the first block of all, of the plain one elsewhere
 */
#include "colrow/net.h"

#include <stdio.h>
#include <string.h>

enum { GROUPS = 3, FIRST_CHANNELS = 16 };

typedef struct wide_resnet {
    int depth, width, classes;
    double dropout, leak, epsilon, momentum;
    cr_word shortcut;
} wide_resnet;

static const char *const shortcuts[] = {"zero_pad", "projection", NULL};

static const char *const *shortcut_names(void)
{
    return shortcuts;
}

#define AT(field) offsetof(wide_resnet, field)

static const cr_option options[] = {
    {.name = "depth",
     .kind = CR_OPTION_INT,
     .offset = AT(depth),
     .fallback = "28",
     .low = 10,
     .high = 10000,
     .help = "layers: 6 n + 4"},
    {.name = "width",
     .kind = CR_OPTION_INT,
     .offset = AT(width),
     .fallback = "10",
     .low = 1,
     .high = 1000,
     .help = "factor on the channels"},
    {.name = "classes",
     .kind = CR_OPTION_INT,
     .offset = AT(classes),
     .fallback = "100",
     .low = 2,
     .high = 1 << 20,
     .help = "classes to tell apart"},
    {.name = "dropout",
     .kind = CR_OPTION_REAL,
     .offset = AT(dropout),
     .fallback = "0",
     .low = 0,
     .high = 0.99,
     .help = "share dropped between the convolutions of a block"},
    {.name = "shortcut",
     .kind = CR_OPTION_WORD,
     .offset = AT(shortcut),
     .fallback = "zero_pad",
     .words = shortcut_names,
     .help = "where a block changes the shape"},
    {.name = "leak",
     .kind = CR_OPTION_REAL,
     .offset = AT(leak),
     .fallback = "0",
     .low = 0,
     .high = 1,
     .help = "slope of the activation below zero"},
    {.name = "epsilon",
     .kind = CR_OPTION_REAL,
     .offset = AT(epsilon),
     .fallback = "1e-3",
     .low = 1e-12,
     .high = 1,
     .help = "added to the variance in batch norm"},
    {.name = "momentum",
     .kind = CR_OPTION_REAL,
     .offset = AT(momentum),
     .fallback = "0.9",
     .low = 0,
     .high = 0.999999,
     .help = "share of batch norm's running statistics kept from step to step"},
    {.name = NULL},
};

_Static_assert(sizeof(wide_resnet) <= CR_NET_PARAMETERS, "options of wide_resnet fit");

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    const wide_resnet *m = parameters;
    CR_CHECK((m->depth - 4) % 6 == 0, CR_BAD_CONFIG,
             "network.depth: expected 6 n + 4 (10, 16, 22, 28, 40 ...), found %d", m->depth);
    *input = (cr_shape){32, 32, 3};
    *classes = m->classes;
    return CR_OK;
}

/* A block under construction. */
typedef struct block {
    cr_net *net;
    const wide_resnet *m;
    char prefix[32]; /* "group2.block1" */
    int channels, stride;
    bool first;    /* of all blocks */
    bool reshapes; /* the shape changes */
} block;

/* Add a layer called prefix.name. */
static cr_status add(const block *b, cr_layer_plan plan)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "%s.%s", b->prefix, plan.name);
    plan.name = name;
    return cr_net_add(b->net, &plan);
}

static cr_status add_into(const block *b, cr_layer_plan plan, int tensor)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "%s.%s", b->prefix, plan.name);
    plan.name = name;
    return cr_net_add_into(b->net, &plan, tensor);
}

static cr_status add_activation(const block *b, const char *norm, const char *relu)
{
    CR_TRY(add(b, (cr_layer_plan){.type = "batch_norm",
                                  .name = norm,
                                  .epsilon = b->m->epsilon,
                                  .momentum = b->m->momentum}));
    return add(b, (cr_layer_plan){.type = "relu", .name = relu, .slope = b->m->leak});
}

static cr_layer_plan shortcut_plan(const block *b)
{
    bool projects = strcmp(b->m->shortcut, "projection") == 0;
    return (cr_layer_plan){.type = projects ? "conv2d" : "zero_pad",
                           .name = "shortcut",
                           .width = b->channels,
                           .kernel = 1,
                           .stride = b->stride};
}

/* The shortcut of a block that changes the shape, and what its first convolution begins with. */
static cr_status add_shortcut(const block *b, int *sum)
{
    int input = cr_net_current(b->net);
    bool activates = b->first || strcmp(b->m->shortcut, "projection") == 0;
    if (activates) { /* both branches read the activated input: it becomes a tensor of its own */
        CR_TRY(add_activation(b, "bn1", "relu1"));
        CR_TRY(add(b, (cr_layer_plan){.type = "zero_pad", .name = "activated"}));
        input = cr_net_current(b->net);
    }
    CR_TRY(add(b, shortcut_plan(b)));
    *sum = cr_net_current(b->net);
    cr_net_continue_from(b->net, input);
    return activates ? CR_OK : add_activation(b, "bn1", "relu1");
}

static cr_status add_block(const block *b)
{
    int sum = cr_net_current(b->net);
    if (b->reshapes)
        CR_TRY(add_shortcut(b, &sum));
    else
        CR_TRY(add_activation(b, "bn1", "relu1"));
    cr_layer_plan conv = {
        .type = "conv2d", .name = "conv1", .width = b->channels, .kernel = 3, .stride = b->stride};
    CR_TRY(add(b, conv));
    CR_TRY(add_activation(b, "bn2", "relu2"));
    if (b->m->dropout > 0)
        CR_TRY(
            add(b, (cr_layer_plan){.type = "dropout", .name = "dropout", .rate = b->m->dropout}));
    conv.name = "conv2";
    conv.stride = 1;
    return add_into(b, conv, sum);
}

static cr_status add_group(cr_net *net, const wide_resnet *m, int group)
{
    int blocks = (m->depth - 4) / 6;
    int channels = FIRST_CHANNELS * (1 << group) * m->width;
    for (int i = 0; i < blocks; i++) {
        block b = {.net = net, .m = m, .channels = channels};
        b.stride = group > 0 && i == 0 ? 2 : 1;
        b.first = group == 0 && i == 0;
        b.reshapes = i == 0 && (group > 0 || channels != FIRST_CHANNELS);
        (void)snprintf(b.prefix, sizeof b.prefix, "group%d.block%d", group + 1, i + 1);
        CR_TRY(add_block(&b));
    }
    return CR_OK;
}

static cr_status build(cr_net *net, const void *parameters)
{
    const wide_resnet *m = parameters;
    CR_TRY(cr_net_add(
        net,
        &(cr_layer_plan){.type = "conv2d", .name = "conv0", .width = FIRST_CHANNELS, .kernel = 3}));
    for (int group = 0; group < GROUPS; group++)
        CR_TRY(add_group(net, m, group));
    const cr_layer_plan head[] = {
        {.type = "batch_norm", .name = "bn", .epsilon = m->epsilon, .momentum = m->momentum},
        {.type = "relu", .name = "relu", .slope = m->leak},
        {.type = "average_pool", .name = "pool"},
        {.type = "dense", .name = "fc", .width = m->classes},
        {.type = "bias", .name = "fc"},
        {.type = "softmax_cross_entropy", .name = "loss"},
    };
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        CR_TRY(cr_net_add(net, &head[i]));
    return CR_OK;
}

const cr_model cr_model_wide_resnet = {
    .name = "wide_resnet",
    .options = options,
    .wants = wants,
    .build = build,
};
