/*
 * lstm: a language model on windows of `unroll` tokens: embedding, LSTM layers, and a projection to
 * the vocabulary with softmax cross-entropy. The defaults are the medium model of Zaremba et al.
 * 2014, with dropout where nothing recurs: after the embedding, between layers, before the
 * projection, which is the paper's W2 (Adelman & Silberstein 2018, section 3.4).
 */
#include "colrow/net.h"

#include <stdio.h>

typedef struct lstm {
    int vocabulary, hidden, layers, unroll;
    double dropout, forget_bias;
} lstm;

static const cr_option options[] = {
    {.name = "vocabulary",
     .kind = CR_OPTION_INT,
     .offset = offsetof(lstm, vocabulary),
     .fallback = "0",
     .low = 0,
     .high = 1 << 24,
     .help = "tokens there are; 0: as the data has them"},
    {.name = "hidden",
     .kind = CR_OPTION_INT,
     .offset = offsetof(lstm, hidden),
     .fallback = "650",
     .low = 1,
     .high = 1 << 22,
     .help = "cells of each layer, and features of a token"},
    {.name = "layers",
     .kind = CR_OPTION_INT,
     .offset = offsetof(lstm, layers),
     .fallback = "2",
     .low = 1,
     .high = 1000,
     .help = "LSTM layers"},
    {.name = "unroll",
     .kind = CR_OPTION_INT,
     .offset = offsetof(lstm, unroll),
     .fallback = "35",
     .low = 1,
     .high = 1 << 20,
     .help = "tokens of a window, which the gradient flows through"},
    {.name = "dropout",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lstm, dropout),
     .fallback = "0.5",
     .low = 0,
     .high = 0.99,
     .help = "share dropped of the embedding and of each layer's outputs, on their way up"},
    {.name = "forget_bias",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(lstm, forget_bias),
     .fallback = "0",
     .low = -100,
     .high = 100,
     .help = "added to what opens the forget gates"},
    {.name = NULL},
};

_Static_assert(sizeof(lstm) <= CR_NET_PARAMETERS, "options of lstm fit");

static cr_status wants(const void *parameters, cr_shape *input, int *classes)
{
    const lstm *m = parameters;
    *input = (cr_shape){m->unroll, 1, 1};
    *classes = m->vocabulary;
    return CR_OK;
}

static cr_status add_dropout(cr_net *net, const lstm *m, int number)
{
    cr_word name;
    (void)snprintf(name, sizeof name, "dropout%d", number);
    if (m->dropout == 0)
        return CR_OK;
    return cr_net_add(net, &(cr_layer_plan){.type = "dropout", .name = name, .rate = m->dropout});
}

static cr_status build(cr_net *net, const void *parameters)
{
    const lstm *m = parameters;
    CR_TRY(cr_net_add(net, &(cr_layer_plan){.type = "embedding",
                                            .name = "embedding",
                                            .width = m->hidden,
                                            .vocabulary = net->classes}));
    for (int i = 1; i <= m->layers; i++) {
        cr_word name;
        CR_TRY(add_dropout(net, m, i - 1));
        (void)snprintf(name, sizeof name, "lstm%d", i);
        CR_TRY(cr_net_add(net, &(cr_layer_plan){.type = "lstm",
                                                .name = name,
                                                .width = m->hidden,
                                                .forget_bias = m->forget_bias}));
    }
    CR_TRY(add_dropout(net, m, m->layers));
    return cr_net_add(net, &(cr_layer_plan){.type = "softmax_projection",
                                            .name = "projection",
                                            .width = net->classes});
}

const cr_model cr_model_lstm = {
    .name = "lstm",
    .options = options,
    .wants = wants,
    .build = build,
};
