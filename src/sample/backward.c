/*
 * backward: what a user says about the second sampling, inside the backward products. What it does
 * is in net/resample.c.
 *
 *     crs     column-row sampling of each product by itself: of the samples that the weight
 *             gradient sums over, of the outputs that the input gradient sums over
 *             (Adelman & Silberstein 2018, section 5)
 *     meprop  the same outputs in both products, by their gradient alone: the simple unified top-k
 *             of Sun et al. 2017, whose scores are sums of absolute values where ours are norms
 */
#include "colrow/sample.h"

#include <limits.h>
#include <string.h>

static const cr_backward_method methods[] = {
    {"crs", .by_sample = true, .with_weights = true},
    {"meprop", .by_sample = false, .with_weights = false},
    {0},
};

const cr_backward_method *cr_backward_method_find(const char *name)
{
    for (const cr_backward_method *method = methods; method->name != NULL; method++)
        if (strcmp(method->name, name) == 0)
            return method;
    return NULL;
}

const char *const *cr_backward_method_names(void)
{
    static const char *const names[] = {"crs", "meprop", NULL};
    return names;
}

const cr_option cr_backward_option_table[] = {
    {.name = "method",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_backward_options, method),
     .fallback = "crs",
     .words = cr_backward_method_names,
     .help = "what is sampled: of each product its own, or gradients of outputs for both"},
    {.name = "draw",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_backward_options, draw),
     .fallback = "top",
     .words = cr_draw_names,
     .help = "how they are taken; scaled to be unbiased where that has a closed form"},
    {.name = "ratio",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_backward_options, ratio),
     .fallback = "1",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "share of the samples and of a layer's outputs kept; 1: no second sampling"},
    {.name = "minimum",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_backward_options, minimum),
     .fallback = "1",
     .low = 1,
     .high = INT_MAX,
     .help = "samples and outputs kept at least"},
    {.name = "schedule",
     .kind = CR_OPTION_RATIOS,
     .offset = offsetof(cr_backward_options, schedule),
     .fallback = "{}",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "epoch, or `N steps`, to this ratio from then on"},
    {.name = NULL},
};
