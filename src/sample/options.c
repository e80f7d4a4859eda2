/* options: what a user says about sampling, and what that means for one layer. */
#include "colrow/sample.h"

#include <fnmatch.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double ROUNDING = 1e-9; /* 0.3 * 10 is a little below 3 in double */

/* Channels' scores are all equal when they need neither inputs nor weights. */
static bool is_uniform(const cr_score *score)
{
    return !score->needs_inputs && !score->needs_weights;
}

static const cr_sample_layer nothing = {0}; /* of its own */

static const char *word_of(const char *own, const char *common)
{
    return own[0] != '\0' ? own : common;
}

/* Draw and score are NULL where there is none of that name. */
static cr_sample_way way_of(const cr_sample_options *options, const cr_sample_layer *own)
{
    return (cr_sample_way){.draw = cr_draw_find(word_of(own->draw, options->draw)),
                           .score = cr_score_find(word_of(own->scores, options->scores)),
                           .scale = own->scale[0] != '\0' ? strcmp(own->scale, "true") == 0
                                                          : options->scale,
                           .minimum = own->minimum > 0 ? own->minimum : options->minimum};
}

static cr_status check_way(const cr_sample_options *options, const cr_sample_layer *own,
                           const char *key)
{
    cr_sample_way way = way_of(options, own);
    CR_CHECK(way.draw != NULL, CR_BAD_CONFIG, "%s.draw: expected the name of a draw, found '%s'",
             key, word_of(own->draw, options->draw));
    CR_CHECK(way.score != NULL, CR_BAD_CONFIG,
             "%s.scores: expected the name of a score, found '%s'", key,
             word_of(own->scores, options->scores));
    bool can_scale = way.draw->can_scale != NULL && way.draw->can_scale(is_uniform(way.score));
    CR_CHECK(!way.scale || can_scale, CR_BAD_CONFIG,
             "%s.scale: expected false, as draw '%s' with scores '%s' has no unbiased weights in "
             "closed form, found true",
             key, way.draw->name, way.score->name);
    return CR_OK;
}

cr_status cr_sample_check(const cr_sample_options *options)
{
    const cr_sample_layers *layers = &options->layers;
    CR_TRY(check_way(options, &nothing, "sampling"));
    for (int i = 0; i < layers->names.count; i++) {
        char key[2 * CR_WORD_MAX];
        (void)snprintf(key, sizeof key, "sampling.layers.%s", layers->names.value[i]);
        CR_TRY(check_way(options, &layers->at[i], key));
    }
    CR_TRY(cr_schedule_check(&options->schedule, "sampling.schedule"));
    return cr_schedule_check(&options->backward.schedule, "sampling.backward.schedule");
}

static bool matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, 0) == 0;
}

static const cr_sample_layer *find_own(const cr_sample_options *options, const char *name)
{
    for (int i = 0; i < options->layers.names.count; i++)
        if (matches(options->layers.names.value[i], name))
            return &options->layers.at[i];
    return &nothing;
}

cr_sample_way cr_sample_way_of(const cr_sample_options *options, const char *name)
{
    return way_of(options, find_own(options, name));
}

const cr_score *cr_sample_from_inputs(const cr_sample_options *options)
{
    const cr_score *score = way_of(options, &nothing).score;
    for (int i = 0; i < options->layers.names.count && !score->needs_inputs; i++)
        score = way_of(options, &options->layers.at[i]).score;
    return score->needs_inputs ? score : NULL;
}

static bool is_exact(const cr_sample_options *options, const char *name)
{
    for (int i = 0; i < options->exact.count; i++)
        if (matches(options->exact.value[i], name))
            return true;
    return false;
}

double cr_sample_ratio(const cr_sample_options *options, const char *name)
{
    bool exact_now = options->schedule.count > 0 && options->ratio == 1.0;
    if (exact_now || is_exact(options, name))
        return 1.0;
    double own = find_own(options, name)->ratio;
    return own > 0 ? own : options->ratio;
}

double cr_sample_backward_ratio(const cr_sample_options *options, const char *name)
{
    double ratio = options->backward.ratio;
    return ratio == 0 || is_exact(options, name) ? 1.0 : ratio;
}

int cr_sample_count(double ratio, int minimum, int n)
{
    double wanted = floor(ratio * n + ROUNDING);
    int k = wanted < n ? (int)wanted : n;
    k = k > minimum ? k : minimum;
    k = k > 1 ? k : 1;
    return k < n ? k : n;
}

static const char *const *truths(void)
{
    static const char *const words[] = {"true", "false", NULL};
    return words;
}

static const cr_option layer_table[] = {
    {.name = "ratio",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_sample_layer, ratio),
     .fallback = "",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "these are for some layers what they are above for all; the ratio may stand alone"},
    {.name = "minimum",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_sample_layer, minimum),
     .fallback = "",
     .low = 1,
     .high = INT_MAX},
    {.name = "draw",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_layer, draw),
     .fallback = "",
     .words = cr_draw_names},
    {.name = "scores",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_layer, scores),
     .fallback = "",
     .words = cr_score_names},
    {.name = "scale",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_layer, scale),
     .fallback = "",
     .words = truths},
    {.name = NULL},
};

const cr_option cr_sample_option_table[] = {
    {.name = "draw",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_options, draw),
     .fallback = "top",
     .words = cr_draw_names,
     .help = "how the channels kept are taken"},
    {.name = "scores",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_sample_options, scores),
     .fallback = "norm",
     .words = cr_score_names,
     .help = "what a channel's importance is"},
    {.name = "scale",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_sample_options, scale),
     .fallback = "false",
     .help = "scale the channels kept so that the product is unbiased"},
    {.name = "ratio",
     .kind = CR_OPTION_REAL,
     .offset = offsetof(cr_sample_options, ratio),
     .fallback = "1",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "share of the channels kept (draw adaptive: of their scores); 1: exact training"},
    {.name = "minimum",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_sample_options, minimum),
     .fallback = "1",
     .low = 1,
     .high = INT_MAX,
     .help = "channels kept at least (draw bernoulli: on average)"},
    {.name = "exact",
     .kind = CR_OPTION_WORDS,
     .offset = offsetof(cr_sample_options, exact),
     .fallback = "[]",
     .help = "layers never sampled (names or glob patterns)"},
    {.name = "layers",
     .kind = CR_OPTION_NAMED,
     .offset = offsetof(cr_sample_options, layers),
     .fallback = "{}",
     .fields = layer_table,
     .bytes = sizeof(cr_sample_layer),
     .first = offsetof(cr_sample_layers, at),
     .help = "layer (name or glob pattern) to the ratio, or {ratio: ..., draw: ...}, it has "
             "instead"},
    {.name = "schedule",
     .kind = CR_OPTION_RATIOS,
     .offset = offsetof(cr_sample_options, schedule),
     .fallback = "{}",
     .low = 0,
     .high = 1,
     .above = true,
     .help = "epoch, or `N steps`, to the ratio from then on; 1: exact, whatever `layers` says"},
    {.name = "lookahead",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_sample_options, lookahead),
     .fallback = "false",
     .help = "leave out outputs that the next layer drops as well (needs agreement: stale)"},
    {.name = NULL},
};
