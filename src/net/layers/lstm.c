/*
 * lstm: a layer of Hochreiter & Schmidhuber's cells (1997), with forget gates (Gers et al. 2000),
 * as Zaremba et al. 2014 have it. Of `features` = H cells, called `name`, there are
 *
 *     name.i, name.j, name.f, name.o    dense at each step: what x gives to each gate    [IN, H]
 *     name.recurrent                    lstm_cell: what the last output gives to all gates, [H,
 * 4H], the gates' bias, and the cells
 *
 * So each gate keeps its own channels of x, and patterns like `lstm*.i` choose among them. All
 * gates read one tensor: dropout before the layer is the same for all.
 */
#include "colrow/net.h"

#include <stdio.h>
#include <string.h>

static const cr_option options[] = {
    {.name = "features",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, width),
     .low = 1,
     .high = 1 << 22,
     .help = "cells"},
    {.name = "forget_bias",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_layer_plan, forget_bias),
     .fallback = "0",
     .low = -100,
     .high = 100,
     .help = "added to what opens the forget gate"},
    {.name = NULL},
};

static cr_status join(cr_word out, const char *name, const char *part)
{
    CR_CHECK(strlen(name) + strlen(part) + 1 < CR_WORD_MAX, CR_BAD_CONFIG,
             "layer %s.%s: expected a name shorter than %d bytes", name, part, CR_WORD_MAX);
    (void)snprintf(out, CR_WORD_MAX, "%s.%s", name, part);
    return CR_OK;
}

/* What is pending, as a tensor. */
static cr_status add_input(cr_net *net, const char *layer)
{
    cr_word name;
    CR_TRY(join(name, layer, "input"));
    return cr_net_add(net, &(cr_layer_plan){.type = "zero_pad", .name = name});
}

static cr_status add_gates(cr_net *net, const cr_layer_plan *plan)
{
    static const char *const gates[] = {"i", "j", "f", "o"}; /* in the order of lstm_cell.c */
    int input = cr_net_current(net);
    int tensor = -1;
    for (int g = 0; g < 4; g++) {
        cr_word name;
        CR_TRY(join(name, plan->name, gates[g]));
        cr_layer_plan gate = {
            .type = "dense", .name = name, .width = plan->width, .each_position = true};
        cr_net_continue_from(net, input);
        CR_TRY(cr_net_add_columns(net, &gate, &tensor, g * plan->width, 4 * plan->width));
    }
    return CR_OK;
}

static cr_status expand(cr_net *net, const cr_layer_plan *plan)
{
    cr_word name;
    CR_CHECK(plan->width >= 1, CR_BAD_CONFIG, "layer %s: expected a width of at least 1, found %d",
             plan->name, plan->width);
    if (net->pending > 0)
        CR_TRY(add_input(net, plan->name));
    CR_TRY(add_gates(net, plan));
    CR_TRY(join(name, plan->name, "recurrent"));
    return cr_net_add(
        net, &(cr_layer_plan){.type = "lstm_cell", .name = name, .forget_bias = plan->forget_bias});
}

const cr_layer_type cr_layer_type_lstm = {
    .name = "lstm",
    .options = options,
    .expand = expand,
};
